"""A flow database that is locked, gone, or somebody else's (rules 4.5 and 5.7)."""

from collections.abc import Callable

import pytest

from flow_spec import StepSpec
from flow_store import Changes, FlowStore, RunHeader, RunStatus, RunTakenOver

from .world import World

Make = Callable[..., StepSpec]


def test_a_signal_while_it_is_locked(world: World, step: Make) -> None:
    """A runner that waits for the database obeys a signal."""
    world.record(step("a"))
    world.store_locked_until = 1000.0
    world.machine.after(2.0, lambda: world.stop_runner(15))
    with pytest.raises(BaseException, match="15"):
        world.drive()
    assert world.machine.mono < 103


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
