"""What a case says happens is what a run does, also after a cancel and at time limits (11.4)."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import batched, permutations
from pathlib import Path
from random import Random
from typing import Literal

import attrs
import pytest

from flow_spec import Case, FlowSpec, StepSpec
from flow_store import FlowStore, Run, StepStatus
from orchesjob_flow.trials import scenario_of, try_case

from .model import Case as Generated
from .model import generate
from .test_simulated_runs import draw, tell, told
from .world import World

EVERYDAY, MANY, BATCH = 60, 600, 20
LIMIT_SEC, FOR_EVER_SEC = 500.0, 5_000.0
PAIRS = 6

type Fate = Literal["", "cancel_at", "timeout_at"]


@pytest.mark.parametrize(
    "seeds",
    [
        *batched(range(EVERYDAY), BATCH),
        *(
            pytest.param(few, marks=pytest.mark.long)
            for few in batched(range(EVERYDAY, MANY), BATCH)
        ),
    ],
)
def test_equals_a_run(store: FlowStore, database: Path, seeds: tuple[int, ...]) -> None:
    """The statuses of a run are those that a case about it may expect, and no others."""
    for seed in seeds:
        random = Random(f"cases {seed}")  # noqa: S311 - reproducible on purpose
        generated = generate(seed, most_steps=5)
        fate: Fate = random.choice(("", "cancel_at", "timeout_at"))
        of_flow = random.random() < 0.5
        if fate:
            generated = one_after_the_other(generated, retries=fate == "timeout_at" and not of_flow)
        flow = generated.flow
        if fate and of_flow:
            flow = attrs.evolve(flow, timeout_sec=LIMIT_SEC)
        step_id = random.choice(flow.all_steps).id
        ends = draw(random, flow)
        with World(store, database, run_key=f"run-{seed}", seed=seed) as world:
            run = run_with(world, flow, ends, fate, step_id)
            case = case_about(world, run, flow, fate, step_id)
            assert try_case(case, scenario_of(case)).failures == [], seed
            wrong = attrs.evolve(case, expect=tuple(other(random, case.expect)))
            assert len(try_case(wrong, scenario_of(wrong)).failures) == 1, seed
            check_order(world, case, random)


def one_after_the_other(case: Generated, *, retries: bool) -> Generated:
    """Let one step run at a time, so that all others have ended or wait when one meets its fate."""

    def changed(steps: Iterable[StepSpec]) -> tuple[StepSpec, ...]:
        return tuple(
            attrs.evolve(
                step,
                retry_delay_sec=0,
                retries=step.retries if retries else 0,
                timeout_sec=LIMIT_SEC if retries or step in case.finally_ else None,
            )
            for step in steps
        )

    blocks = [attrs.evolve(block, steps=changed(block.steps)) for block in case.blocks]
    return attrs.evolve(
        case,
        steps=changed(case.steps),
        finally_=changed(case.finally_),
        blocks=tuple(blocks),
        max_parallel=1,
    )


def run_with(
    world: World, flow: FlowSpec, ends: Mapping[str, StepStatus], fate: Fate, step_id: str
) -> Run:
    """Drive a run whose steps end like this, and one of which meets a fate if it begins."""
    world.record_flow(flow)
    for spec in flow.all_steps:
        tell(world, spec, ends[spec.id])
    if fate == "timeout_at":
        spec = flow.step(step_id)
        for number in range(1, spec.retries + 3):
            is_gate = bool(spec.only_if) and number == 1
            world.plan(f"{step_id}:{number}", seconds=1.0 if is_gate else FOR_EVER_SEC)
    if fate == "cancel_at":
        world.plan(f"{step_id}:1", seconds=60.0)
        world.on_wait = lambda: cancel_once(world, step_id)
    return world.drive()


def cancel_once(world: World, step_id: str) -> None:
    if world.executions(f"{step_id}:"):
        world.on_wait = lambda: None
        world.request_cancel()


def case_about(world: World, run: Run, flow: FlowSpec, fate: Fate, step_id: str) -> Case:
    """Write a case that gives what has happened in a run, and expects its statuses."""
    begun = {step.step_id: step.status for step in run.steps if step.has_begun}
    executed = [found.command == flow.step(step_id).command for found in world.executions(step_id)]
    given = {
        name: status.lower()
        for name, status in begun.items()
        if status in {"FAILED", "SKIPPED"} and (name != step_id or fate != "timeout_at")
    }
    if fate and step_id in begun and (fate == "cancel_at" or any(executed)):
        given[fate] = step_id
    expect = {**told(run), "run": run.status.value}
    return Case(
        name=world.run_key,
        given=tuple(given.items()),
        expect=tuple(expect.items()),
        flow=flow,
        line=1,
    )


def other(random: Random, expect: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    expected = dict(expect)
    wrong = random.choice(list(expected))
    for name, status in expected.items():
        others = {"SUCCEEDED", "FAILED", "CANCELLED"} - {status}
        yield name, min(others) if name == wrong else status


def check_order(world: World, case: Case, random: Random) -> None:
    """An order that a case may say is that of the run, however long its commands took."""
    began = {found.key: found.begin for found in reversed(world.executions())}
    ended = {found.key: found.end for found in world.executions()}
    names = {key.split(":")[1] for key in began}
    pairs = list(permutations(sorted(names), 2))
    for first, second in random.sample(pairs, min(PAIRS, len(pairs))):
        ordered = attrs.evolve(case, order=(first, second))
        if not try_case(ordered, scenario_of(ordered)).failures:
            ends = [end for key, end in ended.items() if key.split(":")[1] == first]
            begins = [begin for key, begin in began.items() if key.split(":")[1] == second]
            assert max(end or 0.0 for end in ends) <= min(begins), (first, second)
