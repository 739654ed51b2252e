"""The tasks of a flow: what each step becomes, and which task waits for which.

They are added to whatever is being made around them: a DAG, or a group of tasks in one. What a task
does when it runs is in `operators`.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk import BaseOperator, TaskGroup
from airflow.sdk.exceptions import AirflowException

from flow_spec import FlowSpec
from orchesjob_flow_airflow.flow_as_dag.copies import (
    lane_predecessors,
    places_of_copies,
    staged_blocks,
)
from orchesjob_flow_airflow.flow_as_dag.operators import (
    BeginningOperator,
    OutcomeOperator,
    StepOperator,
)
from orchesjob_flow_airflow.flow_as_dag.run import (
    BEGINNING,
    CANCELLED,
    END,
    FINALLY,
    OUTCOME,
    TaskIds,
    digest,
)
from orchesjob_flow_airflow.flow_as_dag.tries import StepRetries, fault_settings
from orchesjob_flow_airflow.flow_as_dag.x_airflow import arguments_of_steps, common_place, objection

INFRASTRUCTURE_RETRIES = 3
"""How many infrastructure faults of a task are retried, unless the DAG file says otherwise."""

_SILENT: dict[str, Any] = {"on_failure_callback": None, "email_on_failure": False}
"""For tasks whose failure must not be reported."""


def add_tasks(  # noqa: PLR0913 - what the tasks need
    group: TaskGroup,
    flow: FlowSpec,
    path: str,
    folder: str,
    *,
    infrastructure_retries: int,
    run_dirs: str | os.PathLike[str] | None,
    secrets: Mapping[str, str] | None,
) -> None:
    """Add the tasks of a flow, whose file is at `path`.

    `group` is the group that is being made, or that of a whole DAG. `folder` is that of the DAG
    file, which stands for the flow's directory. The other arguments are those of `flow_dag`.
    """
    task_ids = TaskIds.within(group)
    beginning = BeginningOperator(task_id=BEGINNING, trigger_rule="all_success")
    settings = {
        "flow": flow,
        "task_ids": task_ids,
        "flow_dir": os.path.dirname(path),  # noqa: PTH120 - text, as Airflow keeps it
        "folder": folder,
        "run_dirs": None if run_dirs is None else os.path.join(folder, run_dirs),  # noqa: PTH118
        "definition": digest(flow),
        "secrets": secrets,
    }
    staged, arguments = staged_blocks(flow), arguments_of_steps(path, flow)
    places, on_lane = places_of_copies(flow, staged, task_ids), lane_predecessors(staged)
    tasks: dict[str, BaseOperator] = {}
    for step in flow.all_steps:
        # A step counts its retries and keeps its time itself.
        given = fault_settings(step.retries + infrastructure_retries)
        given |= {"retry_policy": StepRetries(), "doc_md": step.description, **settings}
        given |= places.get(step.id, {"task_id": step.id})
        given |= (_SILENT if step.allow_failure else {}) | {**arguments[step.id]}
        waits = step.waits_for or step.id in on_lane
        try:
            tasks[step.id] = StepOperator(
                step=step,
                trigger_rule="all_done" if waits else "all_success",
                **given,
            )
        except (TypeError, ValueError, AirflowException) as error:
            raise objection(path, flow, step, error) from error
    add_edges(flow, tasks, beginning, on_lane)
    outcome_arguments = {
        "flow": flow,
        "task_ids": task_ids,
        "infrastructure_retries": infrastructure_retries,
        **common_place(arguments, flow),
        **_SILENT,
    }
    outcome = OutcomeOperator(task_id=OUTCOME, trigger_rule="all_done", **outcome_arguments)
    outcome.set_upstream(list(tasks.values()) or beginning)
    if flow.finally_:
        outcome.set_upstream(_add_finally(flow, tasks, beginning, outcome_arguments))


def add_edges(
    flow: FlowSpec,
    tasks: Mapping[str, BaseOperator],
    beginning: BaseOperator,
    on_lane: Mapping[str, Sequence[str]],
) -> None:
    """Make each task wait for what its step waits for, and for the copy before it on its lane.

    A name may mean all copies of a step; who has nothing to wait for waits for the first task.
    """
    for step in flow.steps:
        before = [other.id for name in step.waits_for for other in flow.named(name)]
        different = dict.fromkeys([*before, *on_lane.get(step.id, ())])
        tasks[step.id].set_upstream([tasks[step_id] for step_id in different] or beginning)


def _add_finally(
    flow: FlowSpec,
    tasks: Mapping[str, BaseOperator],
    beginning: BaseOperator,
    outcome_arguments: Mapping[str, Any],
) -> BaseOperator:
    """Put the tasks of `finally` after those of all steps; return the task after them (rule 10.1).

    A step of `finally` is a teardown task: it also runs after somebody has marked its run. Then
    Airflow skips all other tasks that have not ended, and judges the run by the rest, which would
    be no failure. So three more tasks find out how the run has ended:

    - `flow.finally` follows all steps. It is skipped if a step has not ended when the run is
      marked.
    - `flow.end` follows `finally`. It is skipped if the run is marked before `finally` is over.
      `flow.outcome` follows it, and all steps too: clearing the failed ones may not clear this one.
    - `flow.cancelled` is a teardown task that only runs if `flow.end` was skipped. Then it gives
      the run its outcome, in place of `flow.outcome`.
    """
    before = BeginningOperator(task_id=FINALLY, trigger_rule="all_done")
    before.set_upstream([tasks[step.id] for step in flow.steps] or beginning)
    end = BeginningOperator(task_id=END, trigger_rule="all_done")
    for step in flow.finally_:
        task = tasks[step.id].as_teardown()
        waits = [tasks[other] for other in step.waits_for if other in flow.finally_ids]
        task.set_upstream(waits or before)
        task.set_downstream(end)
    cancelled = OutcomeOperator(task_id=CANCELLED, trigger_rule="all_skipped", **outcome_arguments)
    cancelled.is_teardown = True  # `as_teardown` would replace the trigger rule
    cancelled.on_failure_fail_dagrun = True
    cancelled.set_upstream(end)
    return end
