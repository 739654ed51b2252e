"""What a long history costs a call of orchesjob, as `doctor` tells it (rule 9.11)."""

import pytest

from orchesjob_flow.checks import check_history


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
