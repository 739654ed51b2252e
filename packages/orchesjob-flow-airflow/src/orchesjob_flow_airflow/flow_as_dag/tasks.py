"""The tasks of a flow: what each step becomes, and which task waits for which.

They are added to whatever is being made around them: a DAG, or a group of tasks in one. What a task
does when it runs is in `operators`.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk import BaseOperator, TaskGroup
from airflow.sdk.exceptions import AirflowException

from flow_spec import FlowSpec, StepSpec
from orchesjob_flow_airflow.flow_as_dag.copies import CopyGroups, lane_predecessors, staged_blocks
from orchesjob_flow_airflow.flow_as_dag.operators import (
    BeginningOperator,
    JoinOperator,
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
    """Add the tasks of a flow.

    Args:
        group: The group that is being made, or that of a whole DAG.
        flow: The flow.
        path: Its file.
        folder: The folder of the DAG file, which stands for the flow's directory.
        infrastructure_retries: How many infrastructure faults of a task are retried.
        run_dirs: The folder for the directories of runs, if there is one.
        secrets: Variables for the commands that nobody records.
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
    groups, on_lane = CopyGroups(flow, staged, task_ids), lane_predecessors(staged)
    tasks: dict[str, BaseOperator] = {}
    for step in flow.all_steps:
        try:
            tasks[step.id] = _task(
                step,
                infrastructure_retries,
                {**settings, **groups.place_of(step.id), **arguments[step.id]},
                trigger_rule="all_done" if step.waits_for or step.id in on_lane else "all_success",
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


def _task(
    step: StepSpec, infrastructure_retries: int, arguments: dict[str, Any], trigger_rule: str
) -> StepOperator:
    """Return the task of a step, which counts the step's retries and keeps its time itself."""
    return StepOperator(
        step=step,
        trigger_rule=trigger_rule,
        **fault_settings(step.retries + infrastructure_retries) | {"retry_policy": StepRetries()},
        **(_SILENT if step.allow_failure else {}),
        **{"doc_md": step.description, **arguments},
    )


def add_edges(
    flow: FlowSpec,
    tasks: Mapping[str, BaseOperator],
    beginning: BaseOperator,
    on_lane: Mapping[str, Sequence[str]],
) -> None:
    """Make the tasks of steps wait; those with nothing to wait for wait for the first task.

    A task waits for what its step waits for, and for the copy before it on its lane (rules 3.6 and
    10.3). A name may mean all copies of a step.
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

    Args:
        flow: The flow.
        tasks: The tasks of all steps, those of `finally` included, by step id.
        beginning: The first task of the flow.
        outcome_arguments: The arguments of a task that gives the run its outcome.
    """
    before = JoinOperator(task_id=FINALLY)
    before.set_upstream([tasks[step.id] for step in flow.steps] or beginning)
    end = JoinOperator(task_id=END)
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
