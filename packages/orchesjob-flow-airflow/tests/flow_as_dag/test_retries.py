"""What follows from a failed attempt: a retry after the step's own delay, or none."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from airflow.sdk import RetryAction
from airflow.sdk.exceptions import AirflowFailException

from flow_spec import StepSpec
from orchesjob_flow_airflow.errors import AttemptFailed
from orchesjob_flow_airflow.flow_as_dag.dag_run.retries import RetriedFailure, StepRetries, Tries
from orchesjob_flow_airflow.flow_as_dag.dag_run.task_ids import TaskIds
from orchesjob_flow_airflow.flow_as_dag.operators.verdicts import judged


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


class Run:
    """A run in which one task is tried again and again, and what its tries note."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Keep its XComs here."""
        self.xcoms: dict[str, Any] = {}
        place = "orchesjob_flow_airflow.flow_as_dag.dag_run.retries.BaseXCom"
        monkeypatch.setattr(f"{place}.get_one", lambda key, **_: self.xcoms.get(key))
        monkeypatch.setattr(f"{place}.set", lambda key, value, **_: self.xcoms.update({key: value}))

    def tries(self, number: int, max_tries: int, retries: int) -> Tries:
        """Begin a try of the task, whose `retries` are those of the DAG file."""
        ti = SimpleNamespace(dag_id="d", run_id="r", try_number=number, max_tries=max_tries)
        task = SimpleNamespace(task_id="a", task_ids=TaskIds(""), retries=retries)
        return Tries({"ti": ti, "task": task})


def counted(tries: Tries) -> tuple[int, list[int], list[int], int]:
    """Return the number of the first try, those that failed and are open, and the attempt."""
    return tries.first, list(tries.failed), list(tries.open), tries.attempt


@pytest.mark.parametrize("edited", [0, 1, 3, 5, 9])
def test_retries_that_are_edited_in_a_run(monkeypatch: pytest.MonkeyPatch, edited: int) -> None:
    """Tries are counted alike, whatever the DAG file says of retries meanwhile (13.2, 13.3)."""
    run = Run(monkeypatch)
    tries = run.tries(1, max_tries=4, retries=edited)
    assert counted(tries) == (1, [], [], 1)
    tries.record_failure()
    assert counted(run.tries(2, max_tries=4, retries=edited)) == (1, [1], [], 2)
    assert counted(run.tries(3, max_tries=4, retries=edited)) == (1, [1], [2], 2)


@pytest.mark.parametrize("edited", [0, 1, 3, 4, 9])
def test_retries_that_are_edited_and_cleared(monkeypatch: pytest.MonkeyPatch, edited: int) -> None:
    """No earlier try is open in a task that was cleared, nor counts as a retry (13.2, 13.3)."""
    run = Run(monkeypatch)
    run.tries(1, max_tries=3, retries=3).record_failure()
    run.tries(2, max_tries=3, retries=3)
    assert counted(run.tries(3, max_tries=5, retries=edited)) == (3, [], [], 3)
    assert counted(run.tries(4, max_tries=5, retries=edited)) == (3, [], [3], 3)


@pytest.mark.parametrize(("number", "first"), [(1, 1), (3, 1)])
def test_faults_before_anything_is_noted(
    monkeypatch: pytest.MonkeyPatch, number: int, first: int
) -> None:
    """Tries that came to nothing are open, and none of them is an attempt (rule 13.2)."""
    tries = Run(monkeypatch).tries(number, max_tries=3, retries=3)
    assert counted(tries) == (first, [], list(range(first, number)), 1)


def test_a_rehearsal_notes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """`airflow tasks test` may be given a run, and takes nothing of it away (rule 13.3)."""
    run = Run(monkeypatch)
    run.tries(0, max_tries=3, retries=3)
    assert run.xcoms == {}
