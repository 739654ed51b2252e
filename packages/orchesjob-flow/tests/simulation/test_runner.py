"""The loop: what it asks and how often, its patience, signals, and its database."""

import signal
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from flow_spec import StepSpec
from orchesjob_flow.engine.state import Limits
from orchesjob_flow.errors import GaveUp, Interrupted

from .world import World

# The loop itself: signals, advancing for a while, advancing as far as it goes (6.6, 6.8, 6.9).

Make = Callable[..., StepSpec]


def test_what_is_known_is_committed_before_it_ends(world: World, step: Make) -> None:
    """An answer that came in with the signal is recorded; what it makes ready does not start."""
    world.record(step("a"), step("b", depends_on=("a",)))
    world.plan("a:1", seconds=0.0)
    runner = world.new_runner()
    runner.run_once()
    world.machine.pass_time(world.machine.mono + 5)
    world.stop_runner(signal.SIGTERM)
    with pytest.raises(Interrupted):
        runner.run_once()
    assert world.statuses() == {"a": "SUCCEEDED", "b": "RUNNING"}
    assert world.calls.made("start", "b:1") == []
    world.calls.abandon()
    assert world.drive().status == "SUCCEEDED"
    assert len(world.executions("b")) == 1


def test_for_a_while(world: World, step: Make) -> None:
    """`drive(until=...)` returns at that time, with the run as it then stands (rule 6.6)."""
    world.record(step("a"))
    world.plan("a:1", seconds=60.0)
    runner = world.new_runner()
    assert runner.drive(until=110.0) == "RUNNING"
    assert world.machine.mono == pytest.approx(110.0)
    assert runner.drive(until=1000.0) == "SUCCEEDED"


def test_a_start_that_is_prevented_is_answered(world: World, step: Make) -> None:
    """Neither `settle` nor who waits until the run goes on awaits more of it (6.3, 6.8, 10.4)."""
    world.record(step("a", retries=1, retry_delay_sec=600.0))
    world.calls.script("start", "a:1", "prevent")
    runner = world.new_runner()
    runner.drive_until_ready()
    assert runner.drain() == "RUNNING"
    assert world.statuses() == {"a": "DELAYED"}
    assert world.machine.mono < 102


def test_a_long_run(world: World, step: Make, database: Path) -> None:
    """The database's log does not grow with the run: it is moved now and then (rule 1.1)."""
    world.record(step("a", retries=300))
    for number in range(1, 301):
        world.plan(f"a:{number}", code=1, seconds=0.0)
    assert world.drive().status == "SUCCEEDED"
    assert len(world.history) > 500
    assert database.with_name(f"{database.name}-wal").stat().st_size < 4_000_000


# A call without an answer decides nothing, and the patience is bounded (rule 5.7).

CALLS = ["start", "status", "abort", "running"]


def begin(world: World, step: Make) -> None:
    world.calls.pidfd = False
    world.record(step("a", timeout_sec=100.0, retries=1), step("b", depends_on=("a",)))
    world.plan("a:1", seconds=9000.0)


@pytest.mark.parametrize("call", CALLS)
def test_for_ever(world: World, step: Make, call: str) -> None:
    """When the patience is over the runner gives up: cause named, run resumable, no retry used."""
    begin(world, step)
    world.calls.script(call, "", *["fail"] * 1000)
    if call == "status":
        world.calls.script("start", "", "lose")
    with pytest.raises(GaveUp, match=rf"orchesjob (status|{call}).* failed: database is locked"):
        world.drive()
    run = world.run()
    assert (run.status, run.error, run.finished_at) == ("RUNNING", None, None)
    assert (run.steps[0].status, run.steps[0].failures) == ("RUNNING", 0)


def test_nothing_is_asked(world: World, step: Make) -> None:
    """A runner that has nothing to ask, as before a retry, goes on (6.3)."""
    world.record(step("a", retries=1, retry_delay_sec=600.0))
    world.plan("a:1", code=1)
    world.new_runner().drive(until=world.machine.mono + 30.0)
    assert world.statuses() == {"a": "DELAYED"}
    runner = world.new_runner()
    began = world.machine.mono
    runner.drive_until_ready()
    assert world.machine.mono - began < 5.0


@pytest.mark.parametrize("patience", [0.0, 30.0, 90.0])
def test_its_length(world: World, step: Make, patience: float) -> None:
    """Calls are repeated for as long as the patience lasts, ever less often."""
    world.limits = Limits(patience_sec=patience)
    world.calls.latency = (0.0, 0.0)
    world.record(step("a"))
    world.calls.script("start", "", "fail")
    world.calls.script("status", "", *["fail"] * 1000)
    with pytest.raises(GaveUp):
        world.drive()
    assert patience <= world.machine.mono - 100.0 <= patience + 5.5
    tries = world.calls.made("start") + world.calls.made("status")
    gaps = [after - before for before, after in pairwise(tries)]
    expected = [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    assert gaps[:8] == pytest.approx(expected[: len(gaps)])


@pytest.mark.parametrize(
    ("call", "limit"), [("start", 42.5 + 10.0), ("status", 42.5), ("abort", 42.5 + 5.0)]
)
def test_a_call_that_cannot_be_ended(world: World, step: Make, call: str, limit: float) -> None:
    """A call that nobody can end is given up after the patience and what it may take itself."""
    world.limits = Limits(patience_sec=30.0)
    world.record(step("a", timeout_sec=5.0))
    world.plan("a:1", seconds=900.0)
    if call == "status":
        world.calls.script("start", "", "lose")
    world.calls.script(call, "", "stick")
    with pytest.raises(GaveUp, match=f"k:a:1: orchesjob {call} has not answered"):
        world.drive()
    assert world.machine.mono - world.calls.made(call)[0] == pytest.approx(limit, abs=0.5)


@pytest.mark.parametrize(
    ("patience", "limit"), [(0.0, 5.0), (4.0, 5.0), (30.0, 7.5), (60.0, 15.0), (600.0, 15.0)]
)
def test_how_long_a_call_may_take(patience: float, limit: float) -> None:
    """A call is ended after a quarter of the patience, but after 5 to 15 s (rule 5.7)."""
    assert Limits(patience_sec=patience).call_sec == limit


@pytest.mark.parametrize("patience", [0.0, 60.0])
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("fault", ["hang", "stall"])
def test_a_call_that_hangs(
    world: World, step: Make, call: str, fault: str, patience: float
) -> None:
    """A call that hangs is ended, and its fate is asked for: it is no reason to give up (5.7)."""
    world.limits = Limits(patience_sec=patience)
    begin(world, step)
    world.calls.script(call, "", fault)
    assert world.drive().status == "SUCCEEDED"
    assert [found.attempt_no for found in world.run().steps] == [2, 1]
    allowance = {"start": 10.0, "abort": 5.0}.get(call, 0.0)
    ended = world.calls.made(call)[0] + world.limits.call_sec + allowance
    again = world.calls.made("running" if call == "running" else "status")
    assert min(at for at in again if at >= ended) == pytest.approx(ended + 0.1, abs=0.01)
    assert len(world.warnings) == 1
    assert len(world.executions("a")) == 2


def test_the_start_timeout_is_allowed_for(world: World, step: Make) -> None:
    """A start may take its `start_timeout_sec` on top of the patience (rule 2.2)."""
    world.limits = Limits(patience_sec=30.0)
    world.record(step("a", start_timeout_sec=120.0))
    world.calls.script("start", "", "hang")
    world.calls.script("status", "", *["fail"] * 1000)
    with pytest.raises(GaveUp):
        world.drive()
    assert world.calls.made("status")[0] == pytest.approx(100.0 + 7.5 + 120.0, abs=0.5)


@pytest.mark.parametrize("patience", [0.0, 10.0])
def test_a_worker_that_is_seen_alive(world: World, step: Make, patience: float) -> None:
    """While its worker is watched, a job whose status cannot be asked is nobody's hurry."""
    world.limits = Limits(patience_sec=patience)
    world.record(step("a"))
    world.plan("a:1", born_after=200.0, seconds=5.0)
    world.calls.script("status", "", *["fail"] * 30)
    assert world.drive().status == "SUCCEEDED"
    assert len(world.warnings) == 1


# How the end of a job is noticed, and answers that contradict each other (rules 5.3 and 6.2).


@pytest.mark.parametrize(
    ("latency", "seconds", "questions"),
    [
        pytest.param(0.1, 0.0, 0, id="it has ended when start answers"),
        pytest.param(0.1, 1000.0, 1, id="its end is seen"),
        pytest.param(0.3, 0.4, 1, id="its worker is gone before it is watched"),
    ],
)
def test_how_often_a_job_is_asked_for(
    world: World, step: Make, latency: float, seconds: float, questions: int
) -> None:
    """A job costs one call more than its start, unless it has ended by then."""
    world.record(step("a"))
    world.calls.latency = (latency, latency)
    world.plan("a:1", seconds=seconds)
    assert world.drive().status == "SUCCEEDED"
    made = [len(world.calls.made(call)) for call in ("start", "status", "running", "watch")]
    assert made == [1, questions, 0, questions]
    assert world.machine.mono < 101.5 + seconds


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


def test_asked_for_hours(world: World, step: Make) -> None:
    """A job of unknown status whose worker is gone is asked for once in a poll interval (5.3)."""
    world.record(step("a"))
    world.jobs.insert("k:a:1", ["a"], status="PAUSED", worker_pid=7)

    def succeed() -> None:
        job = world.job("a:1")
        job.status, job.exit_code = "SUCCEEDED", 0

    world.machine.after(3 * 3600.0, succeed)
    assert world.drive().status == "SUCCEEDED"
    questions = world.calls.made("status")
    assert 2000 < len(questions) < 2200
    assert all(after - before >= 0.5 for before, after in pairwise(questions))


def test_as_many_starts_as_allowed(world: World, step: Make) -> None:
    world.limits = Limits(starts=3)
    world.calls.latency = (1.0, 1.0)
    world.record(*(step(f"s{number}") for number in range(7)))
    world.drive()
    assert world.calls.made("start") == [*[100.0] * 3, *[102.0] * 3, 104.0]


# A flow database that is locked, gone, or somebody else's (rules 4.5 and 5.7).


def test_a_signal_while_it_is_locked(world: World, step: Make) -> None:
    """A runner that waits for the database obeys a signal."""
    world.record(step("a"))
    world.store_locked_until = 1000.0
    world.machine.after(2.0, lambda: world.stop_runner(15))
    with pytest.raises(BaseException, match="15"):
        world.drive()
    assert world.machine.mono < 103
