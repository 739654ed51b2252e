"""The value of the key `foreach`: the lists of a block, and the copies that they stand for (10.3).

They are read before all else, as `overview` asks for it: conditions anywhere may name copies. How a
block is read as a whole is in `foreach`.
"""

from collections.abc import Iterator
from collections.abc import Sequence as Sequence_
from itertools import product
from math import prod

import attrs

from flow_spec import foreach_messages, messages
from flow_spec.blocks import MOST_CHARACTERS, MOST_STEPS, labels_of
from flow_spec.containers import ListOf
from flow_spec.document import MAX_VALUES, Mapping, Node, Path, Scalar, Sequence
from flow_spec.errors import ListError, quoted
from flow_spec.kinds import FILE, Line, Text, Word
from flow_spec.lists import GLOB, LINES, ValueList
from flow_spec.params import flaw_of_param_name
from flow_spec.placeholders import OPENING, flaws_of_names, names_in
from flow_spec.reading import BlockLists, Reading

FOREACH = "foreach"
ORIGINS = (LINES, GLOB)
OF_LISTS = ("FLOW_DIR",)
"""The names that may stand in the path of a list."""

_PATH = Line(max_length=FILE.max_length)

type Values = tuple[str, ...]


@attrs.frozen(eq=False)
class Value(Word):
    """A word that is one of the values of a name: what looks like a name in it is text."""

    def _check(self, text: str, node: Node, path: Path, reading: Reading) -> None:
        Text._check(self, text, node, path, reading)


@attrs.define
class Room:
    """How many more steps, and characters in them, the copies of a file may have (rule 2.8)."""

    steps: int
    characters: int = MOST_CHARACTERS

    def flaw(self, lists: "_Lists", inner: Sequence_[Node]) -> str | None:
        """Say why there is no room for the copies of these steps, or take what they need.

        Each placeholder in a step may take all values once more.
        """
        copies = lists.copies
        steps = copies * max(1, len(inner))
        texts = [text for step in inner for text in _texts(step)]
        holders = sum(text.count(OPENING) for text in texts)
        if steps > self.steps:
            return foreach_messages.too_many_copies(MOST_STEPS)
        if copies * len(lists.names) > MAX_VALUES:
            return foreach_messages.too_many_values(MAX_VALUES)
        characters = copies * sum(map(len, texts)) + lists.size() * (1 + holders)
        if characters > self.characters:
            return foreach_messages.too_large_copies(MOST_CHARACTERS)
        self.steps -= steps
        self.characters -= characters
        return None


def _texts(node: Node) -> Iterator[str]:
    """Yield the texts in a step that each copy has for itself: all but its script."""
    match node:
        case Scalar():
            yield node.text
        case Sequence():
            for item in node.items:
                yield from _texts(item)
        case Mapping():
            for key, value in node.texts():
                if key != "script":
                    yield from _texts(value)


def note_lists(
    node: Node, path: Path, reading: Reading, inner: Sequence_[Node], room: Room
) -> BlockLists:
    """Read the lists of a block with these steps, whose `foreach` is this node.

    That comes before anything else is read: conditions anywhere may name its copies.
    """
    problems = len(reading.problems)
    if node.tag is not None:
        reading.add(messages.tag(node), path, node)
        return BlockLists()
    if isinstance(node, Mapping):
        lists = _by_name(node, path, reading)
    elif isinstance(node, Sequence):
        lists = _row_by_row(node, path, reading)
    else:
        reading.add(foreach_messages.no_foreach(node), path, node)
        return BlockLists()
    if len(reading.problems) > problems or lists.are_incomplete:
        return BlockLists(lists.names)
    flaw = room.flaw(lists, inner)
    if flaw is not None:
        reading.add(flaw, path, node)
        return BlockLists(lists.names)
    rows = lists.expanded()
    if isinstance(node, Sequence) and _has_repeated(rows, node, path, reading):
        return BlockLists(lists.names)
    return BlockLists(lists.names, rows, dict.fromkeys(labels_of(rows)), lists.lists)


@attrs.frozen
class _Lists:
    """The names, with a list of values for each, or `rows` of values that belong together."""

    names: tuple[str, ...]
    lists: tuple[ValueList, ...] = ()
    rows: tuple[dict[str, str], ...] | None = None

    @property
    def are_incomplete(self) -> bool:
        """Whether some list is not known."""
        return self.rows is None and len(self.lists) < len(self.names)

    @property
    def copies(self) -> int:
        """How many copies they stand for."""
        if self.rows is not None:
            return len(self.rows)
        return prod(len(one.values) for one in self.lists)

    def size(self) -> int:
        """Return how many characters the values of all copies have together."""
        if self.rows is not None:
            return sum(len(value) for row in self.rows for value in row.values())
        return sum(
            sum(map(len, one.values)) * (self.copies // len(one.values))
            for one in self.lists
            if one.values
        )

    def expanded(self) -> tuple[Values, ...]:
        """Return the values of each copy, one for each name; what a row leaves out is empty."""
        if self.rows is None:
            return tuple(product(*(one.values for one in self.lists)))
        return tuple(tuple(row.get(name, "") for name in self.names) for row in self.rows)


def _by_name(node: Mapping, path: Path, reading: Reading) -> _Lists:
    """Read a mapping of names to lists, of which every combination is meant."""
    names = []
    lists = []
    for name, key, value in reading.keys_of(node, path):
        flaw = flaw_of_param_name(name)
        if name in ORIGINS and isinstance(value, Scalar):
            flaw = foreach_messages.list_without_name(name, value)
        if flaw is not None:
            reading.add(flaw, (*path, name), key)
            continue
        names.append(name)
        if isinstance(value, Mapping) and value.tag is None:
            found = _from_elsewhere(name, value, (*path, name), reading)
        else:
            values = values_of(name).read(value, (*path, name), reading)
            found = None if values is None else ValueList(name, values)
        lists += [] if found is None else [found]
    if not node.entries:
        reading.add(foreach_messages.no_foreach(node), path, node)
    return _Lists(tuple(names), tuple(lists))


def values_of(name: str) -> ListOf:
    """Return the kind of a list that gives a name its values."""
    word = Value(beside=len(f"{name}="))
    return ListOf(word, "values", "[berlin, paris]", min_items=1, distinct=True)


def _from_elsewhere(name: str, node: Mapping, path: Path, reading: Reading) -> ValueList | None:
    """Read the values that a file or file names are; None where that fails."""
    entries = list(reading.keys_of(node, path))
    if len(entries) != 1 or entries[0][0] not in ORIGINS:
        reading.add(foreach_messages.no_values(node), path, node)
        return None
    ((origin, _, value),) = entries
    place = (*path, origin)
    problems = len(reading.problems)
    text = _PATH.read(value, place, reading)
    if len(reading.problems) > problems:
        return None
    if not _is_known_by_now(text, place, value, reading):
        return None
    try:
        values = tuple(reading.read_list(origin, text, reading.path_params.values))
    except ListError as error:
        reading.add(f"{quoted(text)} {error}", place, value)
        return None
    flaw = _flaw_of_values(values, name)
    if flaw is not None:
        reading.add(flaw, place, value)
        return None
    return ValueList(name, values, origin, text)


def _is_known_by_now(text: str, path: Path, node: Node, reading: Reading) -> bool:
    """Whether the names in the path of a list have values before there is a run (rule 10.2)."""
    held, params = dict.fromkeys(names_in(text)), reading.path_params
    others = [name for name in held if name not in OF_LISTS]
    flaws = [str(flaw.message) for flaw in flaws_of_names(text, held, reading.speller)]
    if params.are_known:
        flaws += [
            foreach_messages.wrong_in_path(name, params.flaws[name])
            if name in params.flaws
            else foreach_messages.not_known_by_now(name)
            for name in others
            if name not in params.values or name in params.flaws
        ]
    for flaw in flaws:
        reading.add(flaw, path, node)
    return not flaws and (params.are_known or not others)


def _flaw_of_values(values: Values, name: str) -> str | None:
    """Return what is wrong with values that stand in no flow file, or None."""
    word, known = Word(beside=len(f"{name}=")), set[str]()
    for value in values:
        flaw = word.flaw(value)
        if flaw is not None:
            return foreach_messages.wrong_value(value, flaw)
        if value in known:
            return foreach_messages.gives_twice(value)
        known.add(value)
    return None


def _row_by_row(node: Sequence, path: Path, reading: Reading) -> _Lists:
    """Read a list of mappings, each of which is one copy."""
    if not node.items:
        reading.add(messages.empty_list("[{GO: '1.21', OPTS: -race}, {GO: '1.19'}]"), path, node)
    rows: list[dict[str, str]] = []
    for index, item in enumerate(node.items):
        place = (*path, index)
        if not isinstance(item, Mapping) or item.tag is not None:
            reading.add(foreach_messages.no_row(item), place, item)
            continue
        rows.append({})
        for name, key, value in reading.keys_of(item, place):
            flaw = flaw_of_param_name(name)
            if flaw is not None:
                reading.add(flaw, (*place, name), key)
            word = Value(beside=len(f"{name}="))
            rows[-1][name] = word.read(value, (*place, name), reading)
    names = tuple(dict.fromkeys(name for row in rows for name in row))
    if rows and not names:
        reading.add(foreach_messages.no_foreach(node), path, node)
    return _Lists(names, rows=tuple(rows))


def _has_repeated(rows: tuple[Values, ...], node: Sequence, path: Path, reading: Reading) -> bool:
    """Report the rows that have the values of an earlier one."""
    first: dict[Values, int] = {}
    for index, row in enumerate(rows):
        if first.setdefault(row, index) != index:
            reading.add(
                foreach_messages.repeated_row((*path, first[row])),
                (*path, index),
                node.items[index],
            )
    return len(first) < len(rows)
