"""Text that is safe to show: whatever would move a cursor or turn the direction is made visible."""

import json
import re
from typing import Any

UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


def visible(text: str) -> str:
    r"""Replace control characters and their like by escapes.

    >>> print(visible("\x1b[31mred\n"))
    \x1b[31mred\n
    """
    return UNSAFE.sub(lambda found: repr(found[0])[1:-1], text)


def dump_json(value: Any, *, indent: int | None, ascii_only: bool = False) -> str:
    """Write JSON, readable in any script, but escaped where a terminal could be misled."""
    separators = (",", ":") if indent is None else (",", ": ")
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent, separators=separators)
    return UNSAFE.sub(escape_in_json, text) if UNSAFE.search(text.replace("\n", "")) else text


def escape_in_json(found: re.Match[str]) -> str:
    r"""Escape a character as JSON does; the line breaks between the values stay."""
    return "\n" if found[0] == "\n" else f"\\u{ord(found[0]):04x}"
