"""The tasks of `finally`, and those around them that cost no worker (rule 10.1).

A step of `finally` is a teardown task: it also runs after somebody has marked its run. Then Airflow
skips all other tasks that have not ended, and judges the run by what is left, which would be no
failure. So three more tasks tell what has become of the run:

- `flow.finally` follows all steps. It is skipped if a step has not ended when the run is marked.
- `flow.end` follows `finally`. It is skipped if the run is marked before `finally` is over.
  `flow.outcome` follows it, and all steps too: who clears those that failed may not clear this one.
- `flow.cancelled` is a teardown task that only runs if `flow.end` was skipped, and then stands for
  the outcome of the run, in place of `flow.outcome`.
"""

from collections.abc import Mapping
from typing import Any

from airflow.sdk import BaseOperator

from flow_spec import FlowSpec
from orchesjob_flow_airflow.flow_as_dag.dag_run.task_ids import CANCELLED, END, FINALLY
from orchesjob_flow_airflow.flow_as_dag.operators.costless_operators import JointOperator
from orchesjob_flow_airflow.flow_as_dag.operators.outcome_operator import OutcomeOperator


def add_finally(
    flow: FlowSpec,
    tasks: Mapping[str, BaseOperator],
    beginning: BaseOperator,
    judging: Mapping[str, Any],
) -> BaseOperator:
    """Put the tasks of `finally` behind those of all steps, and return what follows them.

    Args:
        flow: The flow.
        tasks: The tasks of all steps, those of `finally` included, by step id.
        beginning: The first task of the flow.
        judging: The arguments of a task that gives the run its outcome.
    """
    before = JointOperator(task_id=FINALLY)
    before.set_upstream([tasks[step.id] for step in flow.steps] or beginning)
    end = JointOperator(task_id=END)
    for step in flow.finally_:
        task = tasks[step.id].as_teardown()
        waits = [tasks[other] for other in step.waits_for if other in flow.finally_ids]
        task.set_upstream(waits or before)
        task.set_downstream(end)
    cancelled = OutcomeOperator(task_id=CANCELLED, trigger_rule="all_skipped", **judging)
    cancelled.is_teardown = True  # `as_teardown` would replace the trigger rule
    cancelled.on_failure_fail_dagrun = True
    cancelled.set_upstream(end)
    return end
