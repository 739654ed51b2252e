"""How many copies of a `foreach` are under way at once: its `max_parallel` as edges (rule 10.3).

Airflow bounds the tasks of a run, not those of a group. So the copies are spread over as many lanes
as may be under way, and on each lane one begins when the one before has ended. That is an order and
no condition: how the one before has ended does not matter. All copies on a lane go through a stage
of their block before any of them begins the next.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple, Self

from flow_spec import Block
from orchesjob_flow_airflow.flow_as_dag.authoring.stages import StagedBlock


def turns(staged: Sequence[StagedBlock]) -> Mapping[str, Sequence[str]]:
    """Return which steps have to wait for their turn, each with those that come before.

    These are ids of copies.
    """
    return dict(
        turn
        for block, stages in staged
        if block.max_parallel is not None and block.max_parallel < len(block.copies)
        for turn in _turns(block, stages, block.max_parallel)
    )


class _Ends(NamedTuple):
    """The steps with which a copy begins a stage, and those with which it ends it."""

    first: Sequence[str]
    last: Sequence[str]

    @classmethod
    def of(cls, block: Block, ids: Sequence[str]) -> Self:
        """Find out which of these steps wait for none of them, and for which none waits."""
        inside = {step.id: {*step.waits_for} & {*ids} for step in block.steps if step.id in ids}
        waited = {name for names in inside.values() for name in names}
        return cls(
            [step_id for step_id in ids if not inside[step_id]],
            [step_id for step_id in ids if step_id not in waited],
        )


def _turns(
    block: Block, stages: Sequence[Sequence[str]], lanes: int
) -> Iterator[tuple[str, Sequence[str]]]:
    ends = [_Ends.of(block, ids) for ids in stages]
    copies = [dict(zip(block.ids, ids, strict=True)) for ids in block.ids_of_copies]
    for lane in range(lanes):
        on_lane = [(stage, copy) for stage in ends for copy in copies[lane::lanes]]
        for (before, earlier), (after, later) in pairwise(on_lane):
            last = [earlier[step_id] for step_id in before.last]
            yield from ((later[step_id], last) for step_id in after.first)
