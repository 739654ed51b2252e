"""What ends a run early: a cancel, the flow's `timeout_sec`, or either of them too late."""

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pytest

from flow_spec import Concurrency, StepSpec

from .jobs import Obeys
from .world import World

# A run with a step of every kind, for what ends a run early (rules 5.6 and 9.12).

ENDED_EARLY = {
    "done": "SUCCEEDED",
    "broken": "FAILED",
    "skipped": "SKIPPED",
    "delayed": "CANCELLED",
    "running": "CANCELLED",
    "waiting": "CANCELLED",
    "alert": "CANCELLED",
}
"""How the steps end if the run is ended after some seconds."""


# What a cancel does to each kind of step, and when it is done (rules 5.6 and 5.8).

Make = Callable[..., StepSpec]


@pytest.mark.parametrize("timeout_sec", [None, 20.0])
def test_every_kind_of_step(world: World, step: Make, timeout_sec: float | None) -> None:
    """Running, waiting, delayed steps end CANCELLED; what has ended keeps its outcome."""
    world.record(
        step("done"),
        step("broken"),
        step("skipped", when="!done"),
        step("delayed", depends_on=("done",), retries=1, retry_delay_sec=500.0),
        step("running", depends_on=("done",)),
        step("waiting", depends_on=("running",)),
        step("alert", when="!running"),
        timeout_sec=timeout_sec,
    )
    world.plan("broken:1", code=1)
    world.plan("delayed:1", code=1)
    world.plan("running:1", seconds=900.0)
    if timeout_sec is None:
        world.machine.after(20.0, world.request_cancel)
    run = world.drive()
    if timeout_sec is None:
        assert (run.status, run.error, world.warnings) == ("CANCELLED", None, [])
    else:
        assert (run.status, run.error) == ("FAILED", "timed out after 20 s")
        assert world.warnings == ["the run timed out after 20 s; ending what still runs"]
    assert world.statuses() == ENDED_EARLY
    error = "flow cancelled" if timeout_sec is None else "flow timed out"
    for found in run.steps:
        assert (found.error == error) == (found.status == "CANCELLED")
        assert found.next_attempt_at is None
    assert world.job("running:1").status == "ABORTED"
    assert '"status":"ABORTED"' in str(world.run().attempts[4].job)
    (end,) = (found.end for found in world.executions("running"))
    assert end is not None
    assert 20.0 <= end - run_began(world) < 21.0


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


def test_a_start_that_waits_for_its_place(world: World, step: Make) -> None:
    """A start that waits for its place is called off: the crowd keeps no cancel waiting (5.11)."""
    world.calls.wait_sec = lambda: 5000.0
    world.record(step("a"), step("b"))
    world.machine.after(20.0, world.request_cancel)
    run = world.drive()
    assert run.status == "CANCELLED"
    assert {found.error for found in run.steps} == {"flow cancelled"}
    assert world.machine.mono < 125.0
    world.machine.pass_time(20_000.0)
    assert not world.executions()


@pytest.mark.parametrize("call", ["status", "abort"])
def test_other_calls_that_wait_for_their_places(world: World, step: Make, call: str) -> None:
    """Only a start is called off: what has begun is asked for, and ended, in its turn (5.11)."""
    world.record(step("a"))
    world.plan("a:1", seconds=900.0)
    if call == "status":
        world.calls.script("start", "a:1", "lose")

    def gather_crowd() -> None:
        world.calls.wait_sec = lambda: 500.0

    world.machine.after(0.3, gather_crowd)
    world.machine.after(20.0, world.request_cancel)
    assert world.drive().status == "CANCELLED"
    assert all(found.end is not None for found in world.executions())


@pytest.mark.parametrize(("grace", "least"), [(None, 5.0), (0.0, 0.0), (20.0, 20.0)])
def test_the_grace_time(world: World, step: Make, grace: float | None, least: float) -> None:
    """A stubborn command has the grace time of the request, else orchesjob's five seconds."""
    world.record(step("a"))
    world.plan("a:1", seconds=900.0, obeys=Obeys.KILL)
    world.machine.after(10.0, partial(world.request_cancel, grace))
    world.drive()
    (execution,) = world.executions()
    assert execution.end is not None
    assert 110.0 + least <= execution.end < 112.0 + least


def test_what_cannot_be_ended(world: World, step: Make) -> None:
    """The run stays RUNNING while anything of it lives; the step's error names it (rule 6.7)."""
    world.record(step("a"))
    world.plan("a:1", seconds=200.0, obeys=Obeys.NOTHING)
    world.machine.after(10.0, world.request_cancel)
    run = world.drive()
    assert (run.status, run.error) == ("CANCELLED", None)
    assert world.machine.mono > 300
    pid = world.executions()[0].pid
    assert ("RUNNING", f"cannot be ended: pid {pid} (a)") in world.states_of("a")
    assert world.step("a").error == "flow cancelled"


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


def test_seen_soon(world: World, step: Make) -> None:
    """A request is seen within half a second, however quiet the run is."""
    world.calls.latency = (0.0, 0.0)
    world.record(step("a"))
    world.plan("a:1", seconds=900.0)
    world.machine.after(50.0, world.request_cancel)
    world.drive()
    assert world.calls.made("abort")[0] - 150.0 <= 0.5


def test_a_request_in_the_middle_of_a_look(world: World, step: Make) -> None:
    """A request that is recorded while the runner looks for one is seen, now or soon."""
    world.calls.latency = (0.0, 0.0)
    world.record(step("a"))
    world.plan("a:1", seconds=900.0)

    def request_once() -> None:
        world.on_look = lambda: None
        world.request_cancel()

    world.machine.after(50.0, lambda: setattr(world, "on_look", request_once))
    assert world.drive().status == "CANCELLED"
    assert world.calls.made("abort")[0] - 150.0 <= 1.0


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
    restart_after(world, 10.0, jump)
    booted = 3.0
    assert world.drive().error == "timed out after 50 s"
    assert least <= world.machine.mono - booted < least + 3


def restart_after(world: World, seconds: float, jump: float) -> None:
    """Let the machine restart, and come up with its clock set wrong by so many seconds."""

    def restart() -> None:
        world.machine.jump_wall_clock(jump)
        world.restart_machine()

    world.machine.after(seconds, restart)


def test_a_cancel_has_its_way(world: World, step: Make) -> None:
    """A cancel that comes while the timeout is carried out ends the run CANCELLED (rule 5.6)."""
    world.record(step("a"), step("b", depends_on=("a",)), timeout_sec=5.0)
    world.plan("a:1", seconds=900.0, obeys=Obeys.KILL)
    world.machine.after(7.0, world.request_cancel)
    run = world.drive()
    assert (run.status, run.error) == ("CANCELLED", None)
    assert {found.error for found in run.steps} == {"flow cancelled"}


def test_no_timeout_after_a_cancel(world: World, step: Make) -> None:
    """A run that is being cancelled when its time is over ends CANCELLED."""
    world.record(step("a"), timeout_sec=5.0)
    world.plan("a:1", seconds=900.0, obeys=Obeys.KILL)
    world.machine.after(4.0, world.request_cancel)
    assert world.drive().status == "CANCELLED"
    assert world.step("a").error == "flow cancelled"


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
