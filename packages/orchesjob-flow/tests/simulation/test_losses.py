"""LOST and alive is still running, and so is what somebody else has aborted (rule 5.8)."""

from collections.abc import Callable

import pytest

from flow_spec import StepSpec

from .jobs import Obeys
from .world import World

Make = Callable[..., StepSpec]
LOST = "orchesjob lost the job (its worker vanished)"


@pytest.mark.parametrize("pidfd", [True, False])
@pytest.mark.parametrize("retries", [0, 1])
def test_lost_and_alive(world: World, step: Make, retries: int, pidfd: bool) -> None:
    """The step is RUNNING and names what is alive; only when that has ended it fails, or retries.

    What waits for it waits, and no step that was not asked about it.
    """
    world.calls.pidfd = pidfd
    world.record(step("a", retries=retries), step("b", when="a.finished"), step("c"))
    world.plan("a:1", seconds=60.0, worker_lives=1.0)
    world.drive()
    first, *others = world.executions("a")
    assert first.end == first.begin + 60.0
    assert len(others) == retries
    error = f"{LOST}, but attempt 1 is still alive: pid {first.pid} (a); kill it to continue"
    assert ("RUNNING", error) in world.states_of("a")
    soon = 2 if pidfd else 2 + world.limits.poll_interval_sec
    (after,) = world.executions("b")
    assert first.end < after.begin < first.end + soon + 2 * retries
    assert world.executions("c")[0].begin < first.begin + 2
    assert world.step("a").error == (None if retries else f"outcome unknown: {LOST}")


def test_looked_at_once_while_nothing_changes(world: World, step: Make) -> None:
    """Its end announces itself: nobody looks through all processes again and again (rule 6.2)."""
    world.record(step("a"))
    world.plan("a:1", seconds=9000.0, worker_lives=1.0)
    world.drive()
    assert len(world.calls.made("look")) == 2


@pytest.mark.parametrize("worker_lives", [0.0, 1.0])
@pytest.mark.parametrize("obeys", [Obeys.TERM, Obeys.KILL])
def test_the_time_limit_goes_on(
    world: World, step: Make, obeys: Obeys, worker_lives: float
) -> None:
    """The step's `timeout_sec` ends what is alive, also if it was never seen to run (rule 5.5)."""
    world.record(step("a", timeout_sec=20.0))
    world.plan("a:1", seconds=900.0, worker_lives=worker_lives, obeys=obeys)
    assert world.drive().status == "FAILED"
    (only,) = world.executions()
    assert only.end is not None
    assert 20.0 <= only.end - only.begin < 28.0
    assert world.step("a").error == "timed out after 20 s"


def test_the_delay_after_the_time_limit(world: World, step: Make) -> None:
    """A look at what was alive, planned before it was ended, begins no attempt early (rule 5.4)."""
    world.calls.pidfd = False
    world.record(step("a", retries=1, retry_delay_sec=30.0, timeout_sec=8.0))
    world.plan("a:1", seconds=900.0, worker_lives=1.0)
    assert world.drive().status == "SUCCEEDED"
    first, second = world.executions()
    assert first.end is not None
    assert second.begin >= first.end + 30.0


def test_the_time_limit_of_the_flow(world: World, step: Make) -> None:
    """The flow's `timeout_sec` ends what is alive (rule 9.12)."""
    world.record(step("a", retries=1), timeout_sec=20.0)
    world.plan("a:1", seconds=900.0, worker_lives=1.0)
    assert world.drive().error == "timed out after 20 s"
    assert world.statuses() == {"a": "CANCELLED"}
    assert [found.end is None for found in world.executions()] == [False]


@pytest.mark.parametrize("after", [1.05, 1.2, 1.3, 10.0])
def test_cancelled(world: World, step: Make, after: float) -> None:
    """A cancel ends what is alive, at whatever moment it comes (rule 5.6)."""
    world.record(step("a", retries=1), step("b", when="a.finished"))
    world.plan("a:1", seconds=900.0, worker_lives=1.0)
    world.machine.after(after, world.request_cancel)
    assert world.drive().status == "CANCELLED"
    assert world.statuses() == {"a": "CANCELLED", "b": "CANCELLED"}
    assert [found.end is None for found in world.executions()] == [False]


def test_taken_over(world: World, step: Make) -> None:
    """A new runner finds the same, says the same, and keeps the same time limit."""
    world.record(step("a", timeout_sec=50.0), step("b", when="a.failed"))
    world.plan("a:1", seconds=900.0, worker_lives=1.0)
    world.new_runner().drive(until=world.machine.mono + 10)
    before = world.step("a")
    world.calls.abandon()
    world.new_runner().drive(until=world.machine.mono + 10)
    assert world.step("a") == before
    assert before.status == "RUNNING"
    world.drive()
    first, after = world.executions()
    assert first.end is not None
    assert 50.0 <= first.end - first.begin < 53.0
    assert after.begin > first.end


def test_aborted_from_outside(world: World, step: Make) -> None:
    """ABORTED is written before anything is ended: what it could not end is waited for."""
    world.record(step("a"), step("b", when="a.failed"))
    world.plan("a:1", seconds=60.0, aborted_after=5.0, obeys=Obeys.NOTHING)
    world.drive()
    assert "RUNNING" in [status for status, error in world.states_of("a") if error]
    assert world.step("a").error == "aborted from outside this run"
    first, after = world.executions()
    assert first.end == first.begin + 60.0
    assert after.begin > first.end


def test_a_place_is_taken(world: World, step: Make) -> None:
    """What is alive takes one of the `max_parallel` places (rule 9.12)."""
    world.record(step("a"), step("b"), max_parallel=1)
    world.plan("a:1", seconds=60.0, worker_lives=1.0)
    world.drive()
    first, after = world.executions()
    assert after.begin > first.begin + 60.0


def test_a_lost_job_that_never_ran(world: World, step: Make) -> None:
    """The error tells a job that was lost before its command ran from one lost later."""
    world.record(step("a", retries=1))
    world.plan("a:1", born_after=50.0)
    world.machine.after(5.0, lambda: world.jobs.kill_worker(world.job("a:1")))
    assert world.drive().status == "SUCCEEDED"
    assert "before its command was seen to run" in str(world.states_of("a"))
    assert len(world.executions()) == 1
