"""A flow file as a DAG: the task that each step becomes, and the setting that each field becomes.

What a task does when it runs is in `step_operator` and `outcome_operator`.
"""

import os
import re
import sys
from datetime import timedelta
from typing import Any

from airflow.sdk import DAG

from flow_spec import FlowSpec, OnConflict, StepSpec
from orchesjob_flow_airflow.errors import DagIdRefused, FieldRefused
from orchesjob_flow_airflow.flow_as_dag.flow_cache import read_flow
from orchesjob_flow_airflow.flow_as_dag.outcome_operator import OUTCOME_TASK_ID, OutcomeOperator
from orchesjob_flow_airflow.flow_as_dag.step_operator import StepOperator

_DAG_ID = re.compile(r"[\w.-]{1,250}")


def flow_dag(
    path: str | os.PathLike[str],
    *,
    dag_id: str | None = None,
    schedule: Any = None,
    **dag_arguments: Any,
) -> DAG:
    """Return a DAG that does what the flow file at `path` says.

    The folder of the DAG file that calls this stands for the directory in which a flow is started.
    `path` and every relative `working_dir` are resolved there, and commands run there unless the
    flow names a `working_dir`.

    Args:
        path: The flow file.
        dag_id: The id of the DAG; by default that of the flow.
        schedule: When Airflow starts runs by itself; by default never.
        **dag_arguments: Any other argument of `airflow.sdk.DAG`; it takes precedence over the flow.

    Raises:
        FlowFileError: The file cannot be read or is no valid flow; says where and why.
        DagIdRefused: The flow's id cannot be the id of a DAG.
        FieldRefused: The flow has `finally`, `foreach`, `params` or names in words, it or a step an
            `env_file`, a step an `only_if`, or its runs do not just wait for each other.
    """
    caller = os.path.abspath(sys._getframe(1).f_code.co_filename)  # noqa: PTH100 - as Airflow
    folder = os.path.dirname(caller)  # noqa: PTH120 - text, as Airflow keeps it
    flow = _read(os.path.join(folder, path))  # noqa: PTH118
    arguments = {**_dag_arguments(flow), **dag_arguments}
    with DAG(dag_id or _dag_id(flow), schedule=schedule, **arguments) as dag:
        tasks = {step.id: _task(flow, step, folder) for step in flow.steps}
        for step in flow.steps:
            if step.waits_for:
                tasks[step.id].set_upstream([tasks[other] for other in step.waits_for])
        outcome = OutcomeOperator(task_id=OUTCOME_TASK_ID, flow=flow)
        outcome.set_upstream(list(tasks.values()))
    dag.fileloc = caller
    return dag


def _read(path: str) -> FlowSpec:
    """Return the flow in a file, which a DAG can run whole (rules 10.1 to 10.8)."""
    flow = read_flow(path)
    if flow.finally_:
        reason = "Airflow starts no task after a run was marked or has timed out"
        raise FieldRefused(path, "finally", reason)
    if flow.blocks:
        raise FieldRefused(path, "foreach", "no task of Airflow stands for all copies of a step")
    if any(flow.env_files_of(step) for step in flow.steps):
        raise FieldRefused(path, "env_file", "the variables of a task are kept in Airflow")
    if flow.params:
        raise FieldRefused(path, "params", "the tasks of a DAG run are given no values")
    if flow.has_names:
        raise FieldRefused(path, "${{ }}", "the tasks of a DAG share no directory of a run")
    if any(step.only_if for step in flow.steps):
        raise FieldRefused(path, "only_if", "each try of a task is one attempt at its command")
    group = flow.concurrency
    if group is not None and (flow.group != flow.flow_id or group.on_conflict != OnConflict.WAIT):
        reason = "Airflow lets runs wait for each other, and only those of one DAG"
        raise FieldRefused(path, "concurrency", reason)
    return flow


def _dag_id(flow: FlowSpec) -> str:
    if not _DAG_ID.fullmatch(flow.flow_id):
        raise DagIdRefused(flow.flow_id)
    return flow.flow_id


def _dag_arguments(flow: FlowSpec) -> dict[str, Any]:
    """Return the arguments of `DAG` that stand for the fields of the flow."""
    arguments: dict[str, Any] = {}
    if flow.max_parallel is not None:
        arguments["max_active_tasks"] = flow.max_parallel
    if flow.concurrency is not None:
        arguments["max_active_runs"] = 1
    if flow.timeout_sec is not None:
        arguments["dagrun_timeout"] = _seconds(flow.timeout_sec)
    return arguments


def _task(flow: FlowSpec, step: StepSpec, folder: str) -> StepOperator:
    """Return the task of a step. Every argument is given: the file decides, not `default_args`."""
    return StepOperator(
        task_id=step.id,
        flow=flow,
        step=step,
        folder=folder,
        trigger_rule="all_done",
        retries=step.retries,
        retry_delay=_seconds(step.delay_after(1)),
        retry_exponential_backoff=_backoff(step),
        max_retry_delay=_seconds(step.retry_max_delay_sec),
        execution_timeout=_seconds(step.timeout_sec),
        depends_on_past=False,
        doc_md=step.description,
    )


def _backoff(step: StepSpec) -> float:
    """Return the factor of Airflow's backoff; 0 is none, and a delay of 0 needs none."""
    grows = step.retry_backoff > 1 and step.delay_after(1) > 0
    return step.retry_backoff if grows else 0.0


def _seconds(seconds: float | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)
