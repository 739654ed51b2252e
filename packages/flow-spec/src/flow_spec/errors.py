"""The errors of this package, the problems that they hold, and the text in their sentences.

Text is made printable, quoted, pointed at with carets, and compared with known words. Nothing is
read or decided here.
"""

import unicodedata
from collections.abc import Collection
from typing import Any, NamedTuple, Self

import attrs

from flow_conditions import DeclaredError

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


def closest_words(word: str, known: Collection[str], *, least_alike: float = 0.6) -> list[str]:
    """Return the known words that may have been meant, the likeliest first.

    They are compared without case, hyphens and underscores. If some differ in nothing else, there
    are no others; otherwise the similarity, between 0 and 1, is at least `least_alike`.
    """
    # Only a mistake pays for this import.
    from difflib import get_close_matches

    spelled: dict[str, list[str]] = {}
    for candidate in known:
        spelled.setdefault(folded(candidate), []).append(candidate)
    own = folded(word)
    alike = (
        [own]
        if own in spelled
        else get_close_matches(own, spelled, n=max(1, len(spelled)), cutoff=least_alike)
    )
    return [candidate for one in alike for candidate in spelled[one]]


def folded(word: str) -> str:
    """Return a word without its case, hyphens and underscores."""
    return word.casefold().replace("-", "").replace("_", "")


_LONGEST_COMPARED = 128
_COMPARISONS = 50_000


@attrs.define(eq=False)
class Speller:
    """Finds the words that were probably meant in one file, within a budget for many mistakes.

    `budget` is the number of comparisons left.
    """

    budget: int = _COMPARISONS

    def closest(self, word: str, known: Collection[str], *, least_alike: float = 0.6) -> str | None:
        """Return the known word that was probably meant, or None; also beyond the budget."""
        self.budget -= len(known)
        if len(word) > _LONGEST_COMPARED or self.budget < 0:
            return None
        return next(iter(closest_words(word, known, least_alike=least_alike)), None)

    def suggestion(
        self, word: str, known: Collection[str], *, least_alike: float = 0.6
    ) -> str | None:
        """Ask whether the closest known word was meant; return None if no word is close."""
        meant = self.closest(word, known, least_alike=least_alike)
        return None if meant is None else f"did you mean {quoted(meant)}?"


class Span(NamedTuple):
    """A part of the text of a value, from one offset to another; empty if something is missing.

    `text` is the parsed value, without the quotes and line breaks of the file.
    """

    text: str
    start: int
    end: int


class Mark(NamedTuple):
    """Characters to mark in a line of a flow file; `text` is the line, places count from 1.

    A length of 0 marks the whole line.
    """

    line: int
    column: int
    length: int
    text: str


@attrs.frozen
class Advised:
    """A message in two parts: what is wrong, and how to fix it."""

    fact: str
    help: str

    def __str__(self) -> str:
        """Return both in one sentence."""
        return f"{self.fact}; {self.help}"


type Message = str | Advised


def advised(fact: str, help: str | None) -> Message:  # noqa: A002 - the key of the JSON
    """Return a message with its remedy, if there is one."""
    return fact if help is None else Advised(fact, help)


@attrs.frozen
class Problem:
    """One thing that is wrong with a flow file.

    `path` is the field (`steps[2].retries`). `line` and `column` count from 1, and are None for a
    problem of the whole file. `excerpt` is one or more lines to show under the message (rule 2.7).
    If the remedy is known, `message` ends with it, and `help` is that part (rule 6.12). `param` is
    the parameter that has no value, if that is what is wrong: only the caller knows how values are
    given.
    """

    message: str
    path: str | None = None
    line: int | None = None
    column: int | None = None
    excerpt: str | None = None
    help: str | None = None
    param: str | None = attrs.field(default=None, kw_only=True)
    span: Span | None = attrs.field(default=None, eq=False, repr=False)
    mark: Mark | None = attrs.field(default=None, eq=False, repr=False)

    @classmethod
    def of(cls, message: Message, *place: Any, **others: Any) -> Self:
        """Return a problem whose `help` is the remedy in its message.

        `place` is its path, line and column, as far as they are known.
        """
        others["help"] = message.help if isinstance(message, Advised) else None
        return cls(str(message), *place, **others)

    @property
    def fact(self) -> str:
        """What is wrong, without the remedy."""
        return self.message if self.help is None else self.message.removesuffix(f"; {self.help}")

    def __str__(self) -> str:
        """Return `path: message`, and the excerpt indented under it."""
        head = self.message if self.path is None else f"{self.path}: {self.message}"
        if self.excerpt is None:
            return head
        return "\n".join([head, *(f"    {line}" for line in self.excerpt.splitlines())])


class FlowSpecError(DeclaredError):
    """The base class of this package's errors."""


class FlowFileError(FlowSpecError, ValueError):
    """A flow file cannot be read, or is not a valid flow.

    `source` names the file; `problems` holds at least one `Problem`, sorted by position.
    """

    source: str
    problems: tuple[Problem, ...]

    def __str__(self) -> str:
        """Return each problem on lines of its own, which begin with `source:line:column`."""
        return "\n".join(map(self._located, self.problems))

    def _located(self, problem: Problem) -> str:
        place = (printable(self.source), problem.line, problem.column)
        return f"{':'.join(str(part) for part in place if part is not None)}: {problem}"


class DocumentError(FlowSpecError, ValueError):
    """A text is not one document of its format, or exceeds the limits.

    It never leaves this package: callers get a `FlowFileError`. `line` and `column` count from 1.
    """

    says = "{message}"
    message: Message
    line: int | None = None
    column: int | None = None
    excerpt: str | None = None
    span: Span | None = None

    @property
    def problem(self) -> Problem:
        """The error as a problem of the whole file."""
        place = None, self.line, self.column
        return Problem.of(self.message, *place, excerpt=self.excerpt, span=self.span)


class EnvFileError(FlowSpecError, ValueError):
    """A file of variables cannot be read, or a line of it sets none.

    `path` names the file; `line` counts from 1, if a line is wrong. The content of the file is
    secret and is not kept.
    """

    path: str
    flaw: str
    line: int | None = None

    def __str__(self) -> str:
        """Return the sentence, with the line if there is one."""
        place = "" if self.line is None else f":{self.line}"
        return f"env_file {printable(self.path)}{place}: {self.flaw}"


class EnvFileMissing(EnvFileError):
    """A file of variables does not exist."""


class ParamsError(FlowSpecError, ValueError):
    """The parameters of a flow cannot have the given values.

    `problems` holds at least one `Problem`, whose path names the parameter, or the step of a word.
    """

    flow_id: str
    problems: tuple[Problem, ...]

    def __str__(self) -> str:
        """Return each problem on a line of its own."""
        return "\n".join(f"flow {quoted(self.flow_id)}: {problem}" for problem in self.problems)


class MissingValuesError(FlowSpecError, LookupError):
    """Some names in the words of a flow or of a step have no value; `names` holds them."""

    names: tuple[str, ...]

    def __str__(self) -> str:
        """Return the sentence."""
        listed = ", ".join(f"${{{{ {name} }}}}" for name in self.names)
        return (
            f"no value for {listed}: pass it to filled; a parameter's value, to with_params first"
        )


class ListError(FlowSpecError, ValueError):
    """A list of a `foreach` cannot be read; `reason` continues a sentence that names the list."""

    says = "{reason}"
    reason: str


class UnknownStepError(FlowSpecError, LookupError):
    """The flow has no step with this id.

    `suggestion` is the id that is probably meant; `steps` holds all ids if they are few.
    """

    flow_id: str
    step_id: str
    suggestion: str | None
    steps: tuple[str, ...] = ()

    @property
    def details(self) -> dict[str, str]:
        """The remedy, which ends the sentence, as `help` (rule 6.12)."""
        if "," in self.step_id:
            return {"help": "name one step at a time; an option can be repeated for each"}
        if self.suggestion:
            return {"help": f"did you mean {quoted(self.suggestion)}?"}
        return {"help": f"the steps are {', '.join(self.steps)}"} if self.steps else {}

    def __str__(self) -> str:
        """Return the sentence, with the remedy if there is one."""
        fact = f"flow {quoted(self.flow_id)} has no step {quoted(self.step_id)}"
        return str(advised(fact, self.details.get("help")))


class StoredFlowError(FlowSpecError, ValueError):
    """A text is not the stored form of a flow."""

    says = (
        "the stored definition cannot be read: {reason}; "
        "it is damaged, or was written by another version"
    )
    reason: str
