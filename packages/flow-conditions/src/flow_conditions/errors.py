"""The errors of this package, and how a syntax error draws its place.

Data is in the attributes, the sentence in `__str__`. What a message says is decided where the
mistake is found.
"""

_WINDOW = 72  # columns of an expression shown around a mistake
_LONGEST_WORD = 60  # characters of a word quoted in a sentence


def quoted(word: str) -> str:
    """Return a word as a message quotes it: escaped, and cut where nobody would read on."""
    return repr(word if len(word) <= _LONGEST_WORD else f"{word[:_LONGEST_WORD]}...")


class ConditionError(Exception):
    """The base class of this package's own errors."""


class InvalidNameError(ConditionError, ValueError):
    """A word that no condition can spell as the name, predicate or quantifier it was meant to be.

    `role` is the one of these three that `word` was meant to be.
    """

    def __init__(self, word: str, role: str = "name") -> None:
        """Keep the word and what it was meant to be."""
        super().__init__(word, role)
        self.word = word
        self.role = role

    def __str__(self) -> str:
        """Say which characters would do."""
        return f"{quoted(self.word)} is not a {self.role}: {ALPHABETS[self.role]}"


ALPHABETS = {
    "name": "names are made of A-Z, a-z, 0-9, '_' and '-', and do not begin with '-'",
    "predicate": "predicates are made of A-Z, a-z, 0-9 and '_', and do not begin with a digit",
    "quantifier": "quantifiers are made of A-Z, a-z, 0-9 and '_', and do not begin with a digit",
}


class NoNamesError(ConditionError, ValueError):
    """A condition over no names at all, which no text could spell."""

    def __str__(self) -> str:
        """Say what is missing."""
        return "a condition over names needs at least one name"


class ConditionSyntaxError(ConditionError, ValueError):
    """A text that is not a condition.

    `source` is the whole text, `start` and `end` the span of the mistake in it (offsets from 0, the
    end exclusive, equal where something is missing), `message` the sentence without the drawing.
    That is `fact`, and where it can be told what to write instead, `help` after a semicolon.
    """

    def __init__(
        self,
        source: str,
        start: int,
        end: int,
        fact: str,
        help: str | None = None,  # noqa: A002
    ) -> None:
        """Keep the text, the span and both parts of the sentence."""
        super().__init__(source, start, end, fact, help)
        self.source = source
        self.start = start
        self.end = end
        self.fact = fact
        self.help = help
        self.message = fact if help is None else f"{fact}; {help}"

    def __str__(self) -> str:
        """Return the message, the line it concerns, and carets under the span."""
        if not self.source.strip():
            return self.message
        first = self.source.rfind("\n", 0, self.start) + 1
        last = self.source.find("\n", self.start)
        line = self.source[first : last if last >= 0 else None].rstrip()
        start, end = self.start - first, min(self.end - first, len(line))
        place = ""
        if "\n" in self.source.strip():
            place = f" (line {self.source.count('\n', 0, first) + 1}, column {start + 1})"
        before, marked, after = _window(line, start, end)
        carets = "^" * max(1, _columns(marked))
        return (
            f"{self.message}{place}\n  {before}{marked}{after}\n  {' ' * _columns(before)}{carets}"
        )


class BudgetExceeded(ConditionError):
    """A question about a condition that takes more work than the caller allowed.

    `budget` is the number of steps that were allowed.
    """

    def __init__(self, budget: int) -> None:
        """Keep the number."""
        super().__init__(budget)
        self.budget = budget

    def __str__(self) -> str:
        """Say what was not found out, and what can be done."""
        return (
            f"undecided after {self.budget:,} steps: allow more of them (budget=...), "
            "or ask about a part of the condition"
        )


class ExclusionError(ConditionError, ValueError):
    """Two operands that are true although the caller says that they exclude each other."""

    def __init__(self, first: str, second: str) -> None:
        """Keep the two operands as they are spelt."""
        super().__init__(first, second)
        self.first = first
        self.second = second

    def __str__(self) -> str:
        """Name both."""
        first, second = quoted(self.first), quoted(self.second)
        return f"{first} and {second} exclude each other, yet both are true"


class ConditionDataError(ConditionError, ValueError):
    """Data that `Condition.from_json` does not take for a condition.

    `position` is the place in the list, None where the whole is meant.
    """

    def __init__(self, message: str, position: int | None = None) -> None:
        """Keep the sentence and the place."""
        super().__init__(message, position)
        self.message = message
        self.position = position

    def __str__(self) -> str:
        """Say where, and what is wrong."""
        place = "" if self.position is None else f" at position {self.position}"
        return f"not a condition{place}: {self.message}"


def _window(line: str, start: int, end: int) -> tuple[str, str, str]:
    """Cut a line to what surrounds its span, with dots where something was left out."""
    left = max(0, min(start - _WINDOW // 2, len(line) - _WINDOW))
    right = left + _WINDOW
    before = ("..." if left else "") + _printable(line[left:start])
    after = _printable(line[end:right]) + ("..." if right < len(line) else "")
    return before, _printable(line[start : min(end, right)]), after


def _printable(text: str) -> str:
    """Put spaces where a terminal would do something else than show a letter."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _columns(text: str) -> int:
    """Count the terminal columns of a text; an East Asian wide letter takes two."""
    if text.isascii():
        return len(text)
    import unicodedata

    return sum(
        2 if unicodedata.east_asian_width(letter) in "WF" else not unicodedata.combining(letter)
        for letter in text
    )
