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

pytestmark = pytest.mark.heavy

type FiveSteps = Callable[..., AbstractContextManager[World]]

STRICT_OR_NOT = [pytest.param(True, id="strict"), pytest.param(False, id="plain")]
EXECUTED = ["a:1", "a:2", "b:1", "b:2", "c:1", "e:2"]
PAIRS = 50
"""How many pairs of points are drawn; the session `simulation` draws thousands."""
LAST_POINTS = 6
"""From here on the end of the last step, and with it that of the run, is under way."""
OUTCOMES = {"a": "SUCCEEDED", "b": "SUCCEEDED", "c": "FAILED", "d": "SKIPPED", "e": "SUCCEEDED"}


@pytest.fixture
def five_steps(store: FlowStore, database: Path, step: Callable[..., StepSpec]) -> FiveSteps:
    """Make a world in which a run of five steps meets what a run can meet.

    These are a file that is not written, a retry, a failure, a skip and a dead start.
    """

    @contextmanager
    def make(name: str, *, strict: bool) -> Iterator[World]:
        with World(store, database, run_key=name) as world:
            world.record(
                step("a", strict=strict, produces=("a.csv",), retries=1),
                step("b", depends_on=("a",), retries=1, retry_delay_sec=2.0, strict=strict),
                step("c", depends_on=("a",), timeout_sec=5.0, strict=strict),
                step("d", when="b && c", strict=strict),
                step("e", when="!d", strict=strict),
            )
            world.plan("a:1", writes=False)
            world.plan("b:1", seconds=3.0, worker_lives=0.5)
            world.plan("c:1", seconds=900.0)
            world.calls.script("start", "e:1", "dead")
            world.plan("e:2", seconds=0.0)
            yield world

    return make


@pytest.fixture
def points(five_steps: FiveSteps) -> int:
    with five_steps("undisturbed", strict=True) as world:
        world.drive()
        check(world)
        return world.points


def check(world: World) -> None:
    """The run has ended as if nothing had happened to its runner."""
    assert world.statuses() == OUTCOMES
    assert [step.attempt_no for step in world.run().steps] == [2, 2, 1, 0, 2]
    executed = Counter(found.key.split(":", 1)[1] for found in world.jobs.executions)
    assert executed == Counter(EXECUTED)


@pytest.mark.parametrize("strict", STRICT_OR_NOT)
def test_killed_at_every_point(five_steps: FiveSteps, points: int, strict: bool) -> None:
    """Whoever kills the runner whenever, its successor ends the run alike (rules 4.2, 5.8)."""
    for point in range(1, points + 1):
        with five_steps(f"killed at {point}", strict=strict) as world:
            world.at_point[point] = world.crash
            world.drive()
            assert world.driver == 2
            check(world)


@pytest.mark.parametrize("strict", STRICT_OR_NOT)
def test_killed_again_while_it_recovers(five_steps: FiveSteps, points: int, strict: bool) -> None:
    """A second kill during the recovery from the first does not matter either (rule 4.2)."""
    random, killed_twice = Random(7), 0  # noqa: S311 - reproducible on purpose
    for number in range(PAIRS):
        with five_steps(f"killed twice {number}", strict=strict) as world:
            first = random.randint(1, points - LAST_POINTS)
            world.at_point = {first: world.crash, first + random.randint(1, 9): world.crash}
            world.drive()
            killed_twice += world.driver == 3
            check(world)
    assert killed_twice > 0.9 * PAIRS  # the recovery from a kill at the very end is short


def check_cancelled(world: World) -> None:
    """What had ended keeps its outcome, all else is cancelled."""
    run = world.run()
    assert (run.status, run.error) == ("CANCELLED", None)
    for step in run.steps:
        assert step.status in {OUTCOMES[step.step_id], "CANCELLED"}


def test_cancelled_at_every_point(five_steps: FiveSteps, points: int) -> None:
    """Whenever a cancel is recorded, nothing is started after it (rule 5.6).

    If the end of the last step is under way by then, the run ends by itself.
    """
    ended_by_itself = []
    for point in range(1, points + 1):
        with five_steps(f"cancelled at {point}", strict=True) as world:
            world.at_point[point] = world.request_cancel
            if world.drive().status == "CANCELLED":
                check_cancelled(world)
            else:
                ended_by_itself.append(point)
                check(world)
    assert ended_by_itself == list(range(points - len(ended_by_itself) + 1, points + 1))
    assert len(ended_by_itself) <= LAST_POINTS


def test_cancelled_and_killed(five_steps: FiveSteps, points: int) -> None:
    """A kill in the middle of a cancel leaves it to the next runner (rule 5.6)."""
    random, killed = Random(8), 0  # noqa: S311 - reproducible on purpose
    for number in range(PAIRS):
        with five_steps(f"cancelled and killed {number}", strict=False) as world:
            first = random.randint(1, points - LAST_POINTS)
            world.at_point = {
                first: world.request_cancel,
                first + random.randint(1, 12): world.crash,
            }
            world.drive()
            check_cancelled(world)
            killed += world.driver == 2
    assert killed > PAIRS / 2  # a cancel is often over in fewer points than those
