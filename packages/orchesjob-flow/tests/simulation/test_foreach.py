"""Copies of steps, how many of them run at once, and what waits for all of them (rule 10.3)."""

from collections.abc import Callable

import pytest

from flow_spec import Block, Copy, StepSpec
from orchesjob_flow.engine.state import Limits

from .world import World

Make = Callable[..., StepSpec]


def block(*steps: StepSpec, copies: int, before: int = 0, most: int | None = None) -> Block:
    """Repeat some steps for the values 1, 2 and so on."""
    values = [str(number) for number in range(1, copies + 1)]
    return Block(("X",), steps, tuple(Copy(one, (one,)) for one in values), before, most)


def begun(world: World) -> list[str]:
    """Return what has begun, in its order."""
    return [found.key.removeprefix("k:") for found in world.executions()]


def test_one_after_the_other(world: World, step: Make) -> None:
    """With `max_parallel: 1` the next copy begins when the last has ended, in the list's order."""
    world.limits = Limits(starts=1)
    world.record(
        blocks=(block(step("a"), step("b", when="a"), step("c", when="a"), copies=3, most=1),)
    )
    for number in (1, 2, 3):
        world.plan(f"a@{number}:1", seconds=9.0 / number)
    assert world.drive().status == "SUCCEEDED"
    assert begun(world) == [f"{name}@{n}:1" for n in (1, 2, 3) for name in "abc"]


@pytest.mark.parametrize(("most", "expected"), [(None, 6), (2, 2), (5, 5), (9, 6)])
def test_as_many_as_allowed(world: World, step: Make, most: int | None, expected: int) -> None:
    """No more copies are under way than `max_parallel`, and as many as that."""
    world.limits = Limits(starts=8)
    world.record(blocks=(block(step("a"), copies=6, most=most),))
    for number in range(1, 7):
        world.plan(f"a@{number}:1", seconds=30.0)
    world.drive()
    runs = world.executions()
    assert max(sum(o.begin <= one.begin < (o.end or 0) for o in runs) for one in runs) == expected


def test_no_place_is_waited_for_in_vain(world: World, step: Make) -> None:
    """A copy that waits for a step which waits for the next copy leaves its place to that."""
    world.record(
        step("between", when="a@2.finished"),
        blocks=(
            block(step("a"), step("b", depends_on=("between", "a")), copies=2, before=1, most=1),
        ),
    )
    assert world.drive().status == "SUCCEEDED"
    assert begun(world) == ["a@1:1", "a@2:1", "between:1", "b@1:1", "b@2:1"]


def test_a_cancel_while_copies_wait(world: World, step: Make) -> None:
    """What waited for a place is cancelled, and does not begin beside `finally` (5.6, 10.1)."""
    world.record(
        blocks=(block(step("a"), copies=3, most=1),), finally_=(step("f", timeout_sec=9.0),)
    )
    world.plan("a@1:1", seconds=900.0)
    world.machine.after(5.0, world.request_cancel)
    assert world.drive().status == "CANCELLED"
    assert begun(world) == ["a@1:1", "f:1"]
