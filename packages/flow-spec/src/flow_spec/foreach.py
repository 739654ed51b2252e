"""An item of `steps` in a file that has the key `foreach`: how a block is read (rule 10.3).

Its steps are read once, without values: what is wrong with them is said once. The lists have been
read before, in `foreach_lists`; what a block stands for is in `blocks`.
"""

from collections.abc import Collection
from typing import Any

import attrs

from flow_spec import foreach_messages
from flow_spec.blocks import Block, Copy
from flow_spec.containers import ListOf, Record
from flow_spec.declaration import Declaration
from flow_spec.defaults import STEP, FlowRecord
from flow_spec.document import Mapping, Node, Path
from flow_spec.environment import SETTABLE
from flow_spec.errors import Message
from flow_spec.foreach_lists import FOREACH, ORIGINS, values_of
from flow_spec.kinds import FILE, Integer, Kind, Schema, Word
from flow_spec.lists import GLOB, LINES
from flow_spec.reading import BlockLists, Reading


@attrs.frozen(eq=False)
class Lists(Kind):
    """The names of a block with their values, which have been read before all else."""

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

    def read(self, node: Node, path: Path, reading: Reading) -> BlockLists:
        """Return what has been read; no name may be that of a parameter, which are known now."""
        lists = reading.blocks[path[:2]]
        for name in lists.names:
            if reading.names.declares(name, path[:1]):
                reading.add(foreach_messages.name_is_param(), (*path, name), node)
        return lists

    def _read(self, node: Node, path: Path, reading: Reading) -> BlockLists:
        return self.read(node, path, reading)


@attrs.frozen(eq=False)
class BlockRecord(Record):
    """A mapping with `foreach`, and with the steps that it repeats."""

    def fields(self) -> dict[str, Declaration]:
        """Return what the mapping may have."""
        return _FIELDS

    def _skips(self, name: str) -> bool:
        return super()._skips(name) and name not in STEP.fields()

    def _unknown(self, name: str, given: Collection[str], reading: Reading) -> Message:
        if name in STEP.fields():
            return foreach_messages.field_beside_foreach(name)
        return super()._unknown(name, given, reading)

    def _made(self, values: dict[str, Any], _node: Mapping, _path: Path, reading: Reading) -> Any:
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


@attrs.frozen(eq=False)
class StepOrBlock(Kind):
    """An item of `steps`."""

    def schema(self) -> Schema:
        """Tell a block by its key, so that what is wrong with either is said of it alone."""
        has_foreach: Schema = {"type": "object", "required": [FOREACH]}
        return {"if": has_foreach, "then": BLOCK.schema(), "else": STEP.schema()}

    def _read(self, node: Node, path: Path, reading: Reading) -> Any:
        is_block = path in reading.blocks
        return (BLOCK if is_block else STEP).read(node, path, reading)


@attrs.frozen(eq=False)
class FlowWithBlocks(FlowRecord):
    """A flow in a file, whose `steps` may hold blocks."""

    def _made(self, values: dict[str, Any], node: Mapping, path: Path, reading: Reading) -> Any:
        if reading.problems:
            return super()._made(values, node, path, reading)
        steps: list[Any] = []
        blocks: list[Block] = []
        for item in values["steps"]:
            if isinstance(item, Block):
                blocks.append(attrs.evolve(item, before=len(steps)))
            else:
                steps.append(item)
        values |= {"steps": tuple(steps), "blocks": tuple(blocks)}
        return super()._made(values, node, path, reading)


_FIELDS = {
    FOREACH: Declaration(
        Lists(),
        "Names with lists of values: the steps are run once for each combination of these.",
        significant=True,
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
        significant=True,
        default=attrs.NOTHING,
        examples=([{"id": "load", "command": ["./load"]}],),
    ),
    "max_parallel": Declaration(
        Integer(minimum=1, maximum=1_000_000),
        "How many copies may be under way at once.",
        significant=True,
        default=None,
        examples=(4,),
    ),
}
BLOCK = BlockRecord(Block, "a foreach")
STEPS_AND_BLOCKS = ListOf(
    StepOrBlock(), "steps", "[{id: hello, command: [echo, hello]}]", min_items=1
)
