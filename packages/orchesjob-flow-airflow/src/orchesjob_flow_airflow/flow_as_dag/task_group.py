"""A flow file as a group of tasks in a DAG that somebody writes around it."""

import os
import re
from typing import Any

from airflow.sdk import TaskGroup
from airflow.sdk.definitions._internal.contextmanager import DagContext, TaskGroupContext

from flow_spec import FlowSpec
from orchesjob_flow_airflow.errors import GroupIdRefused, InsideMappedGroup, OutsideDag
from orchesjob_flow_airflow.flow_as_dag.authoring.dag_file import calling_dag_file
from orchesjob_flow_airflow.flow_as_dag.authoring.flow_cache import read_flow
from orchesjob_flow_airflow.flow_as_dag.authoring.refusals import (
    check_default_args,
    check_fields_of_runs,
    check_flow,
    check_infrastructure_retries,
)
from orchesjob_flow_airflow.flow_as_dag.authoring.tasks import INFRASTRUCTURE_RETRIES, add_tasks

_GROUP_ID = re.compile(r"[\w-]{1,200}")


def flow_task_group(
    path: str | os.PathLike[str],
    *,
    group_id: str | None = None,
    infrastructure_retries: int = INFRASTRUCTURE_RETRIES,
    run_dirs: str | os.PathLike[str] | None = None,
    **group_arguments: Any,
) -> TaskGroup:
    """Return a group of tasks that does what the flow file at `path` says, in the DAG around it.

    The group begins with a task `flow.begin`, which waits for what the group waits for and costs
    nothing, and ends with `flow.outcome`, which fails if the flow would. What waits for the group
    waits for that. If the group's upstream tasks fail or are skipped, no step runs.

    Paths are resolved as `flow_dag` does it.

    Args:
        path: The flow file.
        group_id: The id of the group, which begins the ids of its tasks; by default the flow's.
        infrastructure_retries: How many tries of a task may fail of anything but its command, such
            as an API server that does not answer or a worker that dies (rule 13.2).
        run_dirs: A folder that all workers see, in which each run gets a directory of its own (rule
            10.6). Nobody but you removes these.
        **group_arguments: Any other argument of `airflow.sdk.TaskGroup` that does not change the
            outcome of a step.

    Raises:
        FlowFileError: The file cannot be read or is no valid flow; says where and why.
        OutsideDag: There is no DAG around the call.
        InsideMappedGroup: The group around the call is expanded at run time.
        GroupIdRefused: The flow's id cannot be the id of a group.
        FieldRefused: The flow has a field that tasks cannot obey, or one about its runs.
        ArgumentRefused: A default argument would change the outcome of a step (rule 13.4).
        TaskIdTooLong: The id of a step, or of its copy, is longer than that of a task may be.
        RetriesRefused: `infrastructure_retries` is no number of retries.
    """
    dag_file = calling_dag_file()
    path = dag_file.resolve(path)
    if DagContext.get_current() is None:
        raise OutsideDag(path)
    around = TaskGroupContext.get_current()
    if around is not None and next(iter(around.iter_mapped_task_groups()), None) is not None:
        raise InsideMappedGroup(path, str(around.group_id))
    flow = read_flow(path, dag_file.folder)
    check_flow(path, flow, "flow_task_group", has_run_dirs=run_dirs is not None)
    check_fields_of_runs(path, flow)
    check_default_args(path, group_arguments.get("default_args"))
    check_infrastructure_retries(path, infrastructure_retries)
    with TaskGroup(group_id or _group_id(flow), **group_arguments) as group:
        add_tasks(
            group,
            flow,
            path,
            dag_file,
            infrastructure_retries=infrastructure_retries,
            run_dirs=run_dirs,
        )
    return group


def _group_id(flow: FlowSpec) -> str:
    if not _GROUP_ID.fullmatch(flow.flow_id):
        raise GroupIdRefused(flow.flow_id)
    return flow.flow_id
