"""What repeated looks at a run show."""

import json
from typing import Any

from orchesjob_flow_airflow.flow_as_task.program import Answer
from orchesjob_flow_airflow.flow_as_task.run_watch import RunWatch

RUNNER = {"pid": 1, "alive": True}


def attempt(number: int, started: float, ended: float | None, **fields: Any) -> dict[str, Any]:
    status = "RUNNING" if ended is None else "SUCCEEDED"
    what = {"number": number, "started_at": started, "finished_at": ended, "status": status}
    return {**what, "error": None, **fields}


def step(*attempts: dict[str, Any], **fields: Any) -> dict[str, Any]:
    status = {"status": "PENDING", "finished_at": None, "error": None, "reason": "waits"}
    return {"id": "a", **status, "attempts": attempts, **fields}


def run(*steps: dict[str, Any], **fields: Any) -> Answer:
    status = {"status": "RUNNING", "finished_at": None, "error": None, "runner": RUNNER}
    text = json.dumps({"run_key": "k", **status, "steps": steps, **fields})
    return Answer(0, text, "")


FAILED = Answer(2, "", 'chatter\n{"error":"the database is locked"}\n')


def lines(watch: RunWatch, answer: Answer) -> list[str]:
    return [str(transition) for transition in watch.see(answer, 0)]


def is_over(watch: RunWatch, answer: Answer, now: float) -> bool:
    watch.see(answer, now)
    return watch.over


def test_each_transition_once() -> None:
    """However much happens between two looks, each transition is reported once, in order."""
    watch = RunWatch(since=0)
    assert lines(watch, run(step())) == []
    failed = attempt(1, 1, 2, status="FAILED", error="exit code 1")
    assert lines(watch, run(step(attempt(1, 1, None)))) == ["00:00:01Z a RUNNING attempt 1"]
    assert lines(watch, run(step(attempt(1, 1, None)))) == []
    ended = step(failed, attempt(2, 61, 62), status="SUCCEEDED", finished_at=62)
    answer = run(ended, status="SUCCEEDED", finished_at=62.5, runner=None)
    assert lines(watch, answer) == [
        "00:00:02Z a attempt 1 FAILED exit code 1",
        "00:01:01Z a RUNNING attempt 2",
        "00:01:02Z a SUCCEEDED",
        "00:01:02Z k SUCCEEDED",
    ]
    assert watch.over
    assert watch.problem is None


def test_a_question() -> None:
    """An attempt that was asked by `only_if` is called so (rule 10.8)."""
    asked, ran = attempt(1, 1, 2, only_if=True), attempt(2, 3, None, only_if=False)
    assert lines(RunWatch(since=0), run(step(asked, ran))) == [
        "00:00:01Z a RUNNING attempt 1 (only_if)",
        "00:00:02Z a attempt 1 (only_if) SUCCEEDED",
        "00:00:03Z a RUNNING attempt 2",
    ]


def test_why() -> None:
    """The reason is part of the line of a skipped step, a failed step and a failed run."""
    skipped = step(status="SKIPPED", finished_at=1, reason="its condition was false: b FAILED")
    attempts = attempt(1, 0.5, 2, status="FAILED", error="exit code 3")
    failed = step(attempts, id="b", status="FAILED", finished_at=2, error="exit code 3")
    answer = run(skipped, failed, status="FAILED", finished_at=3, error="1 step failed: b")
    assert lines(RunWatch(since=1), answer) == [
        "00:00:01Z a SKIPPED its condition was false: b FAILED",
        "00:00:02Z b FAILED exit code 3",
        "00:00:03Z k FAILED 1 step failed: b",
    ]


def test_since() -> None:
    """What earlier tries have reported is not reported again."""
    answer = run(step(attempt(1, 1, 2, status="FAILED"), attempt(2, 10, None)))
    assert lines(RunWatch(since=9), answer) == ["00:00:10Z a RUNNING attempt 2"]


def test_a_run_without_runner() -> None:
    """A run without a runner ends the watch at the second look: somebody may take it over."""
    watch = RunWatch(since=0)
    watch.see(run(step(), runner=None), 0)
    watch.see(run(step()), 5)
    assert not is_over(watch, run(step(), runner=None), 10)
    assert is_over(watch, run(step(), runner=None), 15)
    assert watch.problem is None


def test_looks_that_fail() -> None:
    """Looks may fail for a limited time, counted from the first failure in a row."""
    watch = RunWatch(since=0, patience_sec=60)
    watch.see(FAILED, 0)
    watch.see(FAILED, 59)
    watch.see(run(step()), 60)
    watch.see(FAILED, 61)
    assert not is_over(watch, FAILED, 120)
    assert is_over(watch, FAILED, 121)
    assert watch.problem == "the database is locked"
