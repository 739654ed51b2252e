"""A call without an answer decides nothing, and the patience is bounded (rule 5.7)."""

from collections.abc import Callable
from itertools import pairwise

import pytest

from flow_spec import StepSpec
from orchesjob_flow.engine.state import Limits
from orchesjob_flow.errors import GaveUp

from .world import World

Make = Callable[..., StepSpec]

CALLS = ["start", "status", "abort", "running"]


def begin(world: World, step: Make) -> None:
    """Record a run that makes every kind of call."""
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


def test_the_patience_begins_anew(world: World, step: Make) -> None:
    """An answer ends the trouble: the next one has the whole patience again."""
    world.limits = Limits(patience_sec=4.0)
    world.record(step("a", retries=9))
    for number in range(1, 9):
        world.plan(f"a:{number}", code=1)
    world.calls.script("status", "", *(["fail"] * 4 + [""]) * 9)
    assert world.drive().status == "SUCCEEDED"
    assert world.step("a").attempt_no == 9


def test_the_patience_lasts_no_longer_for_those_who_wait(world: World, step: Make) -> None:
    """While they wait for places calls do not count; then the patience is as long as ever."""
    world.calls.wait_sec = lambda: 500.0
    world.calls.latency = (0.0, 0.0)
    world.record(step("a"))
    world.calls.script("start", "", "fail")
    world.calls.script("status", "", *["fail"] * 1000)
    with pytest.raises(GaveUp):
        world.drive()
    calls = len(world.calls.made("start")) + len(world.calls.made("status"))
    assert 60.0 <= world.machine.mono - 100.0 - 500.0 * calls <= 65.5
