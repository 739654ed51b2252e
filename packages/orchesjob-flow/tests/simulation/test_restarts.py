"""Clock jumps, restarts of the machine, and an orchesjob that has forgotten (5.10, 5.8, 4.7)."""

from collections.abc import Callable
from functools import partial

import pytest

from flow_spec import StepSpec

from .world import World

Make = Callable[..., StepSpec]


@pytest.mark.parametrize("jump", [-7200.0, 7200.0])
def test_a_clock_jump_and_another_runner(world: World, step: Make, jump: float) -> None:
    """A new runner, too, counts the rest of a delay on the monotonic clock (rule 5.10)."""
    world.record(step("a", retries=1, retry_delay_sec=60.0, timeout_sec=80.0))
    world.plan("a:1", code=1)
    world.plan("a:2", seconds=900.0)
    for when in (20.0, 100.0):
        world.machine.after(when, partial(world.machine.jump_wall_clock, jump))
        world.machine.after(when + 1, world.crash)
    world.drive()
    first, second = world.executions()
    assert first.end is not None
    assert second.end is not None
    assert 60.0 <= second.begin - first.end < 62.0
    assert 80.0 <= second.end - second.begin < 82.0


def restarted(world: World, after: float = 10.0, forget: str = "") -> None:
    """Drive a run whose machine is restarted, perhaps with an orchesjob that forgets a key."""

    def restart() -> None:
        world.jobs.forget(forget)
        world.restart_machine()

    world.machine.after(after, restart)
    world.drive()


@pytest.mark.parametrize(("requested_after", "is_begun"), [(5.0, True), (9.99, False)])
def test_a_cancel_of_such_a_job(
    world: World, step: Make, requested_after: float, is_begun: bool
) -> None:
    """A cancel aborts no process of an earlier boot: the restart has ended that, not the cancel."""
    world.record(step("a"))
    world.plan("a:1", seconds=900.0)
    world.machine.after(8.0, lambda: setattr(world.job("a:1"), "pid_reused", True))
    world.machine.after(requested_after, world.request_cancel)
    world.calls.script("abort", "", *["fail"] * 50)
    aborts_before: list[float] = []
    world.machine.after(10.0, lambda: aborts_before.extend(world.calls.made("abort")))
    restarted(world, after=10.001)
    assert (world.run().status, world.statuses()) == ("FAILED", {"a": "FAILED"})
    assert bool(aborts_before) is is_begun
    assert world.calls.made("abort") == aborts_before
