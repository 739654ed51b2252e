"""How many steps run at once (rule 9.12)."""

from collections.abc import Callable

import pytest

from flow_spec import StepSpec
from orchesjob_flow.engine.state import Limits

from .world import World

Make = Callable[..., StepSpec]


def most_at_once(world: World) -> int:
    """Count the commands that ran at one moment, at the busiest."""
    runs = world.executions()
    return max(sum(o.begin <= one.begin < (o.end or 0) for o in runs) for one in runs)


@pytest.mark.parametrize(("most", "expected"), [(None, 6), (1, 1), (2, 2), (6, 6), (99, 6)])
def test_max_parallel(world: World, step: Make, most: int | None, expected: int) -> None:
    """No more steps run at once than the flow allows, and as many as it does."""
    world.limits = Limits(starts=8)
    world.record(*(step(f"s{number}") for number in range(6)), max_parallel=most)
    for number in range(6):
        world.plan(f"s{number}:1", seconds=30.0)
    assert world.drive().status == "SUCCEEDED"
    assert most_at_once(world) == expected


def test_a_delayed_step_makes_room(world: World, step: Make) -> None:
    """A step that waits for its next attempt does not keep another from running."""
    world.record(step("a", retries=1, retry_delay_sec=100.0), step("b"), max_parallel=1)
    world.plan("a:1", code=1)
    world.plan("b:1", seconds=5.0)
    world.drive()
    first, other, second = world.executions()
    assert (first.key, other.key, second.key) == ("k:a:1", "k:b:1", "k:a:2")
    assert other.end is not None
    assert other.end < second.begin
