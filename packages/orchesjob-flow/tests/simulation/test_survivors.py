"""No attempt runs beside its predecessor (rule 5.8): what a failure has left alive."""

from collections.abc import Callable

import pytest

from flow_spec import StepSpec

from .jobs import Obeys
from .world import World

Make = Callable[..., StepSpec]


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("delay", [0.0, 5.0])
def test_waits_for_a_survivor(world: World, step: Make, strict: bool, delay: float) -> None:
    """After a failure the step is DELAYED, naming what is left, until that has ended by itself."""
    world.record(step("a", retries=1, retry_delay_sec=delay, strict=strict))
    world.plan("a:1", code=3, leaves=60.0)
    assert world.drive().status == "SUCCEEDED"
    first, second = world.executions()
    assert first.end is not None
    assert 60 <= second.begin - first.end < 62
    delayed = [error for status, error in world.states_of("a") if status == "DELAYED"]
    assert "(left); kill it to continue" in (delayed[-1] or "")
    assert (delayed[-1] or "").startswith("waiting for attempt 1 to exit: pid ")
    assert world.step("a").error is None


@pytest.mark.parametrize("crash_after", [0.0, 5.0, 5.2, 5.5, 6.0, 10.0, 11.0, 30.0])
@pytest.mark.parametrize("sheds_mark_after", [0.0, 1.0])
@pytest.mark.parametrize("is_cancelled", [True, False])
def test_without_a_mark(
    world: World, step: Make, crash_after: float, sheds_mark_after: float, *, is_cancelled: bool
) -> None:
    """What only its parent shows is known before that is killed, to every later runner too.

    That holds too if it became another user's after its job was first watched.
    """
    world.record(step("a", retries=1, timeout_sec=None if is_cancelled else 5.0))
    world.plan("a:1", seconds=60.0, obeys=Obeys.NOTHING, sheds_mark_after=sheds_mark_after)
    if is_cancelled:
        world.machine.after(5.0, world.request_cancel)
    if crash_after:
        world.machine.after(crash_after, world.crash)
    run = world.drive()
    first, *others = world.executions()
    assert first.end == first.begin + 60.0
    assert ("RUNNING", f"cannot be ended: pid {first.pid} (a)") in world.states_of("a")
    assert run.status == ("CANCELLED" if is_cancelled else "SUCCEEDED")
    assert all(second.begin >= first.end for second in others)
    assert (run.finished_at or 0) > 1_795_600_060


@pytest.mark.parametrize("crash_after", [0.0, 8.0])
def test_lost_without_a_mark(world: World, step: Make, crash_after: float) -> None:
    """A lost attempt is awaited although only its worker has shown whose its process is."""
    world.record(step("a", retries=1))
    world.plan("a:1", seconds=60.0, worker_lives=5.0, obeys=Obeys.NOTHING, sheds_mark_after=0.0)
    if crash_after:
        world.machine.after(crash_after, world.crash)
    assert world.drive().status == "SUCCEEDED"
    first, second = world.executions()
    assert first.end is not None
    assert second.begin >= first.end == first.begin + 60.0


def test_without_retries(world: World, step: Make) -> None:
    """What an attempt leaves that ended by itself keeps no other step waiting."""
    world.record(step("a"), step("b", when="a.failed"))
    world.plan("a:1", code=3, leaves=60.0)
    run = world.drive()
    assert (run.status, run.error) == ("FAILED", "1 step failed: a")
    assert world.executions("b")[0].begin < world.machine.mono < 110


def test_the_first_attempt_looks_for_nobody(world: World, step: Make) -> None:
    """Before a first attempt nothing is searched for."""
    world.record(step("a"))
    world.drive()
    assert not world.calls.made("look")
