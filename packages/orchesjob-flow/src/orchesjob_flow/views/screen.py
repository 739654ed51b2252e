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
from orchesjob_flow.views.table import fitted_table, whole_table
from orchesjob_flow.views.terminal import Terminal, cut, hold_messages, visible, width


@contextmanager
def told_of_stops(tell: Callable[[], None]) -> Iterator[None]:
    """Within this block, which is in the main thread, call `tell` before Ctrl-Z stops the program.

    Who has it ignored, as some parents do, keeps it so.
    """

    def stop(_number: int, _frame: FrameType | None) -> None:
        tell()
        # By its default, so that the kernel ignores it where no shell could continue the program.
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
    """Draws a run in place; what was drawn last stays on the screen."""

    def __init__(
        self,
        terminal: Terminal,
        messages: Sequence[str],
        now: Callable[[], float] = time.time,
    ) -> None:
        """Draw on this terminal, with the latest of `messages` at each moment.

        `now` returns the Unix time, up to which elapsed times are counted.
        """
        self._now = now
        self._terminal = terminal
        self._messages = messages
        self._drawn: Sequence[str] = ()
        self._shown: Snapshot | None = None
        self._drawn_run: Run | None = None
        self._drawn_for: tuple[object, ...] = ()

    def show(self, snapshot: Snapshot) -> None:
        """Draw a run over what was drawn before; one that has ended is drawn with all its steps."""
        self._shown = snapshot
        self.refresh()

    def refresh(self) -> None:
        """Draw again if the time, the size of the terminal or the messages have changed.

        While the program is in the background, the terminal is somebody else's.
        """
        if self._shown is None:
            return
        run, runner = self._shown
        if run.status.is_terminal and self._was_drawn(run):
            return
        if not is_in_foreground(self._terminal):
            self.begin_below()
            if not run.status.is_terminal:
                return
        size = self._terminal.size()
        seen = (runner, int(self._now()), size, len(self._messages))
        # A run that has changed is another object; to compare all its steps would take long.
        if run is self._drawn_run and seen == self._drawn_for:
            return
        self._drawn_run, self._drawn_for = run, seen
        if run.status.is_terminal:
            colour = self._terminal.colour
            self._draw(whole_table(self._shown, self._now(), size.columns, colour=colour), size)
            self.begin_below()
        else:
            self._draw(self._picture(self._shown, size), size)

    def begin_below(self) -> None:
        """Leave what was drawn as it is: the cursor is elsewhere, or what is drawn is to stay."""
        self._drawn, self._drawn_for = (), ()

    def _picture(self, snapshot: Snapshot, size: os.terminal_size) -> list[str]:
        """Compose what fits above the line of the cursor."""
        notes = NOTES if size.lines >= LOW else 1
        latest = [cut(visible(text), size.columns) for text in self._messages[-notes:]]
        room = (size.columns, max(1, size.lines - 1 - len(latest)))
        table = fitted_table(*snapshot, self._now(), room, colour=self._terminal.colour)
        return [*table, *latest]

    def _draw(self, lines: Sequence[str], size: os.terminal_size) -> None:
        """Write a picture at once over the last one, so that nothing flickers."""
        text = "".join(f"{cleared(line, size.columns)}\n" for line in lines)
        over = self._to_the_top(size)
        self._drawn = lines
        self._terminal.write(f"{over}{NO_WRAP}{text}{WRAP}{CLEAR_BELOW}")

    def _to_the_top(self, size: os.terminal_size) -> str:
        """Return what moves the cursor to where the last picture begins.

        A terminal that has become narrower may have broken the lines of the picture, or not: so
        what is certainly its own is erased, and the new one begins on an empty screen. What stood
        above has scrolled away.
        """
        if not self._drawn:
            return ""
        over = f"\r\x1b[{len(self._drawn)}A"
        if max(map(width, self._drawn)) > size.columns:
            down = "\n" * (size.lines - 1)
            return f"{over}{CLEAR_BELOW}{down}{HOME}"
        return over

    def close(self) -> None:
        """Set apart what follows a run that has not ended: why it is shown no longer."""
        if self._drawn:
            self._terminal.write("\n")
            self.begin_below()

    def has_drawn(self, run: Run) -> bool:
        """Whether the run, which has ended, was drawn with all its steps."""
        return self._was_drawn(run)

    def _was_drawn(self, run: Run) -> bool:
        return self._drawn_run is not None and self._drawn_run.revision == run.revision


@contextmanager
def screen_on(terminal: Terminal) -> Iterator[Screen]:
    """Draw on this terminal within this block; messages are shown there, and once more after it."""
    with hold_messages() as drawing:
        screen = Screen(terminal, drawing.messages)
        drawing.terminal = terminal.stream.fileno()
        try:
            with told_of_stops(screen.begin_below):
                yield screen
        finally:
            screen.close()


def is_in_foreground(terminal: Terminal) -> bool:
    """Tell whether the terminal is this program's at present, as far as that can be known."""
    with suppress(OSError, ValueError):  # where it controls no session of ours, nobody takes it
        return os.tcgetpgrp(terminal.stream.fileno()) == os.getpgrp()
    return True


def cleared(line: str, columns: int) -> str:
    """Clear the rest of a line; after a full line that would remove its last character."""
    return line + CLEAR_LINE if width(line) < columns else line
