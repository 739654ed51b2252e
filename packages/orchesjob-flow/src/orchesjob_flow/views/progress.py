"""What a foreground `start`, `retry` or `resume` shows on stderr besides messages (rule 9.14).

A thread of its own looks at what is recorded, as `watch` does: the runner knows nothing of it and
never waits for a slow terminal, and a run that another process advances is shown as well. Without a
terminal there is no thread.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple, Protocol

from flow_store import AttemptStatus, FlowStatus, Run, StepStatus, StoreError, was_found
from orchesjob_flow.errors import FlowError, ResourceExhausted, exhaustion_named
from orchesjob_flow.home.runs import Observer, RunHandle, Snapshot
from orchesjob_flow.views import terminal
from orchesjob_flow.views.reasons import (
    FOUND,
    WORDS,
    attempt_words,
    found_steps,
    listed,
    reasons,
    steps_before_finally,
)
from orchesjob_flow.views.terminal import clock_time, visible, warn, write_paragraph

LOOK_SEC = 0.25


class View(Protocol):
    """What shows a run."""

    def show(self, snapshot: Snapshot) -> None:
        """Show the run as it is now."""

    def has_drawn(self, run: Run) -> bool:
        """Whether the whole table of the run, as it is now, stands on the terminal."""


class Course(NamedTuple):
    """How a run went, and what of that has been shown on stderr.

    `before` is the run as it was. `is_told` says that its outcome is to be told, which it is not
    where nothing is to be shown; `is_announced`, that the run and its end have been shown, and
    `is_drawn`, that this was the whole table.
    """

    run: Run
    before: Run | None
    is_told: bool
    is_announced: bool
    is_drawn: bool


def with_progress(mode: str, handle: RunHandle, advance: Callable[[], Run]) -> Course:
    """Let `advance` bring a run to its end, and show the run in the meantime.

    The `mode` is `plain`, which prints lines, `none`, or `auto`, which draws on a terminal, prints
    lines on one that cannot draw, and is silent elsewhere.
    """
    with Observer(handle) as observer:
        seen = look(observer)
    before = None if seen is None else seen.run
    with view_of(mode, before) as view:
        if view is None:
            run = advance()
        else:
            with observed(view, seen, handle):
                run = advance()
        is_drawn = view is not None and view.has_drawn(run)
    return Course(run, before, mode != "none", view is not None, is_drawn)


def show_outcome(handle: RunHandle, course: Course) -> None:
    """Tell what of a run was not run now, and what its failed steps have printed."""
    run, before = course.run, course.before
    if not course.is_told or (before is not None and before.revision == run.revision):
        return
    tell_found(run, before)
    if run.status is FlowStatus.FAILED:
        from orchesjob_flow.views.step_output import show_failures

        try:
            show_failures(handle, with_heading=not course.is_announced)
        except (FlowError, StoreError, OSError) as error:  # the exit code is that of the run
            warn(f"what the failed steps have printed cannot be shown: {error}")


def tell_found(run: Run, before: Run | None) -> None:
    """Tell which steps were not run now, because orchesjob knew how they had ended (rule 4.7)."""
    known = set() if before is None else found_steps(before)
    begun = [step for step in run.steps if step.has_begun and step.position not in known]
    found = [step.step_id for step in begun if step.position in found_steps(run)]
    if found and len(found) == len(begun):
        warn(
            f"run {run.run_key!r}: nothing was executed; the outcome of every step was {FOUND} "
            "(another run key runs them, or `retry --step`)"
        )
    elif found:
        warn(f"run {run.run_key!r}: the outcome of {listed(found)} was {FOUND}")


@contextmanager
def view_of(mode: str, before: Run | None) -> Iterator[View | None]:
    """Choose what shows a run; what had happened before is not shown again."""
    stderr = terminal.stderr()
    is_terminal = stderr.stream.isatty()
    if mode == "auto" and stderr.can_draw:
        from orchesjob_flow.views.screen import screen_on  # slow to import, and seldom needed

        with screen_on(stderr) as screen:
            yield screen
    elif mode == "plain" or (mode == "auto" and is_terminal):
        yield Lines(before)
    else:
        yield None


@contextmanager
def observed(view: View, before: Snapshot | None, handle: RunHandle) -> Iterator[None]:
    """Let a view show the run again and again, and once more at the end.

    A run that had ended `before` is shown only if it is reopened.
    """
    over = threading.Event()
    seen = before

    def show(observer: Observer) -> None:
        nonlocal seen
        with suppress(MemoryError):  # the run needs it more
            found = look(observer)
            if found is None or (found.run.status.is_terminal and seen and found.run == seen.run):
                return
            seen = found
            view.show(found)

    def keep_showing() -> None:
        with Observer(handle) as observer:
            while not over.wait(LOOK_SEC):
                show(observer)

    thread = threading.Thread(target=keep_showing, daemon=True)
    try:
        with exhaustion_named("cannot start a thread"):
            thread.start()
    except ResourceExhausted as error:
        warn(f"the run is shown at its end only: {error}")
    try:
        yield
    finally:
        over.set()
        if thread.ident is not None:
            thread.join()
        with Observer(handle) as observer:
            show(observer)


def look(observer: Observer) -> Snapshot | None:
    """Read the run if that is possible; if it is not, the command itself reports why."""
    try:
        return observer.snapshot()
    except (FlowError, StoreError, OSError):
        return None


class Transition(NamedTuple):
    """The beginning or the end of a run or of an attempt; `at` is a Unix timestamp."""

    at: float
    subject: str
    begins: bool


class Lines:
    """Prints a line for each transition, however fast they follow each other."""

    def __init__(self, before: Run | None) -> None:
        """Leave out what had happened `before`."""
        self._known = set(() if before is None else transitions(before))
        self._shown: Run | None = None

    def show(self, snapshot: Snapshot) -> None:
        """Print what has happened since."""
        if snapshot.run is self._shown:
            return
        self._shown = snapshot.run
        found = transitions(snapshot.run)
        new = [transition for transition in found if transition not in self._known]
        for transition in sorted(new, key=lambda transition: transition.at):
            moment = self._moment(transition.at, snapshot.run.started_at)
            write_paragraph(f"{moment} {transition.subject} {found[transition]}")
        self._known.update(found)

    @staticmethod
    def _moment(at: float, started_at: float) -> str:
        """Write a time of the day; on another day than that of the beginning, with its date."""
        full = clock_time(at)
        date, _, clock = full.partition(" ")
        return clock if clock_time(started_at).startswith(date) else full

    def has_drawn(self, run: Run) -> bool:  # noqa: ARG002 - as `View` declares it
        """Return that no table was drawn."""
        return False


def transitions(run: Run) -> dict[Transition, str]:
    """Return all that has happened to a run, each with its description, from its history."""
    found = {}
    for attempt in run.history:
        step = run.steps[attempt.position]
        name = attempt_words(attempt.number, is_gate=attempt.is_gate)
        is_found = was_found(run, attempt)
        # One that is STARTING may prove to have ended long ago.
        if attempt.status is not AttemptStatus.STARTING and not is_found:
            found[Transition(attempt.started_at, step.step_id, True)] = f"RUNNING {name}"
        if attempt.finished_at is not None:
            what = f"{name} {marked(attempt.status.value, is_found)}"
            found[Transition(attempt.finished_at, step.step_id, False)] = with_error(
                what, attempt.error
            )
    # A step ends at the same moment as its last attempt: one line tells both.
    known = found_steps(run)
    for step, why in zip(run.steps, reasons(run), strict=True):
        if step.finished_at is not None:
            error = why if step.status is StepStatus.SKIPPED else step.error
            what = marked(step.status.value, step.position in known)
            found[Transition(step.finished_at, step.step_id, False)] = with_error(what, error)
    ended = [step.finished_at for step in steps_before_finally(run)]
    if run.finally_after is not None and None not in ended:
        what = f"{WORDS[run.finally_after]}; now its finally"
        found[Transition(max(filter(None, ended)), visible(run.run_key), True)] = what
    if run.finished_at is not None:
        what = with_error(run.status.value, run.error)
        found[Transition(run.finished_at, visible(run.run_key), False)] = what
    return found


def marked(what: str, is_found: bool) -> str:
    """Mark what did not happen now, but was found to have happened before."""
    return f"{what} ({FOUND})" if is_found else what


def with_error(what: str, error: str | None) -> str:
    """Add what went wrong."""
    return what if error is None else f"{what} {visible(error)}"
