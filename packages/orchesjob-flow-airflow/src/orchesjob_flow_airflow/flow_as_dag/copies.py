"""The tasks of a `foreach`: in which groups they are, and in which order its copies run (10.3).

Usually a block is one stage. Where what is outside of a block stands between its steps, or a copy
waits for another one, each repeated step is a stage. Stages and the steps outside never wait for
each other in a circle, so each stage can be a group of tasks.

`max_parallel` of a block becomes edges, because Airflow limits the tasks of a run, not those of a
group. The copies are spread over as many lanes as may run at once. On each lane a copy begins when
the one before has ended, whatever its outcome. All copies of a lane finish a stage before any of
them begins the next.
"""

from collections.abc import Mapping, Sequence, Set
from contextlib import suppress
from typing import Any, NamedTuple

from airflow.sdk import TaskGroup

from flow_spec import Block, Copy, FlowSpec, base_of
from orchesjob_flow_airflow.flow_as_dag.run import TaskIds

_MOST_SHOWN = 80
"""Characters of a copy's values in the name of its task."""


class StagedBlock(NamedTuple):
    """A block, and the ids of its steps by their stages, as they are written."""

    block: Block
    stages: Sequence[Sequence[str]]


def staged_blocks(flow: FlowSpec) -> Sequence[StagedBlock]:
    """Return the blocks of a flow that have copies, each with its stages."""
    if not flow.blocks:
        return ()
    from graphlib import CycleError, TopologicalSorter  # few flows have a foreach

    waits = {step.id: {*map(base_of, step.waits_for)} for step in flow.as_written.steps}
    whole: set[str] = set()
    for block in flow.blocks:
        own = {*block.ids}
        named = {name for step in block.steps for name in step.waits_for} - own
        merged = _with_one_step(waits, block)
        with suppress(CycleError):
            TopologicalSorter(merged).prepare()
            if own.isdisjoint(map(base_of, named)):
                waits = merged
                whole |= own
    order = [*TopologicalSorter(waits).static_order()]
    return [
        StagedBlock(
            block,
            [block.ids]
            if whole.issuperset(block.ids)
            else [(step_id,) for step_id in sorted(block.ids, key=order.index)],
        )
        for block in flow.blocks
        if block.copies
    ]


def _with_one_step(waits: Mapping[str, Set[str]], block: Block) -> dict[str, set[str]]:
    """Return what each step waits for, with those of a block as a single step."""
    first_of = dict.fromkeys(block.ids, block.ids[0])
    merged: dict[str, set[str]] = {}
    for name, others in waits.items():
        found = {first_of.get(other, other) for other in others}
        merged.setdefault(first_of.get(name, name), set()).update(found)
    merged[block.ids[0]].discard(block.ids[0])
    return merged


def places_of_copies(
    flow: FlowSpec, staged: Sequence[StagedBlock], task_ids: TaskIds
) -> Mapping[str, Mapping[str, Any]]:
    """Make the groups for the copies, a group for each stage, in the group that is being made.

    A group has the name of the repeated steps in it. If there are several, it contains a group for
    each copy. No group adds its id to those of its tasks (10.3 and 13.4).

    Returns:
        The arguments of each copy's task that are its id, its name and its group, by step id.
    """
    taken = {step.id for step in flow.as_written.all_steps}
    places: dict[str, Mapping[str, Any]] = {}
    for block, ids in ((block, ids) for block, stages in staged for ids in stages):
        group_id, has_inner = ids[0], len(ids) > 1
        if has_inner:
            group_id = f"foreach-{group_id}"
            while group_id in taken:
                group_id += "_"
            taken.add(group_id)
        group = TaskGroup(
            group_id,
            prefix_group_id=has_inner,
            group_display_name=", ".join(ids),
            tooltip=f"foreach {', '.join(block.names)}",
        )
        copies = zip(block.copies, block.ids_of_copies, strict=True)
        for number, (copy, ids_of_copy) in enumerate(copies, start=1):
            shown = _shown(copy)
            of_copy: dict[str, Any] = {"prefix_group_id": False, "group_display_name": shown}
            inner = TaskGroup(str(number), parent_group=group, **of_copy) if has_inner else group
            for name, step_id in zip(block.ids, ids_of_copy, strict=True):
                if name in ids:
                    places[step_id] = {
                        "task_id": task_ids.of_step(step_id),
                        "task_group": inner,
                        "task_display_name": f"{name}@{shown}",
                    }
    return places


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
    before: dict[str, Sequence[str]] = {}
    for block, stages in staged:
        waits = {step.id: {*step.waits_for} for step in block.steps}
        copies = [dict(zip(block.ids, ids, strict=True)) for ids in block.ids_of_copies]
        lanes = block.max_parallel or len(copies)
        for lane in range(lanes if lanes < len(copies) else 0):
            last: Sequence[str] = ()
            for ids in stages:
                waited_for = {name for step_id in ids for name in waits[step_id]}
                for copy in copies[lane::lanes]:
                    first = (copy[step_id] for step_id in ids if waits[step_id].isdisjoint(ids))
                    if last:
                        before.update(dict.fromkeys(first, last))
                    last = [copy[step_id] for step_id in ids if step_id not in waited_for]
    return before
