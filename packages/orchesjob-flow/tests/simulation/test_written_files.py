"""What a step `produces` is noted before its command, and compared after it (rule 10.10)."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pytest

from flow_spec import StepSpec

from .world import World

Make = Callable[..., StepSpec]

FLAW = "has not written its file"


@pytest.fixture
def producing(step: Make) -> Make:
    """Make the step `a`, which produces a file."""
    return partial(step, "a", produces=("a.csv",))


def attempts(world: World) -> list[tuple[str, str | None]]:
    """Return how each attempt at `a` has ended, and why."""
    return [(one.status.value, one.error) for one in world.attempts()]


@pytest.mark.parametrize(
    ("fields", "plans", "expected"),
    [
        ({}, {"a:1": {}}, [("SUCCEEDED", None)]),
        ({}, {"a:1": {"writes": False}}, [("FAILED", FLAW)]),
        (
            {"retries": 1, "retry_exit_codes": (75,)},
            {"a:1": {"writes": False}},
            [("FAILED", FLAW), ("SUCCEEDED", None)],
        ),
        ({"skip_exit_codes": (4,)}, {"a:1": {"writes": False, "code": 4}}, [("SKIPPED", None)]),
        (
            {"success_exit_codes": (0, 7)},
            {"a:1": {"writes": False, "code": 7}},
            [("FAILED", FLAW)],
        ),
        ({"retries": 1}, {"a:1": {"code": 1}}, [("FAILED", "exit code 1"), ("SUCCEEDED", None)]),
        (
            {"only_if": ("ask",)},
            {"a:1": {"writes": False}, "a:2": {"writes": False}},
            [("SUCCEEDED", None), ("FAILED", FLAW)],
        ),
    ],
)
def test_what_follows(
    world: World,
    producing: Make,
    fields: dict[str, Any],
    plans: Mapping[str, dict[str, Any]],
    expected: list[tuple[str, str | None]],
) -> None:
    """Only a success is compared, and what is missing is retried after any exit code."""
    world.record(producing(**fields))
    for attempt, plan in plans.items():
        world.plan(attempt, **plan)
    world.drive()
    assert attempts(world) == expected


def test_a_look_that_hangs(world: World, producing: Make, step: Make) -> None:
    """Half a minute later the attempt fails, and is retried, while others run on."""
    world.record(producing(retries=2), step("b"))
    world.calls.script("note", "a:1", "hang")
    world.calls.script("check", "a:2", "hang")
    assert world.drive().status == "SUCCEEDED"
    before = "could not be started: the look at the files before its start"
    assert [error for _, error in attempts(world)[:2]] == [
        f"{before} has taken longer than 30 s",
        "the look at what it has written has taken longer than 30 s",
    ]
    assert [found.key.split(":")[-1] for found in world.executions("a")] == ["2", "3"]
    assert world.driver == 1


@pytest.mark.parametrize("look", ["note", "check"])
def test_a_cancel_meanwhile(world: World, producing: Make, look: str) -> None:
    """Before its start nothing runs; afterwards what the command has written counts."""
    world.record(producing())
    world.plan("a:1", seconds=0.0)
    world.calls.script(look, "a:1", "hang")
    world.drive(until=world.machine.mono + 5.0)
    world.request_cancel()
    world.drive()
    ended = {"note": ("CANCELLED", 0), "check": ("SUCCEEDED", 1)}[look]
    assert (world.statuses()["a"], len(world.executions())) == ended


def test_a_lost_database(world: World, producing: Make) -> None:
    """A job from before the database was lost is not compared, for it may have written long ago."""
    world.record(producing())
    world.jobs.insert("k:a:1", ["a"], status="SUCCEEDED", exit_code=0)
    world.drive()
    assert attempts(world) == [("SUCCEEDED", None)]


def test_a_successor(world: World, producing: Make) -> None:
    """The next runner compares with what was noted before the command, not with what it finds."""
    world.record(producing())
    world.plan("a:1", seconds=100.0)
    world.drive(until=world.machine.mono + 50.0)
    world.calls.abandon()
    world.drive()
    assert attempts(world) == [("SUCCEEDED", None)]
    world.retry("a")
    world.plan("a:2", seconds=100.0, writes=False)
    world.drive(until=world.machine.mono + 50.0)
    world.calls.abandon()
    world.drive()
    assert attempts(world)[1] == ("FAILED", FLAW)


@pytest.mark.parametrize("locked_sec", [29.0, 32.0])
def test_a_commit_that_takes_long(world: World, producing: Make, locked_sec: float) -> None:
    """The time of a look begins when it is asked for, which is after the commit."""
    world.record(producing())
    world.store_locked_until = world.machine.mono + locked_sec
    world.drive()
    assert attempts(world) == [("SUCCEEDED", None)]
