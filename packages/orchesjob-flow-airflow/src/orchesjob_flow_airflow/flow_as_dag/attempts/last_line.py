"""The last line that a command has printed, which is the XCom of its task if that is asked for."""

import os
from typing import Any

LONGEST_BYTES = 1 << 16
"""How much of an XCom is a line: more is a file, which has a better place elsewhere."""


def last_line(path: str | None, log: Any) -> str | None:
    """Return the last line of an output file that is not blank, without blanks behind it.

    None, and a warning, if there is none, or if it is longer than `LONGEST_BYTES`: a part of a line
    would be taken for the whole.

    Args:
        path: The file, as orchesjob reports it.
        log: The task's log.
    """
    try:
        tail, is_whole = _tail(path or os.devnull)
    except OSError as error:
        log.warning("no XCom is pushed: the output of the command cannot be read: %s", error)
        return None
    _, line_end, line = tail.rstrip().rpartition(b"\n")
    if not line:
        log.warning("no XCom is pushed: the command has printed no line")
        return None
    if not (is_whole or line_end):
        log.warning("no XCom is pushed: the last line has more than %d bytes", LONGEST_BYTES)
        return None
    return line.decode(errors="replace").rstrip()


def _tail(path: str) -> tuple[bytes, bool]:
    """Return the end of a file, and whether that is all of it."""
    with open(path, "rb") as file:  # noqa: PTH123 - text, as orchesjob reports it
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - LONGEST_BYTES))
        return file.read(), size <= LONGEST_BYTES
