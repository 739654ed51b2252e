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


def test_in_time(world: World, step: Make) -> None:
    """A run that ends in time is left alone."""
    world.record(step("a"), step("b", depends_on=("a",)), timeout_sec=20.0)
    world.plan("a:1", seconds=8.0)
    world.plan("b:1", seconds=8.0)
    assert world.drive().status == "SUCCEEDED"
    assert not world.calls.made("abort")


@pytest.mark.parametrize("code", [0, 3])
def test_the_last_step_ends_by_itself(world: World, step: Make, code: int) -> None:
    """If every step has ended before the abort reaches it, the real outcome counts."""
    world.calls.latency = (0.5, 0.5)
    world.record(step("a"), timeout_sec=5.0)
    world.plan("a:1", seconds=5.3, code=code)
    run = world.drive()
    assert world.calls.made("abort")
    expected = ("FAILED", "1 step failed: a") if code else ("SUCCEEDED", None)
    assert (run.status, run.error) == expected


def test_retries_have_no_time_of_their_own(world: World, step: Make) -> None:
    """The time of the run counts from one attempt to the next, delays included."""
    world.record(step("a", retries=100, retry_delay_sec=7.0), timeout_sec=60.0)
    for number in range(1, 101):
        world.plan(f"a:{number}", seconds=1.0, code=1)
    assert world.drive().error == "timed out after 60 s"
    assert 7 <= len(world.executions()) <= 8


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


def test_it_counts_on_without_a_runner(world: World, step: Make) -> None:
    """The time in which no runner lived counts too."""
    world.record(step("a"), timeout_sec=50.0)
    world.plan("a:1", seconds=900.0)
    world.new_runner().drive(until=world.machine.mono + 10)
    world.machine.pass_time(world.machine.mono + 100)
    resumed = world.machine.mono
    assert world.drive().error == "timed out after 50 s"
    assert world.machine.mono - resumed < 3


def test_ended_without_a_runner(world: World, step: Make) -> None:
    """What ended while no runner lived has its real outcome; what would follow is not begun."""
    world.record(step("a"), step("b", depends_on=("a",)), timeout_sec=50.0)
    world.plan("a:1", seconds=40.0)
    world.new_runner().drive(until=world.machine.mono + 10)
    world.machine.pass_time(world.machine.mono + 100)
    assert world.drive().error == "timed out after 50 s"
    assert world.statuses() == {"a": "SUCCEEDED", "b": "CANCELLED"}
    assert not world.executions("b")


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


def test_a_restart_in_the_middle(world: World, step: Make) -> None:
    """What was begun is finished after a restart, though the clock says that there is time."""
    world.record(step("a", retries=1), step("b", depends_on=("a",)), timeout_sec=50.0)
    world.plan("a:1", seconds=900.0, obeys=Obeys.KILL)
    restart_after(world, 52.0, -1e6)
    assert world.drive().error == "timed out after 50 s"
    assert world.machine.mono < 10.0
    assert len(world.executions()) == 1


def test_a_stubborn_command(world: World, step: Make) -> None:
    """A command that ignores TERM is killed after the grace time; the run's end waits for that."""
    world.record(step("a"), timeout_sec=5.0)
    world.plan("a:1", seconds=900.0, obeys=Obeys.KILL)
    assert world.drive().error == "timed out after 5 s"
    (execution,) = world.executions()
    assert execution.end is not None
    assert 10.0 <= execution.end - run_began(world) < 11.0


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


def test_a_start_under_way(world: World, step: Make) -> None:
    """A start that is under way is waited for, and its job aborted."""
    world.calls.latency = (1.0, 1.0)
    world.record(step("a"), timeout_sec=0.5)
    world.plan("a:1", seconds=900.0)
    assert world.drive().error == "timed out after 0.5 s"
    assert world.statuses() == {"a": "CANCELLED"}
    assert all(found.end is not None for found in world.executions())


def test_a_crash_in_the_middle(world: World, step: Make) -> None:
    """The next runner finishes what a dead one has begun."""
    world.record(step("a"), step("b", depends_on=("a",)), timeout_sec=5.0)
    world.plan("a:1", seconds=900.0, obeys=Obeys.KILL)
    runner = world.new_runner()
    while not world.calls.made("abort"):
        runner.run_once()
    assert world.attempts()[0].abort_reason == "flow timeout"
    world.calls.abandon()
    assert world.drive().error == "timed out after 5 s"
    assert len(world.executions()) == 1
