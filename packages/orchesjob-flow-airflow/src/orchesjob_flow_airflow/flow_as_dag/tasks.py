"""The tasks of a flow: what each step becomes, which task waits for which, and the last of all.

They go into whatever is being made around them: a DAG, or a group of tasks in one. What a task does
when it runs is in `step_operator` and `outcome_operator`.
"""

from datetime import timedelta
from typing import Any

from flow_spec import FlowSpec, StepSpec
from orchesjob_flow_airflow.flow_as_dag.outcome_operator import OUTCOME_TASK_ID, OutcomeOperator
from orchesjob_flow_airflow.flow_as_dag.step_operator import StepOperator

SILENT: dict[str, Any] = {"on_failure_callback": None, "email_on_failure": False}
"""For tasks whose failure is to be reported to nobody."""


def add_tasks(flow: FlowSpec, folder: str, *, trigger_rule_of_first: str) -> list[StepOperator]:
    """Add the tasks of a flow, and return those that wait for no other of them.

    Args:
        flow: The flow.
        folder: The folder that stands for the flow's directory.
        trigger_rule_of_first: The trigger rule of the tasks that are returned.
    """
    tasks = {
        step.id: _task(flow, step, folder, "all_done" if step.waits_for else trigger_rule_of_first)
        for step in flow.steps
    }
    for step in flow.steps:
        if step.waits_for:
            tasks[step.id].set_upstream([tasks[other] for other in step.waits_for])
    outcome = OutcomeOperator(task_id=OUTCOME_TASK_ID, flow=flow, **SILENT)
    outcome.set_upstream(list(tasks.values()))
    return [tasks[step.id] for step in flow.steps if not step.waits_for]


def seconds(number: float | None) -> timedelta | None:
    """Return a duration as Airflow takes it."""
    return None if number is None else timedelta(seconds=number)


def _task(flow: FlowSpec, step: StepSpec, folder: str, trigger_rule: str) -> StepOperator:
    """Return the task of a step. Every argument is given: the file decides, not `default_args`."""
    return StepOperator(
        task_id=step.id,
        flow=flow,
        step=step,
        folder=folder,
        trigger_rule=trigger_rule,
        retries=step.retries,
        retry_delay=seconds(step.delay_after(1)),
        retry_exponential_backoff=_backoff(step),
        max_retry_delay=seconds(step.retry_max_delay_sec),
        retry_policy=None,
        execution_timeout=seconds(step.timeout_sec),
        depends_on_past=False,
        wait_for_downstream=False,
        wait_for_past_depends_before_skipping=False,
        doc_md=step.description,
        **(SILENT if step.allow_failure else {}),
    )


def _backoff(step: StepSpec) -> float:
    """Return the factor of Airflow's backoff; 0 is none, and a delay of 0 needs none."""
    grows = step.retry_backoff > 1 and step.delay_after(1) > 0
    return step.retry_backoff if grows else 0.0
