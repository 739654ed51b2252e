"""How a failed attempt is charged, described, and retried (rules 4.2, 5.3, 5.4, 5.9)."""

from collections.abc import Callable

import pytest

from flow_spec import StepSpec

from .world import World

Make = Callable[..., StepSpec]


def test_with_a_delay(world: World, step: Make) -> None:
    """A step with a delay is DELAYED until `next_attempt_at`, on the wall clock (rule 5.4)."""
    world.record(step("a", retries=1, retry_delay_sec=20.0))
    world.plan("a:1", code=1)
    world.drive()
    assert [status for status, _ in world.states_of("a")] == [
        "PENDING",
        "RUNNING",
        "DELAYED",
        "RUNNING",
        "SUCCEEDED",
    ]
    delayed = next(run for run in world.history if run.steps[0].status == "DELAYED")
    failed_at = delayed.attempts[0].finished_at
    assert failed_at is not None
    assert delayed.steps[0].next_attempt_at == failed_at + 20.0
    first, second = world.executions("a")
    assert first.end is not None
    assert 20.0 <= second.begin - first.end < 21.5
    assert world.step("a").next_attempt_at is None


@pytest.mark.parametrize("pause", [0.0, 10.0, 100.0])
def test_a_delay_outlives_its_runner(world: World, step: Make, pause: float) -> None:
    """A new runner waits out what is left of a delay, and no more (rule 5.4)."""
    world.record(step("a", retries=1, retry_delay_sec=20.0))
    world.plan("a:1", code=1, seconds=1.0)
    world.new_runner().drive(until=world.machine.mono + 5)
    assert world.step("a").status == "DELAYED"
    world.machine.pass_time(world.machine.mono + pause)
    world.drive()
    first, second = world.executions("a")
    assert first.end is not None
    assert max(20.0, pause) <= second.begin - first.end < max(20.0, pause) + 6


def test_a_delay_that_grows(world: World, step: Make) -> None:
    """Each failure multiplies the delay, up to the longest; a dead start does not (rule 9.12)."""
    spec = step("a", retries=4, retry_delay_sec=10.0, retry_backoff=3.0, retry_max_delay_sec=50.0)
    world.record(spec)
    for number in (1, 2, 4, 5):
        world.plan(f"a:{number}", code=1, seconds=1.0)
    world.calls.script("start", "a:3", "dead")
    assert world.drive().status == "SUCCEEDED"
    begun = [found.begin for found in world.executions("a")]
    ended = [found.end or 0.0 for found in world.executions("a")]
    waited = [begin - end for end, begin in zip(ended, begun[1:], strict=False)]
    assert [round(seconds, -1) for seconds in waited] == [10.0, 30.0, 50.0, 50.0]


@pytest.mark.parametrize("jump", [-86_400.0, 0.0, 10.0])
def test_a_delay_after_a_restart(world: World, step: Make, jump: float) -> None:
    """After a restart of the machine a delay is at most as long as ever (rule 5.10)."""
    world.record(step("a", retries=1, retry_delay_sec=200.0))
    world.plan("a:1", code=1)

    def restart() -> None:
        world.machine.jump_wall_clock(jump)
        world.restart_machine()

    world.machine.after(10.0, restart)
    world.drive()
    waited = world.executions("a")[1].begin
    assert waited <= 204.0
    assert jump == -86_400.0 or waited < 145
