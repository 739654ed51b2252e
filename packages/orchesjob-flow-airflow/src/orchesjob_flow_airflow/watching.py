"""What is to be learnt from looking at a run again and again. Nothing here waits or asks.

The trigger and the worker look in their own ways and hand each answer to a `Watch`.
"""

import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from orchesjob_flow_airflow.program import Answer

type Run = dict[str, Any]
"""A run as `orchesjob-flow status` prints it."""

PATIENCE_SEC = 60.0
"""For how long looks may fail before the watch is given up."""

ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")


class Transition(NamedTuple):
    """That a run, a step or an attempt began or ended; `at` is a Unix timestamp."""

    at: float
    subject: str
    what: str

    def __str__(self) -> str:
        """Spell it as a line of a log, with its time in UTC."""
        return f"{time.strftime('%H:%M:%SZ', time.gmtime(self.at))} {self.subject} {self.what}"


class Watch:
    """A run that is looked at until there is nothing more to wait for.

    Attributes:
        over: That there is nothing more to wait for.
        problem: Why the run cannot be seen, if that is why the watch is over.
    """

    def __init__(self, since: float, patience_sec: float = PATIENCE_SEC) -> None:
        """Tell what happens from `since` on, a Unix timestamp."""
        self.over = False
        self.problem: str | None = None
        self._since = since
        self._patience_sec = patience_sec
        self._told: set[Transition] = set()
        self._unseen_from: float | None = None
        self._was_alone = False

    def see(self, answer: Answer, now: float) -> list[Transition]:
        """Learn from an answer at a moment of the monotonic clock; return what is new in it."""
        run = answer.run
        if run is None:
            self._see_nothing(answer, now)
            return []
        self._unseen_from = None
        # A second look: `resume --all` in a crontab, or a second start, may be about to take over.
        is_alone = run["runner"] is None
        self.over = run["status"] in ENDED or (is_alone and self._was_alone)
        self._was_alone = is_alone
        new = [found for found in transitions(run) if found not in self._told]
        self._told.update(new)
        return [found for found in new if found.at >= self._since]

    def _see_nothing(self, answer: Answer, now: float) -> None:
        if self._unseen_from is None:
            self._unseen_from = now
        if now - self._unseen_from >= self._patience_sec:
            self.over = True
            self.problem = str(answer.complaint["error"])


def transitions(run: Run) -> list[Transition]:
    """Read off a run all that has happened, in the order of time."""
    return sorted(_all_transitions(run), key=lambda found: found.at)


def _all_transitions(run: Run) -> Iterator[Transition]:
    for step in run["steps"]:
        ended_at = step["finished_at"]
        for attempt in step["attempts"]:
            number = attempt["number"]
            yield Transition(attempt["started_at"], step["id"], f"RUNNING attempt {number}")
            # A step ends in the very moment of its last attempt: one line says both.
            if attempt["finished_at"] not in (None, ended_at):
                what = _with(f"attempt {number} {attempt['status']}", attempt["error"])
                yield Transition(attempt["finished_at"], step["id"], what)
        if ended_at is not None:
            why = step["reason"] if step["status"] == "SKIPPED" else step["error"]
            yield Transition(ended_at, step["id"], _with(step["status"], why))
    if run["finished_at"] is not None:
        what = _with(run["status"], run["error"])
        yield Transition(run["finished_at"], run["run_key"], what)


def failed_steps(run: Run) -> list[Run]:
    """Return the steps that FAILED, in the order of the file."""
    return [step for step in run["steps"] if step["status"] == "FAILED"]


def count_done(run: Run) -> str:
    """Say how far a run has come."""
    done = sum(step["finished_at"] is not None for step in run["steps"])
    return f"{done} of {len(run['steps'])} steps are done"


def _with(what: str, why: str | None) -> str:
    return what if why is None else f"{what} {why}"
