"""`x-airflow` of a step: what another program is told about it, which is kept and not judged.

What may be in it is for that program to say. It is read as JSON has it, so that every program finds
the same in it.
"""

import re
from typing import Any

import attrs

from flow_spec import messages
from flow_spec.document import Form, Mapping, Node, Path, Scalar, Sequence
from flow_spec.kinds import Kind, Prose, Schema
from flow_spec.reading import Reading

_WORDS = {"true": True, "false": False, "null": None}
_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,17})?([eE][+-]?[0-9]{1,2})?")
"""The numbers of JSON that every program can hold; what has more digits is text."""

_TEXT = Prose(max_length=10_000)


@attrs.frozen(eq=False)
class ForeignValue(Kind):
    """Whatever JSON can hold; in YAML, what is in quotes is text."""

    def schema(self) -> Schema:
        """Allow everything."""
        return {}

    def _read(self, node: Node, path: Path, reading: Reading) -> Any:
        match node:
            case Mapping():
                return {
                    name: self.read(value, (*path, name), reading)
                    for name, _, value in reading.keys_of(node, path)
                }
            case Sequence(items=items):
                return [self.read(item, (*path, at), reading) for at, item in enumerate(items)]
            case Scalar(form=form, text=text) if form is not Form.TEXT and text in _WORDS:
                return _WORDS[text]
            case Scalar(form=form, text=text) if form is not Form.TEXT and _NUMBER.fullmatch(text):
                return float(text) if {".", "e", "E"}.intersection(text) else int(text)
            case _:
                return _TEXT.read(node, path, reading)


@attrs.frozen(eq=False)
class ForeignMapping(Kind):
    """A mapping of names to values; it is read as sorted pairs of a name and its value in JSON."""

    example: str

    def schema(self) -> Schema:
        """Allow every mapping."""
        return {"type": "object", "additionalProperties": ForeignValue().schema()}

    def _read(self, node: Node, path: Path, reading: Reading) -> tuple[tuple[str, str], ...] | None:
        if not isinstance(node, Mapping):
            message = f"must be a mapping, such as {self.example}; got {messages.got(node)}"
            reading.add(message, path, node)
            return None
        from json import dumps  # few flows pay for this import

        values = ForeignValue().read(node, path, reading)
        return tuple((name, dumps(values[name])) for name in sorted(values))
