"""The tasks of a flow: what each step becomes, which task waits for which, the first and the last.

They go into whatever is being made around them: a DAG, or a group of tasks in one. What a task does
when it runs is in `step_operator` and `outcome_operator`.
"""

import os
from typing import Any

from airflow.sdk import TaskGroup

from flow_spec import FlowSpec, StepSpec
from orchesjob_flow_airflow.flow_as_dag.authoring.copy_groups import CopyGroups
from orchesjob_flow_airflow.flow_as_dag.authoring.dag_file import DagFile
from orchesjob_flow_airflow.flow_as_dag.authoring.edges import add_edges
from orchesjob_flow_airflow.flow_as_dag.authoring.finally_tasks import add_finally
from orchesjob_flow_airflow.flow_as_dag.authoring.lanes import turns
from orchesjob_flow_airflow.flow_as_dag.authoring.stages import staged_blocks
from orchesjob_flow_airflow.flow_as_dag.authoring.x_airflow import arguments_of_steps, common_place
from orchesjob_flow_airflow.flow_as_dag.dag_run.definition import digest
from orchesjob_flow_airflow.flow_as_dag.dag_run.task_ids import BEGINNING, OUTCOME, TaskIds
from orchesjob_flow_airflow.flow_as_dag.dag_run.task_settings import task_settings
from orchesjob_flow_airflow.flow_as_dag.operators.costless_operators import BeginningOperator
from orchesjob_flow_airflow.flow_as_dag.operators.outcome_operator import OutcomeOperator
from orchesjob_flow_airflow.flow_as_dag.operators.step_operator import StepOperator

INFRASTRUCTURE_RETRIES = 3
"""How many tries of a task may fail of anything but its command, unless the DAG says otherwise."""

_SILENT: dict[str, Any] = {"on_failure_callback": None, "email_on_failure": False}
"""For tasks whose failure is to be reported to nobody."""


def add_tasks(  # noqa: PLR0913 - what the tasks need
    group: TaskGroup,
    flow: FlowSpec,
    path: str,
    dag_file: DagFile,
    *,
    infrastructure_retries: int,
    run_dirs: str | os.PathLike[str] | None,
) -> None:
    """Add the tasks of a flow.

    Args:
        group: The group that is being made, or that of a whole DAG.
        flow: The flow.
        path: Its file.
        dag_file: The DAG file, whose folder stands for the flow's directory.
        infrastructure_retries: How many tries of a task may fail of anything but its command.
        run_dirs: The folder for the directories of runs, if there is one.
    """
    task_ids = TaskIds.within(group)
    beginning = BeginningOperator(task_id=BEGINNING)
    settings = {
        "flow": flow,
        "task_ids": task_ids,
        "flow_dir": os.path.dirname(path),  # noqa: PTH120 - text, as Airflow keeps it
        "folder": dag_file.folder,
        "run_dirs": None if run_dirs is None else dag_file.resolve(run_dirs),
        "definition": digest(flow),
    }
    staged, arguments = staged_blocks(flow), arguments_of_steps(path, flow)
    groups, waiting = CopyGroups(flow, staged, task_ids), turns(staged)
    tasks = {
        step.id: _task(
            step,
            infrastructure_retries,
            {**settings, **groups.place_of(step.id), **arguments.get(step.id, {})},
            trigger_rule="all_done" if step.waits_for or step.id in waiting else "all_success",
        )
        for step in flow.all_steps
    }
    add_edges(flow, tasks, beginning, waiting, groups)
    judging = {
        "flow": flow,
        "task_ids": task_ids,
        "infrastructure_retries": infrastructure_retries,
        **common_place(arguments, flow),
        **_SILENT,
    }
    outcome = OutcomeOperator(task_id=OUTCOME, trigger_rule="all_done", **judging)
    outcome.set_upstream(list(tasks.values()) or beginning)
    if flow.finally_:
        outcome.set_upstream(add_finally(flow, tasks, beginning, judging))


def _task(
    step: StepSpec, infrastructure_retries: int, arguments: dict[str, Any], trigger_rule: str
) -> StepOperator:
    """Return the task of a step.

    Every argument is given on which outcomes depend: the file decides, not `default_args`.
    """
    return StepOperator(
        step=step,
        trigger_rule=trigger_rule,
        **task_settings(step, infrastructure_retries),
        depends_on_past=False,
        wait_for_downstream=False,
        wait_for_past_depends_before_skipping=False,
        **(_SILENT if step.allow_failure else {}),
        **{"doc_md": step.description, **arguments},
    )
