"""What repeated looks at a run show: its transitions, and when there is no more to wait for.

Nothing here waits or asks. The trigger and the operator look, each in its own way, and hand every
answer to a `RunWatch`. A single job of a step is followed in `flow_as_dag.attempts` instead.
"""

import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from orchesjob_flow_airflow.flow_as_task.program import Answer, Run

PATIENCE_SEC = 60.0
"""For how long looks may fail before the watch ends."""

ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")


class Transition(NamedTuple):
    """A run, a step or an attempt that began or ended; `at` is a Unix timestamp."""

    at: float
    subject: str
    what: str

    def __str__(self) -> str:
        """Return a line for the log, with the time in UTC."""
        return f"{time.strftime('%H:%M:%SZ', time.gmtime(self.at))} {self.subject} {self.what}"


class RunWatch:
    """A run that is looked at until there is nothing more to wait for.

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
        self._reported: set[Transition] = set()
        self._unseen_since: float | None = None
        self._had_no_runner = False

    def see(self, answer: Answer, now: float) -> list[Transition]:
        """Take an answer at a time of the monotonic clock; return the transitions new in it."""
        run = answer.run
        if run is None:
            self._see_failure(answer, now)
            return []
        self._unseen_since = None
        # Only at the second look: `resume --all` in a crontab, or a second start, may take over.
        has_no_runner = run["runner"] is None
        self.over = run["status"] in ENDED or (has_no_runner and self._had_no_runner)
        self._had_no_runner = has_no_runner
        new = [found for found in transitions(run) if found not in self._reported]
        self._reported.update(new)
        return [found for found in new if found.at >= self._since]

    def _see_failure(self, answer: Answer, now: float) -> None:
        if self._unseen_since is None:
            self._unseen_since = now
        if now - self._unseen_since >= self._patience_sec:
            self.over = True
            self.problem = answer.error


def transitions(run: Run) -> list[Transition]:
    """Return everything that has happened in a run, in the order of time."""
    return sorted(_transitions(run), key=lambda found: found.at)


def _transitions(run: Run) -> Iterator[Transition]:
    for step in run["steps"]:
        yield from _transitions_of_step(step)
    if run["finished_at"] is not None:
        what = _with_reason(run["status"], run["error"])
        yield Transition(run["finished_at"], run["run_key"], what)


def _transitions_of_step(step: dict[str, Any]) -> Iterator[Transition]:
    ended_at = step["finished_at"]
    for attempt in step["attempts"]:
        gate = " (only_if)" if attempt.get("only_if") else ""  # a program before it does not say
        name = f"attempt {attempt['number']}{gate}"
        yield Transition(attempt["started_at"], step["id"], f"RUNNING {name}")
        # A step ends at the same moment as its last attempt: one line reports both.
        if attempt["finished_at"] not in (None, ended_at):
            what = _with_reason(f"{name} {attempt['status']}", attempt["error"])
            yield Transition(attempt["finished_at"], step["id"], what)
    if ended_at is not None:
        reason = step["reason"] if step["status"] == "SKIPPED" else step["error"]
        yield Transition(ended_at, step["id"], _with_reason(step["status"], reason))


def failed_steps(run: Run) -> list[dict[str, Any]]:
    """Return the steps that FAILED, in the order of the file."""
    return [step for step in run["steps"] if step["status"] == "FAILED"]


def progress(run: Run) -> str:
    """Return how many steps of a run are done, for a message."""
    done = sum(step["finished_at"] is not None for step in run["steps"])
    return f"{done} of {len(run['steps'])} steps are done"


def _with_reason(what: str, reason: str | None) -> str:
    return what if reason is None else f"{what} {reason}"
