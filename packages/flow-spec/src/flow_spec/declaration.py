"""How a class of this package declares the fields of a flow file.

`declared(kind, doc)` is the only schema there is: it drives reading, and whatever else needs to
know the fields (the JSON Schema, the comparison of two flows) finds them in `declarations`.
"""

from typing import Any

import attrs

from flow_spec.kinds import Kind, Schema


@attrs.frozen(eq=False)
class Declaration:
    """What a class declares of one of its fields.

    `significant` is false for a field that does not change what the flow does; `examples` are
    values as a file has them.
    """

    kind: Kind
    doc: str
    significant: bool
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
    significant: bool = True,
    default: Any = attrs.NOTHING,
) -> Any:
    """Declare a field of a flow file: its kind, one sentence about it, examples, its default."""
    declaration = Declaration(kind, doc, significant, default, examples)
    return attrs.field(default=default, metadata={Declaration: declaration})


def declarations(cls: type[Any]) -> dict[str, Declaration]:
    """Return the fields that a class declares, by their keys in a file, in their order."""
    return {
        key_of(field.name): field.metadata[Declaration]
        for field in attrs.fields(cls)
        if Declaration in field.metadata
    }


_KEYS = {"finally_": "finally", "x_airflow": "x-airflow"}
"""The keys of a file that no attribute can be called, by the attributes that hold them."""

_ATTRIBUTES = {key: attribute for attribute, key in _KEYS.items()}


def key_of(attribute: str) -> str:
    """Return the key that a file has for an attribute."""
    return _KEYS.get(attribute, attribute)


def attribute_of(key: str) -> str:
    """Return the attribute that holds what a file has under a key."""
    return _ATTRIBUTES.get(key, key)
