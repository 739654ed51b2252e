"""How the steps of a DAG run have ended, read from the states of its tasks (rules 3.2, 5.2)."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from airflow.sdk.exceptions import AirflowException, AirflowSkipException

from flow_spec import FlowSpec, holds, holds_of_copies
from orchesjob_flow_airflow.errors import FlowNotBegun

type StepOutcomes = Mapping[str, str | None]
"""By step id: SUCCEEDED, FAILED, SKIPPED or CANCELLED; None where the task has not ended."""

_OUTCOME_OF_STATE: Mapping[str | None, str] = {
    "success": "SUCCEEDED",
    "failed": "FAILED",
    "upstream_failed": "FAILED",
    "skipped": "SKIPPED",
    "removed": "SKIPPED",  # a later version of the DAG lacks it: it will never run
}


def step_outcomes(context: Mapping[str, Any], flow: FlowSpec) -> StepOutcomes:
    """Ask Airflow how the steps of this DAG run have ended so far.

    Raises:
        AirflowSkipException: The flow is a group of tasks that has not begun, because a task before
            it was skipped.
        FlowNotBegun: It has not begun, because a task before it has failed.
    """
    states, task_ids = task_states(context), context["task"].task_ids
    match states.get(task_ids.beginning):
        case "skipped":
            raise AirflowSkipException("the flow did not begin: a task before it was skipped")
        case "failed" | "upstream_failed":
            raise FlowNotBegun
    return {
        step.id: _OUTCOME_OF_STATE.get(states.get(task_ids.of_step(step.id)))
        for step in flow.all_steps
    }


def task_states(context: Mapping[str, Any]) -> Mapping[str, str]:
    """Ask Airflow for the states of the tasks of this DAG run that have one."""
    ti = context["ti"]
    states: Mapping[str, Mapping[str, str]]
    states = ti.get_task_states(dag_id=ti.dag_id, run_ids=[ti.run_id])
    return states.get(ti.run_id, {})


def check_ended(ended: StepOutcomes, step_ids: Iterable[str]) -> None:
    """Return if all of these steps have ended.

    Raises:
        AirflowException: One of them has not: it was cleared after the tasks behind it had begun.
    """
    if running := [step_id for step_id in step_ids if ended[step_id] is None]:
        raise AirflowException(f"not ended, perhaps cleared in the meantime: {', '.join(running)}")


def is_true(name: str, predicate: str | None, flow: FlowSpec, ended: StepOutcomes) -> bool:
    """Tell whether an operand of a condition holds, all that it names having ended.

    Rules 3.2, 3.3 and 10.3.
    """
    if name not in flow.copies:
        return holds(predicate, str(ended[name]))
    return holds_of_copies(predicate, {str(ended[step_id]) for step_id in flow.copies[name]})


def described(name: str, flow: FlowSpec, ended: StepOutcomes) -> str:
    """Write how a step has ended; of all copies of a step, how many in which way."""
    if name not in flow.copies:
        return f"{name} {ended[name]}"
    counts = Counter(str(ended[step_id]) for step_id in flow.copies[name])
    counted = ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
    return f"{name} ({counted or 'no copies'})"
