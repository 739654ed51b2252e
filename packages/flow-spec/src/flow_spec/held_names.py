"""The names in the words of one file: which words hold some, and which names there are (rule 10.2).

Both are noted as the file is read, and compared when it has been. What is wrong with a name in a
text is found in `placeholders`; whatever declares names notes them here.
"""

from collections.abc import Collection, Iterable, Iterator
from itertools import chain, islice
from typing import NamedTuple

import attrs

from flow_spec.document import Node, Path, pointed
from flow_spec.errors import Message
from flow_spec.placeholders import BUILT_IN, flaws_of_names, names_in
from flow_spec.spelling import Speller


class Word(NamedTuple):
    """A word as it is written, and where it stands."""

    text: str
    path: Path
    node: Node


class FlawedWord(NamedTuple):
    """What is wrong with a word, and the line of it that shows where."""

    word: Word
    message: Message
    excerpt: str | None


@attrs.define(eq=False)
class HeldNames:
    """The words of a file that may hold names, and the names that are declared.

    `declared` has the names by the path below which they can be used: that of the flow is empty.
    """

    words: list[Word] = attrs.Factory(list)
    declared: dict[Path, Collection[str]] = attrs.Factory(dict)
    _known: dict[tuple[Path, ...], Collection[str]] = attrs.Factory(dict)

    def note(self, word: Word) -> None:
        """Note a word in which a name begins."""
        self.words.append(word)

    def declare(self, path: Path, names: Iterable[str]) -> None:
        """Let names be used in every word below a path; without any, words are filled too."""
        self.declared[path] = dict.fromkeys(names)

    def declares(self, name: str, path: Path) -> bool:
        """Whether a name is declared that can be used at a path, besides those built in."""
        return any(name in self.declared[above] for above in self._scopes_of(path))

    @property
    def are_filled(self) -> bool:
        """Whether the flow has its words filled: it declares names, or uses one that is built in.

        In all other flows `${{` is text like any other.
        """
        if self.declared:
            return True
        return any(name in BUILT_IN for word in self.words for name in names_in(word.text))

    def flaws(self, speller: Speller) -> Iterator[FlawedWord]:
        """Yield what is wrong with the names in the words, if they are filled at all."""
        if not self.are_filled:
            return
        for word in self.words:
            if word.path[-2:-1] == (SHELL,) and isinstance(word.path[-1], int):
                yield FlawedWord(word, _IN_SHELL, None)
                continue
            flaws = flaws_of_names(word.text, self._known_at(word.path), speller)
            for flaw in islice(flaws, _MOST_IN_WORD):
                yield FlawedWord(word, flaw.message, _excerpt(word.text, flaw.at))

    def _known_at(self, path: Path) -> Collection[str]:
        """Return the names that a word at a path may hold; each set of them is made once."""
        scopes = self._scopes_of(path)
        if scopes not in self._known:
            names = chain(BUILT_IN, *(self.declared[above] for above in scopes))
            self._known[scopes] = dict.fromkeys(names)
        return self._known[scopes]

    def _scopes_of(self, path: Path) -> tuple[Path, ...]:
        return tuple(above for end in range(len(path)) if (above := path[:end]) in self.declared)


SHELL = "shell"
"""The key whose words run a script, in which no names are filled (rule 10.4)."""

_IN_SHELL = "names are not filled in here: a script finds them among its variables"


def _excerpt(text: str, at: int) -> str | None:
    """Return the line of a text that holds a character, with a caret under it."""
    begin = max(text.rfind("\n", 0, at) + 1, at - _AROUND)
    return pointed(text[begin : at + _AROUND].partition("\n")[0], at - begin + 1)


_MOST_IN_WORD = 20
"""How many mistakes of one word are reported, which may hold thousands."""

_AROUND = 60
"""Characters to both sides, so that a long word with many mistakes costs little."""
