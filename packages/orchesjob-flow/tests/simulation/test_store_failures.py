"""A flow database that is locked, gone, or somebody else's (rules 4.5 and 5.7)."""

from collections.abc import Callable
from pathlib import Path

import pytest

from flow_spec import StepSpec
from flow_store import Changes, FlowStore, RunHeader, RunStatus, RunTakenOver
from orchesjob_flow.errors import GaveUp

from .world import World

Make = Callable[..., StepSpec]


def test_locked_for_a_while(world: World, step: Make) -> None:
    """While nothing can be recorded nothing is done; what came in meanwhile is kept."""
    world.record(step("a"), step("b", depends_on=("a",)))
    world.machine.after(0.6, lambda: setattr(world, "store_locked_until", 140.0))
    assert world.drive().status == "SUCCEEDED"
    assert world.calls.made("start", "b:1")[0] >= 140.0


def test_locked_at_the_very_first(world: World, step: Make) -> None:
    """No start is made before it is recorded."""
    world.record(step("a"))
    world.store_locked_until = 150.0
    assert world.drive().status == "SUCCEEDED"
    assert world.calls.made("start")[0] >= 150.0


def test_locked_for_ever(world: World, step: Make) -> None:
    """When the patience is over the runner gives up, and the run can be resumed."""
    world.record(step("a"), step("b", depends_on=("a",)))
    world.machine.after(0.6, lambda: setattr(world, "store_locked_until", 1000.0))
    with pytest.raises(GaveUp, match="database is locked"):
        world.drive()
    assert 160 <= world.machine.mono < 170
    world.machine.pass_time(1000.0)
    assert world.drive().status == "SUCCEEDED"
    assert len(world.executions()) == 2


def test_a_signal_while_it_is_locked(world: World, step: Make) -> None:
    """A runner that waits for the database obeys a signal."""
    world.record(step("a"))
    world.store_locked_until = 1000.0
    world.machine.after(2.0, lambda: world.stop_runner(15))
    with pytest.raises(BaseException, match="15"):
        world.drive()
    assert world.machine.mono < 103


def test_removed(world: World, step: Make, database: Path) -> None:
    """A database whose file is removed is noticed before the next effect."""
    world.record(step("a"), step("b", depends_on=("a",)))
    world.machine.after(0.6, database.unlink)
    with pytest.raises(GaveUp, match="the flow database was removed or replaced"):
        world.drive()
    assert [found.key for found in world.executions()] == ["k:a:1"]


def test_somebody_else_drives_the_run(world: World, step: Make, store: FlowStore) -> None:
    """A runner that was overtaken writes nothing and does nothing more (rule 4.5)."""
    world.record(step("a"), step("b", depends_on=("a",)))
    world.plan("a:1", seconds=5.0)

    def take_over() -> None:
        changes = Changes(RunHeader(RunStatus.RUNNING))
        store.apply("k", changes, revision=world.run().revision)

    world.machine.after(3.0, take_over)
    with pytest.raises(RunTakenOver):
        world.drive()
    assert not world.calls.made("start", "b:1")
