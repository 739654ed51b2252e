"""A run is killed, or cancelled, at every single point of its course, and at pairs of points.

Points lie before and after every commit, before every effect and before every wait.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from random import Random

import pytest

from flow_spec import StepSpec
from flow_store import FlowStore

from .world import World

STRICT_OR_NOT = [pytest.param(True, id="strict"), pytest.param(False, id="plain")]
EXECUTED = ["a:1", "b:1", "b:2", "c:1", "e:2"]
OUTCOMES = {"a": "SUCCEEDED", "b": "SUCCEEDED", "c": "FAILED", "d": "SKIPPED", "e": "SUCCEEDED"}


@pytest.fixture
def five_steps(
    store: FlowStore, database: Path, step: Callable[..., StepSpec]
) -> Callable[..., AbstractContextManager[World]]:
    """Make a world in which a run of five steps meets a retry, a failure, a skip, a dead start."""

    @contextmanager
    def make(name: str, *, strict: bool) -> Iterator[World]:
        with World(store, database, run_key=name) as world:
            world.record(
                step("a", strict=strict),
                step("b", depends_on=("a",), retries=1, retry_delay_sec=2.0, strict=strict),
                step("c", depends_on=("a",), timeout_sec=5.0, strict=strict),
                step("d", when="b && c", strict=strict),
                step("e", when="!d", strict=strict),
            )
            world.plan("b:1", seconds=3.0, worker_lives=0.5)
            world.plan("c:1", seconds=900.0)
            world.calls.script("start", "e:1", "dead")
            world.plan("e:2", seconds=0.0)
            yield world

    return make


def check(world: World) -> None:
    """The run has ended as if nothing had happened to its runner."""
    assert world.statuses() == OUTCOMES
    assert [step.attempt_no for step in world.run().steps] == [1, 2, 1, 0, 2]
    executed = Counter(found.key.split(":", 1)[1] for found in world.jobs.ledger)
    assert executed == Counter(EXECUTED)


@pytest.mark.parametrize("strict", STRICT_OR_NOT)
def test_killed_at_every_point(
    five_steps: Callable[..., AbstractContextManager[World]], strict: bool
) -> None:
    """Whoever kills the runner whenever, its successor ends the run alike (rules 4.2, 5.8)."""
    with five_steps("undisturbed", strict=strict) as world:
        world.drive()
        check(world)
        points = world.points
    assert points > 80
    for point in range(1, points + 1):
        with five_steps(f"killed at {point}", strict=strict) as world:
            world.at_point[point] = world.crash
            world.drive()
            check(world)


@pytest.mark.parametrize("strict", STRICT_OR_NOT)
def test_killed_again_while_it_recovers(
    five_steps: Callable[..., AbstractContextManager[World]], strict: bool
) -> None:
    """A second kill during the recovery from the first does not matter either (rule 4.2)."""
    random = Random(7)  # noqa: S311 - reproducible on purpose
    for number in range(150):
        with five_steps(f"killed twice {number}", strict=strict) as world:
            first = random.randint(1, 120)
            world.at_point = {first: world.crash, first + random.randint(1, 9): world.crash}
            world.drive()
            check(world)


def check_cancelled(world: World) -> None:
    """The run is cancelled, unless its very last commit was under way."""
    run = world.run()
    if run.status != "CANCELLED":
        check(world)
        return
    assert run.error is None
    for step in run.steps:
        assert step.status in {OUTCOMES[step.step_id], "CANCELLED"}


def test_cancelled_at_every_point(
    five_steps: Callable[..., AbstractContextManager[World]],
) -> None:
    """Whenever a cancel is recorded, nothing is started after it (rule 5.6)."""
    cancelled = 0
    for point in range(1, 130):
        with five_steps(f"cancelled at {point}", strict=True) as world:
            world.at_point[point] = world.request_cancel
            cancelled += world.drive().status == "CANCELLED"
            check_cancelled(world)
    assert cancelled > 80


def test_cancelled_and_killed(five_steps: Callable[..., AbstractContextManager[World]]) -> None:
    """A kill in the middle of a cancel leaves it to the next runner (rule 5.6)."""
    random, cancelled = Random(8), 0  # noqa: S311 - reproducible on purpose
    for number in range(150):
        with five_steps(f"cancelled and killed {number}", strict=False) as world:
            first = random.randint(1, 90)
            world.at_point = {
                first: world.request_cancel,
                first + random.randint(1, 12): world.crash,
            }
            cancelled += world.drive().status == "CANCELLED"
            check_cancelled(world)
    assert cancelled > 120
