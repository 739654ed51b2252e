"""A `foreach`: how it is read from a file, and the plain steps that it expands to (rule 10.3).

A `Block` has its steps as written. Each copy of them has values, and a label that makes its ids
unique. The lists are read in the first pass over a file (`note_lists`), because conditions anywhere
may name copies. The steps are read once, without values, so that each mistake in them is reported
once.

A step with a `foreach` of its own is read as the block that repeats this step. Nothing after the
reading can tell the two spellings apart.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from functools import cached_property
from itertools import chain, product
from math import prod
from typing import Any

import attrs

from flow_spec.documents.tree import (
    MAX_VALUES,
    MappingNode,
    Node,
    ScalarNode,
    SequenceNode,
    is_empty,
    written,
)
from flow_spec.errors import Advised, ListError, quoted
from flow_spec.fields import messages
from flow_spec.fields.kinds import (
    FILE,
    LONGEST_PATH,
    Boolean,
    Integer,
    Kind,
    Schema,
    Text,
    Word,
    line,
)
from flow_spec.fields.reading import (
    FOREACH,
    GLOB,
    LINES,
    NAME_LIKE,
    OPENING,
    ORIGINS,
    SPLIT,
    STEPS,
    BlockLists,
    Cursor,
    ValueList,
    escaped,
    filled,
    flaws_of_names,
    names_in,
)
from flow_spec.fields.records import NAMED, Declaration, ListOf, Record, flaw_of_param_name
from flow_spec.step import (
    OF,
    SHELL,
    STEP,
    UNBOUNDED,
    StepRecord,
    StepSpec,
    command_of,
    copy_id,
)

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
        templates = [(step, _parts(step, own)) for step in self.steps]
        for copy in self.copies:
            values = dict(zip(self.names, copy.values, strict=True))
            for step, parts in templates:
                yield _copied(step, parts, own, copy.label, values)


def labels_of(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Return a label for each copy; no two of them have the same values.

    A label is the copy's values joined by `@`, or its number if a value is not an id. If that makes
    two labels equal, all labels are numbers.
    """
    labels = [
        label
        if all(map(NAME_LIKE.fullmatch, row)) and len(label := OF.join(row)) <= LONGEST_LABEL
        else str(number)
        for number, row in enumerate(rows, start=1)
    ]
    if len(set(labels)) < len(labels):
        return [str(number) for number in range(1, len(rows) + 1)]
    return labels


def _parts(step: StepSpec, own: Set[str]) -> tuple[str, ...] | None:
    """Split a condition after each step of the same block, where a copy's label belongs."""
    when = step.when
    if when is None:
        return None
    parts, begin = [], 0
    for operand in step.occurrences:
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


ITEM = "ITEM"
"""The name of the values in a list without a name."""

FLOW_DIR = "FLOW_DIR"
"""The built-in name that the path of a list may hold."""

MAX_PARALLEL = "max_parallel"
AT = "at"
"""The key beside `split` for the separator."""
ALLOW_EMPTY = "allow_empty"
"""The key beside each of them that lets a run have no copies."""

_KEYS_OF = {
    LINES: {LINES, ALLOW_EMPTY},
    GLOB: {GLOB, ALLOW_EMPTY},
    SPLIT: {SPLIT, AT, ALLOW_EMPTY},
}
"""The keys of a mapping in place of a list, by the one that it must have."""

_BLANK = " \t\r\n"
_BLANKS = re.compile(f"[{_BLANK}]+")
_PATH = line(LONGEST_PATH)

type Values = tuple[str, ...]


_SPLIT_TEXT = Text(
    Word().flaw, Word().schema() | {"pattern": rf"^[{_BLANK}]*[^\x00{_BLANK}][^\x00]*$"}
)
_SEPARATOR = Text(
    lambda text: None if text else Advised("must not be empty", "leave it out to split at blanks"),
    {"minLength": 1},
)


def _word_of(name: str) -> Word:
    """Return the kind of a value of this name; `${{` in it is plain text."""
    return Word(beside=len(f"{name}="), is_filled=False)


class ValuesOf(Kind):
    """The values of a name: a list, or a mapping that says where they come from."""

    name: str

    def schema(self) -> Schema:
        """Describe the list, and each origin."""
        path = FILE.schema()
        split = {SPLIT: _SPLIT_TEXT.schema(), AT: _SEPARATOR.schema()}
        origins = [
            {
                "properties": {**keys, ALLOW_EMPTY: Boolean().schema()},
                "required": [next(iter(keys))],
                "additionalProperties": False,
            }
            for keys in (*({origin: path} for origin in ORIGINS), split)
        ]
        return {"anyOf": [self._list.schema(), {"type": "object", "oneOf": origins}]}

    @property
    def _list(self) -> ListOf:
        return ListOf(_word_of(self.name), "values", "[berlin, paris]", min_items=1, distinct=True)

    def _read(self, here: Cursor) -> ValueList | None:
        if not here.is_mapping:
            found = self._list.read(here)
            return None if found is None else ValueList(self.name, found)
        values = {key: value for key, _, value in here.entries()}
        for origin, keys in _KEYS_OF.items():
            if origin in values and values.keys() <= keys:
                return self._from(origin, values)
        here.must_be(
            "a list of values, such as [berlin, paris], or {lines: FILE}, {glob: PATTERN} or "
            "{split: TEXT, at: ','}"
        )
        return None

    def _from(self, origin: str, given: Mapping[str, Cursor]) -> ValueList | None:
        here = given[origin]
        reading, is_split = here.reading, origin == SPLIT
        problems = len(reading.problems)
        text = (_SPLIT_TEXT if is_split else _PATH).read(here)
        at = _SEPARATOR.read(given[AT]) if AT in given else None
        allow_empty = ALLOW_EMPTY in given and Boolean().read(given[ALLOW_EMPTY])
        if len(reading.problems) > problems:
            return None
        if not _is_known_by_now(here, () if is_split else (FLOW_DIR,)):
            return None
        known = {FLOW_DIR: reading.flow_dir}
        for name, param in (reading.params or {}).items():
            if param is not None and (value := param.value_in(reading.given)) is not None:
                known[name] = value
        # A text that holds no parameters stands for the same list in every run.
        is_open = not is_split or next(names_in(text), None) is not None
        try:
            if is_split:
                values = _split(text, at, known)
            else:
                values = tuple(reading.read_list(origin, text, known))
            self._check(values, may_be_empty=is_open)
        except ListError as error:
            here.add(str(error) if is_split else f"{quoted(text)} {error}")
            return None
        return ValueList(self.name, values, *((origin, text, at, allow_empty) if is_open else ()))

    def _check(self, values: Values, *, may_be_empty: bool) -> None:
        if not (values or may_be_empty):
            raise ListError("must hold a value")
        word, known = _word_of(self.name), set[str]()
        for value in values:
            if flaw := word.flaw(value):
                raise ListError(f"gives {quoted(value)}, which {flaw}")
            if value in known:
                raise ListError(f"gives {quoted(value)} twice; the steps would run twice for it")
            known.add(value)


def _split(text: str, at: str | None, known: Mapping[str, str]) -> Values:
    if len(text) + sum(len(known[name]) for name in names_in(text)) > MOST_CHARACTERS:
        raise ListError(
            f"stands for more than {MOST_CHARACTERS // 1024**2} MiB of text; shorten it"
        )
    text = filled(text, known)
    parts = _BLANKS.split(text) if at is None else text.split(at)
    return tuple(value for part in parts if (value := part.strip(_BLANK)))


def _is_known_by_now(here: Cursor, built_in: Collection[str]) -> bool:
    """Whether the names in the text of a list have values before the run exists (rule 10.2)."""
    held, params = dict.fromkeys(names_in(here.text)), here.reading.params or {}
    problems = len(here.reading.problems)
    for message, _ in flaws_of_names(here.text, held, here.reading.speller):
        here.add(str(message))
    for name in (name for name in held if name not in built_in):
        param = params.get(name)
        if name not in params:
            known = [*(f"${{{{ {name} }}}}" for name in built_in), "parameters"]
            when = "a list is read before its run begins"
            rest = f"has no value then; only {' and '.join(known)} have"
            here.add(f"{when}, and ${{{{ {name} }}}} {rest}")
        elif param is not None and (
            wrong := param.flaw_of(value := param.value_in(here.reading.given))
        ):
            message = f"needs the parameter {name}, which {wrong}"
            here.add(message, param=name if value is None else None)
    is_read = all(params.get(name, True) is not None for name in held)
    return is_read and len(here.reading.problems) == problems


@attrs.define
class CopyBudget:
    """How many more steps and characters the copies of a file may have (rule 2.8)."""

    steps: int
    characters: int = MOST_CHARACTERS

    def rows(
        self, lists: BlockLists, by_name: Sequence[Mapping[str, str]], inner: Sequence[Cursor]
    ) -> tuple[Values, ...]:
        """Spend what the copies of these steps need; return the values of each copy.

        These are given `by_name` of each copy, or the copies combine the `lists`. Each name in a
        step may be replaced by all values once more.

        Raises:
            ListError: There is not enough left.
        """
        values = [one.values for one in lists.lists]
        copies = len(by_name) if by_name else prod(map(len, values))
        steps = copies * max(1, len(inner))
        if steps > self.steps:
            raise ListError(
                f"stands for more than {MOST_STEPS:,} steps, the most that a flow with foreach can "
                "have; split the flow, or let one step do several values"
            )
        few = copies * len(lists.names) <= MAX_VALUES
        given = (tuple(row.get(name, "") for name in lists.names) for row in by_name)
        rows = tuple(given if by_name else product(*values)) if few else ()
        texts = [text for step in inner for text in _texts(step.node, besides=_NOT_COPIED)]
        size = sum(map(len, chain.from_iterable(rows)))
        characters = copies * sum(map(len, texts))
        characters += size * (1 + sum(text.count(OPENING) for text in texts))
        if not few or characters > self.characters:
            raise ListError(
                f"stands for copies with more than {MOST_CHARACTERS // 1024**2} MiB of text, or "
                f"more than {MAX_VALUES:,} values; shorten what they share, or pass the names of "
                "files instead of values"
            )
        self.steps -= steps
        self.characters -= characters
        return rows


_NOT_COPIED = frozenset({"script", FOREACH, MAX_PARALLEL})
"""The keys of a step whose texts its copies do not repeat."""


def _texts(node: Node, besides: Set[str] = frozenset()) -> Iterator[str]:
    match node:
        case ScalarNode():
            yield node.text
        case SequenceNode():
            for item in node.items:
                yield from _texts(item)
        case MappingNode():
            for key, value in node.texts():
                if key not in besides:
                    yield from _texts(value)


def note_lists(here: Cursor, inner: Sequence[Cursor], budget: CopyBudget) -> BlockLists:
    """Read the lists of a `foreach`, whose steps are `inner`.

    They are read before anything else, because conditions anywhere may name the copies.
    """
    if here.node.tag is not None or is_empty(here.node):
        return BlockLists()  # which is reported as of any other value
    before = len(here.reading.problems)
    found, by_name = _read_lists(here)
    # A list that is not known needs a parameter that is wrong.
    is_known = bool(by_name) or len(found.lists) == len(found.names)
    if len(here.reading.problems) > before or not is_known:
        return found
    try:
        rows = budget.rows(found, by_name, inner)
    except ListError as error:
        here.add(str(error))
        return found
    if by_name and _has_repeated(rows, here):
        return found
    return found._replace(rows=rows, labels=dict.fromkeys(labels_of(rows)))


type _Read = tuple[BlockLists, Sequence[Mapping[str, str]]]
"""Names, with the lists of their values as far as these are known, or the values of each copy."""


def _read_lists(here: Cursor) -> _Read:
    given = here.given
    is_mapping = isinstance(here.node, MappingNode) and bool(here.node.entries)
    are_scalars = all(isinstance(value, ScalarNode) for value in given.values())
    is_source = are_scalars and not given.keys().isdisjoint(_KEYS_OF)
    if is_mapping and not is_source:
        return _by_name(here)
    if any(item.is_mapping for item in here.items()):
        return _row_by_row(here)
    if not (is_mapping or here.is_list):
        _refuse(here)
        return BlockLists((ITEM,), is_named=False), ()
    lists = tuple(filter(None, [ValuesOf(ITEM).read(here)]))
    return BlockLists((ITEM,), lists=lists, is_named=False), ()


def _refuse(here: Cursor) -> None:
    here.must_be(
        "a list, a mapping of names to lists, such as {SHOP: [berlin, paris]}, or a list of "
        "mappings",
        messages.AS_LIST["values"] if here.is_scalar else None,
    )


def _by_name(here: Cursor) -> _Read:
    names, lists = [], []
    problems = len(here.reading.problems)
    for name, key, value in here.entries():
        if is_empty(value.node) and len(here.reading.problems) > problems:
            continue  # what follows a comma where the brackets of a list are missing
        flaw = flaw_of_param_name(name)
        if name in _KEYS_OF and value.is_scalar:
            fix = f"write foreach: {{NAME: {{{name}: TEXT}}}}, with a name of your own"
            flaw = Advised("gives its values no name", fix)
        if flaw is not None:
            key.add(flaw)
            continue
        names.append(name)
        lists.append(ValuesOf(name).read(value))
    return BlockLists(tuple(names), lists=tuple(filter(None, lists))), ()


def _row_by_row(here: Cursor) -> _Read:
    rows: list[dict[str, str]] = []
    for item in here.items():
        if not item.is_mapping or item.node.tag is not None:
            item.must_be("a mapping of names to values, such as {GO: '1.21'}")
            continue
        rows.append({})
        for name, key, value in item.entries():
            flaw = flaw_of_param_name(name)
            if flaw is not None:
                key.add(flaw)
            rows[-1][name] = _word_of(name).read(value)
    names = tuple(dict.fromkeys(name for row in rows for name in row))
    if rows and not names:
        _refuse(here)
    return BlockLists(names), rows


def _has_repeated(rows: tuple[Values, ...], here: Cursor) -> bool:
    first: dict[Values, Cursor] = {}
    for row, item in zip(rows, here.items(), strict=True):
        if first.setdefault(row, item) is not item:
            same = f"has the same values as {written(first[row].path)}"
            item.add(f"{same}: the steps would run twice for them")
    return len(first) < len(rows)


class ForeachLists(Kind):
    """The value of the key `foreach`, which the first pass has read."""

    def schema(self) -> Schema:
        """Describe a list, the mapping of lists, and the list of mappings."""
        one_list = ValuesOf("").schema()
        by_name = {"additionalProperties": one_list, "minProperties": 1}
        by_row = {"additionalProperties": Word().schema()}
        rows = {"type": "array", "items": NAMED | by_row, "minItems": 1, "uniqueItems": True}
        return {"anyOf": [*one_list["anyOf"], NAMED | by_name, rows]}

    def _read(self, here: Cursor) -> BlockLists:
        """Return the lists of the first pass; report names that are parameters, now known."""
        lists = here.reading.blocks[here.path[:2]]
        for name in lists.names:
            if name in (here.reading.params or ()):
                message = Advised(
                    f"{name} is a parameter, which every step has under this name",
                    f"give the values another name, such as {FOREACH}: {{NAME: [berlin, paris]}}",
                )
                (here.child(name, here.node) if lists.is_named else here).add(message)
        return lists


def repeated_steps(item: Cursor) -> Sequence[Cursor]:
    """Return the steps that an item with a `foreach` repeats: itself, or its list."""
    return [item] if _repeats_itself(item) else item.listed(STEPS)


def _repeats_itself(item: Cursor) -> bool:
    """Whether an item with a `foreach` is a step: it has keys of one, and no list of steps."""
    return STEPS not in item.given and any(
        name in STEP.fields or (isinstance(value, ScalarNode) and not name.startswith("x-"))
        for name, value in item.given.items()
        if name not in _FIELDS
    )


def _block(values: Mapping[str, Any], steps: tuple[StepSpec, ...]) -> Block:
    lists: BlockLists = values[FOREACH]
    copies = tuple(map(Copy, lists.labels or (), lists.rows))
    bound = values.get(MAX_PARALLEL)
    return Block(lists.names, steps, copies, before=0, max_parallel=bound, lists=lists.lists)


class BlockRecord(Record):
    """A mapping with `foreach` and the steps that it repeats."""

    @cached_property
    def fields(self) -> dict[str, Declaration]:
        """The fields of a block."""
        return _FIELDS

    def _unknown(self, name: str, here: Cursor) -> Advised:
        if name in STEP.fields:
            fact = f"belongs to a step, and this {FOREACH} repeats the steps in its own list"
            return Advised(fact, f"move it into an item of {STEPS}:")
        return super()._unknown(name, here)

    def _made(self, values: dict[str, Any], here: Cursor) -> Any:
        return None if here.reading.problems else _block(values, values[STEPS])


class ItemRecord(StepRecord):
    """A step that is an item of `steps`: a `foreach` of its own makes it a block of one step."""

    @cached_property
    def fields(self) -> dict[str, Declaration]:
        """The fields of a step, and those that repeat it."""
        doc = "The values to run the step for: a list, lists by name, or a list of mappings."
        examples = (["berlin", "paris"], *_FIELDS[FOREACH].examples)
        beside = {FOREACH: _FIELDS[FOREACH]._replace(doc=doc, default=None, examples=examples)}
        return STEP.fields | beside | {MAX_PARALLEL: _FIELDS[MAX_PARALLEL]}

    def schema(self) -> Schema:
        """Describe every field; a bound of copies needs copies."""
        schema = super().schema()
        schema["dependentRequired"] |= {MAX_PARALLEL: [FOREACH]}
        return schema

    def _made(self, values: dict[str, Any], here: Cursor) -> Any:
        beside = {name: values.pop(name) for name in (FOREACH, MAX_PARALLEL) if name in values}
        bound = here.get(MAX_PARALLEL)
        if bound is not None and FOREACH not in beside:
            bound.add(UNBOUNDED)
        step = super()._made(values, here)
        return step if step is None or FOREACH not in beside else _block(beside, (step,))


class StepOrBlock(Kind):
    """An item of `steps`."""

    def schema(self) -> Schema:
        """Recognize a block by its steps, so that errors are about the right alternative."""
        has_steps: Schema = {"type": "object", "required": [STEPS]}
        return {"if": has_steps, "then": BLOCK.schema(), "else": ITEM_STEP.schema()}

    def _read(self, here: Cursor) -> Any:
        is_block = here.path in here.reading.blocks and not _repeats_itself(here)
        return (BLOCK if is_block else ITEM_STEP).read(here)


_FIELDS = {
    FOREACH: Declaration(
        ForeachLists(),
        "Names with lists of values: the steps are run once for each combination of these.",
        default=attrs.NOTHING,
        examples=(
            {"SHOP": ["berlin", "paris"]},
            {"DAY": {LINES: "days.txt"}},
            {"FILE": {GLOB: "data/*.csv"}},
            {"SHOP": {SPLIT: "${{ SHOPS }}", AT: ","}},
            [{"GO": "1.21", "OPTS": "-race"}, {"GO": "1.19"}],
        ),
    ),
    STEPS: Declaration(
        ListOf(STEP, "steps", '[{id: load, command: [echo, "${{ SHOP }}"]}]', min_items=1),
        "The steps that are repeated; inside, a name means the same copy's step.",
        default=attrs.NOTHING,
        examples=([{"id": "load", "command": ["./load"]}],),
    ),
    MAX_PARALLEL: Declaration(
        Integer(minimum=1, maximum=1_000_000),
        "How many copies may run at once.",
        examples=(4,),
        default=None,
    ),
}
BLOCK = BlockRecord(Block, "a foreach")
ITEM_STEP = ItemRecord(StepSpec, "a step", apart=STEP.apart)
STEPS_AND_BLOCKS = ListOf(
    StepOrBlock(), "steps", "[{id: hello, command: [echo, hello]}]", min_items=1
)
