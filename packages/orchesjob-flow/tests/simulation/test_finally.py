"""The steps of `finally` run when all others have ended, however that was (rule 10.1)."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from flow_spec import StepSpec
from flow_store import FlowStore
from orchesjob_flow.engine.messages import StartJob

from .jobs import Obeys
from .world import World

Make = Callable[..., StepSpec]


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


@contextmanager
def tidied(store: FlowStore, path: Path, step: Make, name: str) -> Iterator[World]:
    """Make a world whose run is cancelled, and tidied up in two steps of which one is retried."""
    with World(store, path, run_key=name) as world:
        world.record(
            step("a"),
            step("b", depends_on=("a",)),
            finally_=(
                step("c", retries=1),
                step("d", when="c && b.cancelled"),
                step("e", when="b"),
            ),
        )
        world.plan("a:1", seconds=900.0)
        world.plan("c:1", code=1)
        world.machine.after(3.0, world.request_cancel)
        yield world
