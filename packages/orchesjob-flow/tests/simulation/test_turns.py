"""When a step begins: `max_parallel`, copies, its gate, and `finally`."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from flow_spec import Block, Copy, StepSpec
from flow_store import FlowStore
from orchesjob_flow.engine.messages import StartJob
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


def ran(world: World) -> list[tuple[str, bool]]:
    """List what really ran: the numbers of attempts at `a`, and whether each was at the gate."""
    return [(found.key.split(":")[-1], found.command == MAY) for found in world.executions("a")]


def outcome(world: World) -> tuple[str, str | None, int]:
    """Return how `a` has ended, why, and how many failures it was charged with."""
    found = world.step("a")
    return found.status.value, found.error, found.failures


@pytest.mark.parametrize("crash_after", [None, 1.5, 4.0])
def test_nobody_takes_the_place_of_the_command(
    world: World, step: Make, crash_after: float | None
) -> None:
    """With `max_parallel` the command follows its gate before anything else begins (9.12)."""
    gated = [step(name, only_if=MAY) for name in ("a", "b")]
    world.record(gated[0], step("c"), gated[1], step("d"), max_parallel=1)
    if crash_after is not None:
        world.machine.after(crash_after, world.crash)
    assert world.drive().status == "SUCCEEDED"
    order = [found.key.removeprefix("k:") for found in world.executions()]
    assert order == ["a:1", "a:2", "c:1", "b:1", "b:2", "d:1"]


@contextmanager
def without_its_database(world: World, path: Path, step: StepSpec) -> Iterator[World]:
    """Drive a run again whose database is lost, on the orchesjob that knows its jobs."""
    with FlowStore.open(path) as store, World(store, path) as new:
        new.jobs.rows = world.jobs.rows
        new.record(step)
        new.drive()
        yield new


def test_a_lost_flow_database(world: World, gated: Make, tmp_path: Path) -> None:
    """What the gate and the command have answered is found, and neither is run again (4.7)."""
    step = gated(retries=3)
    world.record(step)
    world.plan("a:1", code=2)
    world.plan("a:3", code=1)
    world.drive()
    with without_its_database(world, tmp_path / "new.sqlite3", step) as new:
        assert not new.executions()
        assert new.statuses() == {"a": "SUCCEEDED"}
        assert [one.is_gate for one in new.attempts()] == [True, True, False, False]


@pytest.mark.parametrize("code", [0, 1])
def test_a_gate_under_the_key_of_a_command(
    world: World, gated: Make, tmp_path: Path, code: int
) -> None:
    """Where orchesjob does not know all gates of before, those that it knows still are gates.

    Of the lost run, it has carried out the second gate and not the first. So the first number is
    free and the second one taken by a gate, where the new run would have its command (4.7).
    """
    step = gated()
    world.record(step)
    world.calls.script("start", "a:1", "dead")
    world.plan("a:2", code=code)
    world.drive()
    world.jobs.rows = {key: jobs for key, jobs in world.jobs.rows.items() if key != "k:a:1"}
    with without_its_database(world, tmp_path / "new.sqlite3", step) as new:
        assert ran(new) == [("1", True)]
        assert new.statuses() == world.statuses()
        assert [one.is_gate for one in new.attempts()][:2] == [True, True]


def test_a_failed_gate_under_the_key_of_a_command(
    world: World, gated: Make, tmp_path: Path
) -> None:
    """After such a gate that has failed, the gate is asked again, as after any other."""
    step = gated(retries=1)
    world.record(step)
    world.calls.script("start", "a:1", "dead")
    world.plan("a:2", code=2)
    world.drive()
    world.jobs.rows = {"k:a:2": world.jobs.rows["k:a:2"]}
    with without_its_database(world, tmp_path / "new.sqlite3", step) as new:
        assert ran(new) == [("1", True), ("3", True), ("4", False)]
        assert outcome(new) == ("SUCCEEDED", None, 1)


@pytest.mark.parametrize("command", ["a", "rm"])
def test_a_foreign_job_at_the_gate(world: World, gated: Make, command: str) -> None:
    """Where the gate is to be asked, any other command is foreign, the step's own too (5.9)."""
    world.record(gated(retries=5))
    world.jobs.insert("k:a:1", [command], status="SUCCEEDED", exit_code=0)
    assert world.drive().status == "FAILED"
    status, error, _ = outcome(world)
    assert status == "FAILED"
    assert f"k:a:1 as another command, ['{command}'] and not {list(MAY)}" in str(error)
    assert not world.executions()


def test_a_place_that_is_kept_in_vain(world: World, step: Make, gated: Make) -> None:
    """A step that is cancelled before its command begins leaves its place to `finally` (10.1)."""
    tidy = step("tidy", timeout_sec=600.0)
    world.record(gated(), max_parallel=1, finally_=(tidy,))
    world.plan("a:1", leaves=100.0)
    world.machine.after(20.0, world.request_cancel)
    assert world.drive().status == "CANCELLED"
    assert world.statuses() == {"a": "CANCELLED", "tidy": "SUCCEEDED"}


# The steps of `finally` run when all others have ended, however that was (rule 10.1).


def told(world: World) -> dict[str, str | None]:
    """Return which outcome each step was told, by its id, where that was started."""
    starts = [about for _, what, about in world.log if what == "effect"]
    return {
        start.env["ORCHESJOB_FLOW_STEP"]: start.env.get("ORCHESJOB_FLOW_OUTCOME")
        for start in starts
        if isinstance(start, StartJob)
    }


@pytest.mark.parametrize("stop", [False, True])
def test_how_the_run_ends_is_asked_after_all_others(world: World, step: Make, stop: bool) -> None:
    """A failed step of `finally` counts, an allowed failure does not, nor what asks (rule 3.9)."""
    tidy = (
        step("red", when="run(failed)"),
        step("again", when="run(failed) && red.failed"),
        step("after", when="red.finished"),
        step("green", when="run(succeeded) || run(cancelled)"),
        step("bad", when="any.failed", allow_failure=True),
        step("worse", when="bad.failed"),
    )
    world.record(step("any", allow_failure=True), finally_=tidy)
    world.plan("any:1", code=1)
    world.plan("bad:1", code=1)
    world.plan("worse:1", code=0 if stop else 1)
    world.plan("red:1", code=1)
    run = world.drive()
    assert run.status == ("SUCCEEDED" if stop else "FAILED")
    if stop:
        ran = {"any": "FAILED", "bad": "FAILED", "worse": "SUCCEEDED", "green": "SUCCEEDED"}
        ran |= {"red": "SKIPPED", "again": "SKIPPED", "after": "SUCCEEDED"}
        assert told(world)["green"] == "SUCCEEDED"
    else:
        ran = {"any": "FAILED", "bad": "FAILED", "worse": "FAILED", "green": "SKIPPED"}
        ran |= {"red": "FAILED", "again": "SUCCEEDED", "after": "SUCCEEDED"}
        asked = {name: told(world)[name] for name in ("red", "again", "after", "bad")}
        assert asked == {
            "red": "FAILED",
            "again": "FAILED",
            "after": "SUCCEEDED",
            "bad": "SUCCEEDED",
        }
    assert world.statuses() == ran


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
