"""How a run is shown while it goes on: by `start`, `retry` and `resume` on stderr, and by `watch`.

A foreground command has a separate thread that reads the records, as `watch` does, and writes
messages too (rules 6.15 and 9.14). So the runner never waits for a slow terminal, and a run that
another process advances is shown as well. Without a terminal there is no thread, unless lines or
output are asked for.

`Screen` draws a run in place, on a terminal of any size (rule 6.6). After Ctrl-Z the shell takes
the terminal and gives it back later, so the next drawing must not start where the cursor was
before. `Lines` prints a line for each thing that happens.
"""

import math
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING, NamedTuple

from flow_store import AttemptStatus, Run, RunStatus, StepStatus, StoreError, was_found
from orchesjob_flow.errors import FlowError, ResourceExhausted, exhaustion_named
from orchesjob_flow.home import Observer, RunHandle, Snapshot
from orchesjob_flow.reasons import (
    FOUND,
    OUTCOME_WORDS,
    attempt_words,
    clock_time,
    found_steps,
    is_allowed,
    is_in_finally,
    listed,
    reasons,
)
from orchesjob_flow.views import terminal
from orchesjob_flow.views.terminal import (
    COLOUR,
    LAST_WORDS_SEC,
    LiveDrawing,
    Terminal,
    cut,
    hold_messages,
    paragraph,
    visible,
    warn,
    width,
    write_view,
)

if TYPE_CHECKING:
    from orchesjob_flow.views.step_output import Following

PROGRESS_LOOK_SEC = 0.25
"""Seconds between two looks at the run, or more if each look takes long."""
MOST_LOOKING = 0.1
"""The part of this process's time that looks may take: the larger the run, the rarer they are."""


class ShownRun(NamedTuple):
    """A run that was advanced, and what stderr has shown of it.

    Attributes:
        run: The run as it is now.
        before: The run as it was before; None if it was not recorded yet.
        was_shown: Whether the run and its end were shown.
        was_drawn: Whether its whole table was drawn.
    """

    run: Run
    before: Run | None
    was_shown: bool
    was_drawn: bool


def with_progress(
    mode: str, handle: RunHandle, advance: Callable[[], Run], *, follow: str = ""
) -> ShownRun:
    """Let `advance` bring a run to its end, and show the run in the meantime.

    The mode `plain` prints lines, and `none` prints nothing. `auto` draws on a terminal, prints
    lines on a terminal that cannot draw, and is silent elsewhere. With `follow`, the output of the
    steps comes between the lines, and only `plain` lines have times unless it is `times`.
    """
    with Observer(handle) as observer:
        seen = read_run(observer)
    before = None if seen is None else seen.run
    with view_of(mode, handle, before, follow=follow) as view:
        if view is None:
            run = advance()
        else:
            with observed(view, seen, handle):
                run = advance()
        was_drawn = isinstance(view, Screen) and view.has_drawn(run)
    was_shown = view is not None and view.tells_end
    return ShownRun(run, before, was_shown, was_drawn)


def show_outcome(handle: RunHandle, shown: ShownRun) -> None:
    """Report which steps did not run now, and what the failed steps printed."""
    run, before = shown.run, shown.before
    if before is not None and before.revision == run.revision:
        return
    warn_about_found(run, before)
    if run.status is RunStatus.FAILED:
        from orchesjob_flow.views.step_output import show_failures

        try:
            show_failures(handle, with_heading=not shown.was_shown)
        except (FlowError, StoreError, OSError) as error:  # the exit code is that of the run
            warn(f"what the failed steps have printed cannot be shown: {error}")


def warn_about_found(run: Run, before: Run | None) -> None:
    """Report which steps did not run now because orchesjob knew their outcome (rule 4.7)."""
    known, now = set() if before is None else found_steps(before), found_steps(run)
    begun = [step for step in run.steps if step.has_begun and step.position not in known]
    found = [step.step_id for step in begun if step.position in now]
    if found and len(found) == len(begun):
        warn(
            f"run {run.run_key!r}: nothing was executed; the outcome of every step was {FOUND} "
            "(another run key runs them, or `retry --step`)"
        )
    elif found:
        warn(f"run {run.run_key!r}: the outcome of {listed(found)} was {FOUND}")


@contextmanager
def view_of(
    mode: str, handle: RunHandle, before: Run | None, *, follow: str
) -> Iterator["Screen | Lines | None"]:
    """Choose how to show a run; what happened `before` is not shown again."""
    stderr = terminal.stderr()
    is_terminal = stderr.stream.isatty()
    if follow:
        from orchesjob_flow.views.step_output import Following

        with hold_messages() as held:
            output = Following(handle, before, has_times=follow == "times")
            has_times = mode == "plain" or follow == "times"
            yield Lines(before, held, output, tells_end=mode != "none", has_times=has_times)
    elif mode == "auto" and stderr.can_draw:
        with screen_on(stderr) as screen:
            yield screen
    elif mode == "plain" or (mode == "auto" and is_terminal):
        with hold_messages() as held:
            yield Lines(before, held)
    else:
        yield None


@contextmanager
def observed(view: "Screen | Lines", before: Snapshot | None, handle: RunHandle) -> Iterator[None]:
    """Show the run repeatedly within this block, and once more at the end.

    A run that ended `before` is shown only if it is reopened. A terminal that blocks delays the
    end of a command, but not for long that of an interrupted one.
    """
    is_done, stop = False, threading.Event()
    seen = before

    def show(observer: Observer) -> None:
        nonlocal seen
        with suppress(MemoryError):  # the run needs the memory more
            found = read_run(observer)
            if found is None or (found.run.status.is_terminal and seen and found.run == seen.run):
                return
            seen = found
            view.show(found)

    def keep_showing() -> None:
        pause_sec = PROGRESS_LOOK_SEC
        with Observer(handle) as observer:
            while not stop.wait(0 if view.is_behind else pause_sec):
                began = time.thread_time()
                show(observer)
                pause_sec = max(PROGRESS_LOOK_SEC, (time.thread_time() - began) / MOST_LOOKING)
            show(observer)

    thread = threading.Thread(target=keep_showing, daemon=True)
    try:
        with exhaustion_named("cannot start a thread"):
            thread.start()
    except ResourceExhausted as error:
        warn(f"the run is shown at its end only: {error}")
    try:
        yield
        is_done = True
    finally:
        stop.set()
        if thread.ident is None:
            keep_showing()
        else:
            thread.join(None if is_done else LAST_WORDS_SEC)


def read_run(observer: Observer) -> Snapshot | None:
    """Read the run; return None where that fails, as the command itself reports why."""
    try:
        return observer.find()
    except (FlowError, StoreError, OSError):
        return None


class Transition(NamedTuple):
    """The beginning or the end of a run or of an attempt; `at` is a Unix timestamp."""

    at: float
    subject: str
    begins: bool


class Lines:
    """Prints a line for each transition, no matter how quickly they follow each other.

    With `output`, the output of the steps comes between these lines, or in place of them unless
    the lines tell the end. The messages that are `held` come between them too. A line begins with
    the time, if it `has_times`.

    Attributes:
        is_behind: Whether it has more to show at once.
        tells_end: Whether it shows how the run ends.
    """

    def __init__(
        self,
        before: Run | None,
        held: LiveDrawing,
        output: "Following | None" = None,
        *,
        tells_end: bool = True,
        has_times: bool = True,
    ) -> None:
        """Leave out what happened `before`."""
        self.is_behind = False
        self.tells_end = tells_end
        self._has_times = has_times
        self._known = set(() if before is None else transitions(before))
        self._held = held
        self._output = output
        self._coming: deque[tuple[Transition, str]] = deque()
        self._shown: Run | None = None

    def show(self, snapshot: Snapshot) -> None:
        """Print what happened since the last call; all of it once the run has ended."""
        run = snapshot.run
        if run is not self._shown:
            self._take_in(run)
        self.is_behind = self._print_more()
        while self.is_behind and run.status.is_terminal:
            self.is_behind = self._print_more()
        if run.status.is_terminal:
            self._print_output(last=True)

    def _take_in(self, run: Run) -> None:
        if self._output is not None:
            try:
                self._output.look_at(run)
            except (FlowError, StoreError, OSError):
                return  # the next look is soon
        self._shown = run
        found = transitions(run) if self.tells_end else {}
        new = [transition for transition in found if transition not in self._known]
        for transition in sorted(new, key=lambda transition: transition.at):
            moment = f"{self._time_of_day(transition.at, run.started_at)} " * self._has_times
            lead = self._output.lead(transition.subject) if self._output else ""
            subject = COLOUR.sub("", lead) or f"{transition.subject} "
            self._coming.append((transition, f"{moment}{subject}{found[transition]}"))
        self._known.update(found)

    def _print_more(self) -> bool:
        """Print lines, and before the end of an attempt its output; return whether more is left."""
        while self._coming:
            transition, line = self._coming[0]
            if not transition.begins and self._print_output(before=transition.at):
                return True
            # The colour comes last, so that no line break falls into it.
            lead = self._output.lead(transition.subject) if self._output else ""
            self._held.write_messages()
            write_view(f"{paragraph(line).replace(COLOUR.sub('', lead), lead, 1)}\n")
            self._coming.popleft()
        return self._print_output()

    def _print_output(self, *, before: float = math.inf, last: bool = False) -> bool:
        """Print output of attempts that began `before` a moment; return whether more is left."""
        has_more = False
        self._held.write_messages()
        if self._output is not None:
            try:
                has_more = self._output.show(before=before, last=last)
            except OSError as error:
                warn(f"the output of the steps is no longer shown: {error}")
                self._output = None
        self._held.write_messages()
        return has_more

    @staticmethod
    def _time_of_day(at: float, started_at: float) -> str:
        """Write a time of day, with the date if the run started on another day."""
        full = clock_time(at)
        date, _, clock = full.partition(" ")
        return clock if clock_time(started_at).startswith(date) else full


def transitions(run: Run) -> dict[Transition, str]:
    """Return all transitions of a run, each with its description, from its history."""
    found = {}
    for attempt in run.history:
        step = run.steps[attempt.position]
        name = attempt_words(attempt.number, is_gate=attempt.is_gate)
        is_found = was_found(run, attempt)
        # A STARTING attempt may turn out to have ended long ago.
        if attempt.status is not AttemptStatus.STARTING and not is_found:
            found[Transition(attempt.started_at, step.step_id, True)] = f"RUNNING {name}"
        if attempt.finished_at is not None:
            what = f"{name} {_with_found_note(attempt.status.value, is_found)}"
            found[Transition(attempt.finished_at, step.step_id, False)] = _with_error(
                what, attempt.error
            )
    # A step ends at the same moment as its last attempt: one line reports both.
    known = found_steps(run)
    for step, why in zip(run.steps, reasons(run), strict=True):
        if step.finished_at is not None:
            error = why if step.status is StepStatus.SKIPPED else step.error
            what = step.status.value + " (allowed)" * is_allowed(run, step)
            what = _with_found_note(what, step.position in known)
            found[Transition(step.finished_at, step.step_id, False)] = _with_error(what, error)
    ended = [step.finished_at for step in run.steps if not is_in_finally(run, step)]
    if run.finally_after is not None and None not in ended:
        what = f"{OUTCOME_WORDS[run.finally_after]}; now its finally"
        found[Transition(max(filter(None, ended)), visible(run.run_key), True)] = what
    if run.finished_at is not None:
        what = _with_error(run.status.value, run.error)
        found[Transition(run.finished_at, visible(run.run_key), False)] = what
    return found


def _with_found_note(what: str, is_found: bool) -> str:
    return f"{what} ({FOUND})" if is_found else what


def _with_error(what: str, error: str | None) -> str:
    return what if error is None else f"{what} {visible(error)}"


@contextmanager
def calling_before_suspend(prepare: Callable[[], None]) -> Iterator[None]:
    """Call `prepare` before Ctrl-Z stops the program within this block, in the main thread.

    A SIGTSTP that the parent process has ignored stays ignored.
    """

    def stop(_number: int, _frame: FrameType | None) -> None:
        prepare()
        # The default action: the kernel ignores it where no shell could continue the program.
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        signal.raise_signal(signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, stop)

    before = signal.getsignal(signal.SIGTSTP)
    if before is signal.SIG_IGN:
        yield
        return
    signal.signal(signal.SIGTSTP, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTSTP, before)


HOME, CLEAR_LINE, CLEAR_BELOW = "\x1b[H", "\x1b[K", "\x1b[J"
NO_WRAP, WRAP = "\x1b[?7l", "\x1b[?7h"
NOTES, LOW = 3, 12
"""How many of the latest messages are shown below the table; one on a screen with fewer lines."""


class Screen:
    """Draws a run in place; the last drawing stays on the screen."""

    is_behind = False
    tells_end = True

    def __init__(
        self, terminal: Terminal, messages: Sequence[str], now: Callable[[], float] = time.time
    ) -> None:
        """Draw on this terminal, with the latest of `messages` at each moment.

        `now` returns the Unix time up to which elapsed times are counted.
        """
        from orchesjob_flow.views import table  # slow to import, rarely needed

        self._tables = table
        self._now = now
        self._terminal = terminal
        self._messages = messages
        self._drawn: Sequence[str] = ()
        self._shown: Snapshot | None = None
        self._drawn_run: Run | None = None
        self._drawn_for: tuple[object, ...] = ()

    def show(self, snapshot: Snapshot) -> None:
        """Draw a run over the last drawing; a run that has ended is drawn with all its steps."""
        self._shown = snapshot
        self.refresh()

    def refresh(self) -> None:
        """Draw again if the time, the size of the terminal or the messages have changed.

        While the program is in the background, it leaves the terminal alone.
        """
        if self._shown is None:
            return
        run, runner = self._shown
        if run.status.is_terminal and self.has_drawn(run):
            return
        if not is_in_foreground(self._terminal):
            self.begin_below()
            if not run.status.is_terminal:
                return
        size = self._terminal.size()
        seen = (runner, int(self._now()), size, len(self._messages))
        # A run that has changed is another object; comparing all its steps would be slow.
        if run is self._drawn_run and seen == self._drawn_for:
            return
        self._drawn_run, self._drawn_for = run, seen
        if run.status.is_terminal:
            table = self._tables.whole_table(
                self._shown, self._now(), size.columns, colour=self._colour
            )
            self._draw(table, size)
            self.begin_below()
        else:
            self._draw(self._picture(self._shown, size), size)

    def begin_below(self) -> None:
        """Keep the last drawing: the cursor is elsewhere, or the drawing is final."""
        self._drawn, self._drawn_for = (), ()

    @property
    def _colour(self) -> bool | None:
        """How statuses are written: for a terminal, or None for a pipe (rule 6.5)."""
        return self._terminal.colour if self._terminal.stream.isatty() else None

    def _picture(self, snapshot: Snapshot, size: os.terminal_size) -> list[str]:
        """Return the lines that fit above the line of the cursor."""
        notes = NOTES if size.lines >= LOW else 1
        latest = [cut(visible(text), size.columns) for text in self._messages[-notes:]]
        room = (size.columns, max(1, size.lines - 1 - len(latest)))
        table = self._tables.fit_live_table(snapshot, self._now(), room, colour=self._colour)
        return [*table, *latest]

    def _draw(self, lines: Sequence[str], size: os.terminal_size) -> None:
        """Write a picture over the last one in one call, so that nothing flickers."""
        text = "".join(f"{cleared(line, size.columns)}\n" for line in lines)
        over = self._to_the_top(size)
        self._drawn = lines
        self._terminal.write(f"{over}{NO_WRAP}{text}{WRAP}{CLEAR_BELOW}")

    def _to_the_top(self, size: os.terminal_size) -> str:
        """Return the escape sequence that moves the cursor to the top of the last picture.

        A terminal that has become narrower may have wrapped the lines of the picture, or not. So
        only the part that surely belongs to it is erased, and the new picture begins on an empty
        screen. The text above has scrolled away.
        """
        if not self._drawn:
            return ""
        over = f"\r\x1b[{len(self._drawn)}A"
        if max(map(width, self._drawn)) > size.columns:
            down = "\n" * (size.lines - 1)
            return f"{over}{CLEAR_BELOW}{down}{HOME}"
        return over

    def close(self) -> None:
        """End the last line of a run that has not ended, so that a message can follow."""
        if self._drawn:
            self._terminal.write("\n")
            self.begin_below()

    def has_drawn(self, run: Run) -> bool:
        """Whether the run, which has ended, was drawn with all its steps."""
        return self._drawn_run is not None and self._drawn_run.revision == run.revision


@contextmanager
def screen_on(terminal: Terminal) -> Iterator[Screen]:
    """Draw on this terminal within this block; show messages there, and again after the block."""
    with hold_messages() as drawing:
        screen = Screen(terminal, drawing.messages)
        drawing.terminal = terminal.stream.fileno()
        try:
            with calling_before_suspend(screen.begin_below):
                yield screen
        finally:
            screen.close()


def is_in_foreground(terminal: Terminal) -> bool:
    """Tell whether this program is in the terminal's foreground, as far as that can be known."""
    with suppress(OSError, ValueError):  # it is not our controlling terminal: no shell takes it
        return os.tcgetpgrp(terminal.stream.fileno()) == os.getpgrp()
    return True


def cleared(line: str, columns: int) -> str:
    """Add an escape sequence that clears the rest of a line.

    After a full line it would remove the last character.
    """
    return line + CLEAR_LINE if width(line) < columns else line
