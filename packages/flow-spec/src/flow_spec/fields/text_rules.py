"""Which texts a flow may hold: names, lines, prose, arguments.

Each `flaw_of_...` returns what is wrong with a text, or None. Only characters and lengths are
checked here; the field decides what a text means.
"""

import re
import unicodedata

from flow_spec.errors import QUOTED_LENGTH, Message, advised, quoted

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")
"""The id of a step, as written."""

REFERENCE = re.compile(rf"{NAME.pattern}(?:@{NAME.pattern})*")
"""The id of a step, or of one of its copies (rule 10.3)."""

LONGEST_WORD = 128 * 1024 - 1
"""Bytes in one argument: Linux passes at most 128 KiB, including the final NUL."""

PRINTABLE_LINE = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$"
"""What `flaw_of_line` allows, as a pattern of JSON Schema."""
PRINTABLE_LINES = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029]*$"
"""What `flaw_of_prose` allows."""

_UNPRINTABLE = {
    "Cc": "control character",
    "Cs": "surrogate",
    "Zl": "line separator",
    "Zp": "paragraph separator",
}


def flaw_of_name(text: str, max_length: int) -> Message | None:
    """Check the id of a step."""
    if not NAME.fullmatch(text):
        fact = f"must be made of A-Z, a-z, 0-9, _ and -, and not begin with -, got {quoted(text)}"
        likely = re.sub(r"[^A-Za-z0-9_-]+", "-", text).strip("-")
        return advised(fact, f"write {likely}" if likely and len(text) <= QUOTED_LENGTH else None)
    return _too_long(text, max_length)


def flaw_of_line(text: str, max_length: int) -> str | None:
    """Check printable text of 1 to `max_length` characters on one line."""
    if not text:
        return f"must have 1 to {max_length} characters, got none"
    return _too_long(text, max_length) or _unprintable(text, allowed="")


def flaw_of_prose(text: str, max_length: int) -> str | None:
    """Check text of any number of lines, up to `max_length` characters."""
    return _too_long(text, max_length) or _unprintable(text, allowed="\t\n\r")


def flaw_of_word(text: str, most_bytes: int) -> str | None:
    """Check that the operating system can pass `text` as an argument or in a variable."""
    if "\0" in text:
        return "must not contain the character U+0000, which no command can be passed"
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        surrogate = f"U+{ord(text[error.start]):04X}"
        return f"must not contain the surrogate {surrogate}, which is not a character"
    if size > most_bytes:
        return (
            f"must be at most {most_bytes:,} bytes, the longest argument that Linux passes to "
            f"a command, got {size:,}; pass the name of a file instead"
        )
    return None


def _too_long(text: str, max_length: int) -> str | None:
    if len(text) > max_length:
        return f"must have at most {max_length:,} characters, got {len(text):,}"
    return None


def _unprintable(text: str, allowed: str) -> str | None:
    for char in text:
        category = unicodedata.category(char)
        if category in _UNPRINTABLE and char not in allowed:
            return f"must be printable, got the {_UNPRINTABLE[category]} U+{ord(char):04X}"
    return None
