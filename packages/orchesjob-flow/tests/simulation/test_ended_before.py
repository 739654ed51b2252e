"""An end that comes too late: what had ended keeps its outcome, and so does the run (rule 5.6).

The same holds for a cancel and the flow's `timeout_sec` (rule 9.12), whether a runner lives when an
attempt ends or not.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pytest

from flow_spec import Concurrency, StepSpec

from .world import World

Make = Callable[..., StepSpec]
A: Mapping[str, Mapping[str, Any]] = {"a": {}}
THEN_B: Mapping[str, Mapping[str, Any]] = {"a": {}, "b": {"depends_on": ("a",)}}
CASES: dict[str, tuple[Mapping[str, Mapping[str, Any]], dict[str, Any], str, dict[str, str]]] = {
    # the steps, what becomes of `a`, how the run ends, how the steps end
    "it succeeded": (A, {}, "SUCCEEDED", {"a": "SUCCEEDED"}),
    "it failed": (A, {"code": 1}, "FAILED", {"a": "FAILED"}),
    "it may fail": ({"a": {"allow_failure": True}}, {"code": 1}, "SUCCEEDED", {"a": "FAILED"}),
    "it was skipped": (
        {"a": {"skip_exit_codes": (5,)}},
        {"code": 5},
        "SUCCEEDED",
        {"a": "SKIPPED"},
    ),
    "its gate said no": ({"a": {"only_if": ("ask",)}}, {"code": 1}, "SUCCEEDED", {"a": "SKIPPED"}),
    "it was lost": (A, {"worker_lives": 0.9}, "FAILED", {"a": "FAILED"}),
    "somebody aborted it": (A, {"aborted_after": 0.9}, "FAILED", {"a": "FAILED"}),
    "another step is skipped": (
        THEN_B,
        {"code": 1},
        "FAILED",
        {"a": "FAILED", "b": "SKIPPED"},
    ),
    "other steps are skipped": (
        {"a": {}, "b": {"when": "!a"}, "c": {"when": "b"}},
        {},
        "SUCCEEDED",
        {"a": "SUCCEEDED", "b": "SKIPPED", "c": "SKIPPED"},
    ),
    "another step would follow": (
        THEN_B,
        {},
        "CANCELLED",
        {"a": "SUCCEEDED", "b": "CANCELLED"},
    ),
    "a failure would follow": (
        {"a": {}, "b": {"when": "a.failed"}, "c": {"when": "!a.failed"}},
        {"code": 1},
        "CANCELLED",
        {"a": "FAILED", "b": "CANCELLED", "c": "SKIPPED"},
    ),
    "a retry would follow": ({"a": {"retries": 1}}, {"code": 1}, "CANCELLED", {"a": "CANCELLED"}),
    "its gate said yes": ({"a": {"only_if": ("ask",)}}, {}, "CANCELLED", {"a": "CANCELLED"}),
    "another step runs": (
        {"a": {}, "slow": {}},
        {"code": 1},
        "CANCELLED",
        {"a": "FAILED", "slow": "CANCELLED"},
    ),
    "its worker was lost": (
        A,
        {"seconds": 900.0, "worker_lives": 0.9},
        "CANCELLED",
        {"a": "CANCELLED"},
    ),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("ended_by", ["cancel", "timeout"])
@pytest.mark.parametrize("runner_lives", [True, False])
@pytest.mark.parametrize("has_finally", [False, True])
def test_what_had_ended(  # noqa: PLR0913 - each combination
    world: World, step: Make, case: str, ended_by: str, *, runner_lives: bool, has_finally: bool
) -> None:
    """A run is CANCELLED, or timed out, if one of its `steps` is CANCELLED, and only then.

    `finally` is told the same, and its alert has something to hear of or not.
    """
    steps, fate, status, statuses = CASES[case]
    alert = step("alert", when="any(failed) || any(cancelled)", depends_on=tuple(steps))
    world.calls.latency = (0.1, 0.1)
    world.record(
        *(step(name, **fields) for name, fields in steps.items()),
        timeout_sec=1.25 if ended_by == "timeout" else None,
        finally_=(alert,) if has_finally else (),
    )
    world.plan("a:1", **fate)
    world.plan("slow:1", seconds=900.0)
    if runner_lives and ended_by == "cancel":
        world.machine.after(1.15, world.request_cancel)
    if not runner_lives:
        world.new_runner().drive(until=world.machine.mono + 0.5)
        world.machine.pass_time(world.machine.mono + 10.0)
        if ended_by == "cancel":
            world.request_cancel()
    run = world.drive()
    too_late = status != "CANCELLED"
    if ended_by == "timeout" and not too_late:
        assert (run.status, run.error) == ("FAILED", "timed out after 1.25 s")
        status = "TIMED_OUT"
    else:
        failed = [name for name, ended in statuses.items() if ended == "FAILED"]
        words = f"1 step failed: {failed[0]}" if status == "FAILED" else None
        assert (run.status, run.error) == (status, words)
    if has_finally:
        is_bad = {"FAILED", "CANCELLED"} & set(statuses.values())
        statuses = statuses | {"alert": "SUCCEEDED" if is_bad else "SKIPPED"}
        assert run.finally_after == status
    assert world.statuses() == statuses


@pytest.mark.parametrize(
    ("requests", "ended"),
    [([False], "SUCCEEDED"), ([True], "CANCELLED"), ([False, False], "CANCELLED")],
    ids=["once", "now", "twice"],
)
@pytest.mark.parametrize("code", [0, 1])
def test_while_finally_runs(
    world: World, step: Make, code: int, requests: list[bool], ended: str
) -> None:
    """A first cancel leaves `finally` alone and the run its outcome; a failure is never hidden."""
    world.record(step("a"), finally_=(step("tidy"),))
    world.plan("a:1", code=code)
    world.plan("tidy:1", seconds=60.0)
    for seconds, now in enumerate(requests, start=20):
        world.machine.after(seconds, partial(world.request_cancel, now=now))
    run = world.drive()
    assert (run.status, world.statuses()["tidy"]) == ("FAILED" if code else ended, ended)
    assert run.finally_after == ("FAILED" if code else "SUCCEEDED")


def test_a_run_that_waits_to_tidy_up_again(world: World, step: Make) -> None:
    """A cancel hides no failure of a run that waits for its group to run `finally` again (10.7)."""
    world.record(step("a"), finally_=(step("tidy"),), concurrency=Concurrency("g"))
    world.plan("a:1", code=1)
    world.drive()
    world.retry("tidy")
    world.request_cancel()
    assert world.drive().status == "FAILED"
    assert world.statuses() == {"a": "FAILED", "tidy": "CANCELLED"}
