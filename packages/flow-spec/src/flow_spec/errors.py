"""The errors of this package and the problems that they hold; nothing is read or decided here."""

import unicodedata
from typing import NamedTuple

import attrs


def printable(text: str) -> str:
    """Return `text` with every character that could disturb a terminal written as an escape."""
    if text.isprintable():
        return text
    return "".join(
        char if unicodedata.category(char) not in _DISTURBING else ascii(char)[1:-1]
        for char in text
    )


_DISTURBING = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
QUOTED_LENGTH = 60
"""Characters that a message quotes of a text."""


def quoted(text: str) -> str:
    """Return `text` in double quotes for a message: escaped, and cut where it is long."""
    cut = text if len(text) <= QUOTED_LENGTH else text[: QUOTED_LENGTH - 1] + "…"
    return '"' + printable(cut).replace('"', '\\"') + '"'


class Span(NamedTuple):
    """A part of the text of a value, from one offset to another; empty where something is missing.

    The text is that which the file means, without its quotes and line breaks.
    """

    text: str
    start: int
    end: int


class Mark(NamedTuple):
    """So many characters of a line of a flow file, whose text it has; places count from 1.

    Without characters, it is the whole line.
    """

    line: int
    column: int
    length: int
    text: str


@attrs.frozen
class Advised:
    """A message in two parts: what is wrong, and how to mend it."""

    fact: str
    help: str

    def __str__(self) -> str:
        """Return both in one sentence."""
        return f"{self.fact}; {self.help}"


type Message = str | Advised


def advised(fact: str, help: str | None) -> Message:  # noqa: A002 - the word of those who show it
    """Return a message with its remedy, if there is one."""
    return fact if help is None else Advised(fact, help)


@attrs.frozen
class Problem:
    """One thing that is wrong with a flow file.

    `path` is the field (`steps[2].retries`), `line` and `column` count from 1 and are known where
    the file is YAML, and `excerpt` is one or more lines to show under the message. Rule 2.7. Where
    it can be told how to mend it, `message` ends with that, and `help` is that part (rule 6.12).
    """

    message: str
    path: str | None = None
    line: int | None = None
    column: int | None = None
    excerpt: str | None = None
    help: str | None = None
    span: Span | None = attrs.field(default=None, eq=False, repr=False)
    mark: Mark | None = attrs.field(default=None, eq=False, repr=False)

    @property
    def fact(self) -> str:
        """What is wrong, without how to mend it."""
        return self.message if self.help is None else self.message.removesuffix(f"; {self.help}")

    def __str__(self) -> str:
        """Return `path: message`, and the excerpt indented under it."""
        head = self.message if self.path is None else f"{self.path}: {self.message}"
        if self.excerpt is None:
            return head
        return "\n".join([head, *(f"    {line}" for line in self.excerpt.splitlines())])


class FlowSpecError(Exception):
    """The base class of this package's errors."""


class FlowFileError(FlowSpecError, ValueError):
    """A flow file cannot be read, or is not a valid flow; holds everything that is wrong with it.

    `source` names the file; `problems` holds at least one `Problem`, sorted by position.
    """

    def __init__(self, source: str, problems: tuple[Problem, ...]) -> None:
        """Keep the file's name and what is wrong with it."""
        super().__init__(source, problems)
        self.source = source
        self.problems = problems

    def __str__(self) -> str:
        """Return every problem on lines of its own, each led by `source:line:column`."""
        return "\n".join(map(self._located, self.problems))

    def _located(self, problem: Problem) -> str:
        place = [printable(self.source)]
        if problem.line is not None:
            place.append(str(problem.line))
        if problem.column is not None:
            place.append(str(problem.column))
        return f"{':'.join(place)}: {problem}"


class DocumentError(FlowSpecError, ValueError):
    """A text is not one document of its format, or exceeds the limits.

    It never leaves this package: callers get a `FlowFileError`.
    """

    def __init__(
        self,
        message: Message,
        line: int | None = None,
        column: int | None = None,
        excerpt: str | None = None,
    ) -> None:
        """Keep the problem; `line` and `column` count from 1."""
        super().__init__(str(message))
        remedy = message.help if isinstance(message, Advised) else None
        self.problem = Problem(str(message), None, line, column, excerpt, remedy)


class EnvFileError(FlowSpecError, ValueError):
    """A file of variables cannot be read, or a line of it sets none.

    `path` names the file; `line` counts from 1 where a line is wrong. What the file holds is secret
    and is not kept.
    """

    def __init__(self, path: str, flaw: str, line: int | None = None) -> None:
        """Keep where it is wrong and how."""
        super().__init__(path, flaw, line)
        self.path = path
        self.flaw = flaw
        self.line = line

    def __str__(self) -> str:
        """Return the sentence."""
        place = "" if self.line is None else f":{self.line}"
        return f"env_file {printable(self.path)}{place}: {self.flaw}"


class ParamsError(FlowSpecError, ValueError):
    """The parameters of a flow cannot have the values that they are given.

    `problems` holds at least one `Problem`, whose path names the parameter, or the step of a word.
    """

    def __init__(self, flow_id: str, problems: tuple[Problem, ...]) -> None:
        """Keep the flow's id, and what is wrong."""
        super().__init__(flow_id, problems)
        self.flow_id = flow_id
        self.problems = problems

    def __str__(self) -> str:
        """Return every problem on a line of its own."""
        return "\n".join(f"flow {quoted(self.flow_id)}: {problem}" for problem in self.problems)


class ListError(FlowSpecError, ValueError):
    """A list of a `foreach` cannot be read; `reason` says why, about what is named."""

    def __init__(self, reason: str) -> None:
        """Keep why."""
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        """Return the reason."""
        return self.reason


class UnknownStepError(FlowSpecError, LookupError):
    """The flow has no step with this id."""

    def __init__(
        self, flow_id: str, step_id: str, suggestion: str | None, steps: tuple[str, ...] = ()
    ) -> None:
        """Keep both names, the id that was probably meant, and all ids if they are few."""
        super().__init__(flow_id, step_id, suggestion, steps)
        self.flow_id = flow_id
        self.step_id = step_id
        self.suggestion = suggestion
        self.steps = steps

    @property
    def details(self) -> dict[str, str]:
        """The part of the sentence that says how to mend it, as `help` (rule 6.12)."""
        if self.suggestion:
            return {"help": f"did you mean {quoted(self.suggestion)}?"}
        return {"help": f"the steps are {', '.join(self.steps)}"} if self.steps else {}

    def __str__(self) -> str:
        """Return the sentence, with the suggestion where there is one."""
        fact = f"flow {quoted(self.flow_id)} has no step {quoted(self.step_id)}"
        return str(advised(fact, self.details.get("help")))


class StoredFlowError(FlowSpecError, ValueError):
    """A text is not the stored form of a flow."""

    def __init__(self, reason: str) -> None:
        """Keep why the text could not be read."""
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        """Return the sentence."""
        return (
            f"the stored definition cannot be read: {self.reason}; "
            "it is damaged, or was written by another version"
        )
