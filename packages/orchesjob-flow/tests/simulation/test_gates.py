"""A step's gate, `only_if`, is asked before its command, and decides whether that runs (10.8)."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from random import Random

import pytest

from flow_spec import StepSpec
from flow_store import FlowStore

from .world import World

Make = Callable[..., StepSpec]

MAY = ("may a run",)


@pytest.fixture
def gated(step: Make) -> Make:
    """Make the step `a`, with a gate."""
    return partial(step, "a", only_if=MAY)


def ran(world: World) -> list[tuple[str, bool]]:
    """List what really ran: the numbers of attempts at `a`, and whether each was at the gate."""
    return [(found.key.split(":")[-1], found.command == MAY) for found in world.executions("a")]


def outcome(world: World) -> tuple[str, str | None, int]:
    """Return how `a` has ended, why, and how many failures it was charged with."""
    found = world.step("a")
    return found.status.value, found.error, found.failures


def test_yes(world: World, gated: Make) -> None:
    """After a 0 the command follows under the next number, without a delay and at no cost."""
    world.record(gated(retry_delay_sec=100.0))
    world.drive()
    assert ran(world) == [("1", True), ("2", False)]
    assert outcome(world) == ("SUCCEEDED", None, 0)
    asked, begun = world.executions()
    assert asked.end is not None
    assert begun.begin - asked.end < 10.0
    assert [(one.is_gate, one.status.value) for one in world.attempts()] == [
        (True, "SUCCEEDED"),
        (False, "SUCCEEDED"),
    ]


def test_no(world: World, step: Make, gated: Make) -> None:
    """After a 1 the step is SKIPPED, as conditions see, and the command never runs."""
    world.record(gated(retries=3), step("b", when="a.skipped"), step("c", when="a.finished && !b"))
    world.plan("a:1", code=1)
    assert world.drive().status == "SUCCEEDED"
    assert world.statuses() == {"a": "SKIPPED", "b": "SUCCEEDED", "c": "SKIPPED"}
    assert ran(world) == [("1", True)]


def test_it_is_asked_once_the_condition_is_true(world: World, step: Make, gated: Make) -> None:
    """It is not asked before `when` is decided, nor where that is false."""
    world.record(step("b"), gated(when="b.failed"))
    world.drive()
    assert not ran(world)
    assert world.statuses()["a"] == "SKIPPED"


FAILURES: list[tuple[dict[str, object], str]] = [
    ({"code": 2}, "only_if: exit code 2"),
    ({"code": -9}, "only_if: killed by signal 9 (SIGKILL)"),
    ({"spawns": False}, "only_if: the command could not be started"),
    ({"seconds": 90.0}, "only_if: timed out after 30 s"),
    ({"worker_lives": 0.5}, "only_if: outcome unknown: orchesjob lost the job"),
]


@pytest.mark.parametrize(("plan", "error"), FAILURES)
def test_anything_else(world: World, gated: Make, plan: dict[str, object], error: str) -> None:
    """Anything but 0 and 1 is a failure of the step; the gate is asked again while retries last.

    Which failures of the command are retried says nothing about the gate (9.12).
    """
    codes = {"success_exit_codes": (0, 2), "retry_exit_codes": (75,)}
    world.record(gated(retries=1, timeout_sec=30.0, **codes))
    for number in (1, 2):
        world.plan(f"a:{number}", **plan)
    assert world.drive().status == "FAILED"
    status, why, failures = outcome(world)
    assert (status, failures) == ("FAILED", 2)
    assert str(why).startswith(error)
    assert {is_gate for _, is_gate in ran(world)} <= {True}
    assert [one.is_gate for one in world.attempts()] == [True, True]


def test_a_failed_gate_is_asked_again_and_a_failed_command_is_not(
    world: World, gated: Make
) -> None:
    """Both share the retries; once the gate has said 0, that holds until the step has ended."""
    world.record(gated(retries=2))
    world.plan("a:1", code=2)
    world.plan("a:3", code=1)
    world.drive()
    assert ran(world) == [("1", True), ("2", True), ("3", False), ("4", False)]
    assert outcome(world) == ("SUCCEEDED", None, 2)


def test_each_has_its_time(world: World, gated: Make) -> None:
    """`timeout_sec` counts for the gate, and from its beginning for the command."""
    world.record(gated(timeout_sec=30.0))
    for number in (1, 2):
        world.plan(f"a:{number}", seconds=25.0)
    assert world.drive().status == "SUCCEEDED"


def test_a_dead_start(world: World, gated: Make) -> None:
    """A start at the gate that never was costs a number and no retry; so does the command's."""
    world.record(gated())
    world.calls.script("start", "a:1", "dead")
    world.calls.script("start", "a:3", "dead")
    world.drive()
    assert ran(world) == [("2", True), ("4", False)]
    assert outcome(world) == ("SUCCEEDED", None, 0)


def test_the_command_waits_until_nothing_of_the_gate_is_alive(world: World, gated: Make) -> None:
    """No attempt runs beside its predecessor, and the gate is one (rule 5.8)."""
    world.record(gated())
    world.plan("a:1", leaves=50.0)
    world.drive()
    asked, begun = world.executions()
    assert asked.end is not None
    assert begun.begin - asked.end >= 50.0
    assert any("waiting for attempt 1 to exit" in str(why) for _, why in world.states_of("a"))


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


def test_a_place_that_is_kept_in_vain(world: World, step: Make, gated: Make) -> None:
    """A step that is cancelled before its command begins leaves its place to `finally` (10.1)."""
    tidy = step("tidy", timeout_sec=600.0)
    world.record(gated(), max_parallel=1, finally_=(tidy,))
    world.plan("a:1", leaves=100.0)
    world.machine.after(20.0, world.request_cancel)
    assert world.drive().status == "CANCELLED"
    assert world.statuses() == {"a": "CANCELLED", "tidy": "SUCCEEDED"}


def test_a_retry_asks_again(world: World, gated: Make) -> None:
    """The command `retry` has the step decided anew, and so its gate asked again (rule 9.7)."""
    world.record(gated())
    world.plan("a:2", code=1)
    assert world.drive().status == "FAILED"
    world.retry()
    world.plan("a:3", code=1)
    world.drive()
    assert ran(world) == [("1", True), ("2", False), ("3", True)]
    assert world.statuses() == {"a": "SKIPPED"}


def test_in_finally(world: World, step: Make, gated: Make) -> None:
    """A step of `finally` has its gate asked when it is decided, after a failure too (10.1)."""
    world.record(step("b"), finally_=(gated(when="b.failed", timeout_sec=600.0),))
    world.plan("b:1", code=1)
    assert world.drive().status == "FAILED"
    assert ran(world) == [("1", True), ("2", False)]
    assert world.statuses() == {"b": "FAILED", "a": "SUCCEEDED"}


def test_a_cancel_after_its_answer(world: World, gated: Make) -> None:
    """Once a cancel is recorded no command follows the gate; both are ended (rule 5.6)."""
    world.record(gated())
    world.plan("a:1", seconds=20.0)
    world.machine.after(10.0, world.request_cancel)
    assert world.drive().status == "CANCELLED"
    assert ran(world) == [("1", True)]
    assert world.statuses() == {"a": "CANCELLED"}


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


EXECUTED = {"a:1": 1, "a:2": 1, "a:3": 1, "a:4": 1, "b:2": 1}
ENDED = {"a": "SUCCEEDED", "b": "SKIPPED"}


@contextmanager
def two_gates(
    database: Path, store: FlowStore, name: str, steps: list[StepSpec]
) -> Iterator[World]:
    """Make a world in which gates fail, say yes and no, and never are; and a command fails."""
    with World(store, database, run_key=name) as world:
        world.record(*steps)
        world.plan("a:1", code=2, seconds=3.0)
        world.plan("a:2", seconds=3.0)
        world.plan("a:3", code=1, seconds=3.0)
        world.calls.script("start", "b:1", "dead")
        world.plan("b:2", code=1)
        yield world


def check(world: World) -> None:
    """Each gate and each command ran once, as if nothing had happened to the runner."""
    assert world.statuses() == ENDED
    assert [step.failures for step in world.run().steps] == [2, 0]
    assert Counter(found.key.split(":", 1)[1] for found in world.executions()) == EXECUTED


@pytest.mark.parametrize("strict", [True, False])
def test_killed_at_every_point(store: FlowStore, database: Path, step: Make, strict: bool) -> None:
    """Whoever kills the runner whenever, no gate is lost or doubled (rules 4.2 and 10.8)."""
    gate = {"only_if": MAY, "strict": strict}
    steps = [step("a", retries=2, **gate), step("b", depends_on=("a",), **gate)]
    with two_gates(database, store, "undisturbed", steps) as world:
        world.drive()
        check(world)
        points = world.points
    for point in range(1, points + 1):
        with two_gates(database, store, f"killed at {point}", steps) as world:
            world.at_point[point] = world.crash
            world.drive()
            assert world.driver == 2
            check(world)


def test_cancelled_at_every_point_and_killed(store: FlowStore, database: Path, step: Make) -> None:
    """Whenever a cancel is recorded, no command follows its gate any more (rule 5.6)."""
    random, cancelled = Random(9), 0  # noqa: S311 - reproducible on purpose
    steps = [step("a", retries=2, only_if=MAY), step("b", depends_on=("a",), only_if=MAY)]
    for point in range(1, 100):
        with two_gates(database, store, f"cancelled at {point}", steps) as world:
            world.at_point[point] = world.request_cancel
            world.at_point[point + random.randint(1, 9)] = world.crash
            cancelled += world.drive().status == "CANCELLED"
            for found in world.run().steps:
                assert found.status in {ENDED[found.step_id], "CANCELLED"}
    assert cancelled > 60
