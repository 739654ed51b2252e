"""The flow's `timeout_sec`: a run that takes too long is ended and has failed (rule 9.12)."""

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
    """What has ended keeps its outcome, all else ends CANCELLED, and the run FAILED."""
    record_every_kind(world, step, timeout_sec=20.0)
    run = world.drive()
    assert (run.status, run.error) == ("FAILED", "timed out after 20 s")
    assert world.statuses() == ENDED_EARLY
    for found in run.steps:
        assert (found.error == "flow timed out") == (found.status == "CANCELLED")
        assert found.next_attempt_at is None
    assert world.job("running:1").status == "ABORTED"
    assert world.warnings == ["the run timed out after 20 s; ending what still runs"]
    (end,) = (found.end for found in world.executions("running"))
    assert end is not None
    assert 20.0 <= end - run_began(world) < 21.0


def run_began(world: World) -> float:
    """Tell when (monotonic) the run was taken up."""
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


def test_survivors_of_attempts_that_have_ended(world: World, step: Make) -> None:
    """What a failed step has left alive is ended too, and named while it cannot be."""
    world.record(step("a"), step("b"), timeout_sec=10.0)
    world.plan("a:1", code=1, leaves=200.0, obeys=Obeys.NOTHING)
    world.plan("b:1", seconds=900.0)
    run = world.drive()
    assert run.error == "timed out after 10 s"
    errors = " ".join(str(run.error) for run in world.history)
    assert re.search(r"timed out after 10 s, but these cannot be ended: pid \d+ \(left\)", errors)


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
