"""Hundreds of generated flows end as an independent model of the rules says, crashes or not."""

from collections import Counter
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from flow_store import FlowStore

from .model import Case, generate
from .world import World

FLOWS, BATCH = 500, 25
EXECUTED = {"ok", "exit", "signal", "lost", "lost alive", "aborted", "timeout"}
PLANS: dict[str, dict[str, object]] = {
    "ok": {},
    "exit": {"code": 3},
    "signal": {"code": -11},
    "lost": {"seconds": 0.5, "worker_lives": 0.4},
    "lost alive": {"seconds": 9.0, "worker_lives": 0.5},
    "aborted": {"seconds": 5.0, "aborted_after": 0.5},
    "missing": {"spawns": False},
    "timeout": {"seconds": 500.0},
}


def build(store: FlowStore, path: Path, seed: int, case: Case) -> World:
    """Make the world in which the attempts of a case meet their fates."""
    world = World(store, path, run_key=f"run-{seed}", seed=seed)
    random = Random(seed)  # noqa: S311 - reproducible on purpose
    world.calls.pidfd = random.random() < 0.7
    world.record(*case.steps)
    for step in case.steps:
        for number, fate in enumerate(case.fates[step.id], start=1):
            attempt = f"{step.id}:{number}"
            if fate == "dead":
                world.calls.script("start", attempt, "dead")
            elif fate == "foreign":
                world.jobs.insert(f"{world.run_key}:{attempt}", ["else"], status="SUCCEEDED")
            else:
                length = random.uniform(0.0, 2.0)
                world.plan(attempt, **{"seconds": length, **PLANS.get(fate, {})})
    return world


def check(world: World, case: Case) -> None:
    """Compare with the model; all that holds for every run is checked by the world itself."""
    run = world.run()
    assert run.status == case.run_status
    assert world.statuses() == case.statuses
    assert {step.step_id: step.attempt_no for step in run.steps} == case.attempts
    for step in run.steps:
        assert step.finished_at is not None
        assert (step.started_at or 0) <= step.finished_at
    executed = [
        f"{world.run_key}:{step_id}:{number}"
        for step_id, fates in case.fates.items()
        for number, fate in enumerate(fates[: case.attempts[step_id]], start=1)
        if fate in EXECUTED
    ]
    assert Counter(found.key for found in world.jobs.ledger) == Counter(executed)
    check_delays(world, case)


def check_delays(world: World, case: Case) -> None:
    """No attempt begins before its predecessor has ended and the delay is over (rule 5.4)."""
    for step in case.steps:
        executions = world.executions(f"{step.id}:")
        for before, after in pairwise(executions):
            assert before.end is not None
            follows = int(after.key[-1]) == int(before.key[-1]) + 1
            assert after.begin - before.end >= 0
            if follows and case.fates[step.id][int(before.key[-1]) - 1] != "lost alive":
                assert after.begin - before.end >= step.retry_delay_sec


@pytest.mark.parametrize("first", range(0, FLOWS, BATCH))
def test_undisturbed(store: FlowStore, database: Path, first: int) -> None:
    """A flow ends as the rules say: statuses, numbers of attempts, executions (3, 5)."""
    for seed in range(first, first + BATCH):
        case = generate(seed)
        with build(store, database, seed, case) as world:
            world.drive()
            check(world, case)
            assert not world.warnings or "dead" in str(case.fates)


@pytest.mark.parametrize("first", range(0, FLOWS, BATCH))
def test_crashes_and_lost_answers(store: FlowStore, database: Path, first: int) -> None:
    """Killed runners and lost answers change no outcome, and nothing runs twice (4.2, 5.7)."""
    for seed in range(first, first + BATCH):
        case = generate(seed)
        with build(store, database, seed, case) as world:
            disturb(world, Random(seed))  # noqa: S311 - reproducible on purpose
            world.drive()
            check(world, case)


@pytest.mark.parametrize("first", range(0, FLOWS, BATCH))
def test_cancelled_at_any_moment(store: FlowStore, database: Path, first: int) -> None:
    """A cancel ends what runs and keeps what had ended; crashes do not undo it (rule 5.6)."""
    for seed in range(first, first + BATCH):
        case, random = generate(seed), Random(seed)  # noqa: S311 - reproducible on purpose
        with build(store, database, seed, case) as world:
            if seed % 2:
                disturb(world, random)
            world.machine.after(random.uniform(0, 20), world.request_cancel)
            run = world.drive()
            assert run.status in {case.run_status, "CANCELLED"}
            for step in run.steps:
                assert step.status in {case.statuses[step.step_id], "CANCELLED"}
                assert run.status == "CANCELLED" or step.status != "CANCELLED"
                assert step.status != "CANCELLED" or step.error == "flow cancelled"
            assert run.status != "CANCELLED" or run.error is None
            most = Counter(found.key for found in world.jobs.ledger).values()
            assert set(most) <= {1}


def disturb(world: World, random: Random) -> None:
    """Kill the runner at random points, and lose the answers of random calls."""
    for _ in range(random.randint(1, 12)):
        world.at_point[random.randint(1, 150)] = world.crash
    for call in ("start", "status", "running", "abort"):
        world.calls.script(call, "", *random.choices(("fail", "lose", "", "", ""), k=20))
