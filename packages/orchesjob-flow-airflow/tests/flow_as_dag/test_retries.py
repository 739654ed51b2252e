"""What follows from a failed attempt: a retry after the step's own delay, or none."""

from datetime import timedelta
from typing import TYPE_CHECKING, cast

import pytest
from airflow.sdk import RetryAction
from airflow.sdk.exceptions import AirflowFailException

from flow_spec import StepSpec
from orchesjob_flow_airflow.errors import AttemptFailed
from orchesjob_flow_airflow.flow_as_dag.retries import RetriedFailure, StepRetries
from orchesjob_flow_airflow.flow_as_dag.step_operator import judged

if TYPE_CHECKING:
    from orchesjob_flow_airflow.flow_as_dag.retries import Tries


class Counted:
    """The tries of a task, some of which have failed."""

    def __init__(self, retries_used: int) -> None:
        self.retries_used = retries_used
        self.is_recorded = False

    def record_failure(self) -> None:
        self.is_recorded = True


def judge(tries: Counted, remaining_sec: float = float("inf")) -> Exception:
    """Judge a failed attempt of the step in a run that has so much time left."""
    return judged(STEP, AttemptFailed("exit code 3", 3), cast("Tries", tries), remaining_sec)


STEP = StepSpec("a", ("x",), retries=3, retry_delay_sec=4, retry_backoff=3, retry_max_delay_sec=20)


@pytest.mark.parametrize(("used", "delay_sec"), [(0, 4), (1, 12), (2, 20)])
def test_the_delay_of_a_step(used: int, delay_sec: float) -> None:
    """The next attempt is due after the step's delay, to the second (rule 9.12)."""
    tries = Counted(used)
    failure = judge(tries)
    assert isinstance(failure, RetriedFailure)
    assert tries.is_recorded
    decision = StepRetries().evaluate(failure, 1, 6)
    assert (decision.action, decision.retry_delay) == (
        RetryAction.RETRY,
        timedelta(seconds=delay_sec),
    )


def test_the_delay_before_a_timeout() -> None:
    """Nobody waits for a retry beyond the run's time: it is over then (rules 9.12, 10.1)."""
    failure = judge(Counted(1), remaining_sec=3.5)
    assert isinstance(failure, RetriedFailure)
    assert failure.delay_sec == 3.5


def test_after_the_last_retry() -> None:
    """An attempt without a retry left fails the task, whatever Airflow has left (rule 13.2)."""
    tries = Counted(3)
    assert isinstance(judge(tries), AirflowFailException)
    assert not tries.is_recorded


def test_a_fault_of_the_machinery() -> None:
    """What is no failure of the command is retried as Airflow does it (rule 13.2)."""
    assert StepRetries().evaluate(ConnectionError(), 1, 3).action == RetryAction.DEFAULT
