"""One line on stderr that says what a person waits for, and is gone at the end (rule 6.11).

Only a terminal that can erase it gets one: in the log of a cron job it would be noise.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from orchesjob_flow.views.streams import Terminal, stderr, write_status_line
from orchesjob_flow.views.text import cut, visible

PATIENCE_SEC = 1.0
"""What takes less time needs no words."""


class StatusLine:
    """The line, which replaces itself.

    What is said within the first moments is shown once these are over, if it is still true then:
    whoever waits may have nothing further to say for long.
    """

    def __init__(self, terminal: Terminal, patience_sec: float) -> None:
        """Begin to wait; the first words come after that time."""
        self._terminal = terminal
        self._quiet_until = time.monotonic() + patience_sec
        self._patience: threading.Timer | None = None
        self._words = self._said = ""
        self._changing = threading.Lock()

    def say(self, words: str) -> None:
        """Show other words, in place of those before."""
        with self._changing:
            self._words = words
        if not self._terminal.can_draw:
            return
        left = self._quiet_until - time.monotonic()
        if left <= 0:
            self._show()
        elif self._patience is None:
            self._patience = threading.Timer(left, self._show)
            self._patience.daemon = True
            with suppress(RuntimeError, MemoryError):  # what is done needs the means more
                self._patience.start()

    def clear(self) -> None:
        """Let nothing remain of it."""
        if self._patience is not None:
            self._patience.cancel()
        with self._changing:
            self._words = ""
            if self._said:
                self._said = ""
                write_status_line("")

    def _show(self) -> None:
        with self._changing:
            if self._words != self._said:
                self._said = self._words
                room = self._terminal.size().columns - 1
                write_status_line(cut(visible(self._words), room))


@contextmanager
def status_line(patience_sec: float = PATIENCE_SEC) -> Iterator[StatusLine]:
    """Say what is waited for within this block."""
    line = StatusLine(stderr(), patience_sec)
    try:
        yield line
    finally:
        line.clear()
