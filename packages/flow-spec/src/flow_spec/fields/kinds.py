"""The kinds of single value in a flow file: text, numbers, durations, step ids, conditions.

A kind is frozen data (bounds, lengths) with one method that reads a value, and one that returns the
same rules as JSON Schema. Reading goes on after a problem: all of them are collected (rule 2.7).
Nothing is coerced (rule 2.5).
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import islice
from typing import Any, ClassVar, dataclass_transform

import flow_conditions
from flow_spec.documents.tree import (
    Form,
    Node,
    ScalarNode,
    is_empty,
    is_null,
    spelling,
    written,
)
from flow_spec.durations import DURATION_EXAMPLES, DURATION_PATTERN, seconds_of
from flow_spec.errors import Advised, Message, Span, advised, printable, quoted
from flow_spec.fields import messages
from flow_spec.fields.messages import (
    LONGEST_WORD,
    PLAIN_LINE,
    PRINTABLE_LINE,
    PRINTABLE_LINES,
    answer_to_condition,
    flaw_of_line,
    flaw_of_prose,
    flaw_of_word,
)
from flow_spec.fields.predicates import (
    INSTEAD_OF_VALUES,
    RUN_WORD,
    advice_on_condition,
    is_condition,
    operands_of,
    parse_when,
)
from flow_spec.fields.reading import NAME_LIKE, OPENING, REFERENCE, Cursor, Reading, StepPlace

type Schema = dict[str, Any]

LONGEST_PATH, LONGEST_PROSE = 4096, 10_000

TEN_YEARS_SEC = 10 * 366 * 24 * 3600.0
"""The longest duration that a flow may give."""


@dataclass_transform(eq_default=False, frozen_default=True)
class Kind(ABC):
    """What a field may hold; `read` returns the value, or None after adding a problem.

    The annotations of a kind are its fields, inherited ones first; a class attribute is a default.
    Kinds share one constructor, which checks its arguments: attrs would generate one for each at
    every start of the program.
    """

    _names: ClassVar[tuple[str, ...]] = ()
    _is_plain: ClassVar[bool] = False
    """Whether no value has a no-break space or curly quotes (rule 2.5)."""

    def __init_subclass__(cls) -> None:
        """Collect the fields; a kind that declares none has those of its bases."""
        if cls.__annotations__:
            cls._names = tuple(dict.fromkeys((*cls._names, *cls.__annotations__)))

    def __init__(self, *values: Any, **named: Any) -> None:
        """Set the fields, in order or by name.

        Raises:
            TypeError: The kind has no such field, or not so many, or one has no value.
        """
        given = dict(zip(self._names, values, strict=False))
        lacks = any(
            name not in {*given, *named} and not hasattr(self, name) for name in self._names
        )
        if lacks or len(given) < len(values) or not named.keys() <= {*self._names} - given.keys():
            raise TypeError(f"{type(self).__name__} has the fields {', '.join(self._names)}")
        vars(self).update(given, **named)

    def read(self, here: Cursor) -> Any:
        """Read the value that stands here."""
        node = here.node
        if node.tag is not None:
            here.add(messages.tag(node))
            return None
        if is_empty(node):
            here.add(messages.empty(node, here.path))
            return None
        if self._is_plain and (flaw := messages.flaw_of_signs(here.text)):
            here.add(flaw)
            return None
        return self._read(here)

    @abstractmethod
    def _read(self, here: Cursor) -> Any: ...

    @abstractmethod
    def schema(self) -> Schema:
        """Return what values are allowed, as JSON Schema (rule 9.2).

        The schema describes values as an editor's YAML reader sees them: `5` and `no` are not text.
        """


class Text(Kind):
    """Text of some sort: any scalar of YAML, a string of JSON.

    `check` returns what is wrong with a text on its own, or None; `rules` say it as JSON Schema.
    Text that `is_filled` may hold names, which are replaced once they have values (rule 10.2).
    """

    check: Callable[[str], Message | None] | None = None
    rules: Mapping[str, Any] = {}
    is_filled: bool = False
    _instead = ""
    """What to write in place of a list or a mapping, if that is known."""

    def schema(self) -> Schema:
        """Allow every scalar, since an editor takes some text for numbers (rule 2.5)."""
        return {"type": ["string", "number", "boolean"], **self.rules}

    def flaw(self, text: str) -> Message | None:
        """Return what is wrong with a text on its own, or None."""
        return None if self.check is None else self.check(text)

    def _read(self, here: Cursor) -> str | None:
        node = here.node
        if not isinstance(node, ScalarNode) or node.form not in {Form.BARE, Form.TEXT}:
            here.add(messages.no_text(node, self._instead, is_filled=self.is_filled))
            return None
        self._check(here)
        return node.text

    def _check(self, here: Cursor) -> None:
        flaw = self.flaw(here.text)
        if flaw is not None:
            here.add(flaw)
        if self.is_filled and OPENING in here.text:
            here.reading.words.append(here)


def line(longest: int, *, is_filled: bool = False) -> Text:
    """Return the kind of printable text on one line (rule 2.3)."""
    rules = {"minLength": 1, "maxLength": longest, "pattern": PRINTABLE_LINE}
    return Text(partial(flaw_of_line, max_length=longest), rules, is_filled)


class _FlowId(Text):
    _is_plain = True


FLOW_ID = _FlowId(
    partial(flaw_of_line, max_length=255),
    {"minLength": 1, "maxLength": 255, "pattern": PLAIN_LINE},
)
"""Printable text on one line, in which a blank is a blank (rules 2.3 and 2.5)."""

PROSE = Text(
    partial(flaw_of_prose, max_length=LONGEST_PROSE),
    {"maxLength": LONGEST_PROSE, "pattern": PRINTABLE_LINES},
)
"""Text for people, on any number of lines."""


class Word(Text):
    """An argument of a process (rules 2.2 and 2.5), after `beside` bytes such as `NAME=`."""

    is_filled: bool = True
    beside: int = 0

    def schema(self) -> Schema:
        """Allow any scalar that can be an argument: even `null` is a word."""
        return {"type": ["string", "number", "boolean", "null"], "pattern": r"^[^\x00]*$"}

    def flaw(self, text: str) -> str | None:
        """Return why a text cannot be an argument, or None."""
        return flaw_of_word(text, LONGEST_WORD - self.beside)


class Value(Word):
    """An argument for which `null` would hardly be meant: it is no value (rule 2.5)."""

    def schema(self) -> Schema:
        """Allow any scalar but `null`."""
        return super().schema() | Text().schema()

    def read(self, here: Cursor) -> Any:
        """Read the value that stands here."""
        if is_null(here.node):
            here.add(messages.empty(here.node, here.path))
            return None
        return super().read(here)


class OneOf(Kind):
    """One of some words, such as an enumeration, in their own spelling only."""

    words: Iterable[str]
    _is_plain = True

    def schema(self) -> Schema:
        """List the words."""
        return {"type": "string", "enum": [*map(str, self.words)]}

    def _read(self, here: Cursor) -> str | None:
        known = {str(word): word for word in self.words}
        text: str | None = Text().read(here)
        if text is not None and text not in known:
            here.add(messages.unknown_word(text, [*known], here.reading.speller, here.field))
        return None if text is None else known.get(text)


class Number(Kind):
    """A finite decimal number, in the spelling of JSON."""

    minimum: float
    maximum: float
    _is_plain = True
    _type = "number"
    _noun = "a number"
    _advice = ""

    def schema(self) -> Schema:
        """Bound the number."""
        return {"type": self._type, "minimum": self.minimum, "maximum": self.maximum}

    def _read(self, here: Cursor) -> float | None:
        value = self._value(here.node)
        if value is not None and value > self.maximum:
            _add_wrong_type(f"must be {self._noun} <= {self.maximum:,.0f}", here, self._advice)
        elif value is None or value < self.minimum:
            _add_wrong_type(f"must be {self._noun} >= {self.minimum:g}", here, self._advice)
        return value

    def _value(self, node: Node) -> float | None:
        return _number(node)


class Integer(Number):
    """A whole number in decimal digits."""

    _type = "integer"
    _noun = "an integer"

    def _value(self, node: Node) -> float | None:
        spelled = spelling(node, Form.NUMBER) or ""
        # The interpreter refuses to convert thousands of digits to an integer.
        return float(spelled) if spelled.isascii() and spelled.isdecimal() else None

    def _read(self, here: Cursor) -> int | None:
        value = super()._read(here)
        return None if value is None or value > self.maximum else int(value)


class Seconds(Kind):
    """A duration of up to ten years, or a number of seconds (rule 10.5)."""

    zero: bool = True
    _is_plain = True

    def schema(self) -> Schema:
        """Bound the number; of a text, describe the spelling, and that it is not zero."""
        least = "minimum" if self.zero else "exclusiveMinimum"
        pattern = f"^{'(?=.)' if self.zero else '(?=.*[1-9])'}{DURATION_PATTERN}$"
        bounds = {least: 0.0, "maximum": TEN_YEARS_SEC}
        return {"type": ["number", "string"], **bounds, "pattern": pattern}

    def _read(self, here: Cursor) -> float | None:
        value = _number(here.node)
        if value is None:
            # Quoted or not: JSON has no other way to write a duration.
            value = seconds_of(spelling(here.node, Form.TEXT) or "")
        if value is None or value < 0 or (value == 0 and not self.zero):
            least = "0 or more, such as 0.5" if self.zero else "more than 0"
            expected = f"must be a number of seconds, {least}, or a duration such as"
            _add_wrong_type(f"{expected} {DURATION_EXAMPLES}", here)
        elif value > TEN_YEARS_SEC:
            most = f"must be at most {TEN_YEARS_SEC:,.0f} seconds, which are ten years"
            here.add(f"{most}, got {messages.got(here.node)}")
        return value


def _number(node: Node) -> float | None:
    spelled = spelling(node, Form.NUMBER)
    return float(spelled) if spelled and _NUMBER.fullmatch(spelled) else None


_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")


class Boolean(Kind):
    """`true` or `false`, in this spelling only."""

    _is_plain = True

    def schema(self) -> Schema:
        """Allow both."""
        return {"type": "boolean"}

    def _read(self, here: Cursor) -> bool | None:
        spelled = spelling(here.node, Form.BOOLEAN)
        if spelled not in {"true", "false"}:
            _add_wrong_type("must be true or false", here)
            return None
        return spelled == "true"


def _add_wrong_type(expected: str, here: Cursor, advice: str = "") -> None:
    here.add(messages.wrong_type(expected, here.node, here.field, advice))


DIRECTORY = FILE = line(LONGEST_PATH, is_filled=True)
SECONDS = Seconds()
SECONDS_ABOVE_ZERO = Seconds(zero=False)


class StepId(Text):
    """The id of a step, unique in the file (rule 2.3)."""

    max_length: int = 128
    _is_plain = True

    def schema(self) -> Schema:
        """Give the pattern of an id, also of one that an editor takes for a number."""
        pattern = {"pattern": f"^{NAME_LIKE.pattern}$", "maxLength": self.max_length}
        return {"type": ["string", "integer", "boolean"], "minimum": 0, **pattern}

    def flaw(self, text: str) -> Message | None:
        """Return why a text cannot be an id, or None."""
        if not NAME_LIKE.fullmatch(text):
            allowed = "A-Z, a-z, 0-9, _ and -, and not begin with -"
            return f"must be made of {allowed}, got {quoted(text)}"
        return messages.flaw_of_length(text, self.max_length)

    def _check(self, here: Cursor) -> None:
        super()._check(here)
        first = here.reading.steps[here.text]
        if first.path != here.step:
            place = f"{written(first.path)} on line {first.node.line}"
            fact = f"duplicate id {quoted(here.text)}: {place} already has it"
            here.add(Advised(fact, "give one of the two steps another id"))


class Reference(Text):
    """The id of a step of this flow (rule 2.6)."""

    _is_plain = True

    def schema(self) -> Schema:
        """Give the pattern of an id or a copy's id; a schema cannot know which exist."""
        longest = 2 * StepId().max_length + 1
        return StepId().schema() | {"pattern": f"^{REFERENCE.pattern}$", "maxLength": longest}

    def _check(self, here: Cursor) -> None:
        flaw = flaw_of_name_of_step(here.text, here)
        if flaw is not None:
            here.add(flaw)


_LONGEST_COMPARED = 300
"""The longest condition that is compared with those of other tools."""


class Expression(Text):
    """A condition over the steps of this flow (section 3)."""

    _is_plain = True
    _instead = "write one condition, such as when: A && B, or depends_on: [A, B]"

    def _check(self, here: Cursor) -> None:
        text, depends_on, in_finally = here.text, here.depends_on, here.in_finally
        try:
            condition = parse_when(text, depends_on, in_finally=in_finally)
            operands = [one for one in condition.operands if one.quantifier != RUN_WORD]
            if any(is_no_step(operand, here.reading) for operand in operands):
                parse_when(text, depends_on, in_finally=in_finally, asks_one=False)
        except flow_conditions.ConditionSyntaxError as error:
            self._report(error, here)
            return
        called = {operand.name: operand for operand in operands if operand.quantifier}
        listed = frozenset(depends_on)
        for name in dict.fromkeys(operand.name for operand in operands):
            flaw = flaw_of_name_of_step(name, here)
            if flaw is None and name in called:
                flaw = flaw_of_call(called[name], here)
            elif name in listed:
                continue  # reported there
            if flaw is not None:
                here.add(flaw, span=span_of_name(name, text))

    def _report(self, error: flow_conditions.ConditionSyntaxError, here: Cursor) -> None:
        from textwrap import dedent  # a condition without a mistake does not pay for it

        text, in_finally, advice = here.text, here.in_finally, None
        head, _, drawing = str(error).partition("\n")
        place, span = head.removeprefix(error.message), Span(text, error.start, error.end)
        asks_all = in_finally or bool(here.depends_on)
        asks_nothing = not asks_all and is_condition(text, ("_",), in_finally=False)
        remedy = "add depends_on: with the steps to ask" if asks_nothing else error.help
        if len(text) <= _LONGEST_COMPARED:
            advice = advice_on_condition(text, here.reading.steps, in_finally=in_finally)
        if advice is not None:
            span = Span(text, 0, len(text))
            drawing = f"{text}\n{'^' * len(text)}" if text.isprintable() else ""
        message = advice or advised(f"{error.fact}{place}", remedy)
        here.add(message, excerpt=dedent(drawing) or None, span=span)


def span_of_name(name: str, condition: str) -> Span | None:
    """Return where the text of a condition first has a name."""
    starts = (operand.name_start for operand in operands_of(condition) if operand.name == name)
    start = next(starts, None)
    return None if start is None else Span(condition, start, start + len(name))


def is_no_step(operand: "flow_conditions.Name", reading: Reading) -> bool:
    """Whether an operand is a call, and its argument is neither a step nor a misspelled one."""
    step_id = operand.name.partition("@")[0]
    if operand.quantifier is None or operand.predicate is not None or step_id in reading.steps:
        return False
    return reading.speller.closest(step_id, reading.steps) is None


def flaw_of_call(operand: "flow_conditions.Name", here: Cursor) -> Message | None:
    """Return why a call such as `any(load.failed)` cannot ask the copies of a step (rule 3.7)."""
    name = operand.name
    step_id, _, label = name.partition("@")
    found = here.reading.steps[step_id]
    if found.path == here.step:
        return None  # it waits for itself, which is reported as a cycle
    sign = "!" if operand.quantifier == "none" else ""
    if label or found.block is None or found.block == here.path[: len(found.block)]:
        fact = f"{operand} asks all copies of a step, from outside its foreach"
        return Advised(fact, f"write {sign}{name}.{operand.predicate or 'succeeded'}")
    return None


MOST_NAMED, _COPIES_NAMED = 6, 3
"""How many steps, and how many copies of a step, a message names."""


def flaw_of_name_of_step(name: str, here: Cursor) -> Message | None:
    """Return why the step around cannot wait for a step of this name (2.6, 10.1, 10.3)."""
    step_id, _, label = name.partition("@")
    reading = here.reading
    found = reading.steps.get(step_id)
    if found is None:
        # Many mistakes cost no more than their number: what is not compared is not collected.
        known = _known_at(here) if reading.speller.budget >= 0 else []
        fact, remedy = f"unknown step {quoted(step_id)}", None
        if re.search(r"[.!&|(]", step_id) and re.search(r"\w", step_id):
            remedy = "write when: in place of depends_on: for a condition over steps"
        remedy = remedy or answer_to_condition(step_id, in_finally=here.in_finally)
        remedy = remedy or reading.speller.suggestion(step_id, known)
        if step_id in (reading.params or ()):
            fact, remedy = f"{quoted(step_id)} is a parameter, and no step", INSTEAD_OF_VALUES
        if remedy is None and 0 < len(known) <= MOST_NAMED:
            remedy = f"the steps are {', '.join(map(printable, known))}"
        return advised(fact, remedy)
    if found.in_finally and not here.in_finally:
        return Advised(
            f"{quoted(name)} is a step of finally, which begins only when every step of steps has "
            "ended",
            "move one of the two into the other list",
        )
    return flaw_of_label(step_id, label, found, reading) if label else None


def _known_at(here: Cursor) -> list[str]:
    return [
        name
        for name, place in here.reading.steps.items()
        if (here.in_finally or not place.in_finally) and place.path != here.step
    ]


def flaw_of_label(step_id: str, label: str, found: StepPlace, reading: Reading) -> Message | None:
    """Return why a step has no copy with this label, or None (rule 10.3)."""
    if found.block is None:
        fact = f"step {quoted(step_id)} is in no foreach and has no copies"
        return Advised(fact, f"write {step_id}")
    labels = reading.blocks[found.block].labels
    if labels is None or label in labels:
        return None
    fact = f"step {quoted(step_id)} has no copy {quoted(label)}"
    if meant := reading.speller.closest(label, labels):
        return Advised(fact, f"did you mean {quoted(f'{step_id}@{meant}')}?")
    if not labels:
        return f"{fact}; it has none at all"
    first = ", ".join(f"{step_id}@{label}" for label in islice(labels, _COPIES_NAMED))
    return f"{fact}; it has {first}{', ...' if len(labels) > _COPIES_NAMED else ''}"
