"""The steps of `finally` run when all others have ended, however that was (rule 10.1)."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from signal import SIGINT

import pytest

from flow_spec import StepSpec
from flow_store import FlowStore
from orchesjob_flow.engine.messages import StartJob
from orchesjob_flow.errors import Interrupted

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


ENDINGS: dict[str, tuple[str, str | None]] = {
    "SUCCEEDED": ("SUCCEEDED", None),
    "FAILED": ("FAILED", "1 step failed: a"),
    "CANCELLED": ("CANCELLED", None),
    "TIMED_OUT": ("FAILED", "timed out after 60 s"),
}
"""The status and the error of a run whose steps have ended in this way."""
RUN_THEN = {
    "SUCCEEDED": {"good", "green"},
    "FAILED": {"bad", "broken", "red"},
    "CANCELLED": {"bad", "stopped", "gone"},
    "TIMED_OUT": {"bad", "stopped", "red", "slow"},
}


@pytest.mark.parametrize("outcome", ENDINGS)
def test_however_the_steps_have_ended(world: World, step: Make, outcome: str) -> None:
    """They are told how, see it in their conditions, and do not change it."""
    tidy = (
        step("always"),
        step("good", when="a"),
        step("bad", when="!a"),
        step("broken", when="a.failed"),
        step("stopped", when="a.cancelled"),
        step("over", when="b.finished"),
        step("last", depends_on=("always",), when="always && over"),
        step("green", when="run(succeeded)"),
        step("red", when="run(failed)"),
        step("gone", when="run(cancelled)"),
        step("slow", when="run(timed_out)"),
    )
    world.record(step("a"), step("b", depends_on=("a",)), timeout_sec=60.0, finally_=tidy)
    early = outcome in {"CANCELLED", "TIMED_OUT"}
    world.plan("a:1", seconds=900.0 if early else 1.0, code=int(outcome == "FAILED"))
    if outcome == "CANCELLED":
        world.machine.after(10.0, world.request_cancel)
    run = world.drive()
    assert (run.status, run.error) == ENDINGS[outcome]
    assert run.finally_after == outcome
    ran = {"always", "over", "last"} | RUN_THEN[outcome]
    for spec in tidy:
        assert world.statuses()[spec.id] == ("SUCCEEDED" if spec.id in ran else "SKIPPED")
    assert told(world).keys() - {"a", "b"} == ran
    assert {told(world)[name] for name in ran} == {outcome}
    assert told(world)["a"] is None


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


def test_a_flow_without_steps_to_run_in_it(world: World, step: Make) -> None:
    """Where every condition in `finally` is false, the run ends in the same commit."""
    world.record(step("a"), finally_=(step("b", when="!a"), step("c", when="b")))
    world.drive()
    assert world.statuses() == {"a": "SUCCEEDED", "b": "SKIPPED", "c": "SKIPPED"}
    assert world.history[-2].finally_after is None


@pytest.mark.parametrize("allowed", [False, True])
def test_a_failed_one_makes_a_good_run_fail(world: World, step: Make, allowed: bool) -> None:
    """Unless that is allowed (rule 9.12)."""
    world.record(step("a"), finally_=(step("b", allow_failure=allowed),))
    world.plan("b:1", code=1)
    run = world.drive()
    expected = ("SUCCEEDED", None) if allowed else ("FAILED", "1 step failed: b")
    assert (run.status, run.error) == expected
    assert told(world)["b"] == "SUCCEEDED"


def test_a_failed_one_hides_no_cancel(world: World, step: Make) -> None:
    """A run that was cancelled ends CANCELLED, whatever becomes of its `finally`."""
    world.record(step("a"), finally_=(step("b"),))
    world.plan("a:1", seconds=900.0)
    world.plan("b:1", code=1)
    world.machine.after(5.0, world.request_cancel)
    run = world.drive()
    assert (run.status, run.error) == ("CANCELLED", None)
    assert world.statuses() == {"a": "CANCELLED", "b": "FAILED"}


def test_their_time_is_not_that_of_the_flow(world: World, step: Make) -> None:
    """The flow's `timeout_sec` ends none of them; their own does."""
    world.record(
        step("a"),
        timeout_sec=5.0,
        finally_=(step("b", timeout_sec=300.0), step("c", depends_on=("b",))),
    )
    world.plan("a:1", seconds=4.0)
    world.plan("b:1", seconds=900.0)
    world.plan("c:1", seconds=20.0)
    run = world.drive()
    assert (run.status, run.error) == ("FAILED", "1 step failed: b")
    assert world.step("b").error == "timed out after 300 s"
    assert world.step("c").status == "SKIPPED"


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


def test_a_first_cancel_waits_for_them(world: World, step: Make) -> None:
    """A cancel that comes when the steps have ended changes nothing any more."""
    world.record(step("a"), finally_=(step("b"), step("c", depends_on=("b",))))
    world.plan("b:1", seconds=50.0)
    world.machine.after(20.0, world.request_cancel)
    run = world.drive()
    assert (run.status, run.error) == ("SUCCEEDED", None)
    assert not world.calls.made("abort")
    assert world.statuses() == {"a": "SUCCEEDED", "b": "SUCCEEDED", "c": "SUCCEEDED"}


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


def test_a_cancel_of_all_before_they_begin(world: World, step: Make) -> None:
    """With `now` none of them begins."""
    world.record(step("a"), finally_=(step("b"),))
    world.plan("a:1", seconds=900.0)
    world.machine.after(5.0, partial(world.request_cancel, now=True))
    run = world.drive()
    assert (run.status, run.finally_after) == ("CANCELLED", "CANCELLED")
    assert world.statuses() == {"a": "CANCELLED", "b": "CANCELLED"}
    assert not world.executions("b")


def test_a_second_cancel_while_the_steps_are_being_ended(world: World, step: Make) -> None:
    """Who asks again before they have begun does not keep them from it."""
    world.record(step("a"), finally_=(step("b"),))
    world.plan("a:1", seconds=900.0, obeys=Obeys.KILL)
    for seconds in (5.0, 6.0, 7.0):
        world.machine.after(seconds, world.request_cancel)
    world.drive()
    assert world.statuses() == {"a": "CANCELLED", "b": "SUCCEEDED"}


def test_an_interrupted_runner_is_no_ending(world: World, step: Make) -> None:
    """They wait for the end of the steps, not for that of a process."""
    world.record(step("a"), finally_=(step("b"),))
    world.plan("a:1", seconds=30.0)
    world.machine.after(5.0, partial(world.stop_runner, SIGINT))
    with pytest.raises(Interrupted):
        world.new_runner().drive()
    world.calls.abandon()
    assert world.run().finally_after is None
    assert world.step("b").status == "PENDING"
    assert world.drive().status == "SUCCEEDED"
    assert len(world.executions("b")) == 1


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


def check_tidied(world: World) -> None:
    """Each step of `finally` has begun as often as it should have."""
    assert world.run().status == "CANCELLED"
    executed = Counter(found.key.split(":", 1)[1] for found in world.jobs.executions)
    assert executed == Counter(["a:1", "c:1", "c:2", "d:1"])
    assert world.statuses() == {
        "a": "CANCELLED",
        "b": "CANCELLED",
        "c": "SUCCEEDED",
        "d": "SUCCEEDED",
        "e": "SKIPPED",
    }


def test_killed_at_every_point_of_a_cancel(store: FlowStore, database: Path, step: Make) -> None:
    """Each begins exactly once, whoever is killed and whenever; the next runner goes on."""
    with tidied(store, database, step, "undisturbed") as world:
        world.drive()
        check_tidied(world)
        points = world.points
    for point in range(1, points + 1):
        with tidied(store, database, step, f"killed at {point}") as world:
            world.at_point[point] = world.crash
            world.drive()
            assert world.driver == 2
            check_tidied(world)


@pytest.mark.parametrize("now", [False, True])
def test_cancelled_at_every_point(store: FlowStore, database: Path, step: Make, now: bool) -> None:
    """Whenever a request comes, all ends, and what has begun is not begun again."""

    @contextmanager
    def make(name: str) -> Iterator[World]:
        with World(store, database, run_key=name) as world:
            world.record(step("a"), step("b", when="!a"), finally_=(step("c"), step("d", when="c")))
            world.plan("a:1", seconds=2.0, code=1)
            world.plan("c:1", seconds=2.0)
            yield world

    with make("undisturbed") as world:
        world.drive()
        points = world.points
    for point in range(1, points + 1):
        with make(f"cancelled at {point}") as world:
            world.at_point[point] = partial(world.request_cancel, now=now)
            world.at_point[point + 3] = world.crash
            run = world.drive()
            if not now:
                assert {world.statuses()[name] for name in "cd"} == {"SUCCEEDED"}
            assert run.status in {"CANCELLED", "FAILED"}


def test_a_retry_tidies_up_again(world: World, step: Make) -> None:
    """At the end of a `retry` they run once more, and are told how it has ended (rule 9.7)."""
    world.record(
        step("a"),
        step("b"),
        finally_=(step("c"), step("d", when="any(failed)", depends_on=("a", "b"))),
    )
    world.plan("a:1", code=1)
    world.drive()
    assert world.statuses() == dict.fromkeys("bcd", "SUCCEEDED") | {"a": "FAILED"}
    world.retry()
    assert world.run().finally_after is None
    run = world.drive()
    assert (run.status, run.finally_after) == ("SUCCEEDED", "SUCCEEDED")
    assert world.statuses() == dict.fromkeys("abc", "SUCCEEDED") | {"d": "SKIPPED"}
    executed = [found.key.split(":", 1)[1] for found in world.jobs.executions]
    assert executed.count("c:1") == executed.count("c:2") == 1


def test_a_retry_after_a_cancel_tidies_up_again(world: World, step: Make) -> None:
    """The request that ended the run before is over, and so is what it asked for."""
    world.record(step("a"), finally_=(step("b"),))
    world.plan("a:1", seconds=900.0)
    world.plan("b:1", seconds=900.0)
    world.machine.after(5.0, partial(world.request_cancel, now=True))
    world.drive()
    world.retry()
    assert world.drive().status == "SUCCEEDED"
    assert world.statuses() == {"a": "SUCCEEDED", "b": "SUCCEEDED"}
