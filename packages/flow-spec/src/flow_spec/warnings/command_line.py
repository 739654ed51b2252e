"""`CommandLine`, the words of a command and which of them are whose matter (rule 11.2).

What a program makes of a word is known only here and there; where it is not, nothing is said of it.
"""

import re
from collections.abc import Sequence
from functools import cached_property

import attrs

from flow_spec.warnings.programs import (
    COMPARING,
    LANGUAGES,
    PASS_ON,
    SEARCHING,
    SEPARATING,
    SHELLS,
    TAKE_FILES,
    WRAPPERS,
    has_language,
    name_of,
)

_OF_WRAPPER = re.compile(r"-|\d|\w+=")
_OPTIONS_WITH_TEXT = frozenset({
    *("-d", "-t", "-F", "-s", "-e", "-D", "-S", "-E", "-R", "-separator", "-fs", "-m", "-c"),
})  # fmt: skip
_TAKE_PATTERNS = frozenset({"-I", "-x", "-X", "--ignore", "--hide", "--exclude", "--include"})
_EXECUTING = frozenset({"-exec", "-execdir", "-ok", "-okdir"})


@attrs.frozen(slots=False)
class CommandLine:
    """The words of a command, as they are written."""

    words: Sequence[str]

    @cached_property
    def program(self) -> int:
        """The position of the program behind wrappers such as `nice` and `env`."""
        words, last = self.words, len(self.words) - 1
        place = 0
        while place < last and name_of(words[place]) in WRAPPERS:
            place += 1
            while place < last and _OF_WRAPPER.match(words[place]):
                place += 1
        return place

    @cached_property
    def name(self) -> str:
        """The name of that program."""
        return name_of(self.words[self.program])

    @cached_property
    def end(self) -> int:
        """The position from which a shell, or another host, gets the words."""
        return self._first(SHELLS | PASS_ON)

    @cached_property
    def begins_with_language(self) -> bool:
        """Whether the first word is a program that reads text in a language."""
        return has_language(self.words[0])

    @cached_property
    def _language_from(self) -> int:
        return self._first(LANGUAGES)

    @cached_property
    def _pattern(self) -> int:
        """The position of the first argument that is no option."""
        places = range(self.program + 1, len(self.words))
        return next((place for place in places if self.words[place][:1] != "-"), 0)

    @cached_property
    def _executes_from(self) -> int:
        found = (place for place, word in enumerate(self.words) if word in _EXECUTING)
        return next(found, len(self.words))

    def _first(self, names: frozenset[str]) -> int:
        found = (place for place, word in enumerate(self.words) if name_of(word) in names)
        return next(found, len(self.words))

    def is_last(self, place: int) -> bool:
        """Whether nothing follows a word."""
        return place == len(self.words) - 1

    def is_read_as_text(self, place: int) -> bool:
        """Whether a program before a word has a language of its own."""
        return place > self._language_from

    def ends_execution(self, place: int) -> bool:
        """Whether `;` ends a command that `find` executes."""
        return place > self._executes_from

    def is_own_matter(self, place: int) -> bool:
        """Whether a word may be an operator, a pattern, or the value of an option."""
        if place <= self.program or self.name in COMPARING or self.is_value(place):
            return True
        return self.name in SEARCHING and place == self._pattern

    def is_value(self, place: int) -> bool:
        """Whether a word is the value of an option, as far as that is known."""
        if self.name in TAKE_FILES - SEPARATING:
            return False
        before = self.words[place - 1]
        return before in _OPTIONS_WITH_TEXT or (before.startswith("--") and before != "--")

    def is_file(self, place: int) -> bool:
        """Whether a word is the name of a file to the program."""
        if self.name not in TAKE_FILES or place <= self.program or self.is_value(place):
            return False
        return self.words[place][:1] != "-" and self.words[place - 1] not in _TAKE_PATTERNS
