"""What a step is told of those that have failed before it (rule 9.13)."""

from collections.abc import Callable

import pytest

from flow_spec import StepSpec
from orchesjob_flow.engine.messages import AttemptId, StartJob

from .world import World

Make = Callable[..., StepSpec]


@pytest.mark.parametrize("crash_after", [None, 10.0], ids=["one runner", "two runners"])
def test_told_of_every_failure(world: World, step: Make, crash_after: float | None) -> None:
    """A step is told who has FAILED by then, allowed or not, whoever drove the run meanwhile."""
    alert = step("alert", when="early.failed && late.failed")
    world.record(step("early", allow_failure=True), step("late"), alert)
    world.plan("early:1", code=1)
    world.plan("late:1", code=1, seconds=20.0)
    if crash_after is not None:
        world.machine.after(crash_after, world.crash)
    world.drive()
    effects = [effect for _, _, effect in world.log if isinstance(effect, StartJob)]
    (env,) = (effect.env for effect in effects if effect.attempt == AttemptId(2, 1))
    assert env["ORCHESJOB_FLOW_FAILED_STEPS"] == "early late"
