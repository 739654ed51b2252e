"""What can go wrong in this package: data in attributes, the sentence in `str()`.

All errors are in this one list, however long: who looks for the words of a message looks here. Only
`main` turns errors into exit codes.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path


class FlowError(Exception):
    """The base of every error that this package raises."""


class BadRunKey(FlowError, ValueError):
    """A run key that cannot name a run (rule 4.1)."""

    def __init__(self, run_key: str, problem: str) -> None:
        """Keep the key and what is wrong with it."""
        super().__init__(run_key, problem)
        self.run_key = run_key
        self.problem = problem

    def __str__(self) -> str:
        """Say what is wrong, and what a run key may be."""
        return (
            f"the run key {self.problem}; a run key is 1 to 255 characters "
            "without control characters or line breaks"
        )


class RunNotFound(FlowError, LookupError):
    """No run with this key is recorded."""

    def __init__(
        self, run_key: str, database: Path, nearest: Sequence[str] = (), *, is_file: bool = False
    ) -> None:
        """Keep the key, the database that was searched, and the keys that are most like it.

        `is_file` says that there is a file of this name, probably the flow.
        """
        super().__init__(run_key, database, tuple(nearest))
        self.run_key = run_key
        self.database = database
        self.nearest = tuple(nearest)
        self.is_file = is_file

    @property
    def details(self) -> dict[str, str]:
        """Say which run was probably meant, or where all of them are shown (rule 6.12)."""
        shown = "`orchesjob-flow list` shows the run keys"
        if self.is_file:
            return {"help": f"this is a file, and no run key: {shown}"}
        named = " or ".join(map(repr, self.nearest))
        return {"help": f"did you mean {named}?" if named else shown}

    def __str__(self) -> str:
        """Say where the run is not, and what may be the reason."""
        return (
            f"no run {self.run_key!r} in {self.database}: check the run key, and that --db, "
            "ORCHESJOB_FLOW_HOME and ORCHESJOB_HOME are those with which it was started"
        )


class NoRunYet(FlowError, LookupError):
    """The newest run is asked for, and no run is recorded (rule 6.12)."""

    def __init__(self, database: Path) -> None:
        """Keep the database that was searched."""
        super().__init__(database)
        self.database = database

    def __str__(self) -> str:
        """Say that there is none, and what may be the reason."""
        return (
            f"there is no newest run: no run is recorded in {self.database}; `start` records one. "
            "If there should be some, check --db, ORCHESJOB_FLOW_HOME and ORCHESJOB_HOME"
        )


class DefinitionDiffers(FlowError, ValueError):
    """The flow file means something else than the run was started with (rule 4.4)."""

    def __init__(self, run_key: str, differences: Sequence[str]) -> None:
        """Keep the run and what differs."""
        super().__init__(run_key, tuple(differences))
        self.run_key = run_key
        self.differences = tuple(differences)

    def __str__(self) -> str:
        """Say what differs, and what to do."""
        return (
            f"run {self.run_key!r} was started with another definition: "
            f"{'; '.join(self.differences)}; use a new run key, or the flow file as it was"
        )


class OutcomesDiffer(FlowError, ValueError):
    """A flow file with which a run cannot continue: its outcomes belong to another one (9.7)."""

    def __init__(self, run_key: str, conflicts: Sequence[str]) -> None:
        """Keep the run and what is in the way."""
        super().__init__(run_key, tuple(conflicts))
        self.run_key = run_key
        self.conflicts = tuple(conflicts)

    def __str__(self) -> str:
        """Say what was changed, and what to do."""
        return (
            f"run {self.run_key!r} cannot continue with this flow file: "
            f"{'; '.join(self.conflicts)}; run such steps again with --step, keep removed ones, "
            "or start a new run"
        )


class PlayedTwice(FlowError, ValueError):
    """A step of a simulation is to fail and to be skipped (rule 11.3)."""

    def __init__(self, step_id: str) -> None:
        """Keep the step."""
        super().__init__(step_id)
        self.step_id = step_id

    def __str__(self) -> str:
        """Say so."""
        return f"step {self.step_id!r} cannot both fail and be skipped: give --fail or --skip"


class NotSkippable(FlowError, ValueError):
    """A step of a simulation is to be skipped that cannot be, once it runs (rule 11.3)."""

    def __init__(self, step_id: str) -> None:
        """Keep the step."""
        super().__init__(step_id)
        self.step_id = step_id

    def __str__(self) -> str:
        """Say what could skip it."""
        return (
            f"step {self.step_id!r} is never skipped once it runs: it has neither skip_exit_codes "
            "nor only_if; its condition alone can skip it, by how other steps end"
        )


class TooManyRetries(FlowError, ValueError):
    """To use up the retries of the steps that fail would take too long to simulate (rule 11.3)."""

    def __init__(self, step_id: str, retries: int, most: int) -> None:
        """Keep the step with the most retries, and how many all may have together."""
        super().__init__(step_id, retries, most)
        self.step_id = step_id
        self.retries = retries
        self.most = most

    def __str__(self) -> str:
        """Say so, and what to do."""
        return (
            f"step {self.step_id!r} is made {self.retries:,} more times before it has failed, and "
            f"at most {self.most:,} retries in all are simulated; lower them to see this"
        )


class NoCopies(FlowError, LookupError):
    """The steps that are to run again have no copies in the run (rules 9.7 and 10.3)."""

    def __init__(self, run_key: str, steps: Sequence[str]) -> None:
        """Keep the run's key and the names."""
        super().__init__(run_key, steps)
        self.run_key = run_key
        self.steps = steps

    def __str__(self) -> str:
        """Say so."""
        names = ", ".join(map(repr, self.steps))
        return f"nothing of run {self.run_key!r} to run again: {names} has no copies in it"


class NothingToRetry(FlowError, ValueError):
    """A run that SUCCEEDED is to be retried, and no step of it is named (rule 9.7)."""

    def __init__(self, run_key: str) -> None:
        """Keep the run."""
        super().__init__(run_key)
        self.run_key = run_key

    def __str__(self) -> str:
        """Say why, and what to name."""
        return f"run {self.run_key!r} has SUCCEEDED; name the steps to run again with --step"


class NothingToSettle(FlowError, ValueError):
    """A step that is to be settled has neither FAILED nor was it CANCELLED (rule 12.3)."""

    def __init__(self, run_key: str, name: str, outcomes: Sequence[str]) -> None:
        """Keep the run, the step or the name of its copies, and how these have ended."""
        super().__init__(run_key, name, tuple(outcomes))
        self.run_key = run_key
        self.name = name
        self.outcomes = tuple(outcomes)

    @property
    def details(self) -> dict[str, str]:
        """Say what can be done about the step all the same."""
        return {
            "help": f"`orchesjob-flow explain` says why, and `retry --step {self.name}` "
            "runs it again"
        }

    def __str__(self) -> str:
        """Say how the step has ended, and which steps can be settled."""
        return (
            f"step {self.name!r} of run {self.run_key!r} is {'; '.join(self.outcomes)}: only a "
            "step that FAILED or was CANCELLED can be settled"
        )


class NotResumed(FlowError, RuntimeError):
    """Runs that were to be resumed, and still have no runner (rule 9.8)."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        """Keep what is wrong, by run key."""
        super().__init__(dict(errors))
        self.errors = dict(errors)

    def __str__(self) -> str:
        """Name each run and what is wrong with it."""
        return "; ".join(
            f"run {run_key!r} still has no runner: {error}"
            for run_key, error in self.errors.items()
        )


class NotPruned(FlowError, RuntimeError):
    """Old runs that were left, because what they have left behind could not be removed (9.10)."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        """Keep what is wrong, by run key."""
        super().__init__(dict(errors))
        self.errors = dict(errors)

    def __str__(self) -> str:
        """Name the runs, what is wrong, and what to do."""
        by_cause: dict[str, list[str]] = {}
        for run_key, error in self.errors.items():
            by_cause.setdefault(error, []).append(repr(run_key))
        kept = "; ".join(f"{', '.join(keys)}: {error}" for error, keys in by_cause.items())
        return (
            f"not removed, because what they have left behind could not be: {kept}; `prune` again, "
            "or with --keep-output if it is their output"
        )


class RunNotTerminal(FlowError, RuntimeError):
    """A run that was to be retried, or a step of it settled, has not ended."""

    def __init__(self, run_key: str, status: str) -> None:
        """Keep the run and its status."""
        super().__init__(run_key, status)
        self.run_key = run_key
        self.status = status

    def __str__(self) -> str:
        """Say how the run comes to its end."""
        return (
            f"run {self.run_key!r} is {self.status} and has not ended; `resume` continues it, "
            "`cancel` ends it"
        )


class DirectoryGone(FlowError, FileNotFoundError):
    """The directory in which a run is to begin does not exist any more (rule 4.6)."""

    def __str__(self) -> str:
        """Say what is missing, and what it is needed for."""
        return (
            "the current directory has been removed; change to one that exists: the steps of a run "
            "are executed where it was started"
        )


class GaveUp(FlowError, TimeoutError):
    """A runner stopped because it could not continue; the run is as it was (rule 5.7)."""

    def __init__(self, run_key: str, cause: str) -> None:
        """Keep the run and the cause."""
        super().__init__(run_key, cause)
        self.run_key = run_key
        self.cause = cause

    def __str__(self) -> str:
        """Say why, and how to continue."""
        return (
            f"gave up on run {self.run_key!r}: {self.cause}; nothing is lost: once the cause is "
            "fixed, `start` with the same run key continues the run"
        )


class Scarcity(FlowError, OSError):
    """The machine, or this user on it, has run out of something (rule 5.7)."""

    def __init__(self, what: str, lack: str) -> None:
        """Keep what cannot be done, and what is lacking with its remedy."""
        Exception.__init__(self, what, lack)
        self.what = what
        self.lack = lack

    def __str__(self) -> str:
        """Say what cannot be done, and why."""
        return f"{self.what}: {self.lack}"


class RunnerBusy(FlowError, RuntimeError):
    """Another process advances the run (rule 4.5)."""

    def __init__(self, run_key: str, pid: int | None) -> None:
        """Keep the run and the process that holds its lock; None if its id is not known."""
        super().__init__(run_key, pid)
        self.run_key = run_key
        self.pid = pid

    def __str__(self) -> str:
        """Say who advances the run."""
        return (
            f"run {self.run_key!r} is being advanced by {name_process(self.pid)} already; "
            "`watch` shows its progress"
        )


class CallsInFlight(FlowError, TimeoutError):
    """An earlier runner's call of orchesjob has not ended."""

    def __init__(self, run_key: str, waited_sec: float, pids: Sequence[int] = ()) -> None:
        """Keep the run, how long it was waited for, and the processes of the call."""
        super().__init__(run_key, waited_sec, pids)
        self.run_key = run_key
        self.waited_sec = waited_sec
        self.pids = pids

    def __str__(self) -> str:
        """Say what is in the way, and what to do."""
        which = f" ({', '.join(map(str, self.pids))})" if self.pids else ""
        return (
            f"run {self.run_key!r} cannot be taken over: an `orchesjob` call of its last runner "
            f"is still under way after {self.waited_sec:g} s; end that process{which}, or try "
            "again later"
        )


class CancelUnfinished(FlowError, TimeoutError):
    """A cancel was recorded but something of the run could not be ended in time (rule 6.7)."""

    def __init__(self, run_key: str, cause: str) -> None:
        """Keep the run and what is in the way."""
        super().__init__(run_key, cause)
        self.run_key = run_key
        self.cause = cause

    def __str__(self) -> str:
        """Say what is in the way, and that the request stays."""
        return (
            f"run {self.run_key!r} is not cancelled yet: {self.cause}; the request stays "
            "recorded, and another `cancel` continues with it"
        )


class NotDetached(FlowError, ChildProcessError):
    """A recorded run has no background runner: it could not be started, or has ended at once.

    Attributes:
        details: What a script may want to know.
    """

    def __init__(self, run_key: str, cause: str, log: Path) -> None:
        """Keep the run, the cause in the child's last words, and its log."""
        Exception.__init__(self, run_key, cause, log)
        self.run_key = run_key
        self.cause = cause
        self.log = log
        self.details = {"recorded": True, "pid": None, "stderr_log": str(log)}

    def __str__(self) -> str:
        """Say that the run is there, why it has no runner, and how to give it one."""
        return (
            f"run {self.run_key!r} is recorded, but has no background runner: {self.cause} "
            f"({self.log})"
        )


class NotGoingOn(FlowError, TimeoutError):
    """A background runner lives, but orchesjob has told it of no job yet.

    Attributes:
        details: What a script may want to know.
    """

    def __init__(self, run_key: str, pid: int, waited_sec: float, cause: str, log: Path) -> None:
        """Keep the run, its runner, the time, the last words of the runner, and its log."""
        Exception.__init__(self, run_key, pid, waited_sec, cause, log)
        self.run_key = run_key
        self.pid = pid
        self.waited_sec = waited_sec
        self.cause = cause
        self.log = log
        self.details = {"recorded": True, "pid": pid, "stderr_log": str(log)}

    def __str__(self) -> str:
        """Say who advances the run, what is missing, and where to see what comes of it."""
        return (
            f"run {self.run_key!r} is recorded and process {self.pid} advances it, but has had no "
            f"answer of orchesjob within {self.waited_sec:g} s: {self.cause} ({self.log}); it goes "
            "on trying, and `status` shows what comes of it"
        )


class NoOutput(FlowError, LookupError):
    """A step has no output to show (rule 9.6)."""

    def __init__(self, step_id: str, attempt: int | None, reason: str) -> None:
        """Keep the step, the attempt that was asked for, and the reason."""
        super().__init__(step_id, attempt, reason)
        self.step_id = step_id
        self.attempt = attempt
        self.reason = reason

    def __str__(self) -> str:
        """Say what has no output, and why."""
        attempt = "" if self.attempt is None else f"attempt {self.attempt} of "
        return f"there is no output of {attempt}step {self.step_id!r}: {self.reason}"


class UnsafePlace(FlowError, OSError):
    """A folder or file of the flow home that cannot be used as it is."""

    def __init__(self, path: Path, problem: str) -> None:
        """Keep the path and what is wrong with it."""
        Exception.__init__(self, path, problem)
        self.path = path
        self.problem = problem

    def __str__(self) -> str:
        """Say what is wrong where, and what to do."""
        return f"{self.path} {self.problem}; name another place with --db or ORCHESJOB_FLOW_HOME"


class HomeMissing(FlowError, FileNotFoundError):
    """A home of flows was named, and does not exist (rule 6.13)."""

    def __init__(self, path: Path, named_by: str) -> None:
        """Keep the path, and the option or the variable that names it."""
        Exception.__init__(self, path, named_by)
        self.path = path
        self.named_by = named_by

    def __str__(self) -> str:
        """Say what is missing, and who names it."""
        return (
            f"{self.path} does not exist, so no run is recorded there: check {self.named_by}, "
            "which names it (`start` creates it)"
        )


class UnusableOrchesjobHome(FlowError, OSError):
    """A home of orchesjob in which it cannot work (rules 4.8 and 6.13)."""

    def __init__(self, path: str, problem: str, remedy: str) -> None:
        """Keep the path, what is wrong with it, and what to do."""
        Exception.__init__(self, path, problem, remedy)
        self.path = path
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        """Say what is wrong, and what to do."""
        return f"orchesjob's home {self.path} {self.problem}; {self.remedy}"


class OtherOrchesjobHome(FlowError, ValueError):
    """A run whose jobs are in another home of orchesjob than the named one (rule 4.8)."""

    def __init__(self, run_key: str, recorded: str, named: str) -> None:
        """Keep the run, the home that is recorded with it, and the one that was named."""
        super().__init__(run_key, recorded, named)
        self.run_key = run_key
        self.recorded = recorded
        self.named = named

    def __str__(self) -> str:
        """Name both homes, and say what to do."""
        return (
            f"the jobs of run {self.run_key!r} are in orchesjob's home {self.recorded}, and "
            f"ORCHESJOB_HOME names {self.named}: unset it, or set it to the former; if that home "
            "was moved, leave a symbolic link in its old place"
        )


class ResultLost(FlowError, OSError):
    """A result could not be written to stdout; what it reports has happened."""

    def __init__(self, cause: str) -> None:
        """Keep the cause in the system's words."""
        Exception.__init__(self, cause)
        self.cause = cause

    def __str__(self) -> str:
        """Say what is lost and what is not."""
        return (
            f"what was asked for was done, but could not be written to stdout: {self.cause}; send "
            "it elsewhere (`status` prints a run again)"
        )


class Skipped(Exception):
    """Nothing was recorded, as the flow wants it while another run of its group is under way.

    It is no `FlowError`: nothing is wrong (rule 10.7).
    """

    def __init__(self, held_by: str) -> None:
        """Keep the run that is under way, or about to be."""
        super().__init__(held_by)
        self.held_by = held_by


class ReportNotWritten(FlowError, OSError):
    """What was asked for could not be written into its file."""

    def __init__(self, path: Path, cause: str) -> None:
        """Keep the file, and the cause in the system's words."""
        Exception.__init__(self, path, cause)
        self.path = path
        self.cause = cause

    def __str__(self) -> str:
        """Say what could not be written, and what to do."""
        return (
            f"cannot write to {self.path}: {self.cause}; nothing there has changed: "
            "name another file"
        )


class NoReportOfOurs(FlowError, FileExistsError):
    """A file that is no report has the name that a report would have."""

    def __init__(self, path: Path) -> None:
        """Keep the file."""
        Exception.__init__(self, path)
        self.path = path

    def __str__(self) -> str:
        """Say which file it is, and what to do."""
        return f"{self.path} is there and is no report: name another file with --output"


class Interrupted(BaseException):
    """A signal asked the process to end (rule 6.9).

    It is no `FlowError`: like `KeyboardInterrupt`, it must pass through whatever handles errors.
    """

    def __init__(self, signum: int) -> None:
        """Keep the signal's number."""
        super().__init__(signum)
        self.signum = signum


def name_process(pid: int | None) -> str:
    """Name the process that holds a lock, as far as it is known."""
    return "another process" if pid is None else f"process {pid}"
