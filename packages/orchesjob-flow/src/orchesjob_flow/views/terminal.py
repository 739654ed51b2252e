"""The standard streams as terminals: what they can show, and how large they are."""

import os
import shutil
import sys
from collections.abc import Callable
from typing import NamedTuple, TextIO

from orchesjob_flow.views.streams import write_result, write_view


class Terminal(NamedTuple):
    """A stream that may be a terminal, and how text gets there."""

    stream: TextIO
    write: Callable[[str], None]

    @property
    def can_draw(self) -> bool:
        """Whether it is a terminal with a cursor that can be moved."""
        return self.stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"

    @property
    def colour(self) -> bool:
        """Whether to use colours: where that is possible, and the user has not turned them off."""
        return self.can_draw and "NO_COLOR" not in os.environ

    def size(self) -> os.terminal_size:
        """Return its present size; without a terminal, the size that the environment tells."""
        try:
            size = os.get_terminal_size(self.stream.fileno())
        except (OSError, ValueError):
            return shutil.get_terminal_size()
        return size if size.columns and size.lines else os.terminal_size((80, 24))


def stdout() -> Terminal:
    """Return the terminal of results."""
    return Terminal(sys.stdout, write_result)


def stderr() -> Terminal:
    """Return the terminal of messages."""
    return Terminal(sys.stderr, write_view)


def is_one_terminal() -> bool:
    """Tell whether results and messages are seen on the same terminal."""
    if not (sys.stdout.isatty() and sys.stderr.isatty()):
        return False
    first, second = (os.fstat(stream.fileno()) for stream in (sys.stdout, sys.stderr))
    return first.st_rdev == second.st_rdev
