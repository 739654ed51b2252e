"""When a step begins: `max_parallel`, copies, its gate, and `finally`."""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from flow_spec import Block, Copy, StepSpec
from flow_store import FlowStore
from orchesjob_flow.engine.state import Limits

from .jobs import Obeys
from .world import World

# How many steps run at once (rule 9.12).

Make = Callable[..., StepSpec]


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


# Copies of steps, how many of them run at once, and what waits for all of them (rule 10.3).


def block(*steps: StepSpec, copies: int, before: int = 0, most: int | None = None) -> Block:
    """Repeat some steps for the values 1, 2 and so on."""
    values = [str(number) for number in range(1, copies + 1)]
    return Block(("X",), steps, tuple(Copy(one, (one,)) for one in values), before, most)


def begun(world: World) -> list[str]:
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


# A step's gate, `only_if`, is asked before its command, and decides whether that runs (10.8).

MAY = ("may a run",)


@pytest.fixture
def gated(step: Make) -> Make:
    return partial(step, "a", only_if=MAY)


@pytest.mark.parametrize(
    ("ends", "kept", "ran_again", "gates"),
    [
        pytest.param([2, 0, 1, 0], "1234", [], "??!!", id="every answer is found"),
        pytest.param(["dead", 0, 0], "23", ["1?"], "??!", id="a gate has said yes"),
        pytest.param(["dead", 1], "2", ["1?"], "??", id="a gate has said no"),
        pytest.param(["dead", 2, 0, 0], "2", ["1?", "3?", "4!"], "???!", id="a gate has failed"),
    ],
)
def test_a_lost_flow_database(  # noqa: PLR0913 - each combination
    world: World,
    gated: Make,
    tmp_path: Path,
    *,
    ends: list[int | str],
    kept: str,
    ran_again: list[str],
    gates: str,
) -> None:
    """What gate and command have answered is found; what was a gate still is one (4.7).

    Where the first start of the lost run was dead, its number is free, and the next one is taken by
    a gate, where the new run would have its command.
    """
    world.record(gated(retries=3))
    for number, end in enumerate(ends, start=1):
        if end == "dead":
            world.calls.script("start", f"a:{number}", "dead")
        else:
            world.plan(f"a:{number}", code=end)
    world.drive()
    path = tmp_path / "new.sqlite3"
    with FlowStore.open(path) as store, World(store, path) as new:
        new.jobs.rows = {f"k:a:{number}": world.jobs.rows[f"k:a:{number}"] for number in kept}
        new.record(gated(retries=3))
        new.drive()
        ran = [f"{one.key[-1]}{'?' if one.command == MAY else '!'}" for one in new.executions()]
        assert ran == ran_again
        assert "".join("?" if one.is_gate else "!" for one in new.attempts()) == gates
        again, before = new.step("a"), world.step("a")
        assert (again.status, again.failures) == (before.status, before.failures)


def test_a_place_that_is_kept_in_vain(world: World, step: Make, gated: Make) -> None:
    """A step that is cancelled before its command begins leaves its place to `finally` (10.1)."""
    tidy = step("tidy", timeout_sec=600.0)
    world.record(gated(), max_parallel=1, finally_=(tidy,))
    world.plan("a:1", leaves=100.0)
    world.machine.after(20.0, world.request_cancel)
    assert world.drive().status == "CANCELLED"
    assert world.statuses() == {"a": "CANCELLED", "tidy": "SUCCEEDED"}


# The steps of `finally` run when all others have ended, however that was (rule 10.1).


def test_a_timeout_while_the_end_is_prepared(world: World, step: Make) -> None:
    """Steps that have all ended in time have not timed out, whatever they have left alive."""
    world.record(step("a"), timeout_sec=8.0, finally_=(step("b"),))
    world.plan("a:1", seconds=6.0, code=1, leaves=40.0, obeys=Obeys.NOTHING)
    run = world.drive()
    assert run.finally_after == "FAILED"
    assert not world.warnings
    assert world.machine.mono > 140.0


def test_what_a_failed_step_has_left_alive_is_gone_before(world: World, step: Make) -> None:
    """The run says what is in the way, and waits for that; nothing of a success is touched."""
    world.record(step("a"), step("server"), finally_=(step("b"),))
    world.plan("a:1", seconds=1.0, code=1, leaves=100.0, obeys=Obeys.NOTHING)
    world.plan("server:1", seconds=1.0, leaves=5000.0)
    run = world.drive()
    assert (run.status, run.error) == ("FAILED", "1 step failed: a")
    errors = [run.error or "" for run in world.history]
    assert any(
        re.fullmatch(r"all steps have ended, but these cannot be ended: pid \d+ \(left\)", error)
        for error in errors
    )
    (tidied,) = world.executions("b")
    assert tidied.begin >= 200.0
    assert world.jobs.processes(["k:server:1"])


@pytest.mark.parametrize("second", [False, True], ids=["now", "second"])
@pytest.mark.parametrize("steps_end", ["SUCCEEDED", "CANCELLED", "FAILED"])
def test_a_second_cancel_ends_them_too(
    world: World, step: Make, steps_end: str, second: bool
) -> None:
    """So does the first one with `now`; what was not begun is not begun any more."""
    world.record(step("a"), finally_=(step("b"), step("c", depends_on=("b",)), step("d", when="b")))
    world.plan(
        "a:1", seconds=900.0 if steps_end == "CANCELLED" else 1.0, code=int(steps_end == "FAILED")
    )
    world.plan("b:1", seconds=900.0, obeys=Obeys.KILL)
    if second or steps_end == "CANCELLED":
        world.machine.after(5.0, world.request_cancel)
    world.machine.after(30.0, partial(world.request_cancel, 7.0, now=not second))
    run = world.drive()
    assert run.status == ("FAILED" if steps_end == "FAILED" else "CANCELLED")
    assert run.finally_after == steps_end
    assert {world.statuses()[name] for name in "bcd"} == {"CANCELLED"}
    assert {world.step(name).error for name in "bcd"} == {"flow cancelled"}
    (execution,) = world.executions("b")
    assert execution.end is not None
    assert 137.0 <= execution.end < 139.0


def test_a_second_cancel_while_the_steps_are_being_ended(world: World, step: Make) -> None:
    """Who asks again before they have begun does not keep them from it."""
    world.record(step("a"), finally_=(step("b"),))
    world.plan("a:1", seconds=900.0, obeys=Obeys.KILL)
    for seconds in (5.0, 6.0, 7.0):
        world.machine.after(seconds, world.request_cancel)
    world.drive()
    assert world.statuses() == {"a": "CANCELLED", "b": "SUCCEEDED"}
