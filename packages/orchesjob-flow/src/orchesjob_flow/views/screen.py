"""The live view: a run drawn in place, on a terminal of any size (rules 6.6 and 9.14).

After Ctrl-Z the shell takes the terminal and gives it back later, so the next drawing must not
start where the cursor was before.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType

from flow_store import Run
from orchesjob_flow.home.runs import Snapshot
from orchesjob_flow.views.table import fit_live_table, whole_table
from orchesjob_flow.views.terminal import Terminal, cut, hold_messages, visible, width


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
        self,
        terminal: Terminal,
        messages: Sequence[str],
        now: Callable[[], float] = time.time,
    ) -> None:
        """Draw on this terminal, with the latest of `messages` at each moment.

        `now` returns the Unix time up to which elapsed times are counted.
        """
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
            table = whole_table(self._shown, self._now(), size.columns, colour=self._colour)
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
        table = fit_live_table(snapshot, self._now(), room, colour=self._colour)
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
