"""A flow file as a tree of texts, lists and mappings, before any field has given it a meaning.

Both formats are read into these three classes, so that one set of rules checks both. The tree and
its limits live here; how a format becomes a tree, and what a tree means, is decided elsewhere.
"""

from collections.abc import Iterator
from enum import Enum, auto
from unicodedata import east_asian_width

import attrs

from flow_spec.errors import DocumentError, quoted

type Path = tuple[str | int, ...]
"""The way from the root to a value: keys of mappings and positions in lists."""

MAX_DEPTH = 100
"""Levels of lists and mappings: no flow needs ten, and no reader may meet a hundred thousand."""

MAX_VALUES = 200_000
"""Values in one file, an alias counting as all that it stands for (10,000 steps have 200,000)."""


class Form(Enum):
    """How a scalar was written, which says what may be read from it."""

    BARE = auto()
    """YAML without quotes: the field decides whether it is text, a number or a truth value."""
    TEXT = auto()
    """Text and nothing else: quoted or block text in YAML, a string in JSON."""
    NUMBER = auto()
    """A number in JSON."""
    BOOLEAN = auto()
    """`true` or `false` in JSON."""
    NULL = auto()
    """`null` in JSON."""


@attrs.define(eq=False, kw_only=True)
class Node:
    """What every part of the tree has: its position, and in YAML perhaps a tag and an anchor."""

    line: int | None = None
    column: int | None = None
    tag: str | None = None
    anchor: str | None = None


@attrs.define(eq=False)
class Scalar(Node):
    """One value, still in the characters of the file.

    `folded` tells of YAML that its lines have been joined, and nothing before them says so.
    """

    text: str
    form: Form
    folded: bool = attrs.field(default=False, kw_only=True)


@attrs.define(eq=False)
class Sequence(Node):
    """A list."""

    items: list[Node]


@attrs.define(eq=False)
class Mapping(Node):
    """Pairs of key and value as they stand in the file, repeated keys included."""

    entries: list[tuple[Node, Node]]

    def texts(self) -> Iterator[tuple[str, Node]]:
        """Yield the entries whose key is text."""
        for key, value in self.entries:
            if isinstance(key, Scalar) and key.tag is None:
                yield key.text, value


def written(path: Path) -> str:
    """Return a path as people write it: `steps[2].retries`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part.replace("-", "_").isidentifier() and part.isprintable():
            text += f".{part}"
        else:
            text += f"[{quoted(part)}]"
    return text.removeprefix(".")


def node_at(root: Node, path: Path) -> Node | None:
    """Return what stands at a path of the tree, if anything does."""
    node: Node | None = root
    for part in path:
        if isinstance(node, Mapping):
            node = next((value for text, value in node.texts() if text == part), None)
        elif isinstance(node, Sequence) and isinstance(part, int):
            node = node.items[part] if part < len(node.items) else None
        else:
            return None
    return node


def too_deep(line: int | None, column: int | None) -> DocumentError:
    """Return the error for lists and mappings nested beyond `MAX_DEPTH`."""
    return DocumentError(f"nested more than {MAX_DEPTH} levels deep", line, column)


def too_many(line: int | None, column: int | None) -> DocumentError:
    """Return the error for more than `MAX_VALUES` values."""
    return DocumentError(
        f"more than {MAX_VALUES:,} values (an alias counts as everything it stands for); "
        "split the flow",
        line,
        column,
    )


def pointed(line: str, column: int) -> str | None:
    """Return a line with a caret under `column`, counted from 1, or None if it is unprintable."""
    line = line.expandtabs(1)
    if not line.isprintable():
        return None
    start = max(0, column - _WINDOW)
    before = line[start : column - 1]
    wide = sum(east_asian_width(char) in "WF" for char in before)
    return f"{before}{line[column - 1 : column + _WINDOW]}\n{' ' * (len(before) + wide)}^"


_WINDOW = 40
