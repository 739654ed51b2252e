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


@pytest.mark.parametrize(
    ("failing", "expected"),
    [
        ([], {"all": "SUCCEEDED", "some": "SKIPPED", "end": "SUCCEEDED", "one": "SUCCEEDED"}),
        (["a@1"], {"all": "SKIPPED", "some": "SUCCEEDED", "end": "SUCCEEDED", "one": "SUCCEEDED"}),
        (["a@2"], {"all": "SKIPPED", "some": "SUCCEEDED", "end": "SUCCEEDED", "one": "SKIPPED"}),
    ],
)
def test_what_waits_for_all(
    world: World, step: Make, failing: list[str], expected: dict[str, str]
) -> None:
    """A name means all copies: when all succeeded, when any failed, when all have ended."""
    world.record(
        step("all", when="a"),
        step("some", when="a.failed"),
        step("end", when="a.finished"),
        step("one", when="a@2"),
        blocks=(block(step("a", allow_failure=True), copies=3, before=0),),
    )
    for name in failing:
        world.plan(f"{name}:1", code=1)
    world.plan("a@3:1", seconds=30.0)
    world.drive()
    assert {name: world.statuses()[name] for name in expected} == expected
    first = next(found for found in world.executions("end:"))
    assert first.begin >= 30.0


def test_no_copies(world: World, step: Make) -> None:
    """What waits for copies that there are none of is decided at once."""
    world.record(
        step("b", when="a"),
        step("c", when="a.skipped && a.finished && !a.failed"),
        step("d", depends_on=("a",)),
        blocks=(block(step("a"), copies=0),),
    )
    world.drive()
    assert world.statuses() == {"b": "SKIPPED", "c": "SUCCEEDED", "d": "SKIPPED"}


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


def test_a_copy_keeps_its_place(world: World, step: Make) -> None:
    """While a step of it waits for its next attempt, no other copy begins."""
    world.record(blocks=(block(step("a", retries=1, retry_delay_sec=60.0), copies=2, most=1),))
    world.plan("a@1:1", code=1)
    world.drive()
    assert begun(world) == ["a@1:1", "a@1:2", "a@2:1"]


def test_a_copy_that_is_under_way_goes_on(world: World, step: Make) -> None:
    """Its further steps need no other place, though another copy waits that is before it."""
    world.record(
        step("slow"),
        step("between", when="a@2.finished"),
        blocks=(
            block(
                step("a"),
                step("long", when="a"),
                step("b", depends_on=("between", "a")),
                step("c", depends_on=("slow",)),
                copies=2,
                before=2,
                most=1,
            ),
        ),
    )
    world.plan("slow:1", seconds=20.0)
    world.plan("long@2:1", seconds=60.0)
    assert world.drive().status == "SUCCEEDED"
    order = begun(world)
    assert order.index("c@2:1") < order.index("b@1:1")


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


@pytest.mark.parametrize("first", [{"code": 1}, {"seconds": 60.0, "code": 1}])
def test_a_new_runner_knows_who_has_a_place(
    world: World, step: Make, first: dict[str, float]
) -> None:
    """What a dead runner has left under way keeps its place, between two attempts too (4.5)."""
    world.record(
        blocks=(block(step("a", retries=1, retry_delay_sec=50.0), copies=2, most=1),),
    )
    world.plan("a@1:1", **first)
    world.machine.after(20.0, world.crash)
    world.drive()
    assert begun(world) == ["a@1:1", "a@1:2", "a@2:1"]


def test_a_cancel_while_copies_wait(world: World, step: Make) -> None:
    """What waited for a place is cancelled, and does not begin beside `finally` (5.6, 10.1)."""
    world.record(
        blocks=(block(step("a"), copies=3, most=1),), finally_=(step("f", timeout_sec=9.0),)
    )
    world.plan("a@1:1", seconds=900.0)
    world.machine.after(5.0, world.request_cancel)
    assert world.drive().status == "CANCELLED"
    assert begun(world) == ["a@1:1", "f:1"]


def test_a_retry_of_one_copy(world: World, step: Make) -> None:
    """It decides anew what waits for all copies, and leaves the other copies alone (9.7)."""
    world.record(
        step("sum", when="b"),
        blocks=(block(step("a"), step("b", when="a"), copies=2),),
    )
    world.plan("b@2:1", code=1)
    assert world.drive().status == "FAILED"
    world.retry()
    assert world.drive().status == "SUCCEEDED"
    assert begun(world)[4:] == ["b@2:2", "sum:1"]
    world.retry("a@1")
    assert world.drive().status == "SUCCEEDED"
    assert begun(world)[6:] == ["a@1:2", "b@1:2", "sum:2"]
    world.retry("b")
    world.drive()
    assert sorted(begun(world)[9:]) == ["b@1:3", "b@2:3", "sum:3"]


def test_a_timeout_counts_for_each_copy(world: World, step: Make) -> None:
    """Retries and limits belong to a copy, and time spent waiting for a place is none (5.5)."""
    world.record(blocks=(block(step("a", timeout_sec=10.0), copies=3, most=1),))
    for number in (1, 2, 3):
        world.plan(f"a@{number}:1", seconds=8.0)
    assert world.drive().status == "SUCCEEDED"
