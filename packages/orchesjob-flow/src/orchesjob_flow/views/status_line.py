"""One line on stderr that says what a person waits for, and is gone at the end (rule 6.11).

Only a terminal that can erase it gets one: in the log of a cron job it would be noise.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from orchesjob_flow.views.streams import write_status_line
from orchesjob_flow.views.terminal import Terminal, stderr
from orchesjob_flow.views.text import cut, visible

PATIENCE_SEC = 1.0
"""What takes less time needs no words."""


class StatusLine:
    """The line, which replaces itself."""

    def __init__(self, terminal: Terminal, patience_sec: float) -> None:
        """Begin to wait; the first words come after that time."""
        self._terminal = terminal
        self._quiet_until = time.monotonic() + patience_sec
        self._said = ""

    def say(self, words: str) -> None:
        """Show other words, in place of those before."""
        if words == self._said or time.monotonic() < self._quiet_until:
            return
        if self._terminal.can_draw:
            self._said = words
            write_status_line(cut(visible(words), self._terminal.size().columns - 1))

    def clear(self) -> None:
        """Let nothing remain of it."""
        if self._said:
            self._said = ""
            write_status_line("")


@contextmanager
def status_line(patience_sec: float = PATIENCE_SEC) -> Iterator[StatusLine]:
    """Say what is waited for within this block."""
    line = StatusLine(stderr(), patience_sec)
    try:
        yield line
    finally:
        line.clear()
