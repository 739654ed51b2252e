"""The states of a DAG run's tasks as outcomes of a flow's steps (rules 3.2 and 5.2)."""

from collections.abc import Mapping
from typing import Any

from flow_spec import FlowSpec

type Outcomes = Mapping[str, str | None]
"""By step id: SUCCEEDED, FAILED or SKIPPED; None where the task has not ended."""

_OUTCOMES = {
    "success": "SUCCEEDED",
    "failed": "FAILED",
    "upstream_failed": "FAILED",
    "skipped": "SKIPPED",
    "removed": "SKIPPED",  # from a later version of the DAG: it will never run
}


def outcomes(context: Mapping[str, Any], flow: FlowSpec) -> Outcomes:
    """Ask how the steps of this DAG run have ended so far."""
    ti = context["ti"]
    states = ti.get_task_states(dag_id=ti.dag_id, run_ids=[ti.run_id]).get(ti.run_id, {})
    return {step.id: _OUTCOMES.get(states.get(step.id)) for step in flow.steps}
