"""What a cancel does to each kind of step, and when it is done (rules 5.6 and 5.8)."""

import re
from collections.abc import Callable
from functools import partial

import pytest

from flow_spec import StepSpec

from .jobs import Obeys
from .kinds import ENDED_EARLY, record_every_kind
from .world import World

Make = Callable[..., StepSpec]


def test_every_kind_of_step(world: World, step: Make) -> None:
    """Running, waiting, delayed steps end CANCELLED; what has ended keeps its outcome."""
    record_every_kind(world, step)
    world.machine.after(20.0, world.request_cancel)
    run = world.drive()
    assert (run.status, run.error) == ("CANCELLED", None)
    assert world.statuses() == ENDED_EARLY
    for found in run.steps:
        assert (found.error == "flow cancelled") == (found.status == "CANCELLED")
        assert found.next_attempt_at is None
    assert world.job("running:1").status == "ABORTED"
    assert '"status":"ABORTED"' in str(world.run().attempts[4].job)


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


def test_survivors_of_attempts_that_have_ended(world: World, step: Make) -> None:
    """What a failed step has left alive is ended too, and named while it cannot be."""
    world.record(step("a"), step("b"))
    world.plan("a:1", code=1, leaves=200.0, obeys=Obeys.NOTHING)
    world.plan("b:1", seconds=900.0)
    world.machine.after(10.0, world.request_cancel)
    run = world.drive()
    assert (run.status, run.error) == ("CANCELLED", None)
    assert world.statuses() == {"a": "FAILED", "b": "CANCELLED"}
    errors = " ".join(str(run.error) for run in world.history)
    assert re.search(r"cancel requested, but these cannot be ended: pid \d+ \(left\)", errors)


def test_two_requests(world: World, step: Make) -> None:
    """A second request changes nothing."""
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
