"""The live view: a run drawn in place, on a terminal of any size (rules 6.6 and 9.14).

It is drawn from the top of the ordinary screen, whose old content has scrolled away: so it is right
again after every resize, and whatever ends the program leaves a terminal that needs no repair.
"""

import os
import time
from collections.abc import Callable, Sequence

from flow_store import Run
from orchesjob_flow.table import fitted_table
from orchesjob_flow.terminal import Terminal
from orchesjob_flow.text import cut, visible, width

HOME, CLEAR_LINE, CLEAR_BELOW = "\x1b[H", "\x1b[K", "\x1b[J"
NO_WRAP, WRAP = "\x1b[?7l", "\x1b[?7h"
NOTES = 3
"""How many of the latest messages are shown below the table."""


class Screen:
    """Draws a run in place; what was drawn last stays on the screen."""

    def __init__(
        self,
        terminal: Terminal,
        messages: Sequence[str],
        now: Callable[[], float] = time.time,
    ) -> None:
        """Draw on this terminal, with whatever is in `messages` at each moment.

        `now` tells the Unix time, to which elapsed times are drawn.
        """
        self._now = now
        self._terminal = terminal
        self._messages = messages
        self._drawn: tuple[str, os.terminal_size] | None = None
        self._shown: tuple[Run, int | None] | None = None

    def show(self, run: Run, runner_pid: int | None) -> None:
        """Draw a run over what was drawn before; the end of a run is drawn with all its steps."""
        self._shown = run, runner_pid
        self.refresh()

    def refresh(self) -> None:
        """Draw again if time has moved on, the terminal has another size, or there is a message."""
        if self._shown is None:
            return
        run, runner_pid = self._shown
        size = self._terminal.size()
        if run.status.is_terminal:
            lines = self._table(run, runner_pid, size.columns, None)
            text = "".join(f"{cleared(line, size.columns)}\n" for line in lines)
        else:
            notes = [cut(visible(text), size.columns) for text in self._messages[-NOTES:]]
            lines = self._table(run, runner_pid, size.columns, size.lines - len(notes))
            whole = [cleared(line, size.columns) for line in [*lines, *notes]]
            text = NO_WRAP + "\n".join(whole) + WRAP
        if (text, size) != self._drawn:
            self._draw(text, size)

    def _table(
        self, run: Run, runner_pid: int | None, columns: int, lines: int | None
    ) -> list[str]:
        colour = self._terminal.colour
        return fitted_table(run, runner_pid, self._now(), (columns, lines), colour=colour)

    def _draw(self, text: str, size: os.terminal_size) -> None:
        """Write a picture at once, line over line, so that nothing flickers."""
        if self._drawn is None:
            self._terminal.write("\n" * (size.lines - 1))
        self._terminal.write(f"{HOME}{text}{CLEAR_BELOW}")
        self._drawn = text, size

    def close(self) -> None:
        """Let what comes next begin below the picture."""
        if self._shown is not None and not self._shown[0].status.is_terminal:
            self._terminal.write("\n")


def cleared(line: str, columns: int) -> str:
    """Clear what is left of a line; one that fills it would lose its last character."""
    return line + CLEAR_LINE if width(line) < columns else line
