"""What the task of a step notes for `finally`: its job, and how the step has ended (rule 10.1).

Where a run is marked, Airflow gives a step that ran the state of one that failed, and a step that
waited the state of one that was skipped. And its states change at once, while the worker of a task
learns of that with its next heartbeat, and only then ends the job.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from airflow.sdk import BaseXCom
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from orchesjob_flow_airflow.flow_as_dag.dag_run.deadline import RunTimedOut
from orchesjob_flow_airflow.flow_as_dag.dag_run.retries import RetriedFailure
from orchesjob_flow_airflow.flow_as_dag.dag_run.run_record import place_in_run


class StepNote(NamedTuple):
    """How the last try of a step ended, as far as it knows: without an outcome, it was killed.

    Attributes:
        outcome: SUCCEEDED, FAILED, SKIPPED or CANCELLED; None if the step has not ended.
        attempt_key: The key of a job that may be alive, or None.
    """

    outcome: str | None = None
    attempt_key: str | None = None


def read_note(context: Mapping[str, Any], step_id: str) -> StepNote:
    """Return the note of a step of this run."""
    return StepNote(*(BaseXCom.get_one(**_place(context, step_id)) or ()))


def write_note(context: Mapping[str, Any], step_id: str, note: StepNote) -> None:
    """Replace the note of a step of this run."""
    BaseXCom.set(value=list(note), **_place(context, step_id))


@contextmanager
def noted_end(
    context: Mapping[str, Any],
    step_id: str,
    end_job: Callable[[], None],
    was_killed: Callable[[], bool],
) -> Iterator[None]:
    """Note how the try in the block ends, once nothing of a step is alive that has not succeeded.

    After a fault of the machinery there is nothing to note: a job may be alive.

    Args:
        context: The context of the task.
        step_id: The step.
        end_job: Ends what the step has left running.
        was_killed: Tells whether Airflow has ended the task before its step had ended.
    """
    outcome: str | None
    try:
        yield
    except AirflowException as error:
        match error:
            case RunTimedOut():
                outcome = "CANCELLED"
            case AirflowSkipException():
                outcome = "SKIPPED"
            case AirflowFailException():
                outcome = "FAILED"
            case RetriedFailure():
                outcome = None
            case _:
                raise
        if outcome is not None:
            end_job()
        write_note(context, step_id, StepNote(None if was_killed() else outcome))
        raise
    write_note(context, step_id, StepNote(None if was_killed() else "SUCCEEDED"))


def _place(context: Mapping[str, Any], step_id: str) -> dict[str, Any]:
    return place_in_run(context, f"end_of_{step_id}")
