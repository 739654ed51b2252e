"""A flow file as a DAG of its own: the setting that each field of the flow becomes."""

import os
import re
from pathlib import Path
from typing import Any

from airflow.sdk import DAG
from airflow.sdk.definitions._internal.contextmanager import DagContext

from flow_spec import FlowSpec
from orchesjob_flow_airflow.errors import DagIdRefused, InsideDag
from orchesjob_flow_airflow.flow_as_dag.authoring.dag_file import calling_dag_file
from orchesjob_flow_airflow.flow_as_dag.authoring.flow_cache import read_flow
from orchesjob_flow_airflow.flow_as_dag.authoring.refusals import (
    check_concurrency,
    check_dag_arguments,
    check_default_args,
    check_flow,
    check_infrastructure_retries,
)
from orchesjob_flow_airflow.flow_as_dag.authoring.tasks import INFRASTRUCTURE_RETRIES, add_tasks
from orchesjob_flow_airflow.flow_as_dag.dag_run.dag_params import dag_params
from orchesjob_flow_airflow.flow_as_dag.dag_run.task_settings import seconds

_DAG_ID = re.compile(r"[\w.-]{1,250}")


def flow_dag(
    path: str | os.PathLike[str],
    *,
    dag_id: str | None = None,
    schedule: Any = None,
    infrastructure_retries: int = INFRASTRUCTURE_RETRIES,
    run_dirs: str | os.PathLike[str] | None = None,
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
        infrastructure_retries: How many tries of a task may fail of anything but its command, such
            as an API server that does not answer or a worker that dies (rule 13.2).
        run_dirs: A folder that all workers see, in which each run gets a directory of its own (rule
            10.6). Nobody but you removes these.
        **dag_arguments: Any other argument of `airflow.sdk.DAG` that does not change the outcome of
            a run; `max_active_tasks` takes precedence over the flow, and a value in `params` over
            the default of the flow's parameter.

    Raises:
        FlowFileError: The file cannot be read or is no valid flow; says where and why.
        InsideDag: Another DAG is being made around the call.
        DagIdRefused: The flow's id cannot be the id of a DAG.
        FieldRefused: The flow names the directory of a run without `run_dirs`, a list of a
            `foreach` has a parameter in its path, or runs do not just wait for each other.
        ArgumentRefused: An argument would change the outcome of a run or of a step (rule 13.4).
        TaskIdTooLong: The id of a step, or of its copy, is longer than that of a task may be.
        RetriesRefused: `infrastructure_retries` is no number of retries.
    """
    dag_file = calling_dag_file()
    path = dag_file.resolve(path)
    if (around := DagContext.get_current()) is not None:
        raise InsideDag(path, around.dag_id)
    flow = read_flow(path, dag_file.folder)
    check_flow(path, flow, "flow_dag", has_run_dirs=run_dirs is not None)
    check_concurrency(path, flow)
    check_dag_arguments(path, flow, dag_arguments)
    check_default_args(path, dag_arguments.get("default_args"))
    check_infrastructure_retries(path, infrastructure_retries)
    arguments = {"doc_md": _as_document(path), **_dag_arguments(flow), **dag_arguments}
    arguments["params"] = dag_params(flow, dag_arguments.get("params"))
    with DAG(dag_id or _dag_id(flow), schedule=schedule, **arguments) as dag:
        add_tasks(
            dag.task_group,
            flow,
            path,
            dag_file,
            infrastructure_retries=infrastructure_retries,
            run_dirs=run_dirs,
        )
    dag.fileloc = dag_file.path
    return dag


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
    if flow.timeout_sec is not None and not flow.finally_:  # else the tasks keep it themselves
        arguments["dagrun_timeout"] = seconds(flow.timeout_sec)
    return arguments


def _as_document(path: str) -> str:
    """Return a flow file as the documentation of its DAG: whole, in a block of code."""
    text = Path(path).read_text(encoding="utf-8")
    fence = "`" * max([3, *(len(run) + 1 for run in re.findall("`+", text))])
    language = "json" if path.endswith(".json") else "yaml"
    return f"{fence}{language}\n{text.rstrip()}\n{fence}\n"
