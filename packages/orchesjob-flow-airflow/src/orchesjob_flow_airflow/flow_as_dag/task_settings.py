"""The settings of a task that stand for fields of its step: Airflow obeys them by itself."""

from datetime import timedelta
from typing import Any

from flow_spec import FlowSpec, StepSpec


def task_settings(step: StepSpec) -> dict[str, Any]:
    """Return the arguments that the task of a step has for the step's retries and timeout."""
    return {
        "retries": step.retries,
        "retry_delay": seconds(step.delay_after(1)),
        "retry_exponential_backoff": _backoff(step),
        "max_retry_delay": seconds(step.retry_max_delay_sec),
        "execution_timeout": seconds(step.timeout_sec),
    }


def obeyed_by_airflow(flow: FlowSpec) -> dict[str, Any]:
    """Return all that Airflow obeys of a flow: what runs after what, how often and how long."""
    return {step.id: (set(step.waits_for), task_settings(step)) for step in flow.steps}


def seconds(number: float | None) -> timedelta | None:
    """Return a duration as Airflow takes it."""
    return None if number is None else timedelta(seconds=number)


def _backoff(step: StepSpec) -> float:
    """Return the factor of Airflow's backoff; 0 is none, and a delay of 0 needs none."""
    grows = step.retry_backoff > 1 and step.delay_after(1) > 0
    return step.retry_backoff if grows else 0.0
