"""Names in words: `${{ NAME }}` stands for a value (rule 10.2).

A word is kept as it is written; it is filled when its values are known, once, so that what looks
like a name in a value stays as it is. Which words may hold names, and which names there are, is up
to `reading`; texts only are here.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from flow_spec.errors import Advised, Message, quoted
from flow_spec.spelling import Speller

OPENING = "${{"
"""What begins a name in a word; `$${{` is this text itself, and begins none."""

BUILT_IN = ("FLOW_DIR", "RUN_DIR", "RUN_KEY")
"""The names that every flow has."""

_NAME = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")
_OPENING = re.compile(r"\$(\$?)\{\{")
_TO_FILL = re.compile(rf"\$\$\{{\{{|\$\{{\{{{_NAME.pattern}")


_MOST_LISTED = 20
"""How many names a message lists."""


class Flaw(NamedTuple):
    """What is wrong with a word, and with which of its characters."""

    message: Message
    at: int


def holds_name(text: str) -> bool:
    """Whether a text may have to be filled before it is used."""
    return OPENING in text


def names_in(text: str) -> Iterator[str]:
    """Yield the names that a word holds, as often as it does."""
    return (found[1] for found in _TO_FILL.finditer(text) if found[1] is not None)


def flaws_of_names(text: str, known: Collection[str], speller: Speller) -> Iterator[Flaw]:
    """Yield what is wrong with the names that a word holds; `known` are those that there are."""
    for opening in _OPENING.finditer(text):
        if opening[1]:
            continue
        found = _NAME.match(text, opening.end())
        if found is None:
            closed = text.find("}}", opening.end())
            held = None if closed < 0 else text[opening.end() : closed].strip()
            yield Flaw(_no_name(held), opening.start())
            if held is None:
                return  # whatever follows is in it
        elif found[1] not in known:
            yield Flaw(_unknown(found[1], known, speller), found.start(1))


def filled(text: str, values: Mapping[str, str]) -> str:
    """Return a word with the values of its names, which must all be there."""
    return _TO_FILL.sub(lambda found: values[found[1]] if found[1] else OPENING, text)


def escaped(text: str) -> str:
    """Return a word from which `filled` makes this text, whatever is in it."""
    return text.replace(OPENING, f"${OPENING}")


def _no_name(held: str | None) -> str:
    advice = "write ${{ NAME }}, or $${{ for the three characters themselves"
    if held is None:
        return f"this ${{{{ is never closed by }}}}; {advice}"
    return f"between ${{{{ and }}}} must be one name, got {quoted(held)}; {advice}"


def _unknown(name: str, known: Collection[str], speller: Speller) -> Message:
    sentence = f"unknown name {quoted(name)}"
    if meant := speller.closest(name, known):
        return Advised(sentence, f"did you mean {quoted(meant)}?")
    if len(known) > _MOST_LISTED:
        return f"{sentence}; there are {len(known):,} others"
    return f"{sentence}; there is {', '.join(sorted(known))}"
