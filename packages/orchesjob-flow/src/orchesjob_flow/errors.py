"""The errors of this package, its exit codes, and which errors of Python mean exhaustion.

All errors are in this one list, so that the words of a message are found here. Only `main` turns
errors into exit codes. Running out of memory, threads, processes or descriptors is temporary and
not a mistake in the program; such an error gets a sentence that names what is missing (rule 5.7).
"""

import errno
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from flow_conditions import DeclaredError

# The exit codes of the program (rule 6.9).
DONE = 0
"""The command did what it was asked to do. One that returns no exit code has this one."""
NOT_SUCCEEDED = 1
"""The run ended FAILED or CANCELLED, `doctor` has found a problem, or a case of `test` failed."""
WRONG = 2
"""Something is wrong with the call, the flow file or the machine; or the result was lost."""
UNFINISHED = 8
"""The run has not ended yet, which was asked about."""
SIGNALLED = 128
"""A signal's number is added: 130, 143, 129."""
UNREAD = SIGNALLED + 13
"""Nobody reads the result any more: what a shell says of programs that SIGPIPE ends."""


class Passing(str):
    """A message about something that passes, such as a wait: below a finished table it is wrong."""

    __slots__ = ()


class FlowError(DeclaredError):
    """The base class of this package's errors."""


class BadRunKey(FlowError, ValueError):
    """A run key is not valid (rule 4.1)."""

    says = (
        "the run key {problem}; a run key is 1 to 255 characters "
        "without control characters or line breaks"
    )
    run_key: str
    problem: str


class RunNotFound(FlowError, LookupError):
    """The database has no run with this key."""

    says = (
        "no run {run_key!r} in {database}: check the run key, and that --db, ORCHESJOB_FLOW_HOME "
        "and ORCHESJOB_HOME are the ones it was started with"
    )
    run_key: str
    database: Path

    @property
    def details(self) -> dict[str, str]:
        """How to find the key, and what else the word may be (rule 6.12)."""
        return {
            "help": "`orchesjob-flow list` shows the run keys, with --flow-id ID those of a flow, "
            "and - is the newest run; a step comes after the key: COMMAND KEY STEP; in "
            "KEY:STEP:ATTEMPT, KEY alone is the run key"
        }


class RunRemoved(FlowError, LookupError):
    """A run that was being watched is not recorded any more."""

    says = "run {run_key!r} was removed meanwhile, by `prune` or with its database"
    run_key: str


class NoRunYet(FlowError, LookupError):
    """The newest run was asked for, and the database has none (rule 6.12)."""

    says = (
        "there is no newest run: no run is recorded in {database}; `start` records one. "
        "If there should be some, check --db, ORCHESJOB_FLOW_HOME and ORCHESJOB_HOME"
    )
    database: Path


class DefinitionDiffers(FlowError, ValueError):
    """The flow file is not equivalent to the definition recorded with the run (rule 4.4).

    `can_retry` says that the run has ended without success.
    """

    run_key: str
    differences: Sequence[str]
    can_retry: bool = False

    @property
    def details(self) -> dict[str, object]:
        """The differences, and how to repeat what failed with changed steps (rule 9.7)."""
        found: dict[str, object] = {"differences": list(self.differences)}
        if not (self.can_retry and all(one.startswith("step ") for one in self.differences)):
            return found
        line = line_about(self.run_key, "retry", "--file", "FLOW_FILE")
        return {"help": f"{line}  # repeats what failed, with the changed steps", **found}

    def __str__(self) -> str:
        """Return the sentence, which lists the differences, unless it is another flow."""
        for one in self.differences:
            if one.startswith("flow_id was "):
                return f"run {self.run_key!r} is one of another flow: {one}; use a new run key"
        return (
            f"run {self.run_key!r} was started with another definition: "
            f"{'; '.join(self.differences)}; use a new run key, or the flow file as it was"
        )


class NotReopened(FlowError, ValueError):
    """`retry` or `settle` cannot change a run in this way (rules 9.7 and 12.3).

    `conflicts` are the parts of the definition that the recorded outcomes forbid.
    """

    says = "{sentence}"
    sentence: str
    help: str | None = None
    conflicts: Sequence[str] = ()

    @property
    def details(self) -> dict[str, object]:
        """The help, and the conflicts one by one."""
        found = {"help": self.help, "conflicts": list(self.conflicts)}
        return {name: value for name, value in found.items() if value}


class ImpossibleScenario(FlowError, ValueError):
    """A step cannot do what it does in a scenario, or that cannot be simulated (rule 11.3).

    `key` is the part of the scenario in a file of cases: a step, `timeout_at`, or nothing.
    """

    says = "step {step_id!r} {problem}"
    step_id: str
    problem: str
    key: str = ""


class NotResumed(FlowError, RuntimeError):
    """Runs still have no runner after `resume` (rule 9.8); `errors` has the reason by run key."""

    errors: Mapping[str, str]

    def __str__(self) -> str:
        """Return the sentence, which names each run and its reason."""
        return "; ".join(
            f"run {run_key!r} still has no runner: {error}"
            for run_key, error in self.errors.items()
        )


class NotPruned(FlowError, RuntimeError):
    """Old runs were not removed, because their files could not be (rule 9.10).

    `errors` has the reason by run key.
    """

    errors: Mapping[str, str]

    def __str__(self) -> str:
        """Return the sentence, which names each reason once, with its runs."""
        by_cause: dict[str, list[str]] = {}
        for run_key, error in self.errors.items():
            by_cause.setdefault(error, []).append(repr(run_key))
        kept = "; ".join(f"{', '.join(keys)}: {error}" for error, keys in by_cause.items())
        return (
            f"not removed, because their files could not be removed: {kept}; run `prune` again, "
            "with --keep-output if the files are their output"
        )


class RunNotTerminal(FlowError, RuntimeError):
    """A run cannot be retried or removed, nor a step of it settled, because it has not ended."""

    run_key: str
    has_runner: bool = False

    @property
    def details(self) -> dict[str, str]:
        """The commands to go on."""
        line = line_about(self.run_key, "wait" if self.has_runner else "resume")
        return {"help": f"{line}  # or end it: {line_about(self.run_key, 'cancel')}"}

    def __str__(self) -> str:
        """Return the sentence."""
        gone = "" if self.has_runner else "; its runner is gone"
        return f"run {self.run_key!r} has not ended{gone}"


class DirectoryGone(FlowError, FileNotFoundError):
    """The current directory, where the steps of a new run would be executed, is gone (rule 4.6)."""

    says = (
        "the current directory has been removed; change to one that exists: the steps of a run "
        "are executed where it was started"
    )


class GaveUp(FlowError, TimeoutError):
    """A runner stopped because it could not continue; the run is as it was (rule 5.7)."""

    says = "gave up on run {run_key!r}: {cause}; {remedy}"
    run_key: str
    cause: str
    remedy: str = (
        "nothing is lost: once the cause is fixed, `start` with the same run key continues the run"
    )


class ResourceExhausted(FlowError, OSError):
    """The machine, or this user on it, has run out of something (rule 5.7).

    `what` says what cannot be done; `lack` names what is missing, and the remedy.
    """

    says = "{what}: {lack}"
    what: str
    lack: str


class RunnerBusy(FlowError, RuntimeError):
    """Another process advances the run (rule 4.5); `pid` is None if its id is not known."""

    run_key: str
    pid: int | None

    def __str__(self) -> str:
        """Return the sentence, which names the other process."""
        return (
            f"run {self.run_key!r} is being advanced by {name_process(self.pid)} already; "
            f"`{line_about(self.run_key, 'watch')}` shows its progress"
        )


class CallsInFlight(FlowError, TimeoutError):
    """A call of orchesjob by an earlier runner has not ended within `waited_sec`.

    `pids` are the processes of the call, as far as they are known.
    """

    run_key: str
    waited_sec: float
    pids: Sequence[int] = ()

    def __str__(self) -> str:
        """Return the sentence, which names the processes to end."""
        which = f" ({', '.join(map(str, self.pids))})" if self.pids else ""
        return (
            f"run {self.run_key!r} cannot be taken over: an `orchesjob` call of its last runner "
            f"is still running after {self.waited_sec:g} s; end that process{which}, or try "
            "again later"
        )


class CancelUnfinished(FlowError, TimeoutError):
    """A cancel was recorded, but part of the run could not be ended in time (rule 6.7)."""

    says = (
        "run {run_key!r} is not cancelled yet: {cause}; the request stays recorded, and another "
        "`cancel` continues with it"
    )
    run_key: str
    cause: str


class NotDetached(FlowError, ChildProcessError):
    """A recorded run has no background runner: it could not be started, or ended at once.

    `cause` quotes the last words of the background process, `log` is its log.
    """

    says = "run {run_key!r} is recorded, but has no background runner: {cause} ({log})"
    run_key: str
    cause: str
    log: Path

    @property
    def details(self) -> dict[str, object]:
        """The data that a script can use."""
        return {"recorded": True, "pid": None, "stderr_log": str(self.log)}


class NotReady(FlowError, TimeoutError):
    """A background runner lives, but orchesjob has not reported a job to it within `waited_sec`.

    `cause` quotes the last words of the background process, `log` is its log.
    """

    says = (
        "run {run_key!r} is recorded and process {pid} advances it, but orchesjob has not answered "
        "within {waited_sec:g} s: {cause} ({log}); the process keeps trying, and `status` shows "
        "how far it is"
    )
    run_key: str
    pid: int
    waited_sec: float
    cause: str
    log: Path

    @property
    def details(self) -> dict[str, object]:
        """The data that a script can use."""
        return {"recorded": True, "pid": self.pid, "stderr_log": str(self.log)}


class NoOutput(FlowError, LookupError):
    """A step has no output to show (rule 9.6); `attempt_no` is None if none was asked for."""

    step_id: str
    attempt_no: int | None
    reason: str

    def __str__(self) -> str:
        """Return the sentence, which names the attempt if there is one."""
        attempt = "" if self.attempt_no is None else f"attempt {self.attempt_no} of "
        return f"{attempt}step {self.step_id!r} has no output: {self.reason}"


class UnsafePlace(FlowError, OSError):
    """A folder or file of the flow home cannot be used as it is."""

    says = "{path} {problem}; {remedy}"
    path: Path
    problem: str
    remedy: str = "name another place with --db or ORCHESJOB_FLOW_HOME"


class HomeMissing(FlowError, FileNotFoundError):
    """A flow home does not exist, although the option or variable `named_by` names it (6.13)."""

    says = (
        "{path} does not exist, so no run is recorded there: check {named_by}, "
        "which names it (`start` creates it)"
    )
    path: Path
    named_by: str


class UnusableOrchesjobHome(FlowError, OSError):
    """Orchesjob cannot work in this home (rules 4.8 and 6.13)."""

    says = "orchesjob's home {path} {problem}; {remedy}"
    path: str
    problem: str
    remedy: str


class OtherOrchesjobHome(FlowError, ValueError):
    """The recorded home of a run's jobs is not the one that ORCHESJOB_HOME names (rule 4.8)."""

    says = (
        "the jobs of run {run_key!r} are in orchesjob's home {recorded}, and ORCHESJOB_HOME names "
        "{named}: unset it, or set it to the former; if that home was moved, leave a symbolic link "
        "in its old place"
    )
    run_key: str
    recorded: str
    named: str


class ResultLost(FlowError, OSError):
    """A result could not be written to stdout; the command itself succeeded."""

    says = (
        "the command succeeded, but its result could not be written to stdout: {cause}; redirect "
        "it elsewhere (`status` prints a run again)"
    )
    cause: str


class Skipped(DeclaredError):
    """Nothing was recorded, as the flow demands while another run of its group is running.

    It is not a `FlowError`, because nothing is wrong (rule 10.7). `held_by` is the other run.
    """

    says = "{held_by}"
    held_by: str


class ReportNotWritten(FlowError, OSError):
    """An output file could not be written."""

    says = "cannot write to {path}: {cause}; nothing there has changed: name another {kind}"
    path: Path
    cause: str
    kind: str = "file"


class NotOurReport(FlowError, FileExistsError):
    """A file that is not a report has the name that a report would have."""

    says = "{path} is not a report, so it is not replaced: name another place with --output"
    path: Path


class Interrupted(BaseException):
    """A signal asked the process to end (rule 6.9).

    It is not a `FlowError`: like `KeyboardInterrupt`, it must pass through all error handlers.
    """

    def __init__(self, signum: int) -> None:
        """Keep the signal's number."""
        super().__init__(signum)
        self.signum = signum


def line_about(run_key: str, command: str, *words: str, options: Sequence[str] = ()) -> str:
    """Write a command line about a run; a key that looks like an option needs one.

    `options` are those of the program.
    """
    import shlex  # `status` rarely needs it

    key = f"--run-key={run_key}" if run_key.startswith("-") else run_key
    return shlex.join(["orchesjob-flow", *options, command, key, *words])


def name_process(pid: int | None) -> str:
    """Name the process that holds a lock, if its id is known."""
    return "another process" if pid is None else f"process {pid}"


NO_MEMORY = "there is not enough memory; free some, or raise the limits (`ulimit -v`, `ulimit -d`)"
NO_THREAD = (
    "no more threads are allowed, or there is no memory for them; end other processes of this "
    "user, or raise its limits (`ulimit -u`, `ulimit -v`, `ulimit -d`)"
)
NO_EXCEPTION = ("without setting an exception", "without exception set")
"""How the interpreter reports that it had no memory even for an exception."""
REMEDIES = {
    errno.EMFILE: "raise the limit of this process (`ulimit -n`)",
    errno.ENFILE: "this machine has no more; end other processes",
    errno.ENOMEM: "free some memory, or raise the limit (`ulimit -v`)",
    errno.EAGAIN: "end other processes of this user, or raise its limit (`ulimit -u`)",
}


def exhausted_resource(error: BaseException) -> str | None:
    """Return the exhausted resource and its remedy, if that is the cause; else None."""
    text = str(error)
    match error:
        case MemoryError():
            return NO_MEMORY
        case SystemError() if any(words in text for words in NO_EXCEPTION):
            return NO_MEMORY
        case RuntimeError() if "start new thread" in text:
            return NO_THREAD
        case ImportError() if "map segment" in text or "allocate memory" in text:
            return NO_MEMORY
        case OSError(errno=int(code)) if code in REMEDIES:
            return f"{os.strerror(code)}; {REMEDIES[code]}"
    return None


@contextmanager
def exhaustion_named(what: str) -> Iterator[None]:
    """Turn an error that means an exhausted resource into one that names what failed.

    Raises:
        ResourceExhausted: A resource was exhausted.
    """
    try:
        yield
    except (OSError, MemoryError, RuntimeError) as error:
        lack = exhausted_resource(error)
        if lack is None:
            raise
        raise ResourceExhausted(what, lack) from error
