"""Attempts: how they start, fail, are lost, are retried, and what they leave alive."""

from collections.abc import Callable
from functools import partial

import pytest

from flow_spec import StepSpec
from orchesjob_flow.errors import GaveUp

from .jobs import Obeys
from .world import World

# How a failed attempt is charged, described, and retried (rules 4.2, 5.3, 5.4, 5.9).

Make = Callable[..., StepSpec]


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
    running = [run.steps[0] for run in world.history if run.steps[0].status == "RUNNING"]
    assert {step.next_attempt_at for step in running} == {None}


@pytest.mark.parametrize("jump", [-86_400.0, 0.0, 10.0])
def test_a_delay_after_a_restart(world: World, step: Make, jump: float) -> None:
    """After a restart of the machine a delay is at most as long as ever (rule 5.10)."""
    world.record(step("a", retries=1, retry_delay_sec=200.0))
    world.plan("a:1", code=1)
    world.machine.after(10.0, partial(world.restart_machine, jump))
    world.drive()
    waited = world.executions("a")[1].begin
    assert waited <= 204.0
    assert jump == -86_400.0 or waited < 145


# A start that orchesjob records and never carries out (rule 4.2).


def test_three_in_a_row(world: World, step: Make) -> None:
    """After three dead starts in a row, and not before, the runner gives up; no retry is used."""
    world.record(step("a", retries=1))
    world.calls.script("start", "", "dead", "dead", "", "dead", "dead", "dead")
    world.plan("a:3", code=1)
    with pytest.raises(GaveUp, match="3 starts in a row died"):
        world.drive()
    found = world.step("a")
    assert (found.status, found.attempt_no, found.failures) == ("PENDING", 6, 1)
    assert world.drive().status == "SUCCEEDED"
    assert world.step("a").attempt_no == 7


@pytest.mark.parametrize("strict", [True, False])
def test_a_worker_that_comes_before_the_abort(world: World, step: Make, strict: bool) -> None:
    """A job that is born while its start is taken for dead ends as what is known of it: failed."""
    world.record(step("a", retries=1, strict=strict))
    world.calls.script("start", "a:1", "dead")
    world.plan("a:1", seconds=30.0)
    runner = world.new_runner()
    while not world.calls.made("abort", "a:1"):
        runner.run_once()
    world.jobs.give_worker(world.job("a:1"))
    runner.drive()
    first, second = world.executions("a")
    assert first.end is not None
    assert second.begin >= first.end
    assert "its job was ended" in str(world.states_of("a"))


# LOST and alive is still running, and so is what somebody else has aborted (rule 5.8).


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


# No attempt runs beside its predecessor (rule 5.8): what a failure has left alive.


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


# `timeout_sec`: an attempt that runs too long is ended and has failed (rule 5.5).


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


# What a step `produces` is noted before its command, and compared after it (rule 10.10).


@pytest.fixture
def producing(step: Make) -> Make:
    return partial(step, "a", produces=("a.csv",))


def attempts(world: World) -> list[tuple[str, str | None]]:
    return [(one.status.value, one.error) for one in world.attempts()]


def test_a_look_that_hangs(world: World, producing: Make, step: Make) -> None:
    """Half a minute later the attempt fails, and is retried, while others run on."""
    world.record(producing(retries=2), step("b"))
    world.calls.script("note", "a:1", "hang")
    world.calls.script("check", "a:2", "hang")
    assert world.drive().status == "SUCCEEDED"
    before = "could not be started: the look at the files before its start"
    assert [error for _, error in attempts(world)[:2]] == [
        f"{before} has taken longer than 30 s",
        "the look at what it has written has taken longer than 30 s",
    ]
    assert [found.key.split(":")[-1] for found in world.executions("a")] == ["2", "3"]
    noted, again = world.calls.made("note")[:2]
    assert again - noted == pytest.approx(30, abs=0.5)
    assert world.driver == 1


def test_a_lost_database(world: World, producing: Make) -> None:
    """A job from before the database was lost is not compared, for it may have written long ago."""
    world.record(producing())
    world.jobs.insert("k:a:1", ["a"], status="SUCCEEDED", exit_code=0)
    world.drive()
    assert attempts(world) == [("SUCCEEDED", None)]
