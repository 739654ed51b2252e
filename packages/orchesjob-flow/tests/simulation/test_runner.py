"""The loop itself: signals, advancing for a while, advancing as far as it goes (6.6, 6.8, 6.9)."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from flow_spec import StepSpec
from orchesjob_flow.errors import Interrupted

from .world import World

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


def test_as_far_as_it_goes(world: World, step: Make) -> None:
    """`settle` waits for answers, and for nothing else (rule 6.8)."""
    world.record(step("a"), step("b", depends_on=("a",)), step("c"))
    world.plan("a:1", seconds=0.0)
    world.plan("b:1", seconds=500.0)
    world.plan("c:1", code=1, seconds=0.0)
    assert world.new_runner().drain() == "RUNNING"
    assert world.statuses() == {"a": "SUCCEEDED", "b": "RUNNING", "c": "FAILED"}
    assert world.machine.mono < 102


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
