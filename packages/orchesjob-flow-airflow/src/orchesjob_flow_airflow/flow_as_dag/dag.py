"""A flow file as a DAG of its own, or as a group of tasks in another DAG.

What each field of the flow becomes in its DAG is here; what each step becomes is in `tasks`.
"""

import os
import re
import sys
from collections.abc import Mapping
from copy import copy
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, Param, TaskGroup
from airflow.sdk.definitions._internal.contextmanager import DagContext, TaskGroupContext

from flow_spec import FlowSpec
from orchesjob_flow_airflow.errors import InsideDag, InsideMappedGroup, OutsideDag
from orchesjob_flow_airflow.flow_as_dag.files import read_flow_file
from orchesjob_flow_airflow.flow_as_dag.refusals import check_dag, check_flow, check_group
from orchesjob_flow_airflow.flow_as_dag.tasks import INFRASTRUCTURE_RETRIES, add_tasks


def flow_dag(  # noqa: PLR0913 - its options
    path: str | os.PathLike[str],
    *,
    dag_id: str | None = None,
    schedule: Any = None,
    infrastructure_retries: int = INFRASTRUCTURE_RETRIES,
    run_dirs: str | os.PathLike[str] | None = None,
    secrets: Mapping[str, str] | None = None,
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
        infrastructure_retries: How many tries of a task may fail for another reason than its
            command, such as an API server that does not answer or a dead worker (rule 13.2).
        run_dirs: A folder that all workers see, in which each run gets a directory of its own (rule
            10.6). You have to remove these yourself.
        secrets: Variables for all commands, as values or templates. Airflow neither records nor
            shows them, and masks the values in task logs. The variables of the flow win.
        **dag_arguments: Any other argument of `airflow.sdk.DAG` that does not change the outcome of
            a run; `max_active_tasks` takes precedence over the flow, and a value in `params` over
            the default of the flow's parameter.

    Raises:
        FlowFileError: The file cannot be read or is not a valid flow, or Airflow refuses the task
            of a step, such as one with too long an id; says where and why.
        InsideDag: Another DAG is being made around the call.
        FieldRefused: The flow names the directory of a run without `run_dirs`, a list names a
            parameter, or `concurrency` says more than that its runs wait for each other.
        ArgumentRefused: An argument would change the outcome of a run or of a step (rule 13.4).
        RetriesRefused: `infrastructure_retries` is not an integer >= 0.
        ValueError: Airflow refuses an argument, such as a schedule for a flow with a parameter that
            has no allowed value.
    """
    dag_file = _calling_file()
    folder, path = _resolve(dag_file, path)
    if (around := DagContext.get_current()) is not None:
        raise InsideDag(path, around.dag_id)
    flow = read_flow_file(path, folder)
    options: dict[str, Any] = {
        "infrastructure_retries": infrastructure_retries,
        "run_dirs": run_dirs,
    }
    check_flow(path, flow, "flow_dag", **options)
    check_dag(path, flow, dag_arguments)
    arguments = {"doc_md": _as_document(path), **_dag_arguments(flow), **dag_arguments}
    arguments["params"] = _params(flow, dag_arguments.get("params"))
    dag = DAG(dag_id or flow.flow_id, schedule=schedule, **arguments)
    with dag:
        dag.auto_register = False  # a factory may catch the error of a DAG that is half made
        add_tasks(dag.task_group, flow, path, folder, secrets=secrets, **options)
        dag.auto_register = arguments.get("auto_register", True)
    dag.fileloc = dag_file
    return dag


def flow_task_group(
    path: str | os.PathLike[str],
    *,
    group_id: str | None = None,
    infrastructure_retries: int = INFRASTRUCTURE_RETRIES,
    run_dirs: str | os.PathLike[str] | None = None,
    secrets: Mapping[str, str] | None = None,
    **group_arguments: Any,
) -> TaskGroup:
    """Return a group of tasks that does what the flow file at `path` says, in the DAG around it.

    The group begins with a task `flow.begin`, which waits for the group's upstream tasks and needs
    no worker. It ends with `flow.outcome`, which fails if the flow would; the group's downstream
    tasks wait for that. If the group's upstream tasks fail or are skipped, no step runs.

    Args:
        path: The flow file, resolved as in `flow_dag`.
        group_id: The id of the group, which begins the ids of its tasks; by default the flow's.
        infrastructure_retries: As in `flow_dag`, like the next two.
        run_dirs: A folder for the directories of runs.
        secrets: Variables for all commands.
        **group_arguments: Any other argument of `airflow.sdk.TaskGroup` that does not change the
            outcome of a step.

    Raises:
        OutsideDag: There is no DAG around the call.
        InsideMappedGroup: The group around the call is expanded at run time.
        FieldRefused: The flow has a field that tasks cannot obey, or one about its runs.
        ArgumentRefused: A default argument would change the outcome of a step (rule 13.4).
        FlowFileError, RetriesRefused: As in `flow_dag`.
    """
    folder, path = _resolve(_calling_file(), path)
    if DagContext.get_current() is None:
        raise OutsideDag(path)
    around = TaskGroupContext.get_current()
    if around is not None and next(iter(around.iter_mapped_task_groups()), None) is not None:
        raise InsideMappedGroup(path, str(around.group_id))
    flow = read_flow_file(path, folder)
    options: dict[str, Any] = {
        "infrastructure_retries": infrastructure_retries,
        "run_dirs": run_dirs,
    }
    check_flow(path, flow, "flow_task_group", **options)
    check_group(path, flow, group_arguments)
    arguments = {"tooltip": flow.about, **group_arguments}
    with TaskGroup(group_id or flow.flow_id, **arguments) as group:
        add_tasks(group, flow, path, folder, secrets=secrets, **options)
    return group


def _calling_file() -> str:
    """Return the DAG file that called the function that calls this one."""
    return os.path.abspath(sys._getframe(2).f_code.co_filename)  # noqa: PTH100 - as Airflow


def _resolve(dag_file: str, path: str | os.PathLike[str]) -> tuple[str, str]:
    """Return the folder of a DAG file, and a path in it; text, as Airflow keeps it."""
    folder = os.path.dirname(dag_file)  # noqa: PTH120
    return folder, os.path.join(folder, path)  # noqa: PTH118


def _dag_arguments(flow: FlowSpec) -> dict[str, Any]:
    arguments: dict[str, Any] = {"description": flow.description}
    if flow.max_parallel is not None:
        arguments["max_active_tasks"] = flow.max_parallel
    if flow.concurrency is not None:
        arguments["max_active_runs"] = 1
    if flow.timeout_sec is not None and not flow.finally_:  # else the tasks keep it themselves
        arguments["dagrun_timeout"] = timedelta(seconds=flow.timeout_sec)
    return arguments


def _params(flow: FlowSpec, overrides: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the params of a flow's DAG: those that the flow declares, and the caller's.

    What a `Param` of the caller does not say is taken from the flow; its list of values only if
    they may be text. Each task checks the values of a run again, against the flow (rule 10.2).
    """
    params = dict(overrides or {})
    for param in flow.params:
        default = params.get(param.name, param.default)
        own = Param(**_without_none(default=None if isinstance(default, Param) else default))
        if isinstance(default, Param):
            own = copy(default)
        schema = {"type": ["string", "integer"], "pattern": _anchored(param.pattern), **own.schema}
        if param.enum and "string" in schema["type"]:
            null = [None] if "null" in schema["type"] else []
            schema = {"enum": [*param.enum, *null], **schema}
        own.schema = _without_none(**schema)
        own.description = own.description or param.description
        params[param.name] = own
    return params


def _without_none(**given: Any) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}


def _anchored(pattern: str | None) -> str | None:
    """Return a pattern that the whole value must match, as one that Airflow can search for."""
    if pattern is None:
        return None
    whole = f"^(?:{pattern})$"
    try:
        re.compile(whole)
    except re.error:  # flags must be at its start: then only the task checks the value
        return None
    return whole


def _as_document(path: str) -> str:
    """Return a flow file as the documentation of its DAG: whole, in a block of code."""
    text = Path(path).read_text(encoding="utf-8")
    fence = "`" * max([3, *(len(run) + 1 for run in re.findall("`+", text))])
    language = "json" if path.endswith(".json") else "yaml"
    return f"{fence}{language}\n{text.rstrip()}\n{fence}\n"
