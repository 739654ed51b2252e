"""What a step `produces` is noted before its command, and compared after it (rule 10.10)."""

from collections.abc import Callable
from functools import partial

import pytest

from flow_spec import StepSpec

from .world import World

Make = Callable[..., StepSpec]


@pytest.fixture
def producing(step: Make) -> Make:
    """Make the step `a`, which produces a file."""
    return partial(step, "a", produces=("a.csv",))


def attempts(world: World) -> list[tuple[str, str | None]]:
    """Return how each attempt at `a` has ended, and why."""
    return [(one.status.value, one.error) for one in world.attempts()]


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
    noted, again = world.calls.made("note")[:2]
    assert again - noted == pytest.approx(30, abs=0.5)
    assert world.driver == 1


def test_a_lost_database(world: World, producing: Make) -> None:
    """A job from before the database was lost is not compared, for it may have written long ago."""
    world.record(producing())
    world.jobs.insert("k:a:1", ["a"], status="SUCCEEDED", exit_code=0)
    world.drive()
    assert attempts(world) == [("SUCCEEDED", None)]
