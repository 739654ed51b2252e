"""Text that is safe to show, and its width on a terminal.

Whatever would move the cursor or change the direction of writing is escaped. On a terminal, some
characters take two columns and others none.
"""

import json
import re
import time
from typing import Any

UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
COLOUR = re.compile(r"(\x1b\[[0-9;:]*m)")
CUT = "..."
UNITS = ("B", "kB", "MB", "GB")


def visible(text: str) -> str:
    r"""Replace control characters and the like by escapes.

    >>> print(visible("\x1b[31mred\n"))
    \x1b[31mred\n
    """
    return UNSAFE.sub(lambda found: repr(found[0])[1:-1], text)


def clock_time(timestamp: float | None) -> str:
    """Write a Unix timestamp in local time; `-` stands for None."""
    if timestamp is None:
        return "-"
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(timestamp))


def size_text(size: int) -> str:
    """Write a number of bytes in units of a thousand.

    >>> size_text(999), size_text(1_500), size_text(2_000_000_000)
    ('999 B', '1.5 kB', '2.0 GB')
    """
    power = min((len(str(size)) - 1) // 3, len(UNITS) - 1)
    return f"{size / 1_000**power:.{min(power, 1)}f} {UNITS[power]}"


def dump_json(value: Any, *, indent: int | None, ascii_only: bool = False) -> str:
    """Write JSON in any script, but escape what could mislead a terminal."""
    separators = (",", ":") if indent is None else (",", ": ")
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent, separators=separators)
    return UNSAFE.sub(escape_in_json, text) if UNSAFE.search(text.replace("\n", "")) else text


def escape_in_json(found: re.Match[str]) -> str:
    r"""Escape a character as JSON does; the line breaks between the values stay."""
    return "\n" if found[0] == "\n" else f"\\u{ord(found[0]):04x}"


def width(text: str) -> int:
    r"""Return how many columns of a terminal a visible text takes; its colours take none.

    >>> width("\x1b[31m日本\x1b[0m!")
    5
    """
    plain = COLOUR.sub("", text)
    if plain.isascii() and plain.isprintable():
        return len(plain)
    from wcwidth import wcswidth  # slow to import

    return max(0, wcswidth(plain))


def cut(text: str, columns: int) -> str:
    """Shorten a visible text to so many columns, and mark it as cut; its colours stay.

    >>> cut("日本から来た", 8)
    '日本...'
    """
    if width(text) <= columns:
        return text
    mark = CUT[: max(0, columns)]
    room = columns - len(mark)
    shown = []
    for number, part in enumerate(COLOUR.split(text)):
        if number % 2 == 0 and room >= 0:
            kept = beginning(part, room)
            room -= width(kept)
            if kept != part:
                kept, room = kept + mark, -1
            shown.append(kept)
        elif number % 2:
            shown.append(part)
    return "".join(shown)


def beginning(text: str, columns: int) -> str:
    """Return as much of a text as fits into so many columns."""
    if text.isascii():
        return text[: max(0, columns)]
    from wcwidth import wcwidth

    room = columns
    for place, character in enumerate(text):
        room -= max(0, wcwidth(character))
        if room < 0:
            return text[:place]
    return text
