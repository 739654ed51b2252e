"""A run as JSON (rules 4.2 and 6.4)."""

from collections.abc import Callable

import pytest

from flow_store import Run, Step, StepStatus
from orchesjob_flow.home.locks import Holder
from orchesjob_flow.home.runs import Snapshot
from orchesjob_flow.reasons import shown_key
from orchesjob_flow.views.results import run_json


@pytest.mark.parametrize(
    ("holder", "runner"),
    [(None, None), (Holder(None), {"pid": None, "alive": True})],
    ids=["none", "unsigned"],
)
def test_the_runner(daily: Run, holder: Holder | None, runner: object) -> None:
    """Without a runner the key is null; one that has not told its id yet is alive as well."""
    assert run_json(Snapshot(daily, holder))["runner"] == runner


@pytest.mark.parametrize(
    ("status", "attempt_no", "started_at", "number"),
    [
        (StepStatus.PENDING, 0, None, 1),
        (StepStatus.RUNNING, 1, 5.0, 1),
        (StepStatus.DELAYED, 1, 5.0, 2),
        (StepStatus.PENDING, 2, 5.0, 3),
        (StepStatus.PENDING, 2, None, 3),
        (StepStatus.SUCCEEDED, 2, 5.0, 2),
        (StepStatus.FAILED, 3, 5.0, 3),
        (StepStatus.SKIPPED, 0, None, 1),
        (StepStatus.SKIPPED, 2, 5.0, 2),
        (StepStatus.SKIPPED, 2, None, 3),
        (StepStatus.CANCELLED, 0, None, 1),
        (StepStatus.CANCELLED, 2, 5.0, 2),
        (StepStatus.CANCELLED, 2, None, 3),
    ],
)
def test_the_key_that_is_shown(
    make_run: Callable[..., Run],
    status: StepStatus,
    attempt_no: int,
    started_at: float | None,
    number: int,
) -> None:
    """A step that waits shows the key of the attempt it waits for, else its latest (rule 4.2).

    One that a `retry` has had decided anew shows no key of an earlier attempt (rule 9.7).
    """
    step = Step(0, "a", status, attempt_no, 0, 5, started_at=started_at)
    assert shown_key("k", step) == f"k:a:{number}"
    assert run_json(Snapshot(make_run((step, None)), None))["steps"][0]["run_key"].endswith(
        f":a:{number}"
    )


def test_a_step_that_was_decided_anew(daily: Run) -> None:
    """What orchesjob has said of an attempt before the `retry` is not shown as today's (9.7)."""
    first, *rest = daily.steps
    anew = Step(0, "download", StepStatus.SKIPPED, first.attempt_no, 0, 0, retry_no=1)
    shown = run_json(Snapshot(daily._replace(steps=(anew, *rest)), None))["steps"][0]
    assert (shown["orchesjob_status"], shown["started_at"]) == (None, None)
    assert shown["attempt_no"] == 1
