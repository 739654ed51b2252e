"""Template names: `${{ NAME }}` in a word stands for a value (rule 10.2).

A word keeps its spelling until its values are known. It is rendered once, so that a value that
looks like a name stays as it is. The first half of this module handles one text; `TemplateNames`
collects the words of a file that hold names, and the names that the file declares.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import NamedTuple

import attrs

from flow_spec.documents.tree import Node, NodePath
from flow_spec.errors import Advised, Message, pointed, quoted
from flow_spec.fields.hints import Speller

OPENING = "${{"
"""What begins a name in a word; `$${{` stands for this text itself."""

BUILT_IN = ("FLOW_DIR", "RUN_DIR", "RUN_KEY")
"""The names that every flow has."""

_NAME = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")
_OPENING = re.compile(r"\$(\$?)\{\{")
_TO_FILL = re.compile(rf"\$\$\{{\{{|\$\{{\{{{_NAME.pattern}")


_MOST_LISTED = 20
"""How many names a message lists."""


class Flaw(NamedTuple):
    """What is wrong with a word, and the offset of the wrong character."""

    message: Message
    at: int


def holds_name(text: str) -> bool:
    """Whether names may have to be replaced in a text."""
    return OPENING in text


def names_in(text: str) -> Iterator[str]:
    """Yield the names in a word, with repetitions."""
    return (found[1] for found in _TO_FILL.finditer(text) if found[1] is not None)


def flaws_of_names(text: str, known: Collection[str], speller: Speller) -> Iterator[Flaw]:
    """Yield what is wrong with the names in a word; `known` are those that exist."""
    for opening in _OPENING.finditer(text):
        if opening[1]:
            continue
        found = _NAME.match(text, opening.end())
        if found is None:
            closed = text.find("}}", opening.end())
            held = None if closed < 0 else text[opening.end() : closed].strip()
            yield Flaw(_no_name(held), opening.start())
            if held is None:
                return  # the rest is inside it
        elif found[1] not in known:
            yield Flaw(_unknown(found[1], known, speller), found.start(1))


def filled(text: str, values: Mapping[str, str]) -> str:
    """Return a word with its names replaced by `values`, which must have all of them."""
    return _TO_FILL.sub(lambda found: values[found[1]] if found[1] else OPENING, text)


def escaped(text: str) -> str:
    """Return a word of which `filled` makes this text."""
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


class TemplateWord(NamedTuple):
    """A word as written, and its place."""

    text: str
    path: NodePath
    node: Node


class FlawedTemplate(NamedTuple):
    """What is wrong with a word, and an excerpt that shows where."""

    word: TemplateWord
    message: Message
    excerpt: str | None


@attrs.define(eq=False)
class TemplateNames:
    """The words of a file that may hold names, and the names that the file declares.

    `declared` has the names by the path below which they can be used; the flow's path is empty.
    """

    words: list[TemplateWord] = attrs.Factory(list)
    declared: dict[NodePath, Collection[str]] = attrs.Factory(dict)
    _known: dict[tuple[NodePath, ...], Collection[str]] = attrs.Factory(dict)

    def note(self, word: TemplateWord) -> None:
        """Note a word that holds `${{`."""
        self.words.append(word)

    def declare(self, path: NodePath, names: Iterable[str]) -> None:
        """Let names be used in words below a path; an empty list also makes words templates."""
        self.declared[path] = dict.fromkeys(names)

    def declares(self, name: str, path: NodePath) -> bool:
        """Whether a declared name can be used at a path; built-in names do not count."""
        return any(name in self.declared[above] for above in self._scopes_of(path))

    @property
    def are_filled(self) -> bool:
        """Whether names are replaced: the flow declares names, or uses one that is built in.

        In all other flows `${{` is plain text.
        """
        if self.declared:
            return True
        return any(name in BUILT_IN for word in self.words for name in names_in(word.text))

    def flaws(self, speller: Speller) -> Iterator[FlawedTemplate]:
        """Yield what is wrong with the names in the words, if names are replaced at all."""
        if not self.are_filled:
            return
        for word in self.words:
            if word.path[-2:-1] == (SHELL_KEY,) and isinstance(word.path[-1], int):
                yield FlawedTemplate(word, _IN_SHELL, None)
                continue
            flaws = flaws_of_names(word.text, self._known_at(word.path), speller)
            for flaw in islice(flaws, _MOST_IN_WORD):
                yield FlawedTemplate(word, flaw.message, _excerpt(word.text, flaw.at))

    def _known_at(self, path: NodePath) -> Collection[str]:
        """Return the names that a word at a path may hold; each set is made once."""
        scopes = self._scopes_of(path)
        if scopes not in self._known:
            names = chain(BUILT_IN, *(self.declared[above] for above in scopes))
            self._known[scopes] = dict.fromkeys(names)
        return self._known[scopes]

    def _scopes_of(self, path: NodePath) -> tuple[NodePath, ...]:
        return tuple(above for end in range(len(path)) if (above := path[:end]) in self.declared)


SHELL_KEY = "shell"
"""The key whose words run a script, in which no names are filled (rule 10.4)."""

_IN_SHELL = "names are not filled in here: a script finds them among its variables"


def _excerpt(text: str, at: int) -> str | None:
    """Return the line around a character, with a caret under it."""
    begin = max(text.rfind("\n", 0, at) + 1, at - _AROUND)
    return pointed(text[begin : at + _AROUND].partition("\n")[0], at - begin + 1)


_MOST_IN_WORD = 20
"""How many mistakes in one word are reported; a word may hold thousands."""

_AROUND = 60
"""Characters shown on both sides, so that a long word with many mistakes costs little."""
