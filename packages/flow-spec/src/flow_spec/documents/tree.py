"""A flow file as a tree of scalars, sequences and mappings, before any field gives it a meaning.

YAML and JSON are read into the same classes, so that one set of rules checks both. The limits of a
tree live here, and the merge key of YAML (`<<`): what is merged stands in the tree as if it were
written there, but keeps its original position. A merge key that cannot be followed stays in the
tree, and `fields.reading` reports it (rule 10.4).

A problem knows where the value it is about begins. A mark adds how far the value reaches, and where
a part of it stands, for showing the line with carets.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum, auto
from itertools import pairwise

import attrs

from flow_spec.errors import Mark, Problem, Span, quoted

type NodePath = tuple[str | int, ...]
"""The way from the root to a value: keys of mappings and positions in lists."""

MAX_DEPTH = 100
"""Levels of lists and mappings. No flow needs ten; a hundred thousand would exhaust a stack."""

MAX_VALUES = 200_000
"""Values in one file; an alias counts as everything it stands for (10,000 steps have 200,000)."""


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
    """A part of the tree, with its position, and in YAML perhaps a tag and an anchor."""

    line: int = 0
    column: int = 0
    tag: str | None = None
    anchor: str | None = None


@attrs.define(eq=False)
class ScalarNode(Node):
    """One value, still in the characters of the file.

    `folded` means that YAML has joined its lines.
    """

    text: str
    form: Form
    folded: bool = attrs.field(default=False, kw_only=True)


@attrs.define(eq=False)
class SequenceNode(Node):
    """A list."""

    items: list[Node]


@attrs.define(eq=False)
class MappingNode(Node):
    """Pairs of key and value in the order of the file, repeated keys included."""

    entries: list[tuple[Node, Node]]
    _by_key: dict[str, Node] | None = attrs.field(default=None, init=False, repr=False)

    def by_key(self) -> Mapping[str, Node]:
        """Return the entries whose key is text, once all are there; many readers ask for them."""
        if self._by_key is None:
            self._by_key = dict(self.texts())
        return self._by_key

    def texts(self) -> Iterator[tuple[str, Node]]:
        """Yield the entries whose key is text."""
        for key, value in self.entries:
            if isinstance(key, ScalarNode) and key.tag is None:
                yield key.text, value


def written(path: NodePath) -> str:
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


def node_at(node: Node | None, path: NodePath) -> Node | None:
    """Return the node at a path below a node, or None."""
    for part in path:
        if isinstance(node, MappingNode):
            node = next((value for text, value in node.texts() if text == part), None)
        elif isinstance(node, SequenceNode) and isinstance(part, int):
            node = node.items[part] if part < len(node.items) else None
        else:
            return None
    return node


def nearest(root: Node, path: NodePath) -> Node:
    """Return the node at a path, or at as much of it as there is."""
    found = (node_at(root, path[:length]) for length in range(len(path), 0, -1))
    return next(filter(None, found), root)


def is_empty(node: Node | None) -> bool:
    """Whether a key or an item of YAML has no value."""
    return isinstance(node, ScalarNode) and node.form is Form.BARE and not node.text


def is_null(node: Node | None) -> bool:
    """Whether a key has no value, or `null` or `~`, which YAML takes for none."""
    if not isinstance(node, ScalarNode) or node.form not in {Form.BARE, Form.NULL}:
        return False
    return node.text in {"", "null", "~"}


def items_of(node: Node | None) -> list[Node]:
    """Return the items of a list; none if it is something else."""
    return node.items if isinstance(node, SequenceNode) else []


def spelling(node: Node, form: Form) -> str | None:
    """Return the characters of a bare YAML scalar or of a scalar of this form, else None."""
    if isinstance(node, ScalarNode) and node.form in {Form.BARE, form}:
        return node.text
    return None


def is_merge_key(key: Node) -> bool:
    """Whether a key is `<<` without quotes; in quotes, and in JSON, it is text."""
    return (
        isinstance(key, ScalarNode)
        and key.text == "<<"
        and key.form is Form.BARE
        and key.tag is None
    )


def flaw_of_merged(value: Node) -> Node | None:
    """Return the first node that a merge key cannot merge, or None if it can be followed."""
    nodes = value.items if isinstance(value, SequenceNode) and value.tag is None else [value]
    return next((node for node in nodes if not isinstance(node, MappingNode) or node.tag), None)


def follow_merge_key(mapping: MappingNode) -> None:
    """Append the merged entries to a mapping's own entries.

    Own keys win; of several mappings, the earlier one wins. The size is bounded: an alias was
    counted as everything it stands for before (rule 2.8).
    """
    at = next((at for at, (key, _) in enumerate(mapping.entries) if is_merge_key(key)), None)
    if at is None or flaw_of_merged(mapping.entries[at][1]) is not None:
        return
    _, merged = mapping.entries.pop(at)
    taken = {name for name, _ in mapping.texts()}
    for base in merged.items if isinstance(merged, SequenceNode) else [merged]:
        if isinstance(base, MappingNode):
            mapping.entries += [
                (key, value)
                for key, value in base.entries
                if not isinstance(key, ScalarNode) or key.tag is not None or key.text not in taken
            ]
            # Only now: a key that one mapping has twice is a mistake, and is to be reported.
            taken.update(name for name, _ in base.texts())


_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_QUOTED = re.compile(r"""'(?:[^']|'')*'?|"(?:[^"\\]|\\.)*"?""")
_PLAIN = re.compile(r".+?(?=\s*$|\s+#|\s*:(?:\s|$))")
_PLAIN_IN_FLOW = re.compile(r".+?(?=\s*(?:$|\s#|:(?:\s|$)|[,\]}]))")
_LONGEST_VALUE = 200  # lines of a value in which a part of it is looked for


def with_marks[P: Problem](problems: Iterable[P], text: str) -> tuple[P, ...]:
    """Return the problems with the characters that each is about, as far as known."""
    lines = _LINE_BREAK.split(text)
    return tuple(attrs.evolve(problem, mark=_mark_of(problem, lines)) for problem in problems)


def _mark_of(problem: Problem, lines: Sequence[str]) -> Mark | None:
    if problem.line is None or problem.line > len(lines):
        return None
    if problem.column is None:
        return Mark(problem.line, 1, 0, lines[problem.line - 1])
    if problem.span is not None:
        found = _part(problem.span, lines, problem.line, problem.column)
        if found is not None:
            return found
    line = lines[problem.line - 1]
    return Mark(problem.line, problem.column, _length(line, problem.column), line)


def _length(line: str, column: int) -> int:
    before, rest = line[: column - 1], line[column - 1 :]
    if not rest or rest[0] in "[{|> \t" or rest.startswith("- "):
        return 1
    pattern = _PLAIN_IN_FLOW if "[" in before or "{" in before else _PLAIN
    found = _QUOTED.match(rest) if rest[0] in "'\"" else pattern.match(rest)
    return 1 if found is None else len(found[0])


def _part(span: Span, lines: Sequence[str], line: int, column: int) -> Mark | None:
    """Find a part of a value that begins at a line and column; None if it has escapes."""
    rest, places = _places(span.text, lines, line, column)
    if not places:
        return None
    begin = places[span.start]
    end = places[span.end - 1] + 1 if span.end > span.start else begin + 1
    above = rest.count("\n", 0, begin)
    first = rest.rfind("\n", 0, begin) + 1
    last = rest.find("\n", begin)
    length = max(1, min(end, len(rest) if last < 0 else last) - begin)
    at = begin - first + (0 if above else column - 1)
    return Mark(line + above, at + 1, length, lines[line - 1 + above])


def _places(text: str, lines: Sequence[str], line: int, column: int) -> tuple[str, list[int]]:
    """Return the file from a line and column on, and the place in it of each letter of a value.

    The file may have broken the value into lines, so blanks are not compared. There are no places
    if the value has escapes.
    """
    rest = "\n".join([lines[line - 1][column - 1 :], *lines[line : line + _LONGEST_VALUE]])
    place = rest.find("\n") + 1 if rest[:1] in {"|", ">"} else int(rest[:1] in {"'", '"'})
    places: list[int] = []
    for letter in text:
        if letter.isspace():
            places.append(place)
            continue
        while place < len(rest) and rest[place].isspace():
            place += 1
        if place == len(rest) or rest[place] != letter:
            return rest, []
        places.append(place)
        place += 1
    return rest, [*places, place]


def joins_in(node: ScalarNode, text: str) -> Iterator[int]:
    """Yield the places in a folded value where YAML has made a blank of a line break of the file.

    `text` is the file. Nothing is known of a value that has escapes or is very long.
    """
    if not node.folded:
        return
    rest, places = _places(node.text, _LINE_BREAK.split(text), node.line, node.column)
    for at, (begin, end) in enumerate(pairwise(places)):
        if node.text[at] == " " and "\n" in rest[begin:end]:
            yield at
