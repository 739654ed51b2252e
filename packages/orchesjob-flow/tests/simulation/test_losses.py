"""LOST and alive is still running, and so is what somebody else has aborted (rule 5.8)."""

from collections.abc import Callable

from flow_spec import StepSpec

from .world import World

Make = Callable[..., StepSpec]
LOST = "orchesjob lost the job (its worker vanished)"


def test_looked_at_once_while_nothing_changes(world: World, step: Make) -> None:
    """Its end announces itself: nobody looks through all processes again and again (rule 6.2)."""
    world.record(step("a"))
    world.plan("a:1", seconds=9000.0, worker_lives=1.0)
    world.drive()
    assert len(world.calls.made("look")) == 2


def test_the_delay_after_the_time_limit(world: World, step: Make) -> None:
    """A look at what was alive, planned before it was ended, begins no attempt early (rule 5.4)."""
    world.calls.pidfd = False
    world.record(step("a", retries=1, retry_delay_sec=30.0, timeout_sec=8.0))
    world.plan("a:1", seconds=900.0, worker_lives=1.0)
    assert world.drive().status == "SUCCEEDED"
    first, second = world.executions()
    assert first.end is not None
    assert second.begin >= first.end + 30.0


def test_a_lost_job_that_never_ran(world: World, step: Make) -> None:
    """The error tells a job that was lost before its command ran from one lost later."""
    world.record(step("a", retries=1))
    world.plan("a:1", born_after=50.0)
    world.machine.after(5.0, lambda: world.jobs.kill_worker(world.job("a:1")))
    assert world.drive().status == "SUCCEEDED"
    assert "before its command was seen to run" in str(world.states_of("a"))
    assert len(world.executions()) == 1


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
