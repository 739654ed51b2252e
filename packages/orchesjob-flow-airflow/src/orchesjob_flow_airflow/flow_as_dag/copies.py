"""The tasks of a `foreach`: in which groups they are, and in which order its copies run (10.3).

Usually a block is one stage. Where a repeated step waits for a step outside the block that waits
for all copies in turn, the repeated steps before that are one stage, and those after it another.
Stages and the steps outside never wait for each other in a circle, which a whole block might. So
each stage can be one group of tasks, and its copies can run one after the other.

`max_parallel` of a block becomes edges, because Airflow limits the tasks of a run, not those of a
group. The copies are spread over as many lanes as may run at once. On each lane a copy begins when
the one before has ended, whatever its outcome. All copies of a lane finish a stage before any of
them begins the next.
"""

from collections.abc import Iterator, Mapping, Sequence, Set
from itertools import pairwise
from typing import Any, NamedTuple, Self

from airflow.sdk import TaskGroup

from flow_spec import Block, Copy, FlowSpec, base_of
from orchesjob_flow_airflow.flow_as_dag.run import TaskIds

_MOST_SHOWN = 80
"""Characters of a copy's values in the name of its task."""

type Dependencies = Mapping[str, Set[str]]
"""What each step waits for, as written; the steps of a stage all have the name of its first."""


class StagedBlock(NamedTuple):
    """A block, and the ids of its steps by their stages, as they are written."""

    block: Block
    stages: Sequence[Sequence[str]]


def staged_blocks(flow: FlowSpec) -> Sequence[StagedBlock]:
    """Return the blocks of a flow that have copies, each with its stages."""
    if not flow.blocks:
        return ()
    waits: Dependencies = {
        step.id: {*map(base_of, step.waits_for)} for step in flow.as_written.steps
    }
    found = []
    for block in flow.blocks:
        stages = _stages(block, waits)
        waits = _with_stages_as_steps(waits, stages)
        found.append(StagedBlock(block, stages))
    return [one for one in found if one.block.copies]


def _stages(block: Block, waits: Dependencies) -> Sequence[Sequence[str]]:
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


def _with_stages_as_steps(waits: Dependencies, stages: Sequence[Sequence[str]]) -> Dependencies:
    """Return the dependencies with each stage as a single step."""
    first_of = {step_id: stage[0] for stage in stages for step_id in stage}
    merged: dict[str, set[str]] = {}
    for name, others in waits.items():
        found = merged.setdefault(first_of.get(name, name), set())
        found.update(first_of.get(other, other) for other in others)
    for earlier, later in pairwise(stages):
        merged[later[0]].add(earlier[0])
    return {name: others - {name} for name, others in merged.items()}


class CopyGroups:
    """The groups of tasks for the copies of one flow: a group for each stage (10.3 and 13.4).

    A group has the name of the repeated steps in it. If there are several, it contains a group for
    each copy. No group adds its id to those of its tasks. Airflow draws no DAG whose groups wait
    for each other in a circle; stages never do.
    """

    def __init__(self, flow: FlowSpec, staged: Sequence[StagedBlock], task_ids: TaskIds) -> None:
        """Make the groups, in the group that is being made."""
        self._task_ids = task_ids
        self._taken = {step.id for step in flow.as_written.all_steps}
        self._places: dict[str, Mapping[str, Any]] = {}
        for block, stages in staged:
            for ids in stages:
                self._add_stage(block, ids)

    def place_of(self, step_id: str) -> Mapping[str, Any]:
        """Return the arguments of a step's task that are its id, its name and its group."""
        return self._places.get(step_id) or {"task_id": step_id}

    def _add_stage(self, block: Block, ids: Sequence[str]) -> None:
        group = TaskGroup(
            ids[0] if len(ids) == 1 else self._new_id(f"foreach-{ids[0]}"),
            prefix_group_id=len(ids) > 1,
            group_display_name=", ".join(ids),
            tooltip=f"foreach {', '.join(block.names)}",
        )
        copies = zip(block.copies, block.ids_of_copies, strict=True)
        for number, (copy, ids_of_copy) in enumerate(copies, start=1):
            shown = _shown(copy)
            inner = group if len(ids) == 1 else _group_of_copy(group, number, shown)
            for name, step_id in zip(block.ids, ids_of_copy, strict=True):
                if name in ids:
                    self._places[step_id] = {
                        "task_id": self._task_ids.of_step(step_id),
                        "task_group": inner,
                        "task_display_name": f"{name}@{shown}",
                    }

    def _new_id(self, group_id: str) -> str:
        """Return an id that no step has."""
        while group_id in self._taken:
            group_id += "_"
        self._taken.add(group_id)
        return group_id


def _group_of_copy(group: TaskGroup, number: int, shown: str) -> TaskGroup:
    return TaskGroup(
        str(number), parent_group=group, prefix_group_id=False, group_display_name=shown
    )


def _shown(copy: Copy) -> str:
    """Return the label of a copy; if that is a number, with the copy's values."""
    if copy.label == "@".join(copy.values):
        return copy.label
    shown = " ".join(", ".join(filter(None, copy.values)).split())
    if len(shown) > _MOST_SHOWN:
        shown = f"{shown[: _MOST_SHOWN - 1]}…"
    return f"{copy.label} ({shown})"


def lane_predecessors(staged: Sequence[StagedBlock]) -> Mapping[str, Sequence[str]]:
    """Return the steps that come before a copy's step on its lane, by the id of that step.

    Steps that begin at once are left out.
    """
    return dict(
        found
        for block, stages in staged
        if block.max_parallel is not None and block.max_parallel < len(block.copies)
        for found in _predecessors(block, stages, block.max_parallel)
    )


class _Ends(NamedTuple):
    """The steps with which a copy begins a stage, and those with which it ends the stage."""

    first: Sequence[str]
    last: Sequence[str]

    @classmethod
    def of(cls, block: Block, ids: Sequence[str]) -> Self:
        """Find which of these steps wait for none of them, and which of them nothing waits for."""
        inside = {step.id: {*step.waits_for} & {*ids} for step in block.steps if step.id in ids}
        waited = {name for names in inside.values() for name in names}
        return cls(
            [step_id for step_id in ids if not inside[step_id]],
            [step_id for step_id in ids if step_id not in waited],
        )


def _predecessors(
    block: Block, stages: Sequence[Sequence[str]], lanes: int
) -> Iterator[tuple[str, Sequence[str]]]:
    ends = [_Ends.of(block, ids) for ids in stages]
    copies = [dict(zip(block.ids, ids, strict=True)) for ids in block.ids_of_copies]
    for lane in range(lanes):
        on_lane = [(stage, copy) for stage in ends for copy in copies[lane::lanes]]
        for (before, earlier), (after, later) in pairwise(on_lane):
            last = [earlier[step_id] for step_id in before.last]
            yield from ((later[step_id], last) for step_id in after.first)
