"""The kinds of value that hold others: lists, mappings, and records of declared fields.

`declared(kind, doc)` declares a field in an attrs class. Reading, the JSON Schema and the
comparison of two flows all find the fields in `declarations`; there is no other schema.
"""

import json
import re
from collections.abc import Collection, Iterable
from functools import cached_property
from typing import Any, NamedTuple

import attrs

from flow_spec.errors import Advised, Message, quoted
from flow_spec.fields import messages
from flow_spec.fields.env import SETTABLE, flaw_of_variable
from flow_spec.fields.kinds import FILE, PROSE, Boolean, Kind, Schema, Value
from flow_spec.fields.reading import BUILT_IN, Cursor


class Declaration(NamedTuple):
    """How a class declares one of its fields.

    `significant` is false for a field that does not change what the flow does. `examples` are
    values as a file spells them.
    """

    kind: Kind
    doc: str
    default: Any
    examples: tuple[Any, ...]
    significant: bool = True

    def schema(self) -> Schema:
        """Return the schema of the field, with what an editor shows about it (rule 9.2)."""
        schema = self.kind.schema() | {"description": self.doc, "examples": list(self.examples)}
        if self.default in (None, (), attrs.NOTHING):
            return schema
        return schema | {"default": self.default}

    @property
    def required(self) -> bool:
        """Whether a file must give the field."""
        return self.default is attrs.NOTHING


def declared(
    kind: Kind, doc: str, *examples: Any, significant: bool = True, default: Any = attrs.NOTHING
) -> Any:
    """Declare a field of a flow file: its kind, one sentence about it, examples, its default."""
    declaration = Declaration(kind, doc, default, examples, significant)
    return attrs.field(default=default, metadata={Declaration: declaration})


def declarations(cls: type[Any]) -> dict[str, Declaration]:
    """Return the fields that a class declares, by their keys in a file, in their order."""
    return {
        key_of(field.name): field.metadata[Declaration]
        for field in attrs.fields(cls)
        if Declaration in field.metadata
    }


_KEYS = {"finally_": "finally", "x_airflow": "x-airflow"}
"""The keys of a file that cannot be attribute names, by the attributes that hold them."""

_ATTRIBUTES = {key: attribute for attribute, key in _KEYS.items()}


def key_of(attribute: str) -> str:
    """Return the key that a file has for an attribute."""
    return _KEYS.get(attribute, attribute)


def attribute_of(key: str) -> str:
    """Return the attribute that holds what a file has under a key."""
    return _ATTRIBUTES.get(key, key)


class ListOf(Kind):
    """A list of values of one kind.

    Messages call the values `items`, and show `example`. `distinct` forbids duplicates.
    """

    item: Kind
    items: str
    example: str
    min_items: int = 0
    distinct: bool = False

    def schema(self) -> Schema:
        """Describe the items, and how many there may be."""
        schema: Schema = {"type": "array", "items": self.item.schema(), "minItems": self.min_items}
        return schema | {"uniqueItems": True} if self.distinct else schema

    def _read(self, here: Cursor) -> tuple[Any, ...] | None:
        if not here.is_list:
            remedy = messages.AS_LIST.get(here.field) or messages.AS_LIST.get(self.items)
            here.must_be(f"a list of {self.items}, such as {self.example}", remedy)
            return None
        items = here.items()
        if len(items) < self.min_items:
            here.add(f"must not be empty: write a list such as {self.example}")
        values = [self.item.read(item) for item in items]
        if self.distinct and len(set(values)) < len(values):
            first: dict[Any, Cursor] = {}
            for value, item in zip(values, items, strict=True):
                if value is not None and first.setdefault(value, item) is not item:
                    fact = f"{quoted(str(value))} is listed twice"
                    item.add(Advised(fact, "remove one of them"))
        return tuple(values)


class SetOf(ListOf):
    """A list without duplicates whose order does not matter; it is read sorted."""

    distinct: bool = True

    def _read(self, here: Cursor) -> tuple[Any, ...] | None:
        values = super()._read(here)
        return values if values is None or None in values else tuple(sorted(values))


NO_PROGRAM = "names no program: its first word is empty"
"""What is wrong with a command that begins with an empty word."""


class CommandWords(ListOf):
    """A program and its arguments: a list of words whose first is not empty."""

    def schema(self) -> Schema:
        """Say that the first word is not empty."""
        return super().schema() | {"prefixItems": [self.item.schema() | {"minLength": 1}]}

    def _read(self, here: Cursor) -> tuple[Any, ...] | None:
        items = here.items()
        if items and all(item.is_list for item in items):
            fact = f"must be one list of words, such as {self.example}; got a list of lists"
            here.add(Advised(fact, "write a step for each command, or each in a line of script: |"))
            return None
        words = super()._read(here)
        if words and words[0] == "":
            here.add(NO_PROGRAM)
        return words


NAMED: Schema = {"type": "object", "propertyNames": {"pattern": SETTABLE}}
"""A mapping whose keys are names that a flow may set."""


def flaw_of_param_name(name: str) -> Message | None:
    """Return what is wrong with the name of a parameter, or of a value of a `foreach`, or None."""
    if name in BUILT_IN:
        fact = f"is a name that every flow has, like {', '.join(BUILT_IN)}"
        return Advised(fact, "write another name")
    return flaw_of_variable(name)


class Variables(Kind):
    """A mapping of names of environment variables to texts, read as sorted pairs (rule 9.12)."""

    def schema(self) -> Schema:
        """Give the pattern of a name."""
        return NAMED | {"additionalProperties": Value().schema()}

    def _read(self, here: Cursor) -> tuple[tuple[str, str], ...] | None:
        if not here.is_mapping:
            here.must_be("a mapping of names to texts, such as {LANG: C}")
            return None
        values = {}
        for name, key, value in here.entries():
            flaw = flaw_of_variable(name)
            if flaw is not None:
                key.add(flaw)
            if name in here.reading.names_around(here.path):
                hides = f"would hide the value of each copy: foreach gives {quoted(name)} already"
                value.add(hides)
            elif name in (here.reading.params or ()):
                message = Advised(
                    "is a parameter, which every command sees under this name",
                    "remove it, or give the variable another name",
                )
                key.add(message)
            values[name] = Value(beside=len(f"{name}=")).read(value)
        return tuple(sorted(values.items())) if not here.reading.problems else None


class OneOrMore(Kind):
    """A list; a single item may stand without brackets."""

    many: ListOf

    def schema(self) -> Schema:
        """Allow both."""
        return {"anyOf": [self.many.item.schema(), self.many.schema()]}

    def _read(self, here: Cursor) -> tuple[Any, ...] | None:
        if not here.is_list:
            return (self.many.item.read(here),)
        values: tuple[Any, ...] | None = self.many.read(here)
        return values


class Record(Kind):
    """A mapping whose keys are the declared fields of an attrs class.

    `noun` is its name in messages. No value may be in two of the lists `apart`. Keys in `foreign`
    belong to other programs, such as an editor; they are skipped like those with `x-`.
    """

    cls: type[Any]
    noun: str
    apart: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()

    def schema(self) -> Schema:
        """Describe every field; keys of the user's own begin with `x-` (rule 2.6)."""
        note = {"description": "For another program, such as an editor."}
        foreign: Schema = dict.fromkeys(self.foreign, note)
        return {
            "type": "object",
            "properties": {name: field.schema() for name, field in self.fields.items()} | foreign,
            "patternProperties": {"^x-": {}},
            "additionalProperties": False,
            "required": [name for name, field in self.fields.items() if field.required],
        }

    @cached_property
    def fields(self) -> dict[str, Declaration]:
        """The declared fields, by key."""
        return declarations(self.cls)

    def _read(self, here: Cursor) -> Any:
        if not here.is_mapping:
            here.add(messages.no_mapping(self.noun, self._needed(), here.node))
            return None
        self._report_missing(here)
        values = {}
        for name, key, value in self._entries(here):
            if name in self.fields:
                values[name] = self.fields[name].kind.read(value)
            elif not self._skips(name):
                key.add(self._unknown(name, here))
        return self._made(values, here)

    def _skips(self, name: str) -> bool:
        """Whether a key belongs to the user or another program."""
        return (name.startswith("x-") and name != "x-airflow") or name in self.foreign

    def _needed(self) -> list[str]:
        return [name for name, field in self.fields.items() if field.required]

    def _report_missing(self, here: Cursor) -> None:
        required = (name for name, field in self.fields.items() if field.required)
        missing = [name for name in required if name not in here.given]
        meant = self._fields_meant(here) if missing else ()
        for name in missing:
            if name not in meant:
                example = getattr(self.fields[name].kind, "example", "NAME")
                fact = f"{self.noun} needs the key {quoted(name)}"
                here.add(Advised(fact, f"add {name}: {example}"))

    def _fields_meant(self, here: Cursor) -> Collection[str]:
        """Return the fields that the advice on unknown keys names: they are not missing, too."""
        unknown = (one for one in here.given if one not in self.fields and not self._skips(one))
        advice = " ".join(self._unknown(name, here).help for name in unknown)
        return self.fields.keys() & {*re.findall(r"([\w-]+)[:\"]", advice)}

    def _entries(self, here: Cursor) -> Iterable[tuple[str, Cursor, Cursor]]:
        return here.entries()

    def _unknown(self, name: str, here: Cursor) -> Advised:
        speller = here.reading.speller
        return messages.unknown_key(name, self.fields, here.given, self.noun, speller)

    def _made(self, values: dict[str, Any], here: Cursor) -> Any:
        self._keep_apart(values, {}, here)
        if here.reading.problems:
            return None
        return self.cls(**{attribute_of(name): value for name, value in values.items()})

    def _keep_apart(self, values: dict[str, Any], defaults: dict[str, Any], here: Cursor) -> None:
        """Report values in two of the lists `apart`; a missing list may be in `defaults`."""
        place: dict[Any, str] = {}
        for name in sorted(self.apart, key=values.__contains__):
            given = {name: self.fields[name].default, **defaults, **values}[name]
            written = f"defaults.{name}" if name in defaults and name not in values else name
            for value in given or ():
                first = None if value is None else place.setdefault(value, written)
                if first not in (None, written) and (at := here.get(name)) is not None:
                    fact = f"{value} is already in {first}, and an exit code has one meaning"
                    at.add(Advised(fact, f"remove {value} from one of the two lists"))


def file_schema(record: Record, title: str, description: str) -> Schema:
    """Return the JSON Schema (2020-12) of a file that holds a record."""
    dialect = "https://json-schema.org/draft/2020-12/schema"
    about = {"$schema": dialect, "title": title, "description": description}
    return about | record.schema()


@attrs.frozen
class ListedFile:
    """A file of variables that a flow or a step names, as a mapping."""

    path: str = declared(FILE, "The path of the file.", "secrets.env")
    required: bool = declared(
        Boolean(),
        "Whether the file must exist; without it, a missing file sets no variables.",
        False,
        default=True,
    )


@attrs.frozen
class ProducedFile:
    """A file that a step produces, as a mapping."""

    path: str = declared(FILE, "The path of the file, a folder, or a pattern.", "done")
    empty: bool = declared(
        Boolean(), "Whether the file may be empty, as a mark is.", True, default=False
    )


def path_of(file: str | ListedFile | ProducedFile) -> str:
    """Return the path of a file, whatever else is said of it."""
    return file if isinstance(file, str) else file.path


class FileOrRecord(Kind):
    """The path of a file; as a mapping it may also say more of it."""

    record: Record = Record(ListedFile, "a file")

    def schema(self) -> Schema:
        """Allow both."""
        return {"anyOf": [FILE.schema(), self.record.schema()]}

    def _read(self, here: Cursor) -> Any:
        if not here.is_mapping:
            return FILE.read(here)
        listed = self.record.read(here)
        is_plain = listed is not None and listed == self.record.cls(listed.path)
        return listed.path if is_plain else listed


ENV_FILES = OneOrMore(ListOf(FileOrRecord(), "files", "[common.env, secrets.env]"))
PRODUCTS = ListOf(
    FileOrRecord(Record(ProducedFile, "a file")),
    "paths",
    "[out.csv, 'parts/*.csv']",
    min_items=1,
    distinct=True,
)


_OF_JSON = re.compile(
    r"true|false|null|-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,17})?([eE][+-]?[0-9]{1,2})?"
)
"""The words of JSON, and the numbers that every program can hold; one with more digits is text."""


class ForeignValue(Kind):
    """Anything that JSON can hold; in YAML, quoted values are text."""

    def schema(self) -> Schema:
        """Allow everything."""
        return {}

    def _read(self, here: Cursor) -> Any:
        if here.is_mapping:
            return {name: self.read(value) for name, _, value in here.entries()}
        if here.is_list:
            return [self.read(item) for item in here.items()]
        is_json = not here.is_quoted and _OF_JSON.fullmatch(here.text)
        return json.loads(here.text) if is_json else PROSE.read(here)


class ForeignMapping(Kind):
    """A mapping for another program, read as sorted pairs of a name and its value in JSON."""

    example: str

    def schema(self) -> Schema:
        """Allow every mapping."""
        return {"type": "object", "additionalProperties": ForeignValue().schema()}

    def _read(self, here: Cursor) -> tuple[tuple[str, str], ...] | None:
        if not here.is_mapping:
            here.must_be(f"a mapping, such as {self.example}")
            return None
        values = ForeignValue().read(here)
        return tuple((name, json.dumps(values[name])) for name in sorted(values))
