"""How the classes in `model` declare the fields of a flow file, and lists and mappings are read.

`declared(kind, doc)` is the only schema there is: it drives reading, and whatever else needs to
know the fields finds them in `declarations`. The kinds of single value are in `kinds`.
"""

from typing import Any

import attrs

from flow_spec.document import Mapping, Node, Sequence
from flow_spec.errors import quoted
from flow_spec.findings import Findings, Path, got
from flow_spec.kinds import Kind, Schema, Word
from flow_spec.texts import OWN_VARIABLES, VARIABLE, flaw_of_variable


@attrs.frozen(eq=False)
class ListOf(Kind):
    """A list of values of one kind.

    `items` says what they are, `example` what a list of them looks like; `distinct` forbids one to
    stand twice.
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

    def _read(self, node: Node, path: Path, findings: Findings) -> tuple[Any, ...] | None:
        if not isinstance(node, Sequence):
            findings.add(
                f"must be a list of {self.items}, such as {self.example}; got {got(node)}",
                path,
                node,
            )
            return None
        if len(node.items) < self.min_items:
            findings.add(f"must not be empty: write a list such as {self.example}", path, node)
        values = [
            self.item.read(child, (*path, index), findings)
            for index, child in enumerate(node.items)
        ]
        if self.distinct and len(set(values)) < len(values):
            self._report_repeated(node, values, path, findings)
        return tuple(values)

    def _report_repeated(
        self, node: Sequence, values: list[Any], path: Path, findings: Findings
    ) -> None:
        first: dict[Any, int] = {}
        for index, value in enumerate(values):
            if value is not None and first.setdefault(value, index) != index:
                findings.add(
                    f"{quoted(str(value))} is listed twice", (*path, index), node.items[index]
                )


@attrs.frozen(eq=False)
class SetOf(ListOf):
    """A list in which nothing stands twice and the order means nothing: it is read sorted."""

    distinct: bool = True

    def _read(self, node: Node, path: Path, findings: Findings) -> tuple[Any, ...] | None:
        values = super()._read(node, path, findings)
        return values if values is None or None in values else tuple(sorted(values))


@attrs.frozen(eq=False)
class CommandWords(ListOf):
    """A program and its arguments: a list of words of which the first says something."""

    def schema(self) -> Schema:
        """Say that the first word is not empty."""
        return super().schema() | {"prefixItems": [self.item.schema() | {"minLength": 1}]}

    def _read(self, node: Node, path: Path, findings: Findings) -> tuple[Any, ...] | None:
        words = super()._read(node, path, findings)
        if words and words[0] == "":
            findings.add("names no program: its first word is empty", path, node)
        return words


@attrs.frozen(eq=False)
class Variables(Kind):
    """A mapping of names of environment variables to texts, read as sorted pairs (rule 9.12)."""

    def schema(self) -> Schema:
        """Spell out what a name is made of."""
        return {
            "type": "object",
            "propertyNames": {"pattern": f"^(?!{OWN_VARIABLES}){VARIABLE.pattern}$"},
            "additionalProperties": Word().schema(),
        }

    def _read(
        self, node: Node, path: Path, findings: Findings
    ) -> tuple[tuple[str, str], ...] | None:
        if not isinstance(node, Mapping):
            findings.add(
                f"must be a mapping of names to texts, such as {{LANG: C}}; got {got(node)}",
                path,
                node,
            )
            return None
        values = {}
        for name, key, value in findings.keys_of(node, path):
            flaw = flaw_of_variable(name)
            if flaw is not None:
                findings.add(flaw, (*path, name), key)
            values[name] = Word(beside=len(f"{name}=")).read(value, (*path, name), findings)
        return tuple(sorted(values.items())) if not findings.problems else None


@attrs.frozen(eq=False)
class Record(Kind):
    """A mapping whose keys are the declared fields of an attrs class.

    `noun` is what messages call it; no value may stand in two of the lists `apart`.
    """

    cls: type[Any]
    noun: str
    apart: tuple[str, ...] = ()

    def schema(self) -> Schema:
        """Describe every field; keys of the user's own begin with `x-` (rule 2.6)."""
        fields = declarations(self.cls)
        return {
            "type": "object",
            "properties": {name: field.schema() for name, field in fields.items()},
            "patternProperties": {"^x-": {}},
            "additionalProperties": False,
            "required": [name for name, field in fields.items() if field.required],
        }

    def _read(self, node: Node, path: Path, findings: Findings) -> Any:
        fields = declarations(self.cls)
        if not isinstance(node, Mapping):
            required = " and ".join(name for name, field in fields.items() if field.required)
            findings.add(f"must be a mapping with {required}, got {got(node)}", path, node)
            return None
        self._report_missing(node, fields, path, findings)
        values, nodes = {}, {}
        for name, key, value in findings.keys_of(node, path):
            if name in fields:
                nodes[name] = value
                values[name] = fields[name].kind.read(value, (*path, name), findings)
            elif not name.startswith("x-"):
                findings.add_unknown_key(name, fields, key, path, self.noun)
        place: dict[Any, str] = {}
        for name in self.apart:
            for value in values.get(name, fields[name].default) or ():
                if value is not None and place.setdefault(value, name) != name:
                    message = f"{value} is in {place[value]} already; an outcome has one meaning"
                    findings.add(message, (*path, name), nodes[name])
        return None if findings.problems else self.cls(**values)

    def _report_missing(
        self, node: Mapping, fields: dict[str, "Declaration"], path: Path, findings: Findings
    ) -> None:
        present = {name for name, _ in node.texts()}
        for name, field in fields.items():
            if field.required and name not in present:
                findings.add(f"{self.noun} needs the key {quoted(name)}", path, node)


@attrs.frozen(eq=False)
class Declaration:
    """What a class in `model` says of one of its fields.

    `means` is false for a field that does not change what the flow does; `examples` are values as a
    file has them.
    """

    kind: Kind
    doc: str
    means: bool
    default: Any
    examples: tuple[Any, ...]

    def schema(self) -> Schema:
        """Return what the field may hold, with what an editor shows of it (rule 9.2)."""
        schema = self.kind.schema() | {"description": self.doc, "examples": list(self.examples)}
        if self.default in (None, (), attrs.NOTHING):
            return schema
        return schema | {"default": self.default}

    @property
    def required(self) -> bool:
        """Whether a file must give the field."""
        return self.default is attrs.NOTHING


def declared(
    kind: Kind,
    doc: str,
    *examples: Any,
    means: bool = True,
    default: Any = attrs.NOTHING,
) -> Any:
    """Declare a field of a flow file: its kind, one sentence about it, examples, its default."""
    declaration = Declaration(kind, doc, means, default, examples)
    return attrs.field(default=default, metadata={Declaration: declaration})


def declarations(cls: type[Any]) -> dict[str, Declaration]:
    """Return the fields that a class of `model` declares, by name, in their order."""
    return {field.name: field.metadata[Declaration] for field in attrs.fields(cls)}
