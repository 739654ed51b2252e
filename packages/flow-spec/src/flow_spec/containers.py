"""The kinds of value in a flow file that hold others: lists, mappings, and records of fields.

The kinds of single value are in `kinds`, the fields of a record in its class (see `declaration`).
"""

from collections.abc import Collection, Iterable
from typing import Any

import attrs

from flow_spec import foreach_messages, messages
from flow_spec.declaration import Declaration, attribute_of, declarations
from flow_spec.document import Mapping, Node, Path, Scalar, Sequence
from flow_spec.environment import SETTABLE, flaw_of_variable
from flow_spec.errors import Message
from flow_spec.kinds import FILE, Kind, Schema, Word
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
            field = str(path[-1]) if path else ""
            reading.add(messages.no_list(self.items, self.example, node, field), path, node)
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
            if name in reading.names_around(path):
                reading.add(foreach_messages.hides_value(name), (*path, name), value)
            elif reading.names.declares(name, path):
                reading.add(messages.variable_is_param(), (*path, name), key)
            values[name] = Word(beside=len(f"{name}=")).read(value, (*path, name), reading)
        return tuple(sorted(values.items())) if not reading.problems else None


@attrs.frozen(eq=False)
class OneOrMore(Kind):
    """A list, of which a single item may be written without brackets."""

    many: ListOf

    def schema(self) -> Schema:
        """Allow both."""
        return {"anyOf": [self.many.item.schema(), self.many.schema()]}

    def _read(self, node: Node, path: Path, reading: Reading) -> tuple[Any, ...] | None:
        if isinstance(node, Scalar):
            return (self.many.item.read(node, path, reading),)
        values: tuple[Any, ...] | None = self.many.read(node, path, reading)
        return values


ENV_FILES = OneOrMore(ListOf(FILE, "files", "[common.env, secrets.env]"))


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
        fields = self.fields()
        note = {"description": "For another program, such as an editor."}
        foreign: Schema = dict.fromkeys(self.foreign, note)
        return {
            "type": "object",
            "properties": {name: field.schema() for name, field in fields.items()} | foreign,
            "patternProperties": {"^x-": {}},
            "additionalProperties": False,
            "required": [name for name, field in fields.items() if field.required],
        }

    def fields(self) -> dict[str, Declaration]:
        """Return what the mapping may have."""
        return declarations(self.cls)

    def _read(self, node: Node, path: Path, reading: Reading) -> Any:
        fields = self.fields()
        if not isinstance(node, Mapping):
            reading.add(messages.no_mapping(self._needed(), node), path, node)
            return None
        self._report_missing(node, fields, path, reading)
        values = {}
        for name, key, value in self._entries(node, path, reading):
            if name in fields:
                values[name] = fields[name].kind.read(value, (*path, name), reading)
            elif not self._skips(name):
                given = {name for name, _ in node.texts()}
                reading.add(self._unknown(name, given, reading), (*path, name), key)
        return self._made(values, node, path, reading)

    def _skips(self, name: str) -> bool:
        """Whether a key is the user's own, or another program's."""
        return name.startswith("x-") or name in self.foreign

    def _needed(self) -> list[str]:
        """Name what the mapping cannot do without, for those who write something else."""
        return [name for name, field in self.fields().items() if field.required]

    def _report_missing(
        self, node: Mapping, fields: dict[str, Declaration], path: Path, reading: Reading
    ) -> None:
        present = {name for name, _ in node.texts()}
        for name, field in fields.items():
            if field.required and name not in present:
                reading.add(messages.missing_key(self.noun, name), path, node)

    def _entries(
        self, node: Mapping, path: Path, reading: Reading
    ) -> Iterable[tuple[str, Node, Node]]:
        """Return name, key and value of each entry, in the order in which they are read."""
        return reading.keys_of(node, path)

    def _unknown(self, name: str, given: Collection[str], reading: Reading) -> Message:
        """Say what is wrong with a key that is none of the fields."""
        return messages.unknown_key(name, self.fields(), given, self.noun, reading.speller)

    def _made(self, values: dict[str, Any], node: Mapping, path: Path, reading: Reading) -> Any:
        """Return the record, after what can only be checked with all values."""
        self._keep_apart(values, {}, node, path, reading)
        if reading.problems:
            return None
        return self.cls(**{attribute_of(name): value for name, value in values.items()})

    def _keep_apart(
        self,
        values: dict[str, Any],
        defaults: dict[str, Any],
        node: Mapping,
        path: Path,
        reading: Reading,
    ) -> None:
        """Report what is in two lists; one that is not given here may be in `defaults`."""
        fields, nodes = self.fields(), dict(node.texts())
        place: dict[Any, str] = {}
        for name in sorted(self.apart, key=values.__contains__):
            given = {name: fields[name].default, **defaults, **values}[name]
            written = f"defaults.{name}" if name in defaults and name not in values else name
            for value in given or ():
                first = None if value is None else place.setdefault(value, written)
                if first not in (None, written) and name in values:
                    reading.add(messages.two_meanings(value, first), (*path, name), nodes[name])
