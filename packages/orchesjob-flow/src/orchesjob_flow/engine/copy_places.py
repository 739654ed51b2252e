"""How many copies of a block are under way at once, and which comes next (rule 10.3).

A copy is under way from when one of its steps may run until no step that was let in is left. Those
that wait for a place come in the order of the list. A copy whose steps wait for others, outside of
it perhaps, has no place meanwhile: so nothing can wait for a place that is never left.
"""

import heapq
from collections.abc import Iterator, Mapping
from typing import NamedTuple, Self

import attrs

from flow_spec import Block, FlowSpec
from flow_store import Run, Step

type Entry = tuple[int, int]
"""The number of a copy in its block, and the position of one of its steps."""


@attrs.define(eq=False)
class BlockPlaces:
    """The places of one block: which steps have been let in, and which wait."""

    most: int
    _inside: dict[int, set[int]] = attrs.Factory(dict)
    """The steps that were let in and have not ended, by the number of their copy."""
    _admitted: list[int] = attrs.Factory(list)
    """Steps that were let in, which nobody has been told of."""
    _waiting: list[Entry] = attrs.Factory(list)

    def enter(self, copy: int, position: int) -> None:
        """Let a step in that has begun, whatever there is room for."""
        self._inside.setdefault(copy, set()).add(position)

    def wait(self, copy: int, position: int) -> None:
        """Let a step wait until its copy has a place."""
        if copy in self._inside:
            self._admit(copy, position)
        else:
            heapq.heappush(self._waiting, (copy, position))

    def leave(self, copy: int, position: int) -> None:
        """Note that a step has ended; with its last one a copy leaves its place."""
        inside = self._inside.get(copy)
        if inside is not None:
            inside.discard(position)
            if not inside:
                del self._inside[copy]

    def let_in(self) -> list[int]:
        """Let in what there is room for; return the positions of what was let in of late."""
        while self._waiting:
            copy, position = self._waiting[0]
            if copy not in self._inside and len(self._inside) >= self.most:
                break
            heapq.heappop(self._waiting)
            self._admit(copy, position)
        admitted, self._admitted = self._admitted, []
        return admitted

    def _admit(self, copy: int, position: int) -> None:
        self.enter(copy, position)
        self._admitted.append(position)


class CopyPlace(NamedTuple):
    """Where a step of a copy finds its place: in its block, by the number of the copy."""

    block: BlockPlaces
    copy: int


@attrs.define(eq=False)
class CopyPlaces:
    """The places of all blocks of a run that have a `max_parallel`."""

    _blocks: list[BlockPlaces] = attrs.Factory(list)
    _by_step: Mapping[str, CopyPlace] = attrs.Factory(dict)

    @classmethod
    def of(cls, flow: FlowSpec, run: Run) -> Self:
        """Take over a run: what has begun and has not ended has its place."""
        blocks = []
        by_step: dict[str, CopyPlace] = {}
        for block in flow.blocks:
            if block.max_parallel is not None:
                blocks.append(BlockPlaces(block.max_parallel))
                by_step.update(_places_in(block, blocks[-1]))
        places = cls(blocks, by_step)
        for step in run.steps if blocks else ():
            if step.has_begun and not step.status.is_terminal and step.step_id in by_step:
                by_step[step.step_id].block.enter(by_step[step.step_id].copy, step.position)
        return places

    def wait(self, step: Step) -> bool:
        """Let a step wait for its place; False if it needs none."""
        place = self._by_step.get(step.step_id)
        if place is None:
            return False
        place.block.wait(place.copy, step.position)
        return True

    def leave(self, step: Step) -> None:
        """Note that a step has ended."""
        place = self._by_step.get(step.step_id)
        if place is not None:
            place.block.leave(place.copy, step.position)

    def let_in(self) -> Iterator[int]:
        """Yield the positions of the steps that need wait no longer."""
        for block in self._blocks:
            yield from block.let_in()


def _places_in(block: Block, places: BlockPlaces) -> Iterator[tuple[str, CopyPlace]]:
    for number, ids in enumerate(block.ids_of_copies):
        for step_id in ids:
            yield step_id, CopyPlace(places, number)
