"""A run as JSON (rules 4.2 and 6.4)."""

from collections.abc import Callable

import pytest

from flow_store import Run, Step, StepStatus
from orchesjob_flow.report import run_json, shown_key


def test_the_keys_of_a_run(daily: Run, ten_o_clock: float) -> None:
    """The JSON of a run has the keys of rule 6.4, and says who advances the run."""
    document = run_json(daily, 4711)
    steps = document.pop("steps")
    assert document == {
        "run_key": "daily-20260507",
        "flow_id": "daily-import",
        "status": "RUNNING",
        "started_at": ten_o_clock,
        "finished_at": None,
        "error": None,
        "cancel_requested_at": None,
        "runner": {"pid": 4711, "alive": True},
    }
    assert steps[0] == {
        "id": "download",
        "run_key": "daily-20260507:download:1",
        "status": "SUCCEEDED",
        "attempt_no": 1,
        "max_retries": 0,
        "next_attempt_at": None,
        "started_at": ten_o_clock,
        "finished_at": ten_o_clock + 60,
        "error": None,
        "orchesjob_status": {"status": "SUCCEEDED"},
        "reason": "attempt 1 succeeded",
        "attempts": [],
    }
    assert steps[2]["orchesjob_status"] is None


@pytest.mark.parametrize(
    ("pid", "runner"), [(None, None), (0, {"pid": None, "alive": True})], ids=["none", "unsigned"]
)
def test_the_runner(daily: Run, pid: int | None, runner: object) -> None:
    """Without a runner the key is null; one that has not told its id yet is alive all the same."""
    assert run_json(daily, pid)["runner"] == runner


@pytest.mark.parametrize(
    ("status", "attempt_no", "number"),
    [
        (StepStatus.PENDING, 0, 1),
        (StepStatus.RUNNING, 1, 1),
        (StepStatus.DELAYED, 1, 2),
        (StepStatus.PENDING, 2, 3),
        (StepStatus.SUCCEEDED, 2, 2),
        (StepStatus.FAILED, 3, 3),
        (StepStatus.SKIPPED, 0, 1),
        (StepStatus.CANCELLED, 0, 1),
        (StepStatus.CANCELLED, 2, 2),
    ],
)
def test_the_key_that_is_shown(
    make_run: Callable[..., Run], status: StepStatus, attempt_no: int, number: int
) -> None:
    """A step that waits shows the key of the attempt it waits for, else its latest (rule 4.2)."""
    step = Step(0, "a", status, attempt_no, 0, 5)
    assert shown_key("k", step) == f"k:a:{number}"
    assert run_json(make_run((step, None)), None)["steps"][0]["run_key"].endswith(f":a:{number}")
