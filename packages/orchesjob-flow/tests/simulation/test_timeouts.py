"""`timeout_sec`: an attempt that runs too long is ended and has failed (rule 5.5)."""

from collections.abc import Callable

from flow_spec import StepSpec

from .world import World

Make = Callable[..., StepSpec]


def test_it_counts_on_without_a_runner(world: World, step: Make) -> None:
    """The time in which no runner lived counts too."""
    world.record(step("a", timeout_sec=50.0))
    world.plan("a:1", seconds=900.0)
    world.new_runner().drive(until=world.machine.mono + 10)
    world.machine.pass_time(world.machine.mono + 100)
    resumed = world.machine.mono
    assert world.drive().status == "FAILED"
    assert world.machine.mono - resumed < 3


def test_lost_while_it_is_aborted(world: World, step: Make) -> None:
    """A job that turns LOST under an abort has timed out all the same."""
    world.record(step("a", timeout_sec=5.0))
    world.plan("a:1", seconds=900.0)
    world.calls.script("abort", "a:1", "fail")
    world.machine.after(5.6, lambda: world.jobs.kill_worker(world.job("a:1")))
    world.drive()
    assert world.step("a").error == "timed out after 5 s"
    assert world.executions()[0].end is not None


def test_the_slow_birth_of_a_job(world: World, step: Make) -> None:
    """A job whose worker lives but whose command is not seen to run can time out too."""
    world.record(step("a", timeout_sec=5.0))
    world.plan("a:1", born_after=900.0)
    assert world.drive().status == "FAILED"
    assert world.step("a").error == "timed out after 5 s"
    assert not world.executions()
