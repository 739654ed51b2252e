"""No attempt runs beside its predecessor (rule 5.8)."""

from collections.abc import Callable

import pytest

from flow_spec import StepSpec

from .jobs import Obeys
from .world import World

Make = Callable[..., StepSpec]


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("delay", [0.0, 5.0])
def test_waits_for_a_survivor(world: World, step: Make, strict: bool, delay: float) -> None:
    """After LOST the step is DELAYED, naming the survivor, until that has ended by itself."""
    world.record(step("a", retries=1, retry_delay_sec=delay, strict=strict))
    world.plan("a:1", seconds=60.0, worker_lives=1.0)
    assert world.drive().status == "SUCCEEDED"
    first, second = world.executions()
    assert first.end is not None
    assert first.end - first.begin == 60.0
    assert 0 <= second.begin - first.end < 2
    error = f"waits for attempt 1 to be gone: pid {first.pid} (a); end it to go on"
    assert ("DELAYED", error) in world.states_of("a")
    assert world.step("a").error is None


def test_without_retries(world: World, step: Make) -> None:
    """A lost attempt without a retry fails the step at once; others need not wait for it."""
    world.record(step("a"), step("b", when="a.failed"))
    world.plan("a:1", seconds=60.0, worker_lives=1.0)
    assert world.drive().status == "FAILED"
    assert world.step("a").error == "outcome unknown: orchesjob lost the job (its worker vanished)"
    assert world.executions()[0].end is None


@pytest.mark.parametrize("obeys", [Obeys.TERM, Obeys.KILL])
def test_the_time_limit_is_theirs_too(world: World, step: Make, obeys: Obeys) -> None:
    """A survivor that runs for longer than `timeout_sec` is ended (rule 5.5)."""
    world.record(step("a", retries=1, timeout_sec=20.0))
    world.plan("a:1", seconds=900.0, worker_lives=1.0, obeys=obeys)
    assert world.drive().status == "SUCCEEDED"
    first, second = world.executions()
    assert first.end is not None
    assert 20.0 <= first.end - first.begin < 28.0
    assert second.begin >= first.end


def test_a_new_runner_waits_as_well(world: World, step: Make) -> None:
    """Whoever takes the run over waits for the survivor too."""
    world.record(step("a", retries=1))
    world.plan("a:1", seconds=60.0, worker_lives=1.0)
    world.new_runner().drive(until=world.machine.mono + 10)
    assert world.step("a").status == "DELAYED"
    assert world.drive().status == "SUCCEEDED"


def test_a_lost_job_that_never_ran(world: World, step: Make) -> None:
    """The error tells a job that was lost before its command ran from one lost later."""
    world.record(step("a", retries=1))
    world.plan("a:1", born_after=50.0)
    world.machine.after(5.0, lambda: world.jobs.kill_worker(world.job("a:1")))
    assert world.drive().status == "SUCCEEDED"
    assert "before its command was seen to run" in str(world.states_of("a"))
    assert len(world.executions()) == 1


def test_the_first_attempt_looks_for_nobody(world: World, step: Make) -> None:
    """Before a first attempt nothing is searched for."""
    world.record(step("a"))
    world.drive()
    assert not world.calls.made("look")
