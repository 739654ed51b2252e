"""Text in messages: made printable, quoted, pointed at, and compared with known words."""

import unicodedata
from collections.abc import Collection

QUOTED_LENGTH = 60
"""Characters that a message quotes of a text."""

_DISTURBING = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_POINTED_AROUND = 40


def printable(text: str) -> str:
    """Return `text` with an escape for each character that could disturb a terminal."""
    if text.isprintable():
        return text
    return "".join(
        char if unicodedata.category(char) not in _DISTURBING else ascii(char)[1:-1]
        for char in text
    )


def quoted(text: str) -> str:
    """Return `text` in double quotes for a message: escaped, and cut if it is long."""
    cut = text if len(text) <= QUOTED_LENGTH else text[: QUOTED_LENGTH - 1] + "…"
    return '"' + printable(cut).replace('"', '\\"') + '"'


def pointed(line: str, column: int) -> str | None:
    """Return a line with a caret under `column`, counted from 1, or None if it is unprintable."""
    line = line.expandtabs(1)
    if not line.isprintable():
        return None
    start = max(0, column - _POINTED_AROUND)
    before = line[start : column - 1]
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in before)
    after = line[column - 1 : column + _POINTED_AROUND]
    return f"{before}{after}\n{' ' * (len(before) + wide)}^"


def closest_word(word: str, known: Collection[str], *, least_alike: float = 0.6) -> str | None:
    """Return the known word that was probably meant, or None.

    One that differs only in case, hyphens and underscores is meant in any case; of the others, the
    likest, whose likeness is between 0 and 1.
    """
    # Only a mistake pays for this import.
    from difflib import get_close_matches

    folded = _folded(word)
    alike = [candidate for candidate in known if _folded(candidate) == folded]
    return next(iter(alike or get_close_matches(word, known, n=1, cutoff=least_alike)), None)


def _folded(word: str) -> str:
    return word.casefold().replace("-", "_")
