"""What ends a run early: a cancel, the flow's `timeout_sec`, or either of them too late."""

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pytest

from flow_spec import Concurrency, StepSpec

from .jobs import Obeys
from .world import World

# What a cancel does, and when it is done (rules 5.6 and 5.8).

Make = Callable[..., StepSpec]


@pytest.mark.parametrize("timeout_sec", [None, 10.0])
def test_survivors_of_attempts_that_have_ended(
    world: World, step: Make, timeout_sec: float | None
) -> None:
    """What a failed step has left alive is ended too, and named while it cannot be."""
    world.record(step("a"), step("b"), timeout_sec=timeout_sec)
    world.plan("a:1", code=1, leaves=200.0, obeys=Obeys.NOTHING)
    world.plan("b:1", seconds=900.0)
    if timeout_sec is None:
        world.machine.after(10.0, world.request_cancel)
    run = world.drive()
    assert run.error == (None if timeout_sec is None else "timed out after 10 s")
    assert world.statuses() == {"a": "FAILED", "b": "CANCELLED"}
    errors = " ".join(str(run.error) for run in world.history)
    why = "cancel requested" if timeout_sec is None else "timed out after 10 s"
    assert re.search(rf"{why}, but these cannot be ended: pid \d+ \(left\)", errors)


def test_two_requests(world: World, step: Make) -> None:
    world.record(step("a"))
    world.plan("a:1", seconds=900.0, obeys=Obeys.KILL)
    world.machine.after(3.0, partial(world.request_cancel, 8.0))
    world.machine.after(4.0, partial(world.request_cancel, 0.0))
    world.drive()
    assert world.run().cancel is not None
    assert len(world.calls.made("abort")) == 1
    (execution,) = world.executions()
    assert execution.end is not None
    assert execution.end >= 111.0


@pytest.mark.parametrize(("in_a_look", "within_sec"), [(False, 0.5), (True, 1.0)])
def test_seen_soon(world: World, step: Make, in_a_look: bool, within_sec: float) -> None:
    """A request is seen however quiet the run is, also if it comes in the middle of a look."""
    world.calls.latency = (0.0, 0.0)
    world.record(step("a"))
    world.plan("a:1", seconds=900.0)

    def request_once() -> None:
        world.on_look = lambda: None
        world.request_cancel()

    at_next_look = partial(setattr, world, "on_look", request_once)
    world.machine.after(50.0, at_next_look if in_a_look else request_once)
    assert world.drive().status == "CANCELLED"
    assert world.calls.made("abort")[0] - 150.0 <= within_sec


# The flow's `timeout_sec`: a run that takes too long is ended and has failed (rule 9.12).


def run_began(world: World) -> float:
    assert world.began is not None
    return world.began.mono


@pytest.mark.parametrize("jump", [-1e6, 1e6])
def test_clock_jumps(world: World, step: Make, jump: float) -> None:
    """The wall clock neither fires nor stalls it while a runner lives (rule 5.10)."""
    world.record(step("a"), timeout_sec=50.0)
    world.plan("a:1", seconds=900.0)
    world.machine.after(10.0, partial(world.machine.jump_wall_clock, jump))
    world.drive()
    (execution,) = world.executions()
    assert execution.end is not None
    assert 50.0 <= execution.end - run_began(world) < 51.0


@pytest.mark.parametrize(
    ("jump", "least"),
    [(-60.0, 40.0), (0.0, 0.0), (-1e6, 50.0)],  # booting takes 60 s
    ids=["at once", "late", "set back"],
)
def test_after_a_restart(world: World, step: Make, jump: float, least: float) -> None:
    """After a restart the wall clock tells what is left, and that is never more than all."""
    world.record(step("a", retries=1), timeout_sec=50.0)
    world.plan("a:1", seconds=900.0)
    world.plan("a:2", seconds=900.0)
    world.machine.after(10.0, partial(world.restart_machine, jump))
    booted = 3.0
    assert world.drive().error == "timed out after 50 s"
    assert least <= world.machine.mono - booted < least + 3


@pytest.mark.parametrize("requested_after", [4.0, 7.0], ids=["before", "meanwhile"])
def test_a_cancel_has_its_way(world: World, step: Make, requested_after: float) -> None:
    """A run whose time is over before or after a cancel ends CANCELLED (rule 5.6)."""
    world.record(step("a"), step("b", depends_on=("a",)), timeout_sec=5.0)
    world.plan("a:1", seconds=900.0, obeys=Obeys.KILL)
    world.machine.after(requested_after, world.request_cancel)
    run = world.drive()
    assert (run.status, run.error) == ("CANCELLED", None)
    assert {found.error for found in run.steps} == {"flow cancelled"}


@pytest.mark.parametrize("step_limit", [3.0, 7.0], ids=["before", "meanwhile"])
def test_beside_a_timeout_of_the_step(world: World, step: Make, step_limit: float) -> None:
    """An attempt whose own time is over as well ends with the run, and is not tried again."""
    world.record(step("a", timeout_sec=step_limit, retries=3), timeout_sec=5.0)
    world.plan("a:1", seconds=900.0, obeys=Obeys.KILL)
    assert world.drive().error == "timed out after 5 s"
    assert world.step("a").error == "flow timed out"
    (attempt,) = world.attempts()
    assert (attempt.status, attempt.error) == ("CANCELLED", "flow timed out")


# An end that comes too late: what had ended keeps its outcome, and so does the run (rule 5.6).

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
    "another step is skipped": (THEN_B, {"code": 1}, "FAILED", {"a": "FAILED", "b": "SKIPPED"}),
    "other steps are skipped": (
        {"a": {}, "b": {"when": "!a"}, "c": {"when": "b"}},
        {},
        "SUCCEEDED",
        {"a": "SUCCEEDED", "b": "SKIPPED", "c": "SKIPPED"},
    ),
    "another step would follow": (THEN_B, {}, "CANCELLED", {"a": "SUCCEEDED", "b": "CANCELLED"}),
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


@pytest.mark.parametrize(("code", "status"), [(0, "SUCCEEDED"), (1, "FAILED")])
def test_while_finally_runs(world: World, step: Make, code: int, status: str) -> None:
    """A first cancel leaves `finally` alone and the run its outcome."""
    world.record(step("a"), finally_=(step("tidy"),))
    world.plan("a:1", code=code)
    world.plan("tidy:1", seconds=60.0)
    world.machine.after(20.0, world.request_cancel)
    run = world.drive()
    assert (run.status, run.finally_after) == (status, status)
    assert world.statuses()["tidy"] == "SUCCEEDED"


def test_a_run_that_waits_to_tidy_up_again(world: World, step: Make) -> None:
    """A cancel hides no failure of a run that waits for its group to run `finally` again (10.7)."""
    world.record(step("a"), finally_=(step("tidy"),), concurrency=Concurrency("g"))
    world.plan("a:1", code=1)
    world.drive()
    world.retry("tidy")
    world.request_cancel()
    assert world.drive().status == "FAILED"
    assert world.statuses() == {"a": "FAILED", "tidy": "CANCELLED"}
