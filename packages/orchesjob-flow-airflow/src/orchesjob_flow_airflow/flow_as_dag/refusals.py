"""Checks of a flow and of a DAG's arguments: what a task for each step cannot do is refused.

A refusal is an import error that names the file and the reason.
"""

from collections.abc import Mapping
from typing import Any

from flow_spec import FlowSpec, OnConflict, filled
from orchesjob_flow_airflow.errors import (
    ArgumentRefused,
    FieldRefused,
    RetriesRefused,
)
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


def check_flow(path: str, flow: FlowSpec, function: str, *, has_run_dirs: bool) -> None:
    """Return if a task for each step can do what the flow says (rules 10.1 to 10.8).

    Args:
        path: The flow file.
        flow: The flow.
        function: The function that makes the tasks.
        has_run_dirs: Whether the caller gave it `run_dirs`.

    Raises:
        FieldRefused: The flow names the directory of a run without `run_dirs`, or a list of a
            `foreach` names a parameter.
    """
    params = [param.name for param in flow.params]
    here, there = ({**dict.fromkeys(params, one), "FLOW_DIR": ""} for one in ("here", "there"))
    texts = [one.text or "" for one in flow.open_lists]
    if any(filled(text, here) != filled(text, there) for text in texts):
        raise FieldRefused(path, "foreach", _OPEN_LIST, function)
    if not has_run_dirs and needs_run_dir(flow):
        reason = f"give {function} `run_dirs`, a folder that all workers see"
        raise FieldRefused(path, "${{ RUN_DIR }}", reason, function)


def check_concurrency(path: str, flow: FlowSpec) -> None:
    """Return if runs of a DAG can wait for each other as the flow says (rule 10.7).

    Raises:
        FieldRefused: They would wait for runs of other flows, or not wait.
    """
    group = flow.concurrency
    if group is not None and (flow.group != flow.flow_id or group.on_conflict != OnConflict.WAIT):
        reason = "Airflow lets runs wait for each other, and only those of one DAG"
        raise FieldRefused(path, "concurrency", reason, "flow_dag")


def check_fields_of_runs(path: str, flow: FlowSpec) -> None:
    """Return if the flow of a group says nothing about runs, which belong to the DAG around it.

    Raises:
        FieldRefused: The flow has `timeout_sec`, `max_parallel`, `concurrency` or `params`.
    """
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


def check_dag_arguments(path: str, flow: FlowSpec, arguments: Mapping[str, Any]) -> None:
    """Return if none of the caller's arguments would change the outcome of a run (rule 13.4).

    Raises:
        ArgumentRefused: One of them would.
    """
    if arguments.get("dagrun_timeout") is not None:
        raise ArgumentRefused(path, "dagrun_timeout", _IN_THE_FILE.format("timeout_sec"))
    if arguments.get("fail_fast"):
        reason = "steps that run beside a failure, or because of one, would end or never begin"
        raise ArgumentRefused(path, "fail_fast", reason)
    if flow.concurrency is not None and arguments.get("max_active_runs", 1) != 1:
        raise ArgumentRefused(path, "max_active_runs", _IN_THE_FILE.format("concurrency"))


def check_arguments(path: str, arguments: Mapping[str, Any]) -> None:
    """Return if no argument of a DAG or group would change the outcome of a step (rule 13.4).

    These are `until`, and the defaults for tasks. None and False change nothing.

    Raises:
        ArgumentRefused: One of them would.
    """
    if arguments.get("until"):
        reason = "there is a task for each step of the file; OrchesjobFlowOperator has `until`"
        raise ArgumentRefused(path, "until", reason)
    for name, value in (arguments.get("default_args") or {}).items():
        if name in REFUSED_DEFAULTS and value is not None and value is not False:
            raise ArgumentRefused(path, f"default_args[{name!r}]", REFUSED_DEFAULTS[name])


def check_infrastructure_retries(path: str, given: object) -> None:
    """Return if this is a valid `infrastructure_retries` (rule 13.2).

    Raises:
        RetriesRefused: It is not an integer, or is negative: that would reduce the step's retries.
    """
    if type(given) is not int or given < 0:
        raise RetriesRefused(path, given)
