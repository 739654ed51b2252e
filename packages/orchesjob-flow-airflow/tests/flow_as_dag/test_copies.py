"""Copies of steps that wait across all borders: their lanes and their groups."""

from collections.abc import Sequence
from graphlib import TopologicalSorter
from random import Random

import pytest
from airflow.sdk import DAG

from flow_spec import Block, Copy, FlowSpec, StepSpec, base_of
from orchesjob_flow_airflow.flow_as_dag.copies import (
    lane_predecessors,
    places_of_copies,
    staged_blocks,
)
from orchesjob_flow_airflow.flow_as_dag.operators import BeginningOperator
from orchesjob_flow_airflow.flow_as_dag.run import BEGINNING, TaskIds
from orchesjob_flow_airflow.flow_as_dag.tasks import add_edges

FLOWS = 300


def interlaced(seed: int) -> FlowSpec:
    """Make up a flow of two or three blocks whose steps wait for each other across all borders."""
    random = Random(seed)  # noqa: S311 - reproducible on purpose
    places = [random.randrange(4) for _ in range(random.randint(4, 12))]
    copies = {block: random.randint(0, 5) for block in (1, 2, 3)}
    known: list[tuple[str, int]] = []
    steps: dict[int, list[StepSpec]] = {place: [] for place in range(4)}
    for number, place in enumerate(places):
        waits = []
        for name, block in random.sample(known, random.randint(0, min(3, len(known)))):
            one = random.randint(1, copies.get(block, 0)) if copies.get(block) else None
            waits.append(f"{name}@{one}" if one and random.random() < 0.3 else name)
        steps[place].append(StepSpec(f"s{number}", ("x",), depends_on=tuple(waits)))
        known.append((f"s{number}", place))
    blocks = tuple(
        Block(
            names=("N",),
            steps=tuple(steps[block]),
            copies=tuple(Copy(str(n), (str(n),)) for n in range(1, copies[block] + 1)),
            before=0,
            max_parallel=random.choice((None, 1, 1, 2, 3)),
        )
        for block in (1, 2, 3)
        if steps[block]
    )
    return FlowSpec("f", tuple(steps[0]), blocks=blocks).with_copies()


@pytest.mark.parametrize("seed", range(FLOWS))
def test_interlaced_blocks(seed: int) -> None:
    """As many steps at once as can be: never more copies of a block, and all come to an end."""
    flow = interlaced(seed)
    order = lane_predecessors(staged_blocks(flow))
    waits = {
        step.id: [
            *(other.id for name in step.waits_for for other in flow.named(name)),
            *order.get(step.id, ()),
        ]
        for step in flow.steps
    }
    random = Random(seed)  # noqa: S311 - reproducible on purpose
    plan = TopologicalSorter(waits)
    plan.prepare()  # an error if a step waits for itself
    under_way: list[str] = []
    while plan.is_active():
        under_way += plan.get_ready()
        check_bounds(flow, under_way)
        plan.done(under_way.pop(random.randrange(len(under_way))))


def check_bounds(flow: FlowSpec, under_way: Sequence[str]) -> None:
    """No more copies of a block have begun and not ended than its `max_parallel` allows."""
    for block in flow.blocks:
        copies = {
            step_id.partition("@")[2] for step_id in under_way if base_of(step_id) in block.ids
        }
        assert len(copies) <= (block.max_parallel or len(block.copies))


@pytest.mark.parametrize("seed", range(60))
def test_groups(seed: int) -> None:
    """No groups wait for each other in a circle: Airflow's pages would show an error instead."""
    from airflow.serialization.serialized_objects import DagSerialization

    flow = interlaced(seed)
    staged = staged_blocks(flow)
    with DAG("f") as dag:
        places = places_of_copies(flow, staged, TaskIds(""))
        tasks = {
            step.id: BeginningOperator(**places.get(step.id, {"task_id": step.id}))
            for step in flow.steps
        }
        add_edges(flow, tasks, BeginningOperator(task_id=BEGINNING), lane_predecessors(staged))
    groups = DagSerialization.from_dict(DagSerialization.to_dict(dag)).task_group
    ordered = [
        node for group in groups.get_task_group_dict().values() for node in group.topological_sort()
    ]
    assert {task.task_id for task in dag.tasks} <= {node.node_id for node in ordered}
