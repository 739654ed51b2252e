"""What `simulate` plays is what a run does, and what the model and the proofs say (11.2, 11.3)."""

from itertools import product
from pathlib import Path
from random import Random
from typing import Any

import attrs
import pytest

from flow_spec import FlowSpec, StepSpec
from flow_spec.warnings.proofs import Proofs
from flow_store import FlowStore, Run, RunStatus, StepStatus
from orchesjob_flow.simulation import (
    MOST_ENDINGS,
    Ending,
    Played,
    Scenario,
    endings_of,
    exit_code,
    play,
)

from .model import Case, fold, generate, is_to_run
from .world import World

# What `simulate` plays is what a run does, and what the model says (rule 11.3).

FLOWS, DRIVEN, BATCH = 500, 100, 50
OK, NG, SKIP = StepStatus.SUCCEEDED, StepStatus.FAILED, StepStatus.SKIPPED


def draw(random: Random, flow: FlowSpec) -> dict[str, StepStatus]:
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
        flow = case.flow
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
        flow = case.flow
        ends = draw(random, flow)
        with World(store, database, run_key=f"run-{seed}", seed=seed) as world:
            world.record_flow(flow)
            for spec in flow.all_steps:
                tell(world, spec, ends[spec.id])
            assert outline(world.drive()) == outline(play(flow, Scenario(ends)).run)


def tell(world: World, spec: StepSpec, ends: StepStatus) -> None:
    for number in range(1, attempts_at(spec, ends) + 1):
        code = exit_code(spec, ends, is_gate=bool(spec.only_if) and number == 1)
        world.plan(f"{spec.id}:{number}", code=code)


def told(run: Run) -> dict[str, str]:
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


# All ways in which a flow can end equal those of the model (rule 11.3).

ENDING, ENDING_BATCH = 120, 20


def by_brute_force(case: Case, flow: FlowSpec) -> dict[tuple[str, ...], str]:
    """Work out each ending from the model, over all outcomes: the run's by those of the steps."""
    ids = list(case.fates)  # none before what it waits for
    can_end = [(OK, NG, SKIP) if flow.step(name).may_skip_itself else (OK, NG) for name in ids]
    found = {}
    for ends in product(*can_end):
        statuses: dict[str, str] = {}
        for name, end in zip(ids, ends, strict=True):
            runs = is_to_run(flow.step(name), case, statuses)
            statuses[name] = end if runs else SKIP
        in_order = tuple(statuses[step.id] for step in flow.all_steps)
        found[in_order] = fold([*case.steps, *case.finally_], statuses)
    return found


@pytest.mark.parametrize("first", range(0, ENDING, ENDING_BATCH))
def test_endings_equal_the_model(first: int) -> None:
    """None is missing and none is made up; the options show what they should.

    The first is the one in which every command succeeds, and they follow by how many do not.
    """
    for seed in range(first, first + ENDING_BATCH):
        case = generate(seed, most_steps=4, most_in_finally=1)
        flow = case.flow
        if len(case.fates) > 7:
            continue
        endings = endings_of(flow, Scenario())
        found = {tuple(one.steps.values()): one.status.value for one in endings.found}
        assert found == by_brute_force(case, flow)
        assert endings.is_complete
        numbers = [len(one.by_themselves) for one in endings.found]
        assert numbers == sorted(numbers)
        for ending in endings.found[-3:]:
            assert told(play(flow, Scenario(ending.by_themselves)).run) == ending.steps


def alone(count: int) -> tuple[StepSpec, ...]:
    return tuple(StepSpec(f"s{number}", ("a",)) for number in range(count))


def test_too_many_to_play() -> None:
    """Those with the fewest failures are there, and it is said that there are more."""
    alert = StepSpec("alert", ("a",), when=" || ".join(f"s{number}.failed" for number in range(60)))
    chain = tuple(
        StepSpec(f"c{number}", ("a",), depends_on=(f"c{number - 1}",) if number else ())
        for number in range(20)
    )
    endings = endings_of(FlowSpec("f", (*alone(60), alert, *chain)), Scenario())
    assert not endings.is_complete
    assert 80 < len(endings.found) <= MOST_ENDINGS
    assert [len(one.by_themselves) for one in endings.found[:82]] == [0] + [1] * 80 + [2]


def test_a_cancel_and_a_time_limit_count() -> None:
    """What they end has no outcome of its own, so an ending is there once (5.6, 9.12)."""
    steps = (StepSpec("a", ("a",)), StepSpec("b", ("b",), depends_on=("a",)))
    endings = endings_of(FlowSpec("f", steps), Scenario(cancel_at=frozenset({"b"})))
    assert [(one.status, tuple(one.steps.values())) for one in endings.found] == [
        ("CANCELLED", (OK, "CANCELLED")),
        ("FAILED", (NG, SKIP)),
    ]
    slow = StepSpec("a", ("a",), retries=1, retry_delay_sec=20)
    late = endings_of(FlowSpec("f", (slow,), timeout_sec=10), Scenario())
    assert [(one.status, tuple(one.steps.values())) for one in late.found] == [
        ("SUCCEEDED", (OK,)),
        ("FAILED", ("CANCELLED",)),
    ]


def test_retries_do_not_matter() -> None:
    """A step with a million retries can end as any other."""
    flow = FlowSpec("f", (StepSpec("a", ("a",), retries=1_000_000, retry_delay_sec=60),))
    assert len(endings_of(flow, Scenario()).found) == 2


# What is proven about a flow is so in every run that the engine can make of it (rule 11.2).

PROVEN, PROVEN_BATCH = 150, 30


@pytest.mark.parametrize("first", range(0, PROVEN, PROVEN_BATCH))
def test_the_engine_agrees(first: int) -> None:
    """The real engine plays every run of a flow, and a cancel at each of its steps."""
    for seed in range(first, first + PROVEN_BATCH):
        case = generate(seed, most_steps=4, most_in_finally=1)
        flow = case.flow
        if len(case.fates) <= 6:
            check(flow)


def check(flow: FlowSpec) -> None:
    proofs = Proofs(flow)
    endings = endings_of(flow, Scenario())
    assert (endings.is_complete, proofs.are_complete) == (True, True)
    cancelled = [
        ending
        for step in flow.steps
        for ending in endings_of(flow, Scenario({}, frozenset({step.id}))).found
    ]
    for step in flow.as_written.all_steps:
        ids = flow.copies.get(step.id, (step.id,))
        seen = [one for ending in endings.found for one in ids if has_run(ending, one)]
        if step.id in proofs.never_run:
            assert (
                seen == [one for ending in cancelled for one in ids if has_run(ending, one)] == []
            )
        elif not (step.may_skip_itself or step.id in flow.finally_ids) and ids:
            assert seen != []
        if step.id in {*proofs.always_true, *proofs.runs_anyway} and not step.may_skip_itself:
            assert all(ending.steps[one] is not SKIP for ending in endings.found for one in ids)
    if (verdict := proofs.unhandled_failure) is not None:
        shown = [end for end in endings.found if verdict.outcomes.items() <= end.steps.items()]
        assert RunStatus.FAILED in {ending.status for ending in shown}


def has_run(ending: Ending, name: str) -> bool:
    """Whether a step has run: what was skipped by itself has."""
    did_end = ending.steps[name] in {StepStatus.SUCCEEDED, StepStatus.FAILED}
    return did_end or name in ending.by_themselves
