"""Text broken into lines that a terminal has room for, so that nothing is cut (rule 6.11)."""

import re
from collections.abc import Iterable, Sequence

from orchesjob_flow.views.streams import write_result
from orchesjob_flow.views.terminal import stdout
from orchesjob_flow.views.text import beginning, width

WORD = re.compile(r"\s*\S+")
NARROWEST = 8
"""No text is broken into lines of fewer columns, however narrow the terminal."""


def wrapped(text: str, columns: int, *, indent: str = "") -> list[str]:
    """Break a visible text between words, or within one that is too long.

    All lines but the first begin with `indent`.

    >>> wrapped("waits for load", 9, indent="  ")
    ['waits for', '  load']
    """
    room = max(columns, NARROWEST)
    if text.isascii() and len(text) <= room:
        return [text]
    lines, line = [], ""
    for word in WORD.findall(text) or [text]:
        piece = word
        if line.strip() and width(line + piece) > room:
            lines.append(line)
            line, piece = indent, piece.lstrip()
        while width(line + piece) > room:
            kept = beginning(piece, room - width(line)) or piece[:1]
            lines.append(line + kept)
            line, piece = indent, piece[len(kept) :]
        line += piece
    return [*lines, line] if line.strip() else lines


def print_lines(lines: Iterable[str], *, indent: str = "    ") -> None:
    """Print visible lines; on a terminal those that are too long for it go on in further ones."""
    write_result("".join(f"{line}\n" for line in fitted(lines, indent=indent)))


def fitted(lines: Iterable[str], *, indent: str = "    ") -> Sequence[str]:
    """Return the lines as stdout has room for them; a file has room for all."""
    terminal = stdout()
    if not terminal.stream.isatty():
        return list(lines)
    columns = terminal.size().columns
    return [part for line in lines for part in wrapped(line, columns, indent=indent)]
