"""What `simulate` plays is what a run does, and what the model says (rule 11.3)."""

from pathlib import Path
from random import Random
from typing import Any

import attrs
import pytest

from flow_spec import FlowSpec, StepSpec
from flow_store import FlowStore, Run, StepStatus
from orchesjob_flow.simulation import Played, Scenario, exit_code, play

from .model import Case, fold, generate, is_to_run
from .world import World

FLOWS, DRIVEN, BATCH = 500, 100, 50
OK, NG, SKIP = StepStatus.SUCCEEDED, StepStatus.FAILED, StepStatus.SKIPPED


def flow_of(case: Case) -> FlowSpec:
    """Make the flow of a case."""
    return FlowSpec(
        "f",
        tuple(step for step in case.steps if "@" not in step.id),
        max_parallel=case.max_parallel,
        finally_=case.finally_,
        blocks=case.blocks,
    ).with_copies()


def draw(random: Random, flow: FlowSpec) -> dict[str, StepStatus]:
    """Say how each step ends if it comes to run."""
    return {
        step.id: random.choice((OK, OK, NG, SKIP) if step.may_skip_itself else (OK, OK, NG))
        for step in flow.all_steps
    }


def attempts_at(spec: StepSpec, ends: StepStatus) -> int:
    """Count the attempts at a step that comes to run, its gate included (5.4, 9.12, 10.8)."""
    if ends is SKIP and not spec.skip_exit_codes:
        return 1
    is_repeated = ends is NG and not spec.retry_exit_codes  # never with the code of a failure here
    return bool(spec.only_if) + 1 + (spec.retries if is_repeated else 0)


@pytest.mark.parametrize("first", range(0, FLOWS, BATCH))
def test_equals_the_model(first: int) -> None:
    """Statuses, attempts and the end of the run follow from sections 3 and 5 of the rules."""
    for seed in range(first, first + BATCH):
        case, random = generate(seed), Random(seed)  # noqa: S311 - reproducible on purpose
        flow = flow_of(case)
        ends = draw(random, flow)
        statuses: dict[str, str] = {}
        attempts = {}
        for step_id in case.fates:  # none before what it waits for
            spec = flow.step(step_id)
            runs = is_to_run(spec, case, statuses)
            statuses[step_id] = ends[step_id] if runs else SKIP
            attempts[step_id] = attempts_at(spec, ends[step_id]) if runs else 0
        played = play(flow, Scenario(ends))
        assert told(played.run) == statuses
        assert {step.step_id: step.attempt_no for step in played.run.steps} == attempts
        assert played.run.status == fold([*case.steps, *case.finally_], statuses)
        assert played.outcomes == {name: ends[name] for name in attempts if attempts[name]}


@pytest.mark.parametrize("first", range(0, DRIVEN, BATCH))
def test_equals_a_run(store: FlowStore, database: Path, first: int) -> None:
    """The runner's own loop, with its store, records the same of every step and every attempt."""
    for seed in range(first, first + BATCH):
        case, random = generate(seed), Random(seed)  # noqa: S311 - reproducible on purpose
        flow = flow_of(case)
        ends = draw(random, flow)
        with World(store, database, run_key=f"run-{seed}", seed=seed) as world:
            world.record(
                *case.steps,
                max_parallel=case.max_parallel,
                finally_=case.finally_,
                blocks=case.blocks,
            )
            for spec in flow.all_steps:
                tell(world, spec, ends[spec.id])
            assert outline(world.drive()) == outline(play(flow, Scenario(ends)).run)


def tell(world: World, spec: StepSpec, ends: StepStatus) -> None:
    """Let all attempts at a step end as a simulation has them end."""
    for number in range(1, attempts_at(spec, ends) + 1):
        code = exit_code(spec, ends, is_gate=bool(spec.only_if) and number == 1)
        world.plan(f"{spec.id}:{number}", code=code)


def told(run: Run) -> dict[str, str]:
    """Return the statuses of the steps."""
    return {step.step_id: step.status.value for step in run.steps}


def outline(run: Run) -> object:
    """Return what a run has in common with any other one that goes the same way."""
    steps = [(s.step_id, s.status, s.attempt_no, s.failures, s.error) for s in run.steps]
    past = [(one.position, one.number, one.status, one.error, one.is_gate) for one in run.history]
    return run.status, run.error, run.finally_after, steps, past


def test_delays_are_waited_for() -> None:
    """A retry begins after its delay, which grows; a command takes one second (rule 9.12)."""
    step = StepSpec("a", ("a",), retries=3, retry_delay_sec=60, retry_backoff=2)
    run = play(FlowSpec("f", (step,)), Scenario({"a": NG})).run
    assert [past.started_at for past in run.history] == [0, 61, 182, 423]
    assert (run.status, run.finished_at) == ("FAILED", 424)


def test_only_delays_use_up_the_time_of_a_flow() -> None:
    """Made-up durations never end a run early; delays do, as they would (rule 9.12)."""
    steps = [StepSpec("s0", ("a",), retries=1, retry_delay_sec=20)]
    steps += [StepSpec(f"s{n}", ("a",), depends_on=(f"s{n - 1}",)) for n in range(1, 30)]
    flow = FlowSpec("f", tuple(steps), timeout_sec=10)
    assert play(flow, Scenario()).run.status == "SUCCEEDED"
    late = play(flow, Scenario({"s0": NG})).run
    assert (late.status, late.error, late.finished_at) == ("FAILED", "timed out after 10 s", 10)
    assert set(told(late).values()) == {"CANCELLED"}


def test_a_short_time_limit_ends_no_step() -> None:
    """A step that is to succeed does, however short its `timeout_sec` is."""
    step = StepSpec("a", ("a",), timeout_sec=0.5)
    assert told(play(FlowSpec("f", (step,)), Scenario()).run) == {"a": "SUCCEEDED"}


@pytest.mark.parametrize(
    ("fields", "ends", "code"),
    [
        ({}, OK, 0),
        ({"success_exit_codes": (3, 4)}, OK, 3),
        ({}, NG, 1),
        ({"success_exit_codes": (0, 1), "skip_exit_codes": (2,)}, NG, 3),
        ({"success_exit_codes": tuple(range(256))}, NG, -1),
        ({"success_exit_codes": tuple(range(1, 256))}, NG, 0),
        ({"skip_exit_codes": (9, 5)}, SKIP, 9),
    ],
)
def test_exit_codes(fields: dict[str, Any], ends: StepStatus, code: int) -> None:
    """The lists of a step say which code ends it in what way (rule 9.12)."""
    spec = attrs.evolve(StepSpec("a", ("a",)), **fields)
    assert exit_code(spec, ends, is_gate=False) == code
    assert told(play(FlowSpec("f", (spec,)), Scenario({"a": ends})).run) == {"a": ends.value}


def cancelled(flow: FlowSpec, *step_ids: str) -> Played:
    """Play a flow with a cancel when the first of these steps begins."""
    return play(flow, Scenario(cancel_at=frozenset(step_ids)))


def test_a_cancel() -> None:
    """It ends what runs, lets nothing more begin but `finally`, and comes once (5.6, 10.1)."""
    steps = (
        StepSpec("a", ("a",)),
        StepSpec("b", ("b",), depends_on=("a",)),
        StepSpec("beside", ("b",), depends_on=("a",)),
        StepSpec("c", ("c",), depends_on=("b",)),
    )
    flow = FlowSpec("f", steps, finally_=(StepSpec("tidy", ("t",)), StepSpec("never", ("n",))))
    played = cancelled(flow, "b")
    assert (played.run.status, played.cancelled_at) == ("CANCELLED", 1)
    assert told(played.run) == {
        "a": "SUCCEEDED",
        **dict.fromkeys(("b", "beside", "c"), "CANCELLED"),
        **dict.fromkeys(("tidy", "never"), "SUCCEEDED"),
    }
    assert [step.attempt_no for step in played.run.steps] == [1, 1, 1, 0, 1, 1]
    assert cancelled(flow, "tidy").run.status == "SUCCEEDED"  # its steps had ended


def test_a_cancel_that_never_comes() -> None:
    """A step that does not begin cancels nothing."""
    steps = (StepSpec("a", ("a",)), StepSpec("b", ("b",), when="a.failed"))
    assert cancelled(FlowSpec("f", steps), "b")[1:] == ({"a": OK}, None)
