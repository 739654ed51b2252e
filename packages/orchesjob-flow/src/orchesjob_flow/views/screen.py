"""The live view: a run drawn in place, on a terminal of any size (rules 6.6 and 9.14).

It is drawn from the top of the ordinary screen, whose old content has scrolled away. So it is right
again after every resize, and however the program ends, the terminal needs no repair.
"""

import os
import time
from collections.abc import Callable, Sequence

from flow_store import Run
from orchesjob_flow.home.runs import Snapshot
from orchesjob_flow.views.printed_table import whole_table
from orchesjob_flow.views.table import fitted_table
from orchesjob_flow.views.terminal import Terminal
from orchesjob_flow.views.text import cut, visible, width

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
        """Draw on this terminal, with the latest of `messages` at each moment.

        `now` returns the Unix time, up to which elapsed times are counted.
        """
        self._now = now
        self._terminal = terminal
        self._messages = messages
        self._drawn: tuple[str, os.terminal_size] | None = None
        self._shown: Snapshot | None = None
        self._drawn_run: Run | None = None
        self._drawn_for: tuple[object, ...] = ()

    def show(self, snapshot: Snapshot) -> None:
        """Draw a run over what was drawn before; one that has ended is drawn with all its steps."""
        self._shown = snapshot
        self.refresh()

    def refresh(self) -> None:
        """Draw again if the time, the size of the terminal or the messages have changed."""
        if self._shown is None:
            return
        size = self._terminal.size()
        run, runner = self._shown
        seen = (runner, int(self._now()), size, len(self._messages))
        # A run that has changed is another object; to compare all its steps would take long.
        if run is self._drawn_run and seen == self._drawn_for:
            return
        self._drawn_run, self._drawn_for = run, seen
        if self._shown.run.status.is_terminal:
            lines = whole_table(
                self._shown, self._now(), size.columns, colour=self._terminal.colour
            )
            text = "".join(f"{cleared(line, size.columns)}\n" for line in lines)
        else:
            notes = [cut(visible(text), size.columns) for text in self._messages[-NOTES:]]
            lines = self._table(self._shown, size.columns, size.lines - len(notes))
            whole = [cleared(line, size.columns) for line in [*lines, *notes]]
            text = NO_WRAP + "\n".join(whole) + WRAP
        if (text, size) != self._drawn:
            self._draw(text, size)

    def _table(self, snapshot: Snapshot, columns: int, lines: int) -> list[str]:
        colour = self._terminal.colour
        return fitted_table(*snapshot, self._now(), (columns, lines), colour=colour)

    def _draw(self, text: str, size: os.terminal_size) -> None:
        """Write a picture at once over the last one, so that nothing flickers."""
        if self._drawn is None:
            self._terminal.write("\n" * (size.lines - 1))
        self._terminal.write(f"{HOME}{text}{CLEAR_BELOW}")
        self._drawn = text, size

    def has_drawn(self, run: Run) -> bool:
        """Whether the run, which has ended, was drawn with all its steps."""
        return self._shown is not None and self._shown.run.revision == run.revision

    def close(self) -> None:
        """Let the next output begin below the picture."""
        if self._shown is not None and not self._shown.run.status.is_terminal:
            self._terminal.write("\n")


def cleared(line: str, columns: int) -> str:
    """Clear the rest of a line; after a full line that would remove its last character."""
    return line + CLEAR_LINE if width(line) < columns else line
