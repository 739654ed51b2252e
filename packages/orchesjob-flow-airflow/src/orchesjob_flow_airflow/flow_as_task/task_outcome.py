"""What the outcome of a run, or of a call about it, means for the task: success, or which failure.

Airflow retries a task that raises `AirflowException` as it is configured to, and never one that
raises `AirflowFailException`.
"""

from pathlib import Path

from airflow.sdk.exceptions import AirflowException, AirflowFailException

from orchesjob_flow_airflow.flow_as_task.program import Answer, Run
from orchesjob_flow_airflow.flow_as_task.run_watch import failed_steps, progress

_MAX_LINE = 500


def run_of(answer: Answer) -> Run:
    """Return the run that a call has printed.

    Raises:
        AirflowFailException: It printed none, because of a mistake that no retry removes.
        AirflowException: It printed none, or it recorded a run that nothing advances.
    """
    if answer.run is not None:
        return answer.run
    if answer.is_recorded:
        raise AirflowException(f"{answer.error}; a retry of this task continues the run")
    kind = AirflowFailException if answer.is_mistake else AirflowException
    raise kind(answer.error)


def check_success(run: Run, *, is_killed: bool, runner_log: str) -> None:
    """Return if the run SUCCEEDED.

    Args:
        run: A run that has ended, or that has lost its runner.
        is_killed: Whether Airflow ended the task, and the task therefore cancelled the run.
        runner_log: The file into which the runner in the background writes.

    Raises:
        AirflowFailException: Somebody else cancelled the run.
        AirflowException: The run FAILED, was cancelled with the task, or has lost its runner.
    """
    run_key = run["run_key"]
    match run["status"]:
        case "SUCCEEDED":
            return
        case "FAILED":
            causes = [f"\n  {step['id']}: {step['error']}" for step in failed_steps(run)]
            raise AirflowException(f"run {run_key!r} FAILED: {run['error']}{''.join(causes)}")
        case "CANCELLED":
            # If Airflow ended the task, it is also Airflow's to decide about a retry.
            kind = AirflowException if is_killed else AirflowFailException
            raise kind(f"run {run_key!r} was cancelled")
        case _:
            given_up = run.get("gave_up")
            last = f"The last line of the runner's log: {last_line(runner_log)}"
            cause = last if given_up is None else f"Its runner gave up: {given_up['error']}"
            raise AirflowException(
                f"run {run_key!r} has lost its runner ({progress(run)}). Steps that have begun "
                "keep running under orchesjob; a retry of this task, or `orchesjob-flow resume`, "
                f"continues the run. {cause}"
            )


def last_line(path: str) -> str:
    """Return the last line of a runner's log that is not blank, at most 500 characters of it."""
    try:
        lines = Path(path).read_text("utf-8", errors="replace").split("\n")
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}"
    written = [line for line in lines if line.strip()]
    return written[-1][:_MAX_LINE] if written else "(it is empty)"
