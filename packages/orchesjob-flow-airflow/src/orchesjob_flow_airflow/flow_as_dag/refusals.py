"""Checks of a flow and of a DAG's arguments: what a task for each step cannot do is refused.

A refusal is an import error that names the file and the reason.
"""

from collections.abc import Mapping
from typing import Any

from flow_spec import FlowSpec, OnConflict, filled
from orchesjob_flow_airflow.errors import ArgumentRefused, FieldRefused, RetriesRefused
from orchesjob_flow_airflow.flow_as_dag.run import needs_run_dir

_IN_THE_FILE = "the flow file says that, with `{}`"
_OPEN_LIST = "the tasks are there before a run has values for the parameters that a list names"
_OWN_RUN = "a step waits for steps of its own run alone"
REFUSED_DEFAULTS = {
    "retries": _IN_THE_FILE.format("retries"),
    "retry_delay": _IN_THE_FILE.format("retry_delay_sec"),
    "retry_exponential_backoff": _IN_THE_FILE.format("retry_backoff"),
    "max_retry_delay": _IN_THE_FILE.format("retry_max_delay_sec"),
    "retry_policy": _IN_THE_FILE.format("retry_exit_codes"),
    "execution_timeout": _IN_THE_FILE.format("timeout_sec"),
    "trigger_rule": _IN_THE_FILE.format("when"),
    "depends_on_past": _OWN_RUN,
    "wait_for_downstream": _OWN_RUN,
    "wait_for_past_depends_before_skipping": _OWN_RUN,
    "do_xcom_push": "a step returns nothing to Airflow; let it write its result into a file",
}
"""Arguments of a task that would change the outcomes of steps, and why the file decides them."""


def check_flow(
    path: str, flow: FlowSpec, function: str, *, run_dirs: object, infrastructure_retries: object
) -> None:
    """Refuse a flow if the tasks that `function` makes cannot do what it says (10.1 to 10.8)."""
    params = [param.name for param in flow.params]
    here, there = ({**dict.fromkeys(params, one), "FLOW_DIR": ""} for one in ("here", "there"))
    texts = [one.text or "" for one in flow.open_lists]
    if any(filled(text, here) != filled(text, there) for text in texts):
        raise FieldRefused(path, "foreach", _OPEN_LIST, function)
    if run_dirs is None and needs_run_dir(flow):
        reason = f"give {function} `run_dirs`, a folder that all workers see"
        raise FieldRefused(path, "${{ RUN_DIR }}", reason, function)
    if type(infrastructure_retries) is not int or infrastructure_retries < 0:
        raise RetriesRefused(path, infrastructure_retries)


def check_dag(path: str, flow: FlowSpec, arguments: Mapping[str, Any]) -> None:
    """Refuse a flow, or arguments of the caller, if its DAG would mean something else (13.4)."""
    group = flow.concurrency
    if group is not None and (flow.group != flow.flow_id or group.on_conflict != OnConflict.WAIT):
        reason = "Airflow lets runs wait for each other, and only those of one DAG"
        raise FieldRefused(path, "concurrency", reason, "flow_dag")
    if arguments.get("dagrun_timeout") is not None:
        raise ArgumentRefused(path, "dagrun_timeout", _IN_THE_FILE.format("timeout_sec"))
    if arguments.get("fail_fast"):
        reason = "steps that run beside a failure, or because of one, would end or never begin"
        raise ArgumentRefused(path, "fail_fast", reason)
    if group is not None and arguments.get("max_active_runs", 1) != 1:
        raise ArgumentRefused(path, "max_active_runs", _IN_THE_FILE.format("concurrency"))
    _check_arguments(path, arguments)


def check_group(path: str, flow: FlowSpec, arguments: Mapping[str, Any]) -> None:
    """Refuse a flow that says something about its runs, which belong to the DAG around it."""
    if flow.params:
        reason = "the values of a run are given to a DAG, not to a group of tasks"
        raise FieldRefused(path, "params", reason, "flow_task_group")
    for field, argument, value in (
        ("timeout_sec", "dagrun_timeout", flow.timeout_sec),
        ("max_parallel", "max_active_tasks", flow.max_parallel),
        ("concurrency", "max_active_runs", flow.concurrency),
    ):
        if value is not None:
            reason = f"Airflow limits DAGs, not groups of tasks; give the DAG around it {argument}"
            raise FieldRefused(path, field, reason, "flow_task_group")
    _check_arguments(path, arguments)


def _check_arguments(path: str, arguments: Mapping[str, Any]) -> None:
    """Refuse `until` and defaults for tasks that mean something; None and False do not."""
    if arguments.get("until"):
        reason = "there is a task for each step of the file; OrchesjobFlowOperator has `until`"
        raise ArgumentRefused(path, "until", reason)
    for name, value in (arguments.get("default_args") or {}).items():
        if name in REFUSED_DEFAULTS and value is not None and value is not False:
            raise ArgumentRefused(path, f"default_args[{name!r}]", REFUSED_DEFAULTS[name])
