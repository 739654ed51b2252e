"""The errors of this package, the base class of declared errors, and the drawing of a syntax error.

A message is worded where the mistake is found; an error holds its data in attributes.
"""

_WINDOW = 72  # columns of an expression shown around a mistake
_LONGEST_WORD = 60  # characters of a word quoted in a sentence

TYPE_CHECKING = False  # type checkers take it for true; importing it would import all of typing
if TYPE_CHECKING:
    from typing import dataclass_transform
else:

    def dataclass_transform(**_):
        """Return a decorator that only type checkers understand (PEP 681)."""
        return lambda kind: kind


@dataclass_transform(eq_default=False)
class DeclaredError(Exception):
    """An error whose annotations are its fields and whose `says` is its sentence.

    The constructor takes the fields in order, inherited ones first; a class attribute is a default.
    `says` names fields as `str.format` does; an error that computes its sentence defines `__str__`.
    An error survives pickling. Packages that build on this one may derive their errors from it.
    """

    says = ""
    _fields: tuple[tuple[str, object], ...] = ()  # name and default, `...` if there is none

    def __init_subclass__(cls) -> None:
        """Collect the fields: all annotations except `ClassVar`."""
        own = [name for name, kind in cls.__annotations__.items() if "ClassVar" not in str(kind)]
        cls._fields += tuple((name, vars(cls).get(name, ...)) for name in own)

    def __init__(self, *values: object, **named: object) -> None:
        """Set the fields; raise TypeError if one is missing, unknown or given twice."""
        fields = dict(self._fields)
        in_order = dict(zip(fields, values, strict=False))
        given = fields | in_order | named
        too_many = len(values) > len(fields) or len(given) > len(fields) or in_order.keys() & named
        if too_many or ... in given.values():
            raise TypeError(f"{type(self).__name__} takes ({', '.join(fields)})")
        # Not `super()`: OSError, the second base of some, would take them for errno and strerror.
        Exception.__init__(self, *given.values())
        for name, value in given.items():
            setattr(self, name, value)

    def __str__(self) -> str:
        """Return the sentence."""
        return self.says.format_map({name: getattr(self, name) for name, _ in self._fields})


def quoted(word: str) -> str:
    """Return a word in quotes for a message: escaped, and cut after 60 characters."""
    return repr(word if len(word) <= _LONGEST_WORD else f"{word[:_LONGEST_WORD]}...")


class ConditionError(DeclaredError):
    """The base class of this package's errors."""


class InvalidNameError(ConditionError, ValueError):
    """No condition can spell a `word`, whose `role` is name, predicate or quantifier."""

    word: str
    role: str = "name"

    def __str__(self) -> str:
        """Return the sentence, with the characters that are allowed."""
        reason = f"{self.role}s are made of A-Z, a-z, 0-9 and '_', and do not begin with a digit"
        if self.role == "name":
            reason = NAMES_ARE
        return f"{quoted(self.word)} is not a {self.role}: {reason}"


NAMES_ARE = "names are made of A-Z, a-z, 0-9, '_' and '-', and do not begin with '-'"


class ConditionSyntaxError(ConditionError, ValueError):
    """A text is not a valid condition.

    `source` is the whole text. `start` and `end` are the span of the mistake in it: offsets from 0,
    the end exclusive, equal where something is missing. `fact` says what is wrong, `help` what to
    write instead, if that is known.
    """

    source: str
    start: int
    end: int
    fact: str
    help: str | None = None

    @property
    def message(self) -> str:
        """The fact and the help in one sentence, without the drawing."""
        return self.fact if self.help is None else f"{self.fact}; {self.help}"

    def __str__(self) -> str:
        """Return the message, the line of the mistake, and carets under the span."""
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
        carets = "^" * max(1, len(marked))
        return f"{self.message}{place}\n  {before}{marked}{after}\n  {' ' * len(before)}{carets}"


class BudgetExceeded(ConditionError):
    """A question about a condition takes more steps than its `budget`.

    A step makes one node of a decision diagram, in one to three microseconds and some 300 bytes.
    """

    says = (
        "undecided after {budget:,} steps: allow more of them (budget=...), "
        "or ask about a part of the condition"
    )
    budget: int


def _window(line: str, start: int, end: int) -> tuple[str, str, str]:
    """Cut a line around its span; return the parts before, in and after it, with dots at cuts."""
    left = max(0, min(start - _WINDOW // 2, len(line) - _WINDOW))
    right = left + _WINDOW
    before = ("..." if left else "") + _printable(line[left:start])
    after = _printable(line[end:right]) + ("..." if right < len(line) else "")
    return before, _printable(line[start : min(end, right)]), after


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)
