"""A `foreach`: how it is read from a file, and the plain steps that it expands to (rule 10.3).

A `Block` has its steps as written. Each copy of them has values, and a label that makes its ids
unique. The lists are read in the first pass over a file (`note_lists`), because conditions anywhere
may name copies. The steps are read once, without values, so that each mistake in them is reported
once.
"""

from collections.abc import Iterator, Mapping, Sequence, Set
from itertools import product
from math import prod
from typing import Any

import attrs

from flow_spec.documents.tree import (
    MAX_VALUES,
    MappingNode,
    Node,
    NodePath,
    ScalarNode,
    SequenceNode,
    written,
)
from flow_spec.errors import ListError, Message, quoted
from flow_spec.fields import messages
from flow_spec.fields.env import SETTABLE
from flow_spec.fields.kinds import FILE, Integer, Kind, Line, Schema, Text, Word
from flow_spec.fields.messages import NAME
from flow_spec.fields.params import flaw_of_param_name
from flow_spec.fields.predicates import operands_of
from flow_spec.fields.reading import (
    GLOB,
    LINES,
    OPENING,
    BlockLists,
    Reading,
    ValueList,
    escaped,
    flaws_of_names,
    names_in,
)
from flow_spec.fields.records import Declaration, ListOf, Record
from flow_spec.step import SHELL, STEP, StepSpec, command_of

OF = "@"
"""The separator between the id of a step and the label of a copy; no id in a file has it."""

MOST_STEPS = 10_000
"""Steps of a flow with a block, after expansion."""

MOST_CHARACTERS = 8 * 1024 * 1024
"""Characters in all copies of a flow together, without scripts."""

LONGEST_LABEL = 128


@attrs.frozen
class Copy:
    """One copy of the steps of a block: its label, and a value for each name of the block."""

    label: str
    values: tuple[str, ...]


@attrs.frozen
class Block:
    """A `foreach`: its steps as written, its names, and its copies.

    `before` counts the steps outside of blocks that precede it in the file. `lists` has the values
    of each name, and every combination is a copy. Without lists, each copy is a row in the file.
    """

    names: tuple[str, ...]
    steps: tuple[StepSpec, ...]
    copies: tuple[Copy, ...]
    before: int
    max_parallel: int | None = None
    lists: tuple[ValueList, ...] = ()

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of its steps, as written."""
        return tuple(step.id for step in self.steps)

    @property
    def ids_of_copies(self) -> Iterator[tuple[str, ...]]:
        """The ids of the steps of each copy."""
        return (tuple(copy_id(step.id, copy.label) for step in self.steps) for copy in self.copies)

    def expanded(self) -> Iterator[StepSpec]:
        """Yield the steps of all copies, one copy after the other."""
        own = frozenset(self.ids)
        templates = [(step, _parts(step.when, own)) for step in self.steps]
        for copy in self.copies:
            values = dict(zip(self.names, copy.values, strict=True))
            for step, parts in templates:
                yield _copied(step, parts, own, copy.label, values)


def copy_id(step_id: str, label: str) -> str:
    """Return the id of a copy of a step."""
    return f"{step_id}{OF}{label}"


def base_of(step_id: str) -> str:
    """Return the id of a step as written, given the id of a copy."""
    return step_id.partition(OF)[0]


def labels_of(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Return a label for each copy; no two of them have the same values.

    A label is the copy's values joined by `@`, or its number if a value is not an id. If that makes
    two labels equal, all labels are numbers.
    """
    labels = [
        label
        if all(map(NAME.fullmatch, row)) and len(label := OF.join(row)) <= LONGEST_LABEL
        else str(number)
        for number, row in enumerate(rows, start=1)
    ]
    if len(set(labels)) < len(labels):
        return [str(number) for number in range(1, len(rows) + 1)]
    return labels


def _parts(when: str | None, own: Set[str]) -> tuple[str, ...] | None:
    """Split a condition after each step of the same block, where a copy's label belongs."""
    if when is None:
        return None
    parts, begin = [], 0
    for operand in operands_of(when):
        if operand.name is not None and operand.name in own:
            end = operand.name_start + len(operand.name)
            parts.append(when[begin:end])
            begin = end
    return *parts, when[begin:]


def _copied(
    step: StepSpec,
    parts: tuple[str, ...] | None,
    own: Set[str],
    label: str,
    values: Mapping[str, str],
) -> StepSpec:
    """Return a step for one copy; inside, a name means the same copy's step."""
    step_id = copy_id(step.id, label)
    if "env" in step.fills:  # a value that looks like a name is not one
        values = {name: escaped(text) for name, text in values.items()}
    command = step.command
    if step.script is not None:
        command = command_of(step.script, SHELL, step_id)
    return attrs.evolve(
        step,
        id=step_id,
        command=command,
        when=None if parts is None else f"{OF}{label}".join(parts),
        depends_on=tuple(copy_id(name, label) if name in own else name for name in step.depends_on),
        env=tuple(sorted({**dict(step.env), **values}.items())),
    )


FOREACH = "foreach"
ORIGINS = (LINES, GLOB)
OF_LISTS = ("FLOW_DIR",)
"""The built-in names that the path of a list may hold."""

_PATH = Line(max_length=FILE.max_length)

type Values = tuple[str, ...]


class ListValue(Word):
    """A value of a name; `${{` in it is plain text."""

    def _check(self, text: str, node: Node, path: NodePath, reading: Reading) -> None:
        Text._check(self, text, node, path, reading)


@attrs.define
class CopyBudget:
    """How many more steps and characters the copies of a file may have (rule 2.8)."""

    steps: int
    characters: int = MOST_CHARACTERS

    def flaw(self, lists: "_Lists", inner: Sequence[Node]) -> str | None:
        """Spend what the copies of these steps need, or return why there is not enough.

        Each name in a step may be replaced by all values once more.
        """
        copies = lists.copies
        steps = copies * max(1, len(inner))
        texts = [text for step in inner for text in _texts(step)]
        holders = sum(text.count(OPENING) for text in texts)
        if steps > self.steps:
            return (
                f"stands for more than {MOST_STEPS:,} steps, the most that a flow with foreach can "
                "have; split the flow, or let one step do several values"
            )
        if copies * len(lists.names) > MAX_VALUES:
            return (
                f"has more than {MAX_VALUES:,} values, counted for each copy; "
                "repeat the steps for fewer names"
            )
        characters = copies * sum(map(len, texts)) + lists.size() * (1 + holders)
        if characters > self.characters:
            return (
                f"stands for copies with more than {MOST_CHARACTERS // 1024**2} MiB of text; "
                "shorten what they share, or pass the names of files instead of values"
            )
        self.steps -= steps
        self.characters -= characters
        return None


def _texts(node: Node) -> Iterator[str]:
    """Yield the texts in a step that every copy repeats: all except its script."""
    match node:
        case ScalarNode():
            yield node.text
        case SequenceNode():
            for item in node.items:
                yield from _texts(item)
        case MappingNode():
            for key, value in node.texts():
                if key != "script":
                    yield from _texts(value)


def note_lists(
    node: Node, path: NodePath, reading: Reading, inner: Sequence[Node], budget: CopyBudget
) -> BlockLists:
    """Read the lists of a `foreach`, whose steps are `inner`.

    They are read before anything else, because conditions anywhere may name the copies.
    """
    problems = len(reading.problems)
    if node.tag is not None:
        reading.add(messages.tag(node), path, node)
        return BlockLists()
    if isinstance(node, MappingNode):
        lists = _by_name(node, path, reading)
    elif isinstance(node, SequenceNode):
        lists = _row_by_row(node, path, reading)
    else:
        reading.add(_no_foreach(node), path, node)
        return BlockLists()
    if len(reading.problems) > problems or lists.are_incomplete:
        return BlockLists(lists.names)
    flaw = budget.flaw(lists, inner)
    if flaw is not None:
        reading.add(flaw, path, node)
        return BlockLists(lists.names)
    rows = lists.expanded()
    if isinstance(node, SequenceNode) and _has_repeated(rows, node, path, reading):
        return BlockLists(lists.names)
    return BlockLists(lists.names, rows, dict.fromkeys(labels_of(rows)), lists.lists)


@attrs.frozen
class _Lists:
    """The names, and a list of values for each, or `rows` of values that belong together."""

    names: tuple[str, ...]
    lists: tuple[ValueList, ...] = ()
    rows: tuple[dict[str, str], ...] | None = None

    @property
    def are_incomplete(self) -> bool:
        """Whether a list is unknown."""
        return self.rows is None and len(self.lists) < len(self.names)

    @property
    def copies(self) -> int:
        """How many copies they stand for."""
        if self.rows is not None:
            return len(self.rows)
        return prod(len(one.values) for one in self.lists)

    def size(self) -> int:
        """Return the number of characters in the values of all copies."""
        if self.rows is not None:
            return sum(len(value) for row in self.rows for value in row.values())
        return sum(
            sum(map(len, one.values)) * (self.copies // len(one.values))
            for one in self.lists
            if one.values
        )

    def expanded(self) -> tuple[Values, ...]:
        """Return the values of each copy, one for each name; a value that a row omits is empty."""
        if self.rows is None:
            return tuple(product(*(one.values for one in self.lists)))
        return tuple(tuple(row.get(name, "") for name in self.names) for row in self.rows)


def _no_foreach(node: Node) -> str:
    return (
        "must be a mapping of names to lists, such as {SHOP: [berlin, paris]}, or a list of "
        f"mappings; got {_got(node)}"
    )


def _got(node: Node) -> str:
    """Return what stands in the file, and whether it is empty."""
    empty = (isinstance(node, SequenceNode) and not node.items) or (
        isinstance(node, MappingNode) and not node.entries
    )
    return f"an empty {messages.got(node).split()[-1]}" if empty else messages.got(node)


def _by_name(node: MappingNode, path: NodePath, reading: Reading) -> _Lists:
    """Read a mapping of names to lists; every combination is a copy."""
    flaw_of_key = messages.no_lists(node)
    if flaw_of_key is not None:
        name, message = flaw_of_key
        reading.add(message, (*path, name), dict(node.texts())[name])
        return _Lists((name,))
    names = []
    lists = []
    for name, key, value in reading.keys_of(node, path):
        flaw = flaw_of_param_name(name)
        if name in ORIGINS and isinstance(value, ScalarNode):
            flaw = (
                f"gives its values no name; write foreach: {{NAME: {{{name}: "
                f"{messages.got(value)}}}}}, with a name of your own"
            )
        if flaw is not None:
            reading.add(flaw, (*path, name), key)
            continue
        names.append(name)
        if isinstance(value, MappingNode) and value.tag is None:
            found = _from_elsewhere(name, value, (*path, name), reading)
        else:
            values = values_of(name).read(value, (*path, name), reading)
            found = None if values is None else ValueList(name, values)
        lists += [] if found is None else [found]
    if not node.entries:
        reading.add(_no_foreach(node), path, node)
    return _Lists(tuple(names), tuple(lists))


def values_of(name: str) -> ListOf:
    """Return the kind of a list that gives a name its values."""
    word = ListValue(beside=len(f"{name}="))
    return ListOf(word, "values", "[berlin, paris]", min_items=1, distinct=True)


def _from_elsewhere(
    name: str, node: MappingNode, path: NodePath, reading: Reading
) -> ValueList | None:
    """Read values from a file, or from file names; return None after adding a problem."""
    entries = list(reading.keys_of(node, path))
    if len(entries) != 1 or entries[0][0] not in ORIGINS:
        message = "must be a list of values, such as [berlin, paris], or {lines: FILE} or "
        reading.add(f"{message}{{glob: PATTERN}}; got {_got(node)}", path, node)
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


def _is_known_by_now(text: str, path: NodePath, node: Node, reading: Reading) -> bool:
    """Whether the names in the path of a list have values before the run exists (rule 10.2)."""
    held, params = dict.fromkeys(names_in(text)), reading.path_params
    others = [name for name in held if name not in OF_LISTS]
    flaws = [str(flaw.message) for flaw in flaws_of_names(text, held, reading.speller)]
    if params.are_known:
        flaws += [
            f"needs the parameter {name}, which {params.flaws[name]}"
            if name in params.flaws
            else f"a list is read before its run begins, and ${{{{ {name} }}}} has no value then; "
            "only ${{ FLOW_DIR }} and parameters have"
            for name in others
            if name not in params.values or name in params.flaws
        ]
    for flaw in flaws:
        reading.add(flaw, path, node)
    return not flaws and (params.are_known or not others)


def _flaw_of_values(values: Values, name: str) -> str | None:
    """Return what is wrong with values from outside the flow file, or None."""
    word, known = Word(beside=len(f"{name}=")), set[str]()
    for value in values:
        flaw = word.flaw(value)
        if flaw is not None:
            return f"gives {quoted(value)}, which {flaw}"
        if value in known:
            return f"gives {quoted(value)} twice; the steps would run twice for it"
        known.add(value)
    return None


def _row_by_row(node: SequenceNode, path: NodePath, reading: Reading) -> _Lists:
    """Read a list of mappings; each is one copy."""
    if not node.items:
        example = "[{GO: '1.21', OPTS: -race}, {GO: '1.19'}]"
        reading.add(f"must not be empty: write a list such as {example}", path, node)
    rows: list[dict[str, str]] = []
    for index, item in enumerate(node.items):
        place = (*path, index)
        if not isinstance(item, MappingNode) or item.tag is not None:
            message = "must be a mapping of names to values, such as {GO: '1.21'}; got "
            reading.add(message + messages.got(item), place, item)
            continue
        rows.append({})
        for name, key, value in reading.keys_of(item, place):
            flaw = flaw_of_param_name(name)
            if flaw is not None:
                reading.add(flaw, (*place, name), key)
            word = ListValue(beside=len(f"{name}="))
            rows[-1][name] = word.read(value, (*place, name), reading)
    names = tuple(dict.fromkeys(name for row in rows for name in row))
    if rows and not names:
        reading.add(_no_foreach(node), path, node)
    return _Lists(names, rows=tuple(rows))


def _has_repeated(
    rows: tuple[Values, ...], node: SequenceNode, path: NodePath, reading: Reading
) -> bool:
    """Report the rows that repeat the values of an earlier one."""
    first: dict[Values, int] = {}
    for index, row in enumerate(rows):
        if first.setdefault(row, index) != index:
            same = f"has the same values as {written((*path, first[row]))}"
            message = f"{same}: the steps would run twice for them"
            reading.add(message, (*path, index), node.items[index])
    return len(first) < len(rows)


class ForeachLists(Kind):
    """The value of the key `foreach`, which the first pass has read."""

    def schema(self) -> Schema:
        """Describe the mapping of lists, and the list of mappings."""
        names = {"type": "object", "propertyNames": {"pattern": SETTABLE}}
        word, path = Word().schema(), FILE.schema()
        origins = [
            {"properties": {origin: path}, "required": [origin], "additionalProperties": False}
            for origin in ORIGINS
        ]
        source = {"type": "object", "oneOf": origins}
        by_name = {"additionalProperties": {"anyOf": [values_of("").schema(), source]}}
        by_row = {"additionalProperties": word}
        rows = {"type": "array", "items": names | by_row, "minItems": 1, "uniqueItems": True}
        return {"anyOf": [names | by_name | {"minProperties": 1}, rows]}

    def read(self, node: Node, path: NodePath, reading: Reading) -> BlockLists:
        """Return the lists of the first pass; report names that are parameters, now known."""
        lists = reading.blocks[path[:2]]
        for name in lists.names:
            if reading.names.declares(name, path[:1]):
                message = (
                    "is a parameter, which every step has under this name; "
                    "give the values another one"
                )
                reading.add(message, (*path, name), node)
        return lists

    def _read(self, node: Node, path: NodePath, reading: Reading) -> BlockLists:
        return self.read(node, path, reading)


class BlockRecord(Record):
    """A mapping with `foreach` and the steps that it repeats."""

    def fields(self) -> dict[str, Declaration]:
        """Return the fields of a block."""
        return _FIELDS

    def _skips(self, name: str) -> bool:
        return super()._skips(name) and name not in STEP.fields()

    def _unknown(self, name: str, given: Mapping[str, Node], reading: Reading) -> Message:
        if name in STEP.fields():
            field = quoted(name)
            return f"foreach repeats the steps in its own list: write {field} of a step in there"
        return super()._unknown(name, given, reading)

    def _made(
        self, values: dict[str, Any], _node: MappingNode, _path: NodePath, reading: Reading
    ) -> Any:
        if reading.problems:
            return None
        lists: BlockLists = values[FOREACH]
        copies = tuple(map(Copy, lists.labels or (), lists.rows))
        return Block(
            names=lists.names,
            steps=values["steps"],
            copies=copies,
            before=0,
            max_parallel=values.get("max_parallel"),
            lists=lists.lists,
        )


class StepOrBlock(Kind):
    """An item of `steps`."""

    def schema(self) -> Schema:
        """Recognize a block by its key, so that errors are about the right alternative."""
        has_foreach: Schema = {"type": "object", "required": [FOREACH]}
        return {"if": has_foreach, "then": BLOCK.schema(), "else": STEP.schema()}

    def _read(self, node: Node, path: NodePath, reading: Reading) -> Any:
        is_block = path in reading.blocks
        return (BLOCK if is_block else STEP).read(node, path, reading)


_FIELDS = {
    FOREACH: Declaration(
        ForeachLists(),
        "Names with lists of values: the steps are run once for each combination of these.",
        default=attrs.NOTHING,
        examples=(
            {"SHOP": ["berlin", "paris"]},
            {"DAY": {LINES: "days.txt"}},
            {"FILE": {GLOB: "data/*.csv"}},
            [{"GO": "1.21", "OPTS": "-race"}, {"GO": "1.19"}],
        ),
    ),
    "steps": Declaration(
        ListOf(STEP, "steps", '[{id: load, command: [echo, "${{ SHOP }}"]}]', min_items=1),
        "The steps that are repeated; inside, a name means the same copy's step.",
        default=attrs.NOTHING,
        examples=([{"id": "load", "command": ["./load"]}],),
    ),
    "max_parallel": Declaration(
        Integer(minimum=1, maximum=1_000_000),
        "How many copies may be under way at once.",
        examples=(4,),
        default=None,
    ),
}
BLOCK = BlockRecord(Block, "a foreach")
STEPS_AND_BLOCKS = ListOf(
    StepOrBlock(), "steps", "[{id: hello, command: [echo, hello]}]", min_items=1
)
