"""The stages of a `foreach`: what each copy does without a step outside in between (rule 10.3).

Usually a block is one stage. Where a repeated step waits for a step outside that waits for all
copies in turn, the repeated steps before that are one stage, and those behind it another.

Stages wait for each other, and for the steps outside, without a circle: each can be one group of
tasks, and the copies in it can go through it one after the other. Of a whole block neither is true.
"""

from collections.abc import Mapping, Sequence, Set
from itertools import pairwise
from typing import NamedTuple

from flow_spec import Block, FlowSpec, base_of

type Waits = Mapping[str, Set[str]]
"""What each step waits for, as it is written; all steps of a stage are called like the first."""


class StagedBlock(NamedTuple):
    """A block, and the ids of its steps by their stages, as they are written."""

    block: Block
    stages: Sequence[Sequence[str]]


def staged_blocks(flow: FlowSpec) -> Sequence[StagedBlock]:
    """Return the blocks of a flow, but for those without copies, each with its stages."""
    if not flow.blocks:
        return ()
    waits: Waits = {step.id: {*map(base_of, step.waits_for)} for step in flow.as_written.steps}
    found = []
    for block in flow.blocks:
        stages = _stages(block, waits)
        waits = _joined(waits, stages)
        found.append(StagedBlock(block, stages))
    return [one for one in found if one.block.copies]


def _stages(block: Block, waits: Waits) -> Sequence[Sequence[str]]:
    """Return the steps of a block by their stages."""
    from graphlib import TopologicalSorter  # few flows have a foreach

    own = {*block.ids}
    crossed = {
        step.id: {base_of(name) for name in step.waits_for if name not in own}
        for step in block.steps
    }  # what is not in its own copy; only with a label a name means a step of another
    stage_of: dict[str, int] = {}  # of a step outside, the last one that it waits for
    for name in TopologicalSorter(waits).static_order():
        before = [
            stage_of[other] + (name in own and (other not in own or other in crossed[name]))
            for other in waits[name]
        ]
        stage_of[name] = max(before, default=0 if name in own else -1)
    count = 1 + max(stage_of[step_id] for step_id in own)
    return [[step_id for step_id in block.ids if stage_of[step_id] == n] for n in range(count)]


def _joined(waits: Waits, stages: Sequence[Sequence[str]]) -> Waits:
    """Return what waits for what if each stage is one thing."""
    joint = {step_id: stage[0] for stage in stages for step_id in stage}
    joined: dict[str, set[str]] = {}
    for name, others in waits.items():
        found = joined.setdefault(joint.get(name, name), set())
        found.update(joint.get(other, other) for other in others)
    for earlier, later in pairwise(stages):
        joined[later[0]].add(earlier[0])
    return {name: others - {name} for name, others in joined.items()}
