"""The merge key of YAML, `<<`: a mapping takes over the entries of others (rule 10.4).

What is merged stands in the tree as if it were written there, but with the position of the
original. A merge key that cannot be followed stays in the tree too: reading reports it.
"""

from collections.abc import Iterable

from flow_spec.document import Form, Mapping, Node, Scalar, Sequence


def is_merge_key(key: Node) -> bool:
    """Say whether a key is `<<` without quotes; in quotes, and in JSON, it is text."""
    return (
        isinstance(key, Scalar) and key.text == "<<" and key.form is Form.BARE and key.tag is None
    )


def flaw_of_merged(value: Node) -> Node | None:
    """Return what is no mapping in the value of a merge key, or None where it can be followed."""
    nodes = value.items if isinstance(value, Sequence) and value.tag is None else [value]
    return next((node for node in nodes if not isinstance(node, Mapping) or node.tag), None)


def follow_merge_key(mapping: Mapping) -> None:
    """Put what a mapping merges behind its own entries.

    Own keys win, and of several mappings the earlier one does. An alias has been counted as all
    that it stands for before it comes here, so what is copied is bounded as the file is (rule 2.8).
    """
    for index, (key, value) in enumerate(mapping.entries):
        if is_merge_key(key):
            if flaw_of_merged(value) is None:
                del mapping.entries[index]
                _merge(value.items if isinstance(value, Sequence) else [value], mapping)
            return


def _merge(bases: Iterable[Node], mapping: Mapping) -> None:
    taken = {name for name, _ in mapping.texts()}
    for base in bases:
        if isinstance(base, Mapping):
            mapping.entries += [
                (key, value)
                for key, value in base.entries
                if not isinstance(key, Scalar) or key.tag is not None or key.text not in taken
            ]
            # Only now: a key that one mapping has twice is a mistake, and is to be reported.
            taken.update(name for name, _ in base.texts())
