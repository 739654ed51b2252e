"""A flow file as a DAG: which step becomes which task, and which of its fields what of Airflow.

What a task does when it runs is the matter of `step` and `outcome`.
"""

import os
import re
import sys
from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, BaseOperator

from flow_spec import FlowSpec, StepSpec
from orchesjob_flow_airflow.outcome import OUTCOME_TASK, OutcomeOperator
from orchesjob_flow_airflow.reading import read_flow
from orchesjob_flow_airflow.step import StepOperator

_NO_BACKOFF = BaseOperator.retry_exponential_backoff  # 0, or False before Airflow 3.2
_NAME_OF_A_DAG = re.compile(r"[\w.-]{1,250}")


def flow_dag(
    path: str | os.PathLike[str],
    *,
    dag_id: str | None = None,
    schedule: Any = None,
    **dag_arguments: Any,
) -> DAG:
    """Return the DAG that means what the flow file at `path` means.

    The folder of the DAG file that calls this stands for the directory in which a flow is started:
    `path` is taken from there, and so is a `working_dir`; where there is none, commands run there.

    Args:
        path: The flow file.
        dag_id: The DAG's id; the flow's, unless given.
        schedule: When Airflow starts runs by itself; never, unless given.
        **dag_arguments: Whatever else `airflow.sdk.DAG` takes; it wins over what the flow says.

    Raises:
        FlowFileError: The file cannot be read or is no valid flow; says where and why.
        ValueError: A DAG cannot have the flow's id.
    """
    caller = os.path.abspath(sys._getframe(1).f_code.co_filename)  # noqa: PTH100 - as Airflow
    folder = os.path.dirname(caller)  # noqa: PTH120 - text, as Airflow keeps it
    flow = read_flow(os.path.join(folder, path))  # noqa: PTH118
    arguments = {**_of_the_dag(flow), **dag_arguments}
    with _dag(dag_id, flow, schedule=schedule, **arguments) as dag:
        tasks = {step.id: _task(flow, step, folder) for step in flow.steps}
        for step in flow.steps:
            if step.waits_for:
                tasks[step.id].set_upstream([tasks[other] for other in step.waits_for])
        outcome = OutcomeOperator(task_id=OUTCOME_TASK, flow=flow)
        outcome.set_upstream(list(tasks.values()))
    dag.fileloc = caller
    return dag


def _dag(dag_id: str | None, flow: FlowSpec, **arguments: Any) -> DAG:
    if dag_id is not None or _NAME_OF_A_DAG.fullmatch(flow.flow_id):
        return DAG(dag_id or flow.flow_id, **arguments)
    raise ValueError(f"the flow's id {flow.flow_id!r} cannot name a DAG; give flow_dag a dag_id")


def _of_the_dag(flow: FlowSpec) -> dict[str, Any]:
    """Return what the flow says of its runs in Airflow's words."""
    arguments: dict[str, Any] = {}
    if flow.max_parallel is not None:
        arguments["max_active_tasks"] = flow.max_parallel
    if flow.timeout_sec is not None:
        arguments["dagrun_timeout"] = _seconds(flow.timeout_sec)
    return arguments


def _task(flow: FlowSpec, step: StepSpec, folder: str) -> StepOperator:
    """Return the task of a step; every argument is given, because the file decides it."""
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
    """Return the factor of Airflow's backoff, where there is one: a delay of 0 needs none."""
    grows = step.retry_backoff > 1 and step.delay_after(1) > 0
    return step.retry_backoff if grows else _NO_BACKOFF


def _seconds(seconds: float | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)
