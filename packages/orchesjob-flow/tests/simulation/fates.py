"""Arranging what becomes of the attempts of a generated flow, and comparing the outcome.

What the outcome must be is worked out in `model`.
"""

from collections import Counter
from pathlib import Path
from random import Random

import attrs

from flow_store import FlowStore, StepStatus, attempt_key

from . import model
from .model import Case
from .world import World

EXECUTED = {
    *("ok", "ok 7", "skip 5", "yes", "no"),
    *("exit", "unwritten", "signal", "lost", "lost alive", "aborted", "timeout"),
}
PLANS: dict[str, dict[str, object]] = {
    "ok": {},
    "ok 7": {"code": 7},
    "skip 5": {"code": 5},
    "exit": {"code": 3},
    "unwritten": {"writes": False},
    "signal": {"code": -11},
    "lost": {"seconds": 0.5, "worker_lives": 0.4},
    "lost alive": {"seconds": 9.0, "worker_lives": 0.5},
    "aborted": {"seconds": 5.0, "aborted_after": 0.5},
    "missing": {"spawns": False},
    "timeout": {"seconds": 500.0, "code": 2},  # fails even if nobody ends it in time
    "yes": {},
    "no": {"code": 1},
}


def build(
    store: FlowStore, path: Path, seed: int, case: Case, timeout_sec: float | None = None
) -> World:
    """Make the world in which the attempts of a case meet their fates."""
    world = World(store, path, run_key=f"run-{seed}", seed=seed)
    random = Random(seed)  # noqa: S311 - reproducible on purpose
    world.calls.pidfd = random.random() < 0.7
    world.until = case.until
    world.record_flow(attrs.evolve(case.flow, timeout_sec=timeout_sec))
    for step in (*case.steps, *case.finally_):
        for number, fate in enumerate(case.fates[step.id], start=1):
            arrange(world, random, f"{step.id}:{number}", fate)
    return world


def arrange(world: World, random: Random, attempt: str, fate: str) -> None:
    fate = fate.removeprefix(model.GATE)
    if fate == "dead":
        world.calls.script("start", attempt, "dead")
    elif fate == "foreign":
        world.jobs.insert(f"{world.run_key}:{attempt}", ["else"], status="SUCCEEDED")
    else:
        length = random.uniform(0.0, 2.0)
        world.plan(attempt, **{"seconds": length, **PLANS.get(fate, {})})


def retry(world: World, random: Random, case: Case) -> Case:
    """Reopen a run that has ended as its case says; return how it must end now."""
    again, named = model.retry(random, case)
    arrange_more(world, random, case, again)
    world.retry(*named)
    return again


def settle(world: World, random: Random, case: Case) -> Case:
    """Settle a FAILED step of a run that has ended as its case says; return how it must end now."""
    again, step_id, status = model.settle(random, case)
    arrange_more(world, random, case, again)
    world.settle(step_id, StepStatus(status))
    return again


def arrange_more(world: World, random: Random, before: Case, after: Case) -> None:
    """Let the attempts of a case that were not there before meet their fates."""
    for step_id, fates in after.fates.items():
        known = len(before.fates[step_id])
        for number, fate in enumerate(fates[known:], start=known + 1):
            arrange(world, random, f"{step_id}:{number}", fate)


def check(world: World, case: Case) -> None:
    """Compare with the model; all that holds for every run is checked by the world itself."""
    run = world.run()
    assert run.status == case.run_status, f"{run.status} and not {case.run_status}"
    statuses = world.statuses()
    assert statuses == case.statuses, f"{statuses} and not {case.statuses}"
    numbers = {step.step_id: step.attempt_no for step in run.steps}
    assert numbers == case.attempts, f"{numbers} and not {case.attempts}"
    for step in run.steps:
        assert step.finished_at is not None
        assert (step.started_at or 0) <= step.finished_at
    executed = [
        attempt_key(world.run_key, step_id, number)
        for step_id, fates in case.fates.items()
        for number, fate in enumerate(fates[: case.attempts[step_id]], start=1)
        if fate.removeprefix(model.GATE) in EXECUTED
    ]
    really = [found.key for found in world.jobs.executions]
    assert Counter(really) == Counter(executed), f"{really} ran and not {executed}"
