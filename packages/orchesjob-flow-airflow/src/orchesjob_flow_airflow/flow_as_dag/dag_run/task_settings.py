"""The settings of a task that stand for fields of its step: Airflow obeys them by itself."""

from datetime import timedelta
from typing import Any

from flow_spec import FlowSpec, StepSpec
from orchesjob_flow_airflow.flow_as_dag.dag_run.retries import StepRetries

FAULT_DELAY = timedelta(seconds=30)
"""Between a fault of the machinery and the next try: an API server restarts meanwhile."""


def task_settings(step: StepSpec, infrastructure_retries: int) -> dict[str, Any]:
    """Return the arguments that the task of a step has for the step's retries and timeout.

    Airflow counts all tries. The task itself counts those at which its command has failed, and says
    when the next one is due: what is left to Airflow is a try that could not say anything.
    """
    return {
        **fault_settings(step.retries + infrastructure_retries),
        "retry_policy": StepRetries(),
        "execution_timeout": seconds(_limit_of_try(step)),
    }


def fault_settings(retries: int) -> dict[str, Any]:
    """Return the arguments of a task that is tried again after a fault of the machinery."""
    return {
        "retries": retries,
        "retry_delay": FAULT_DELAY,
        "retry_exponential_backoff": 0.0,
        "max_retry_delay": None,
    }


def obeyed_by_airflow(flow: FlowSpec) -> dict[str, Any]:
    """Return all that Airflow obeys of a flow: what runs after what, how often and how long."""
    return {
        step.id: (
            set(step.waits_for),
            step.retries,
            _limit_of_try(step),
            step.id in flow.finally_ids,
        )
        for step in flow.all_steps
    }


def _limit_of_try(step: StepSpec) -> float | None:
    """Return after how many seconds Airflow ends a try: with a gate, the task does it itself.

    Such a try may be two attempts, each of which has the whole limit (rule 10.8).
    """
    return None if step.only_if else step.timeout_sec


def seconds(number: float | None) -> timedelta | None:
    """Return a duration as Airflow takes it."""
    return None if number is None else timedelta(seconds=number)
