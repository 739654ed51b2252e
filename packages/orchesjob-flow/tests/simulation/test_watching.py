"""How the end of a job is noticed, and answers that contradict each other (rules 5.3 and 6.2)."""

from collections.abc import Callable
from functools import partial
from itertools import pairwise

from flow_spec import StepSpec
from orchesjob_flow.engine.state import Limits

from .world import World

Make = Callable[..., StepSpec]


def test_a_short_job_costs_one_call(world: World, step: Make) -> None:
    """A job that has ended when `start` answers is asked for no more."""
    world.record(step("a"))
    world.calls.latency = (0.1, 0.1)
    world.plan("a:1", seconds=0.0)
    world.drive()
    assert world.calls.made("start")
    assert not world.calls.made("status") + world.calls.made("watch")


def test_a_long_job_costs_two(world: World, step: Make) -> None:
    """A job that is watched is asked for once, when its worker has gone."""
    world.record(step("a"))
    world.calls.latency = (0.1, 0.1)
    world.plan("a:1", seconds=1000.0)
    world.drive()
    assert len(world.calls.made("start") + world.calls.made("status")) == 2
    assert not world.calls.made("running")
    assert world.machine.mono < 1101


def test_polling_asks_once_for_all(world: World, step: Make) -> None:
    """Jobs that cannot be watched are asked for by one call each poll interval."""
    world.calls.pidfd = False
    world.limits = Limits(starts=8, poll_interval_sec=7.0)
    world.record(*(step(f"s{number}") for number in range(8)))
    for number in range(8):
        world.plan(f"s{number}:1", seconds=100.0)
    assert world.drive().status == "SUCCEEDED"
    polls = world.calls.made("running")
    assert 12 <= len(polls) <= 16
    assert all(after - before >= 7.0 for before, after in pairwise(polls))
    assert len(world.calls.made("status")) == 8


def test_polling_ends_with_the_last_job(world: World, step: Make) -> None:
    """Nothing is polled while nothing runs that cannot be watched."""
    world.calls.pidfd = False
    world.record(step("a", retries=1, retry_delay_sec=500.0))
    world.plan("a:1", seconds=12.0, code=1)
    world.drive()
    assert len(world.calls.made("running")) <= 5


def test_a_slow_birth_is_asked_after(world: World, step: Make) -> None:
    """A job that is not seen to run yet is asked for after 1, 2 and 4 seconds, then watched."""
    world.calls.latency = (0.0, 0.0)
    world.record(step("a"))
    world.plan("a:1", born_after=100.0, seconds=5.0)
    assert world.drive().status == "SUCCEEDED"
    assert world.calls.made("status") == [101.0, 103.0, 107.0, 205.0]


def test_a_worker_that_is_gone_already(world: World, step: Make) -> None:
    """A worker that is gone before it could be watched is asked after at once."""
    world.calls.latency = (0.3, 0.3)
    world.record(step("a"))
    world.plan("a:1", seconds=0.4)
    assert world.drive().status == "SUCCEEDED"
    assert len(world.calls.made("status")) == 1


def test_a_process_id_that_is_somebody_elses(world: World, step: Make) -> None:
    """A worker that is gone outweighs a row that says RUNNING twice: the attempt is lost."""
    world.record(step("a", retries=1))
    world.plan("a:1", seconds=20.0, worker_lives=5.0)
    world.machine.after(4.0, lambda: setattr(world.job("a:1"), "pid_reused", True))
    assert world.drive().status == "SUCCEEDED"
    error = "outcome unknown: its worker is gone, but orchesjob still reports it as running"
    assert error in str(world.states_of("a"))
    assert world.step("a").attempt_no == 2


def succeed(world: World) -> None:
    """Let orchesjob say that the first attempt of `a` has succeeded."""
    job = world.job("a:1")
    job.status, job.exit_code = "SUCCEEDED", 0


def test_an_unknown_status(world: World, step: Make) -> None:
    """A status of a later orchesjob counts as running, and is reported once (rule 5.3)."""
    world.calls.pidfd = False
    world.record(step("a"))
    world.jobs.insert("k:a:1", ["a"], status="PAUSED", worker_pid=7, worker_alive=True)
    world.machine.after(60.0, partial(succeed, world))
    assert world.drive().status == "SUCCEEDED"
    error = "orchesjob reports an unknown status, treated as running: PAUSED"
    assert ("RUNNING", error) in world.states_of("a")
    assert world.warnings == [f"k:a:1: {error}"]
    assert world.step("a").error is None


def test_asked_for_hours(world: World, step: Make) -> None:
    """A job of unknown status whose worker is gone is asked for once in a poll interval (5.3)."""
    world.record(step("a"))
    world.jobs.insert("k:a:1", ["a"], status="PAUSED", worker_pid=7)
    world.machine.after(3 * 3600.0, partial(succeed, world))
    assert world.drive().status == "SUCCEEDED"
    questions = world.calls.made("status")
    assert 2000 < len(questions) < 2200
    assert all(after - before >= 0.5 for before, after in pairwise(questions))


def test_a_job_that_is_there_already(world: World, step: Make) -> None:
    """A job that somebody started under our key with our command is adopted (rule 4.3)."""
    world.record(step("a"))
    world.jobs.insert("k:a:1", ["a"], status="FAILED", exit_code=9, worker_pid=7)
    assert world.drive().status == "FAILED"
    assert world.step("a").error == "exit code 9"
    assert not world.executions()


def test_as_many_starts_as_allowed(world: World, step: Make) -> None:
    """Starts run side by side up to the limit."""
    world.limits = Limits(starts=3)
    world.calls.latency = (1.0, 1.0)
    world.record(*(step(f"s{number}") for number in range(7)))
    world.drive()
    assert world.calls.made("start") == [*[100.0] * 3, *[102.0] * 3, 104.0]
