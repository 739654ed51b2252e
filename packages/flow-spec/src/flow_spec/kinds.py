"""The kinds of single value in a flow file: texts, numbers, truth values.

A kind is frozen data (bounds, lengths) with one method that reads, and one that returns the same
rules as JSON Schema. A problem does not end the reading: all of them are collected (rule 2.7).
Nothing is coerced (rule 2.5). Lists and mappings of these are in `containers`. Kinds compare by
identity: nobody compares them, and every start of a program would pay for generating comparisons.
Ids of steps, and conditions, are in `step_names`.
"""

import re
from abc import ABC, abstractmethod
from enum import StrEnum
from typing import Any

import attrs

from flow_spec import messages
from flow_spec.document import Form, Node, Path, Scalar
from flow_spec.durations import SPELLED, seconds_of
from flow_spec.errors import Message
from flow_spec.held_names import Word as HeldWord
from flow_spec.placeholders import holds_name
from flow_spec.reading import Reading
from flow_spec.texts import (
    LONGEST_WORD,
    PRINTABLE_LINE,
    PRINTABLE_LINES,
    flaw_of_line,
    flaw_of_prose,
    flaw_of_word,
)

type Schema = dict[str, Any]

TEN_YEARS_SEC = 10 * 366 * 24 * 3600.0
"""The longest time span that a flow may give."""


class Kind(ABC):
    """What a field may hold; `read` returns the value, or None after adding a problem."""

    def read(self, node: Node, path: Path, reading: Reading) -> Any:
        """Read the value of `node`, which stands at `path`."""
        if node.tag is not None:
            reading.add(messages.tag(node), path, node)
            return None
        if isinstance(node, Scalar) and node.form is Form.BARE and not node.text:
            reading.add(messages.empty(node, path), path, node)
            return None
        return self._read(node, path, reading)

    @abstractmethod
    def _read(self, node: Node, path: Path, reading: Reading) -> Any: ...

    @abstractmethod
    def schema(self) -> Schema:
        """Return what values are allowed, as JSON Schema (rule 9.2).

        It speaks of values as an editor's YAML reader makes them, to which `5` and `no` are no
        texts.
        """


class Text(Kind):
    """Text of some sort: any scalar of YAML, a string of JSON."""

    def schema(self) -> Schema:
        """Allow what is text here, whatever an editor takes it for (rule 2.5)."""
        return {"type": ["string", "number", "boolean"]}

    def _read(self, node: Node, path: Path, reading: Reading) -> str | None:
        if not isinstance(node, Scalar) or node.form not in {Form.BARE, Form.TEXT}:
            reading.add(messages.no_text(node), path, node)
            return None
        self._check(node.text, node, path, reading)
        return node.text

    def _check(self, text: str, node: Node, path: Path, reading: Reading) -> None:
        flaw = self._flaw(text)
        if flaw is not None:
            reading.add(flaw, path, node)

    def _flaw(self, text: str) -> Message | None:
        """Return what is wrong with a text on its own, or None."""


class FilledText(Text):
    """Text that may hold names, which are filled in when their values are known (rule 10.2)."""

    def _check(self, text: str, node: Node, path: Path, reading: Reading) -> None:
        super()._check(text, node, path, reading)
        if holds_name(text):
            reading.names.note(HeldWord(text, path, node))


@attrs.frozen(eq=False)
class Line(Text):
    """Printable text on one line (rule 2.3)."""

    max_length: int

    def schema(self) -> Schema:
        """Bound the length, and give the pattern of what is printable."""
        bounds = {"minLength": 1, "maxLength": self.max_length}
        return super().schema() | bounds | {"pattern": PRINTABLE_LINE}

    def _flaw(self, text: str) -> Message | None:
        return flaw_of_line(text, self.max_length)


@attrs.frozen(eq=False)
class FilledLine(FilledText, Line):
    """Printable text on one line that may hold names."""


@attrs.frozen(eq=False)
class Prose(Text):
    """Text for people, on as many lines as they like."""

    max_length: int

    def schema(self) -> Schema:
        """Bound the length, and give the pattern of what is printable."""
        return super().schema() | {"maxLength": self.max_length, "pattern": PRINTABLE_LINES}

    def _flaw(self, text: str) -> Message | None:
        return flaw_of_prose(text, self.max_length)


@attrs.frozen(eq=False)
class Word(FilledText):
    """What a process is passed as it stands (rules 2.2 and 2.5), with so many bytes before it."""

    beside: int = 0

    def schema(self) -> Schema:
        """Allow any scalar that a process can be passed: even `null` is a word."""
        return {"type": ["string", "number", "boolean", "null"], "pattern": r"^[^\x00]*$"}

    def _flaw(self, text: str) -> Message | None:
        return self.flaw(text)

    def flaw(self, text: str) -> str | None:
        """Return why a process cannot be passed a text, or None."""
        return flaw_of_word(text, LONGEST_WORD - self.beside)


@attrs.frozen(eq=False)
class OneOf(Text):
    """One of the words of an enumeration, in their own spelling only."""

    words: type[StrEnum]

    def schema(self) -> Schema:
        """List the words."""
        return {"type": "string", "enum": [word.value for word in self.words]}

    def _read(self, node: Node, path: Path, reading: Reading) -> StrEnum | None:
        text = super()._read(node, path, reading)
        known = [word.value for word in self.words]
        if text is not None and text not in known:
            reading.add(messages.unknown_word(text, known, reading.speller), path, node)
            return None
        return None if text is None else self.words(text)


@attrs.frozen(eq=False)
class Integer(Kind):
    """A whole number in decimal digits."""

    minimum: int
    maximum: int

    def schema(self) -> Schema:
        """Bound the number."""
        return {"type": "integer", "minimum": self.minimum, "maximum": self.maximum}

    def _read(self, node: Node, path: Path, reading: Reading) -> int | None:
        spelling = _spelling(node, Form.NUMBER)
        if spelling is None or not _INTEGER.fullmatch(spelling):
            _add_wrong_type(f"must be an integer >= {self.minimum}", node, path, reading)
            return None
        # The interpreter refuses to convert thousands of digits; a bound needs no conversion.
        digits = spelling.lstrip("0")
        if len(digits) > len(str(self.maximum)) or int(digits or "0") > self.maximum:
            _add_wrong_type(f"must be an integer <= {self.maximum:,}", node, path, reading)
            return None
        value = int(digits or "0")
        if value < self.minimum:
            _add_wrong_type(f"must be an integer >= {self.minimum}", node, path, reading)
        return value


@attrs.frozen(eq=False)
class Number(Kind):
    """A finite decimal number, in the spelling of JSON."""

    minimum: float
    maximum: float

    def schema(self) -> Schema:
        """Bound the number."""
        return {"type": "number", "minimum": self.minimum, "maximum": self.maximum}

    def _read(self, node: Node, path: Path, reading: Reading) -> float | None:
        value = _number(node)
        if value is not None and value > self.maximum:
            _add_wrong_type(f"must be a number <= {self.maximum:,.0f}", node, path, reading)
        elif value is None or value < self.minimum:
            _add_wrong_type(f"must be a number >= {self.minimum:g}", node, path, reading)
        return value


@attrs.frozen(eq=False)
class Seconds(Kind):
    """A span of time up to ten years: a number of seconds, or a duration (rule 10.5)."""

    zero: bool = True

    def schema(self) -> Schema:
        """Bound the number; of a text only the spelling can be said, and that it is not zero."""
        least = "minimum" if self.zero else "exclusiveMinimum"
        pattern = f"^{'(?=.)' if self.zero else '(?=.*[1-9])'}{SPELLED}$"
        bounds = {least: 0.0, "maximum": TEN_YEARS_SEC}
        return {"type": ["number", "string"], **bounds, "pattern": pattern}

    def _read(self, node: Node, path: Path, reading: Reading) -> float | None:
        value = _number(node)
        if value is None:
            # Quoted or not: JSON has no other way to write a duration.
            value = seconds_of(_spelling(node, Form.TEXT) or "")
        if value is None or value < 0 or (value == 0 and not self.zero):
            reading.add(messages.no_seconds(node, zero=self.zero), path, node)
        elif value > TEN_YEARS_SEC:
            reading.add(messages.too_many_seconds(TEN_YEARS_SEC, node), path, node)
        return value


def _number(node: Node) -> float | None:
    """Return the number that a scalar spells, or None."""
    spelling = _spelling(node, Form.NUMBER)
    return float(spelling) if spelling and _NUMBER.fullmatch(spelling) else None


_INTEGER = re.compile(r"[0-9]+")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")


@attrs.frozen(eq=False)
class Boolean(Kind):
    """`true` or `false`, in this spelling only."""

    def schema(self) -> Schema:
        """Allow both."""
        return {"type": "boolean"}

    def _read(self, node: Node, path: Path, reading: Reading) -> bool | None:
        spelling = _spelling(node, Form.BOOLEAN)
        if spelling not in {"true", "false"}:
            _add_wrong_type("must be true or false", node, path, reading)
            return None
        return spelling == "true"


def _add_wrong_type(expected: str, node: Node, path: Path, reading: Reading) -> None:
    reading.add(messages.wrong_type(expected, node), path, node)


def _spelling(node: Node, form: Form) -> str | None:
    """Return the characters of a bare YAML scalar or of a JSON scalar of this form."""
    if isinstance(node, Scalar) and node.form in {Form.BARE, form}:
        return node.text
    return None


DIRECTORY = FILE = FilledLine(max_length=4096)
SECONDS = Seconds()
SECONDS_ABOVE_ZERO = Seconds(zero=False)
