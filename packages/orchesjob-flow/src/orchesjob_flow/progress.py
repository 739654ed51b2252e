"""What a foreground `start`, `retry` or `resume` shows on stderr, beside its messages (rule 9.14).

A thread of its own looks at what is recorded, as `watch` does: the runner knows nothing of it and
never waits for a slow terminal, and a run that another process advances is shown as well. Without a
terminal there is no thread.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import NamedTuple, Protocol

from flow_store import FlowStatus, Run, StepStatus, StoreError
from orchesjob_flow import terminal
from orchesjob_flow.driving import warn
from orchesjob_flow.errors import FlowError
from orchesjob_flow.output import hold_messages, write_view
from orchesjob_flow.reading import read
from orchesjob_flow.reasons import reasons
from orchesjob_flow.settings import Settings
from orchesjob_flow.text import visible

LOOK_SEC = 0.25


class Look(NamedTuple):
    """How a run stood at one moment, and which process advanced it."""

    run: Run
    runner_pid: int | None


class View(Protocol):
    """What shows a run."""

    def show(self, run: Run, runner_pid: int | None) -> None:
        """Show how the run stands now."""


def with_progress(mode: str, run_key: str, settings: Settings, advance: Callable[[], Run]) -> Run:
    """Let `advance` bring a run to its end, and show meanwhile how it stands.

    The `mode` is `plain`, which prints lines, `none`, or `auto`, which draws on a terminal, prints
    lines on one that cannot draw, and is silent elsewhere. With either, the last lines of what
    failed steps have printed follow.
    """
    before = look(run_key, settings)
    with view_of(mode, None if before is None else before.run) as view:
        if view is None:
            run = advance()
        else:
            with observed(view, before, run_key, settings):
                run = advance()
    is_new = before is None or before.run.revision != run.revision
    if is_new and mode != "none" and run.status is FlowStatus.FAILED:
        from orchesjob_flow.failures import show_failures

        try:
            show_failures(run_key, settings)
        except (FlowError, StoreError, OSError) as error:  # no reason for another exit code
            warn(f"what the failed steps have printed cannot be shown: {error}")
    return run


@contextmanager
def view_of(mode: str, before: Run | None) -> Iterator[View | None]:
    """Choose what shows a run; what had happened before is not told again."""
    stderr = terminal.stderr()
    is_terminal = stderr.stream.isatty()
    if mode == "auto" and stderr.can_draw:
        from orchesjob_flow.screen import Screen  # dear, and seldom needed

        with hold_messages() as messages, closing(Screen(stderr, messages)) as screen:
            yield screen
    elif mode == "plain" or (mode == "auto" and is_terminal):
        yield Lines(before)
    else:
        yield None


@contextmanager
def observed(view: View, before: Look | None, run_key: str, settings: Settings) -> Iterator[None]:
    """Let a view show the run again and again, and once more at the end.

    A run that had ended `before` is shown only if it goes on.
    """
    over = threading.Event()
    seen = before

    def show() -> None:
        nonlocal seen
        found = look(run_key, settings)
        if found is None or (found.run.status.is_terminal and seen and found.run == seen.run):
            return
        seen = found
        view.show(found.run, found.runner_pid)

    def go_on_showing() -> None:
        while not over.wait(LOOK_SEC):
            show()

    thread = threading.Thread(target=go_on_showing, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        show()


def look(run_key: str, settings: Settings) -> Look | None:
    """Read the run, if that is possible; what is wrong is said by the command itself."""
    try:
        return Look(*read(run_key, settings))
    except (FlowError, StoreError, OSError):
        return None


class Transition(NamedTuple):
    """That a run, or an attempt at a step, began or ended; `at` is a Unix timestamp."""

    at: float
    subject: str
    begins: bool


class Lines:
    """Prints a line for each transition; none is missed, however fast they follow each other."""

    def __init__(self, before: Run | None) -> None:
        """Leave out what is known already."""
        self._known = set(() if before is None else transitions(before))

    def show(self, run: Run, _runner_pid: int | None) -> None:
        """Print what has happened since."""
        found = transitions(run)
        new = [transition for transition in found if transition not in self._known]
        for transition in sorted(new, key=lambda transition: transition.at):
            moment = time.strftime("%H:%M:%S", time.localtime(transition.at))
            write_view(f"{moment} {transition.subject} {found[transition]}\n")
        self._known.update(found)


def transitions(run: Run) -> dict[Transition, str]:
    """Read off the history of a run all that has happened, and say what it was."""
    found = {}
    for attempt in run.history:
        step, number = run.steps[attempt.position], attempt.number
        found[Transition(attempt.started_at, step.step_id, True)] = f"RUNNING attempt {number}"
        if attempt.finished_at is not None:
            what = f"attempt {number} {attempt.status.value}"
            found[Transition(attempt.finished_at, step.step_id, False)] = with_error(
                what, attempt.error
            )
    # A step ends in the very moment of its last attempt: one line says both.
    for step, why in zip(run.steps, reasons(run), strict=True):
        if step.finished_at is not None:
            error = why if step.status is StepStatus.SKIPPED else step.error
            found[Transition(step.finished_at, step.step_id, False)] = with_error(
                step.status.value, error
            )
    if run.finished_at is not None:
        what = with_error(run.status.value, run.error)
        found[Transition(run.finished_at, visible(run.run_key), False)] = what
    return found


def with_error(what: str, error: str | None) -> str:
    """Add what went wrong."""
    return what if error is None else f"{what} {visible(error)}"
