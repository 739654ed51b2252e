"""The kinds of value in a flow file that hold others: lists, mappings, and records of fields.

The kinds of single value are in `kinds`, the fields of a record in its class (see `declaration`).
"""

from typing import Any

import attrs

from flow_spec import messages
from flow_spec.declaration import Declaration, declarations
from flow_spec.document import Mapping, Node, Path, Sequence
from flow_spec.environment import SETTABLE, flaw_of_variable
from flow_spec.kinds import Kind, Schema, Word
from flow_spec.reading import Reading


@attrs.frozen(eq=False)
class ListOf(Kind):
    """A list of values of one kind.

    `items` says what they are, `example` what a list of them looks like; `distinct` forbids
    duplicates.
    """

    item: Kind
    items: str
    example: str
    min_items: int = 0
    distinct: bool = False

    def schema(self) -> Schema:
        """Say what the items are, and how many."""
        schema: Schema = {"type": "array", "items": self.item.schema(), "minItems": self.min_items}
        return schema | {"uniqueItems": True} if self.distinct else schema

    def _read(self, node: Node, path: Path, reading: Reading) -> tuple[Any, ...] | None:
        if not isinstance(node, Sequence):
            reading.add(messages.no_list(self.items, self.example, node), path, node)
            return None
        if len(node.items) < self.min_items:
            reading.add(messages.empty_list(self.example), path, node)
        values = [
            self.item.read(child, (*path, index), reading) for index, child in enumerate(node.items)
        ]
        if self.distinct and len(set(values)) < len(values):
            self._report_repeated(node, values, path, reading)
        return tuple(values)

    def _report_repeated(
        self, node: Sequence, values: list[Any], path: Path, reading: Reading
    ) -> None:
        first: dict[Any, int] = {}
        for index, value in enumerate(values):
            if value is not None and first.setdefault(value, index) != index:
                reading.add(messages.listed_twice(value), (*path, index), node.items[index])


@attrs.frozen(eq=False)
class SetOf(ListOf):
    """A list without duplicates whose order does not matter; it is read sorted."""

    distinct: bool = True

    def _read(self, node: Node, path: Path, reading: Reading) -> tuple[Any, ...] | None:
        values = super()._read(node, path, reading)
        return values if values is None or None in values else tuple(sorted(values))


@attrs.frozen(eq=False)
class CommandWords(ListOf):
    """A program and its arguments: a list of words of which the first is not empty."""

    def schema(self) -> Schema:
        """Say that the first word is not empty."""
        return super().schema() | {"prefixItems": [self.item.schema() | {"minLength": 1}]}

    def _read(self, node: Node, path: Path, reading: Reading) -> tuple[Any, ...] | None:
        words = super()._read(node, path, reading)
        if words and words[0] == "":
            reading.add(messages.no_program(), path, node)
        return words


@attrs.frozen(eq=False)
class Variables(Kind):
    """A mapping of names of environment variables to texts, read as sorted pairs (rule 9.12)."""

    def schema(self) -> Schema:
        """Give the pattern of a name."""
        return {
            "type": "object",
            "propertyNames": {"pattern": SETTABLE},
            "additionalProperties": Word().schema(),
        }

    def _read(self, node: Node, path: Path, reading: Reading) -> tuple[tuple[str, str], ...] | None:
        if not isinstance(node, Mapping):
            reading.add(messages.no_variables(node), path, node)
            return None
        values = {}
        for name, key, value in reading.keys_of(node, path):
            flaw = flaw_of_variable(name)
            if flaw is not None:
                reading.add(flaw, (*path, name), key)
            values[name] = Word(beside=len(f"{name}=")).read(value, (*path, name), reading)
        return tuple(sorted(values.items())) if not reading.problems else None


@attrs.frozen(eq=False)
class Record(Kind):
    """A mapping whose keys are the declared fields of an attrs class.

    `noun` is what messages call it; no value may stand in two of the lists `apart`. Keys that are
    `foreign` belong to other programs, such as an editor, and are skipped like those with `x-`.
    """

    cls: type[Any]
    noun: str
    apart: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()

    def schema(self) -> Schema:
        """Describe every field; keys of the user's own begin with `x-` (rule 2.6)."""
        fields = declarations(self.cls)
        note = {"description": "For another program, such as an editor."}
        foreign: Schema = dict.fromkeys(self.foreign, note)
        return {
            "type": "object",
            "properties": {name: field.schema() for name, field in fields.items()} | foreign,
            "patternProperties": {"^x-": {}},
            "additionalProperties": False,
            "required": [name for name, field in fields.items() if field.required],
        }

    def _read(self, node: Node, path: Path, reading: Reading) -> Any:
        fields = declarations(self.cls)
        if not isinstance(node, Mapping):
            required = [name for name, field in fields.items() if field.required]
            reading.add(messages.no_mapping(required, node), path, node)
            return None
        self._report_missing(node, fields, path, reading)
        values, nodes = {}, {}
        for name, key, value in reading.keys_of(node, path):
            if name in fields:
                nodes[name] = value
                values[name] = fields[name].kind.read(value, (*path, name), reading)
            elif not name.startswith("x-") and name not in self.foreign:
                message = messages.unknown_key(name, fields, self.noun, reading.speller)
                reading.add(message, (*path, name), key)
        place: dict[Any, str] = {}
        for name in self.apart:
            for value in values.get(name, fields[name].default) or ():
                if value is not None and place.setdefault(value, name) != name:
                    message = messages.two_meanings(value, place[value])
                    reading.add(message, (*path, name), nodes[name])
        return None if reading.problems else self.cls(**values)

    def _report_missing(
        self, node: Mapping, fields: dict[str, Declaration], path: Path, reading: Reading
    ) -> None:
        present = {name for name, _ in node.texts()}
        for name, field in fields.items():
            if field.required and name not in present:
                reading.add(messages.missing_key(self.noun, name), path, node)
