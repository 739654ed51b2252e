"""What a task makes of a step: whether it runs, how its job has ended, and whether it is retried.

Airflow learns it from the type of an exception.
"""

from typing import TYPE_CHECKING

from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from flow_spec import FlowSpec, StepSpec, base_of
from orchesjob_flow_airflow.errors import AttemptFailed, GateFailed
from orchesjob_flow_airflow.flow_as_dag.dag_run.retries import RetriedFailure, Tries
from orchesjob_flow_airflow.flow_as_dag.dag_run.step_outcomes import (
    StepOutcomes,
    check_ended,
    described,
    is_true,
)

if TYPE_CHECKING:
    from orchesjob_client import JobReport


def check_copy(flow: FlowSpec, step: StepSpec) -> None:
    """Return if the run has the step: a list may have grown since it began (rules 10.3, 13.3).

    Raises:
        AirflowSkipException: It has not.
    """
    name = base_of(step.id)
    if name in flow.copies and step.id not in flow.copies[name]:
        raise AirflowSkipException(
            f"{step.id} is none of the copies with which this run began: its list is longer now"
        )


def check_condition(flow: FlowSpec, step: StepSpec, ended: StepOutcomes) -> None:
    """Return if the step's condition is true (rules 3.2 to 3.5, 10.3).

    Raises:
        AirflowSkipException: The condition is false.
        AirflowException: It is not known yet, because a task was cleared in the meantime.
    """
    if step.condition is None:
        return
    check_ended(ended, [other.id for name in step.waits_for for other in flow.named(name)])
    if not step.condition.evaluate(lambda one: is_true(one.name, one.predicate, flow, ended)):
        reasons = ", ".join(described(name, flow, ended) for name in step.waits_for)
        raise AirflowSkipException(f"`{step.condition}` is false: {reasons}")


def check_job(step: StepSpec, report: "JobReport", *, is_gate: bool = False) -> None:
    """Return if the job succeeded; at the gate, if it lets the step run (5.3, 9.12 and 10.8).

    Raises:
        AirflowSkipException: Its exit code skips the step.
        AttemptFailed: It failed.
    """
    from orchesjob_client import JobStatus, describe_failure, describe_loss, exit_code_of

    code = exit_code_of(report)
    outcome = None if code is None else step.outcome_of(code, is_gate=is_gate)
    if outcome == "SKIPPED":
        what = "its only_if said no: exit code" if is_gate else "exit code"
        raise AirflowSkipException(f"{what} {code} skips the step")
    if outcome == "SUCCEEDED":
        return
    match report.known_status:
        case JobStatus.LOST:
            cause = describe_loss(report)
        case JobStatus.ABORTED | JobStatus.CANCELLED:
            cause = "its job was aborted"
        case _:
            cause = describe_failure(report)
    raise AttemptFailed(cause, code)


def judged(
    step: StepSpec, error: AttemptFailed, tries: Tries, remaining_sec: float
) -> AirflowException:
    """Return the exception of a failed attempt, whose type says whether it is retried (9.12).

    A retry is due at the end of the time that the run has left, at the latest.
    The codes of `retry_exit_codes` are those of the command, and not of the gate (rule 10.8).
    """
    is_final = step.retry_exit_codes and error.exit_code not in step.retry_exit_codes
    if is_final and not isinstance(error, GateFailed):
        return AirflowFailException(f"{error}; only retry_exit_codes are retried")
    if tries.retries_used == step.retries:
        return AirflowFailException(str(error))
    tries.record_failure()
    delay_sec = step.delay_after(tries.retries_used + 1)
    return RetriedFailure(str(error), min(delay_sec, remaining_sec))
