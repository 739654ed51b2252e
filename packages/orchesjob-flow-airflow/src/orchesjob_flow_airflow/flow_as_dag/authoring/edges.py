"""Which task waits for which: for what its step waits for, and for its turn (rules 3.6 and 10.3).

A name may mean all copies of a step. If many steps wait for many copies, one more task stands for
all of these, so that there are as many edges as tasks, and not as many as pairs of them.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from airflow.sdk import BaseOperator

from flow_spec import FlowSpec
from orchesjob_flow_airflow.flow_as_dag.authoring.copy_groups import CopyGroups
from orchesjob_flow_airflow.flow_as_dag.operators.costless_operators import JointOperator

MOST_EDGES = 400
"""From the copies of one step, without a task that stands for all of them."""


def add_edges(
    flow: FlowSpec,
    tasks: Mapping[str, BaseOperator],
    beginning: BaseOperator,
    turns: Mapping[str, Sequence[str]],
    groups: CopyGroups,
) -> None:
    """Let the tasks of steps wait, those that wait for no other for the beginning.

    Args:
        flow: The flow.
        tasks: The tasks of its steps, by the ids of these.
        beginning: The first task.
        turns: The copies that have to wait for their turn, with those that come before.
        groups: The groups of its copies.
    """
    named: dict[str, Sequence[BaseOperator]] = {step_id: [task] for step_id, task in tasks.items()}
    waiters = Counter(name for step in flow.steps for name in step.waits_for)
    for name, ids in flow.copies.items():
        named[name] = [tasks[step_id] for step_id in ids]
        if waiters[name] > 1 and waiters[name] * len(ids) > MOST_EDGES:
            joint = JointOperator(**groups.place_of_joint(name))
            joint.set_upstream(named[name])
            named[name] = [joint]
    for step in flow.steps:
        before = [task for name in step.waits_for for task in named[name]]
        before += [tasks[step_id] for step_id in turns.get(step.id, ())]
        different = {task.task_id: task for task in before}
        tasks[step.id].set_upstream([*different.values()] or beginning)
