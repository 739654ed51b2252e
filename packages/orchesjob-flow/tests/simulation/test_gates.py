"""A step's gate, `only_if`, is asked before its command, and decides whether that runs (10.8)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

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
