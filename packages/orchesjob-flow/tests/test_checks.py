"""About which attempts `doctor` asks orchesjob, and what a long history costs (rule 9.11)."""

import pytest

from flow_spec import StepSpec
from flow_store import Attempt, AttemptStatus
from orchesjob_client import JobReport
from orchesjob_flow.checks import RecordedAttempt, check_history, fits_report, to_ask

# About which attempts `doctor` asks orchesjob (rule 9.11).


def recorded(number: int, status: str = "SUCCEEDED", *, settled: bool = True) -> RecordedAttempt:
    """Make a record of an attempt; those with greater numbers are newer."""
    attempt = Attempt(
        position=0,
        number=number,
        status=AttemptStatus(status),
        started_at=float(number),
        running_mono=None,
        boot_id="b",
        job_id="j",
    )
    spec = StepSpec("a", ("true",))
    return RecordedAttempt(
        run_key="k",
        attempt_key=f"k:a:{number}",
        attempt=attempt,
        code=0,
        spec=spec,
        decisive=True,
        home="/srv/jobs",
        loss=None,
        has_ended=True,
        is_confirmed=settled,
    )


def test_newest_and_doubtful() -> None:
    """The newest are asked about, and each older one whose end does not fit what is recorded."""
    attempts = [recorded(number, settled=number != 2) for number in (5, 1, 4, 2, 3)]
    assert [one.attempt.number for one in to_ask(attempts, most=2)] == [5, 4, 2]
    assert to_ask(attempts) == attempts


@pytest.mark.parametrize(
    ("status", "facts", "fits"),
    [
        ("SUCCEEDED", {"status": "SUCCEEDED"}, True),
        ("SUCCEEDED", {"status": "FAILED", "exit_code": 1}, False),
        ("SUCCEEDED", {"status": "RUNNING"}, False),
        ("SUCCEEDED", {"status": "LOST"}, False),
        ("SUCCEEDED", {"status": "SUCCEEDED", "job_id": "other"}, False),
        ("FAILED", {"status": "FAILED", "exit_code": 1}, True),
        ("FAILED", {"status": "LOST"}, True),
        ("FAILED", {"status": "RUNNING"}, True),
        ("FAILED", {"status": "SUCCEEDED"}, False),
        ("CANCELLED", {"status": "ABORTED"}, True),
        ("CANCELLED", {"status": "RUNNING"}, True),
        ("RUNNING", {"status": "RUNNING"}, False),
        ("STARTING", {"status": "SUCCEEDED"}, False),
    ],
)
def test_what_fits(status: str, facts: dict[str, object], fits: bool) -> None:
    """An attempt that has not ended is always asked about, and one that its report contradicts."""
    report = JobReport.from_payload({"job_id": "j", "run_key": "k:a:1", "worker_pid": 7, **facts})
    assert fits_report(recorded(1, status), report) is fits


# What a long history costs a call of orchesjob, as `doctor` tells it (rule 9.11).


@pytest.mark.parametrize(
    ("version_sec", "call_sec", "verdict", "message"),
    [
        (0.25, 0.5, "note", "a call takes 500 ms (250 ms of it caused by old jobs)"),
        (0.25, 0.3125, "ok", "a call takes 312 ms (62 ms of it caused by old jobs)"),
        (0.25, 0.125, "ok", "a call takes 125 ms (0 ms of it caused by old jobs)"),
    ],
)
def test_the_cost_of_a_history(
    version_sec: float, call_sec: float, verdict: str, message: str
) -> None:
    """From 100 ms on the home's jobs are worth a note."""
    check = check_history(version_sec, call_sec)
    assert (check.grade.value, check.message.partition(", and")[0]) == (verdict, message)
