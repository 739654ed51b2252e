"""The last task of a DAG run: it gives the run the outcome that the flow has (rule 5.1).

Airflow judges a run by the leaves of its DAG alone: a run whose step failed would be a success if
the alert behind that step succeeded. So one leaf follows all steps and fails if a step has failed.
"""

from collections.abc import Mapping
from typing import Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from flow_spec import FlowSpec, ParamsError
from orchesjob_flow_airflow.errors import DefinitionChanged, FlowNotBegun
from orchesjob_flow_airflow.flow_as_dag.dag_run.deadline import timeout_words
from orchesjob_flow_airflow.flow_as_dag.dag_run.definition import flow_of_run
from orchesjob_flow_airflow.flow_as_dag.dag_run.ending import ending, was_marked
from orchesjob_flow_airflow.flow_as_dag.dag_run.step_outcomes import (
    StepOutcomes,
    check_ended,
    step_outcomes,
)
from orchesjob_flow_airflow.flow_as_dag.dag_run.task_ids import TaskIds
from orchesjob_flow_airflow.flow_as_dag.dag_run.task_settings import fault_settings


class OutcomeOperator(BaseOperator):
    """Fails if the flow would be FAILED."""

    ui_color = "#e8e8e8"

    def __init__(
        self, *, flow: FlowSpec, task_ids: TaskIds, infrastructure_retries: int, **kwargs: Any
    ) -> None:
        """Take the flow and the ids of its tasks.

        The task is retried if its worker dies, never because the flow FAILED.
        """
        super().__init__(
            **fault_settings(infrastructure_retries),
            retry_policy=None,
            execution_timeout=None,
            depends_on_past=False,
            wait_for_downstream=False,
            wait_for_past_depends_before_skipping=False,
            **kwargs,
        )
        self.flow = flow
        self.task_ids = task_ids

    def execute(self, context: Mapping[str, Any]) -> None:
        """Succeed or fail by the outcomes of all steps."""
        try:
            flow = flow_of_run(context, self.flow)
            if flow.finally_:
                check_time_and_marks(context, flow)
            check_outcomes(flow, step_outcomes(context, flow))
        except (DefinitionChanged, FlowNotBegun, ParamsError) as error:
            raise AirflowFailException(str(error)) from error


def check_time_and_marks(context: Mapping[str, Any], flow: FlowSpec) -> None:
    """Return if `steps` came to their end by themselves, before `finally` (rules 5.6 and 9.12).

    Raises:
        AirflowFailException: The run was marked before that, or it timed out.
    """
    if was_marked(context):
        raise AirflowFailException("the run was marked before all steps had ended")
    if ending(context, flow).outcome == "TIMED_OUT":
        raise AirflowFailException(timeout_words(flow))


def check_outcomes(flow: FlowSpec, ended: StepOutcomes) -> None:
    """Return if the flow SUCCEEDED.

    Raises:
        AirflowFailException: A step FAILED that has no `allow_failure`.
        AirflowException: A step has not ended, because it was cleared in the meantime.
    """
    failed = [
        step.id for step in flow.all_steps if ended[step.id] == "FAILED" and not step.allow_failure
    ]
    if failed:
        noun = "step" if len(failed) == 1 else "steps"
        raise AirflowFailException(f"{len(failed)} {noun} failed: {', '.join(failed)}")
    check_ended(ended, ended)
