"""Generated flows end as an independent model of the rules says, crashes or not.

Every day these are some; `-m long` adds hundreds.
"""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from random import Random

import attrs
import pytest

from flow_store import FlowStore

from .fates import build, check, retry
from .model import Case, generate, tidy
from .world import World

pytestmark = pytest.mark.heavy

EVERYDAY, MANY, BATCH = 50, 500, 25
FIRST_SEEDS = [
    *range(0, EVERYDAY, BATCH),
    *(pytest.param(first, marks=pytest.mark.long) for first in range(EVERYDAY, MANY, BATCH)),
]
RETRIED = 2
"""How many of the batches are retried: each takes as long as three."""


@pytest.mark.parametrize("first", FIRST_SEEDS)
def test_undisturbed(store: FlowStore, database: Path, first: int) -> None:
    """A flow ends as the rules say: statuses, numbers of attempts, executions (3, 5)."""
    for seed in range(first, first + BATCH):
        case = generate(seed)
        with build(store, database, seed, case) as world:
            world.drive()
            check(world, case)
            assert not world.warnings or "dead" in str(case.fates)


@pytest.mark.parametrize("first", FIRST_SEEDS[:RETRIED])
def test_retried(store: FlowStore, database: Path, first: int) -> None:
    """What depends on a step that runs again is decided again, time after time (9.7)."""
    for seed in range(first, first + BATCH):
        case, random = generate(seed), Random(seed)  # noqa: S311 - reproducible on purpose
        with build(store, database, seed, case) as world:
            world.drive()
            for _ in range(2):
                case = retry(world, random, case)
                world.drive()
                check(world, case)


@pytest.mark.parametrize("first", FIRST_SEEDS)
def test_crashes_and_lost_answers(store: FlowStore, database: Path, first: int) -> None:
    """Killed runners and lost answers change no outcome, and nothing runs twice (4.2, 5.7)."""
    for seed in range(first, first + BATCH):
        case = generate(seed)
        with build(store, database, seed, case) as world:
            disturb(world, Random(seed))  # noqa: S311 - reproducible on purpose
            world.drive()
            check(world, case)


@pytest.mark.parametrize("first", FIRST_SEEDS)
def test_left_out(store: FlowStore, database: Path, first: int) -> None:
    """What `--until` leaves out is SKIPPED, whatever is killed, cancelled or retried (6.14).

    All that the named steps wait for, and `finally`, is decided as without it.
    """
    for seed in range(first, first + BATCH):
        case, random = generate(seed), Random(seed)  # noqa: S311 - reproducible on purpose
        until = tuple(step.id for step in random.sample(case.steps, min(2, len(case.steps))))
        with build(store, database, seed, attrs.evolve(case, until=until)) as world:
            needed = needed_for(case, until)
            assert set(world.flow.left_out) == {step.id for step in case.steps} - needed
            disturb(world, random)
            if seed % 3 == 0:
                world.machine.after(random.uniform(0, 5), world.request_cancel)
            world.drive()
            if seed % 3:
                assert {
                    one: case.statuses[one] for one in needed
                }.items() <= world.statuses().items()
            if world.run().status in ("FAILED", "CANCELLED"):
                world.retry()
                world.drive()
            for step_id in world.flow.left_out:
                assert world.step(step_id).status == "SKIPPED"
                assert not world.executions(f"{step_id}:")


def needed_for(case: Case, names: Iterable[str], of: str = "") -> set[str]:
    """Return these steps and all that they wait for, directly or not.

    What a copy calls by its plain name is the copy of the same value.
    """
    by_id = {step.id: step for step in case.steps}
    found: set[str] = set()
    for name in names:
        copies = [one for one in by_id if one.startswith(f"{name}@")]
        own = f"{name}@{of.partition('@')[2]}"
        for step_id in [name] if name in by_id else [own] if own in copies else copies:
            found |= {step_id} | needed_for(case, by_id[step_id].waits_for, step_id)
    return found


@pytest.mark.parametrize("first", FIRST_SEEDS)
def test_cancelled_at_any_moment(store: FlowStore, database: Path, first: int) -> None:
    """A cancel ends what runs and keeps what had ended; crashes do not undo it (rule 5.6).

    The steps of `finally` run to their end as their conditions say (rule 10.1).
    """
    for seed in range(first, first + BATCH):
        case, random = generate(seed), Random(seed)  # noqa: S311 - reproducible on purpose
        with build(store, database, seed, case) as world:
            if seed % 2:
                disturb(world, random)
            world.machine.after(random.uniform(0, 20), world.request_cancel)
            run = world.drive()
            assert run.status in {case.run_status, "CANCELLED"}
            ended = tidy(case, world.statuses())
            for step in run.steps:
                expected = case.statuses[step.step_id]
                if step.step_id in world.flow.finally_ids:
                    assert step.status == ended[step.step_id]
                    continue
                assert step.status in {expected, "CANCELLED"}
                assert run.status == "CANCELLED" or step.status != "CANCELLED"
                assert step.status != "CANCELLED" or step.error == "flow cancelled"
            assert run.status != "CANCELLED" or run.error is None
            most = Counter(found.key for found in world.jobs.executions).values()
            assert set(most) <= {1}


def disturb(world: World, random: Random) -> None:
    """Kill the runner at random points, and lose the answers of random calls."""
    for _ in range(random.randint(1, 12)):
        world.at_point[random.randint(1, 150)] = world.crash
    for call in ("start", "status", "running", "abort"):
        world.calls.script(call, "", *random.choices(("fail", "lose", "", "", ""), k=20))
