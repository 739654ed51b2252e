"""The last task of a DAG run, by which Airflow judges the run as a flow is judged (rule 5.1).

Airflow looks at the leaves of a DAG alone: a run whose step failed would be a success if the alert
behind it succeeded. So there is one leaf behind all steps, which fails when a step has.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from airflow.sdk import BaseOperator

from flow_spec import FlowSpec
from orchesjob_flow_airflow.exceptions import AirflowException, AirflowFailException
from orchesjob_flow_airflow.states import Outcomes, outcomes

OUTCOME_TASK = "flow.outcome"
"""Its id, which no step can have: there is no `.` in the id of a step."""

_RETRIES = 3
_RETRY_DELAY = timedelta(seconds=5)


class OutcomeOperator(BaseOperator):
    """Fails when the flow would be FAILED."""

    ui_color = "#e8e8e8"

    def __init__(self, *, flow: FlowSpec, **kwargs: Any) -> None:
        """Take the flow; its retries are for a worker that dies, and never for a FAILED flow."""
        super().__init__(
            trigger_rule="all_done",
            retries=_RETRIES,
            retry_delay=_RETRY_DELAY,
            depends_on_past=False,
            **kwargs,
        )
        self.flow = flow

    def execute(self, context: Mapping[str, Any]) -> None:
        """Fold the outcomes of all steps into one."""
        refuse_failures(self.flow, outcomes(context, self.flow))


def refuse_failures(flow: FlowSpec, ended: Outcomes) -> None:
    """Raise what the outcomes of all steps call for.

    Raises:
        AirflowFailException: A step has FAILED that may not.
        AirflowException: A step has not ended, because it has been cleared meanwhile.
    """
    failed = [
        step.id for step in flow.steps if ended[step.id] == "FAILED" and not step.allow_failure
    ]
    if failed:
        noun = "step" if len(failed) == 1 else "steps"
        raise AirflowFailException(f"{len(failed)} {noun} failed: {', '.join(failed)}")
    if open_ids := [step_id for step_id, outcome in ended.items() if outcome is None]:
        raise AirflowException(f"has not ended, perhaps it was cleared: {', '.join(open_ids)}")
