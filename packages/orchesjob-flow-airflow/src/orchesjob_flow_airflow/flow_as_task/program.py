"""Calls of the installed orchesjob-flow about one run, their answers, and what these show.

The operator makes such calls in a worker, the trigger in a triggerer. Nothing here knows Airflow,
waits or decides; a call that fails is an answer too.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from orchesjob_flow_airflow.errors import ProgramMissing

type RunJson = dict[str, Any]
"""A run as `orchesjob-flow status` prints it."""

PROGRAM_NAME = "orchesjob-flow"
NOT_STARTED = 127
"""The exit code of a program that could not be started, as in a shell."""
TIMED_OUT = 124
"""The exit code of a call that took too long, as with `timeout`."""

HOME_VARIABLES = ("PATH", "HOME", "ORCHESJOB_FLOW_HOME", "ORCHESJOB_HOME", "ORCHESJOB_BIN")
"""The variables with which the program finds its database and orchesjob."""

# The keys that an error object has if the user has made a mistake, with its details.
_MISTAKE_KEYS = frozenset({"problems", "differences", "conflicts", "help"})


class Answer(NamedTuple):
    """How a call ended, and what it printed."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def run(self) -> RunJson | None:
        """The run that was printed; None if the call printed none."""
        found = _parse(self.stdout)
        return found if "status" in found else None

    @property
    def held_by(self) -> str | None:
        """The run that holds the group of the flow, if the call has skipped its own (10.7)."""
        found = _parse(self.stdout)
        return str(found.get("held_by")) if found.get("skipped") else None

    @property
    def error(self) -> str:
        """Why the call failed, in one sentence."""
        default = self._last_line or f"{PROGRAM_NAME} ended with exit code {self.exit_code}"
        if self.held_by is not None:
            default = f"run {self.held_by!r} holds the flow's group"
        return str(self._error_object.get("error", default))

    @property
    def is_mistake(self) -> bool:
        """Whether repeating the call cannot help, as with an invalid flow file."""
        return bool(self._error_object.keys() & _MISTAKE_KEYS)

    @property
    def is_recorded(self) -> bool:
        """Whether the call recorded a run, but then could not advance it."""
        return self._error_object.get("recorded") is True

    @property
    def trying_runner_log(self) -> str | None:
        """The log of a living runner that orchesjob has not answered yet; None if there is none."""
        found = self._error_object
        return str(found.get("stderr_log")) if self.is_recorded and found.get("pid") else None

    @property
    def _last_line(self) -> str:
        return self.stderr.strip().rpartition("\n")[2]

    @property
    def _error_object(self) -> dict[str, Any]:
        return _parse(self._last_line)


class Program(NamedTuple):
    """An orchesjob-flow, with the options and variables for every call of it.

    A variable that is None is removed from the environment.
    """

    path: str
    options: tuple[str, ...]
    variables: Mapping[str, str | None]

    def call(
        self, *words: str, cwd: str | os.PathLike[str] | None = None, limit_sec: float | None = None
    ) -> Answer:
        """Run a command to its end, in a session of its own.

        The signals that Airflow sends to a task's group must not interrupt a start or a cancel.
        """
        try:
            ended = subprocess.run(
                [self.path, *self.options, *words],
                env=self._environment(),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
                timeout=limit_sec,
                check=False,
            )
        except OSError as error:
            return Answer(NOT_STARTED, "", f"{self.path} could not be run: {error}")
        except subprocess.TimeoutExpired:
            return Answer(TIMED_OUT, "", f"{self.path} has not answered within {limit_sec:g} s")
        return Answer(ended.returncode, ended.stdout, ended.stderr)

    def _environment(self) -> dict[str, str]:
        # Its answers are read as JSON, whatever format the worker's environment sets.
        merged = {**os.environ, **self.variables, "ORCHESJOB_FLOW_FORMAT": None}
        return {name: text for name, text in merged.items() if text is not None}


def find_program(explicit: str | None) -> str:
    """Return the absolute path of orchesjob-flow, or raise a `ProgramMissing`.

    It is `explicit` if that is set, else the one on `PATH`, else the one beside this Python.
    """
    beside = Path(sys.executable).parent
    if explicit:
        found, origin = shutil.which(explicit), "as asked for"
    else:
        found = shutil.which(PROGRAM_NAME) or shutil.which(str(beside / PROGRAM_NAME))
        origin = f"neither on PATH nor in {beside}"
    if found is None:
        raise ProgramMissing(explicit or PROGRAM_NAME, origin)
    return os.path.abspath(found)  # noqa: PTH100 - text, and `..` after a link stays as it is


def home_variables() -> dict[str, str | None]:
    """Return the variables with which another process of this host sees the same runs."""
    return {name: os.environ.get(name) for name in HOME_VARIABLES}


def _parse(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


class HostRun:
    """The run `run_key` on this host, in the database that `program` uses."""

    def __init__(self, program: Program, run_key: str, log: Any) -> None:
        """Name the run, and the task's log."""
        self.run_key = run_key
        self._program = program
        self._log = log

    def call(
        self,
        command: str,
        *words: str,
        cwd: str | os.PathLike[str] | None = None,
        limit_sec: float | None = None,
    ) -> Answer:
        """Call a command of orchesjob-flow for this run."""
        key = f"--run-key={self.run_key}"
        return self._program.call(command, key, *words, cwd=cwd, limit_sec=limit_sec)

    def status(self, limit_sec: float | None = None) -> Answer:
        """Call `status`."""
        return self.call("status", limit_sec=limit_sec)

    def cancel(self) -> None:
        """Cancel the run, and log what became of it."""
        answer = self.call("cancel")
        if answer.exit_code == 0 and answer.run is not None:
            status = answer.run["status"]
            too_late = f"not cancelled: no step was left to stop, and it {status}"
            words = "cancelled" if status == "CANCELLED" else too_late
            self._log.info("run %r was %s", self.run_key, words)
        else:
            self._log.error("run %r could not be cancelled: %s", self.run_key, answer.error)

    def complete_cancel(self, run: RunJson) -> None:
        """Bring a run to its end after a cancel was requested.

        Once `finally` has begun, a second `cancel` would end that too (rule 10.1), so the run is
        resumed instead.
        """
        if run.get("finally_after") is None:
            self.cancel()
        else:
            self.call("resume")

    def write_report(self, path: str) -> bool:
        """Write the report of the run into a file; log an error if that fails."""
        answer = self.call("report", f"--output={path}")
        if answer.exit_code != 0:
            self._log.error("the report could not be written: %s", answer.error)
        return answer.exit_code == 0

    def log_tail(self, step_id: str, lines: int) -> str:
        """Return the last lines of a step's output."""
        answer = self.call("logs", f"--tail={lines}", "--", step_id)
        return answer.stdout.rstrip() if answer.exit_code == 0 else ""


PATIENCE_SEC = 60.0
"""For how long polling may fail before the watch ends."""

ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")


class Change(NamedTuple):
    """A run, a step or an attempt that began or ended; `at` is a Unix timestamp."""

    at: float
    subject: str
    what: str

    def __str__(self) -> str:
        """Return a line for the log, with the time in UTC."""
        return f"{time.strftime('%H:%M:%SZ', time.gmtime(self.at))} {self.subject} {self.what}"


class RunWatch:
    """A run that is polled until there is nothing more to wait for.

    The trigger and the operator poll, each in its own way, and pass every answer to `see`. A single
    job of a step is followed by `flow_as_dag.attempts` instead.

    Attributes:
        over: Whether there is nothing more to wait for.
        problem: Why the run cannot be seen, if that is why the watch is over.
    """

    def __init__(self, since: float, patience_sec: float = PATIENCE_SEC) -> None:
        """Report what happens from `since` on, a Unix timestamp."""
        self.over = False
        self.problem: str | None = None
        self._since = since
        self._patience_sec = patience_sec
        self._reported: set[Change] = set()
        self._unseen_since: float | None = None
        self._had_no_runner = False

    def see(self, answer: Answer, now: float) -> list[Change]:
        """Take an answer at a time of the monotonic clock; return the transitions new in it."""
        run = answer.run
        if run is None:
            self._see_failure(answer, now)
            return []
        self._unseen_since = None
        # Only at the second answer: `resume --all` in a crontab, or a second start, may take over.
        has_no_runner = run["runner"] is None
        self.over = run["status"] in ENDED or (has_no_runner and self._had_no_runner)
        self._had_no_runner = has_no_runner
        new = [found for found in changes_of(run) if found not in self._reported]
        self._reported.update(new)
        return [found for found in new if found.at >= self._since]

    def _see_failure(self, answer: Answer, now: float) -> None:
        if self._unseen_since is None:
            self._unseen_since = now
        if now - self._unseen_since >= self._patience_sec:
            self.over = True
            self.problem = answer.error


def changes_of(run: RunJson) -> list[Change]:
    """Return everything that has happened in a run, oldest first."""
    return sorted(_transitions(run), key=lambda found: found.at)


def _transitions(run: RunJson) -> Iterator[Change]:
    for step in run["steps"]:
        yield from _transitions_of_step(step)
    if run["finished_at"] is not None:
        what = _with_reason(run["status"], run["error"])
        yield Change(run["finished_at"], run["run_key"], what)


def _transitions_of_step(step: dict[str, Any]) -> Iterator[Change]:
    ended_at = step["finished_at"]
    for attempt in step["attempts"]:
        gate = " (only_if)" if attempt.get("only_if") else ""  # a program before it does not say
        name = f"attempt {attempt['number']}{gate}"
        yield Change(attempt["started_at"], step["id"], f"RUNNING {name}")
        # A step ends at the same moment as its last attempt: one line reports both.
        if attempt["finished_at"] not in (None, ended_at):
            what = _with_reason(f"{name} {attempt['status']}", attempt["error"])
            yield Change(attempt["finished_at"], step["id"], what)
    if ended_at is not None:
        reason = step["reason"] if step["status"] == "SKIPPED" else step["error"]
        yield Change(ended_at, step["id"], _with_reason(step["status"], reason))


def failed_in(run: RunJson) -> list[dict[str, Any]]:
    """Return the steps that FAILED, in the order of the file."""
    return [step for step in run["steps"] if step["status"] == "FAILED"]


def progress(run: RunJson) -> str:
    """Return how many steps of a run are done, for a message."""
    done = sum(step["finished_at"] is not None for step in run["steps"])
    return f"{done} of {len(run['steps'])} steps are done"


def _with_reason(what: str, reason: str | None) -> str:
    return what if reason is None else f"{what} {reason}"
