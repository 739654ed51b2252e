"""Which steps may start next: their order, the lanes of copies, and the operands of conditions.

A run consists of `steps` and, after the end of all these, of `finally` (rule 10.1). A copy of a
`foreach` is running from its first step's start until none of its steps can still start. Copies
that wait for a free lane come in the order of the list. A copy whose steps wait for other steps
occupies no lane meanwhile, so no copy waits for a lane that is never freed (rule 10.3).
"""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from graphlib import TopologicalSorter
from typing import NamedTuple, Self

import attrs

from flow_spec import FlowSpec, StepSpec
from flow_store import Outcome, Run, Step, StepStatus


def active_steps(flow: FlowSpec, finally_after: Outcome | None) -> Sequence[StepSpec]:
    """Return the steps that can run now: `steps`, or `finally` after their end (rule 10.1)."""
    return flow.steps if finally_after is None else flow.finally_


def plan_of(flow: FlowSpec, finally_after: Outcome | None) -> TopologicalSorter[str]:
    """Plan the order of the active steps by their dependencies on each other.

    All other steps have ended. A name that means copies is ready when all of them have ended.
    Steps that are ready at the same time are in the order of the file. Steps that are left out wait
    for nothing (rule 6.14).
    """
    left_out = frozenset(flow.left_out)
    steps = active_steps(flow, finally_after)
    if left_out:
        steps = [
            attrs.evolve(step, when=None, depends_on=()) if step.id in left_out else step
            for step in steps
        ]
    return flow.plan_of(steps)


def fate_of_row(row: Step, *, is_settled: bool) -> tuple[StepStatus, bool] | None:
    """Return a step's status, and whether it decided itself; None if it has not ended (rule 3.8).

    A step that has begun was due. A person who settles a step decides in its place (rule 12.3).
    """
    return (row.status, row.has_begun or is_settled) if row.status.is_terminal else None


type WaitingStep = tuple[int, int]
"""The number of a copy in its block, and the position of one of its steps."""


@attrs.define(eq=False)
class BlockLanes:
    """The lanes of one block: which steps have been admitted, and which wait."""

    most: int
    _inside: dict[int, set[int]] = attrs.Factory(dict)
    """The admitted steps that have not ended, by the number of their copy."""
    _admitted: list[int] = attrs.Factory(list)
    """Admitted steps that `let_in` has not returned yet."""
    _waiting: list[WaitingStep] = attrs.Factory(list)

    def enter(self, copy: int, position: int) -> None:
        """Admit a step that has begun, even if no lane is free."""
        self._inside.setdefault(copy, set()).add(position)

    def wait(self, copy: int, position: int) -> None:
        """Let a step wait until its copy has a lane."""
        if copy in self._inside:
            self._admit(copy, position)
        else:
            heapq.heappush(self._waiting, (copy, position))

    def leave(self, copy: int, position: int) -> None:
        """Note that a step has ended; with its last one a copy leaves its lane."""
        inside = self._inside.get(copy)
        if inside is not None:
            inside.discard(position)
            if not inside:
                del self._inside[copy]

    def let_in(self) -> list[int]:
        """Admit steps while lanes are free; return the positions admitted since the last call."""
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


class CopyLane(NamedTuple):
    """The lane of a step: its block, and the number of its copy."""

    block: BlockLanes
    copy: int


@attrs.define(eq=False)
class CopyLanes:
    """The lanes of all blocks of a run that have a `max_parallel`."""

    _blocks: list[BlockLanes] = attrs.Factory(list)
    _by_step: Mapping[str, CopyLane] = attrs.Factory(dict)

    @classmethod
    def of(cls, flow: FlowSpec, run: Run) -> Self:
        """Take over a run: a step that has begun and has not ended has its lane."""
        blocks = []
        by_step: dict[str, CopyLane] = {}
        for block in flow.blocks:
            if block.max_parallel is not None:
                lanes = BlockLanes(block.max_parallel)
                blocks.append(lanes)
                for number, ids in enumerate(block.ids_of_copies):
                    by_step |= dict.fromkeys(ids, CopyLane(lanes, number))
        for step in run.steps if blocks else ():
            if step.has_begun and not step.status.is_terminal and step.step_id in by_step:
                by_step[step.step_id].block.enter(by_step[step.step_id].copy, step.position)
        return cls(blocks, by_step)

    def wait(self, step: Step) -> bool:
        """Let a step wait for its lane; return False if it does not need one."""
        lane = self._by_step.get(step.step_id)
        if lane is None:
            return False
        lane.block.wait(lane.copy, step.position)
        return True

    def leave(self, step: Step) -> None:
        """Note that a step has ended."""
        lane = self._by_step.get(step.step_id)
        if lane is not None:
            lane.block.leave(lane.copy, step.position)

    def let_in(self) -> Iterator[int]:
        """Yield the positions of the steps that no longer have to wait."""
        for block in self._blocks:
            yield from block.let_in()
