"""`timeout_sec`: an attempt that runs too long is ended and has failed (rule 5.5)."""

from collections.abc import Callable

import pytest

from flow_spec import StepSpec

from .jobs import Obeys
from .world import World

Make = Callable[..., StepSpec]


def test_ended_and_failed(world: World, step: Make) -> None:
    """An attempt that runs too long is aborted; its error says so, its job shows ABORTED."""
    world.record(step("a", timeout_sec=5.0))
    world.plan("a:1", seconds=900.0)
    assert world.drive().status == "FAILED"
    assert world.step("a").error == "timed out after 5 s"
    assert '"status":"ABORTED"' in str(world.attempts()[0].job)
    (execution,) = world.executions()
    assert execution.end is not None
    assert 5.0 <= execution.end - execution.begin < 6.0


def test_then_retried(world: World, step: Make) -> None:
    """A timeout costs a retry as any failure does, delay included."""
    world.record(step("a", timeout_sec=5.0, retries=1, retry_delay_sec=7.0))
    world.plan("a:1", seconds=900.0)
    assert world.drive().status == "SUCCEEDED"
    assert ("DELAYED", "timed out after 5 s") in world.states_of("a")
    first, second = world.executions()
    assert first.end is not None
    assert second.begin - first.end >= 7.0


def test_in_time(world: World, step: Make) -> None:
    """An attempt that ends in time is left alone."""
    world.record(step("a", timeout_sec=5.0))
    world.plan("a:1", seconds=4.0)
    assert world.drive().status == "SUCCEEDED"
    assert not world.calls.made("abort")


def test_a_stubborn_command(world: World, step: Make) -> None:
    """A command that ignores TERM is killed after the grace time; the retry waits for that."""
    world.record(step("a", timeout_sec=5.0, retries=1))
    world.plan("a:1", seconds=900.0, obeys=Obeys.KILL)
    assert world.drive().status == "SUCCEEDED"
    first, second = world.executions()
    assert first.end is not None
    assert 10.0 <= first.end - first.begin < 11.0
    assert second.begin >= first.end


def test_a_command_that_cannot_be_ended(world: World, step: Make) -> None:
    """What survives even KILL is named while it lives, and no attempt starts beside it (5.8)."""
    world.record(step("a", timeout_sec=5.0, retries=1))
    world.plan("a:1", seconds=300.0, obeys=Obeys.NOTHING)
    assert world.drive().status == "SUCCEEDED"
    pid = world.executions()[0].pid
    assert ("RUNNING", f"cannot be ended: pid {pid} (a)") in world.states_of("a")
    assert world.executions()[1].begin > 300


@pytest.mark.parametrize(("code", "status"), [(0, "SUCCEEDED"), (3, "FAILED")])
def test_finished_just_now(world: World, step: Make, code: int, status: str) -> None:
    """If the job has ended before the abort reaches it, its real outcome counts."""
    world.calls.latency = (0.5, 0.5)
    world.record(step("a", timeout_sec=5.0))
    world.plan("a:1", seconds=6.3, code=code)
    world.drive()
    found = world.step("a")
    assert world.calls.made("abort")
    assert (found.status, found.error) == (status, "exit code 3" if code else None)


@pytest.mark.parametrize("faults", [("fail",) * 3, ("lose",), ("lose", "fail"), ("hang",)])
def test_aborts_that_go_wrong(world: World, step: Make, faults: tuple[str, ...]) -> None:
    """An abort that fails is repeated; one that worked unheard is noticed (rule 5.7)."""
    world.limits = type(world.limits)(patience_sec=1000.0)
    world.record(step("a", timeout_sec=5.0, retries=1))
    world.plan("a:1", seconds=900.0, obeys=Obeys.KILL)
    world.calls.script("abort", "a:1", *faults)
    assert world.drive().status == "SUCCEEDED"
    assert "timed out after 5 s" in str(world.states_of("a"))
    assert len(world.executions()) == 2


def test_it_counts_on_without_a_runner(world: World, step: Make) -> None:
    """The time in which no runner lived counts too."""
    world.record(step("a", timeout_sec=50.0))
    world.plan("a:1", seconds=900.0)
    world.new_runner().drive(until=world.machine.mono + 10)
    world.machine.pass_time(world.machine.mono + 100)
    resumed = world.machine.mono
    assert world.drive().status == "FAILED"
    assert world.machine.mono - resumed < 3


def test_finished_without_a_runner(world: World, step: Make) -> None:
    """A job that ended while no runner lived has its real outcome, however late that is seen."""
    world.record(step("a", timeout_sec=50.0))
    world.plan("a:1", seconds=40.0)
    world.new_runner().drive(until=world.machine.mono + 10)
    world.machine.pass_time(world.machine.mono + 100)
    assert world.drive().status == "SUCCEEDED"


def test_aborted_in_the_middle(world: World, step: Make) -> None:
    """A runner that dies between deciding on an abort and its end leaves that to the next."""
    world.record(step("a", timeout_sec=5.0, retries=1))
    world.plan("a:1", seconds=900.0, obeys=Obeys.KILL)
    runner = world.new_runner()
    while not world.calls.made("abort"):
        runner.run_once()
    assert world.attempts()[0].abort_reason == "timeout"
    world.calls.abandon()
    assert world.drive().status == "SUCCEEDED"
    assert "timed out after 5 s" in str(world.states_of("a"))


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
