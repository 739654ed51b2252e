"""All ways in which a flow can end equal those of the model (rule 11.3)."""

from itertools import product

import pytest

from flow_spec import FlowSpec, StepSpec
from flow_store import StepStatus
from orchesjob_flow.simulation import (
    MOST_ENDINGS,
    Scenario,
    endings_of,
    play,
)

from .model import Case, fold, generate, is_to_run
from .test_simulated_runs import flow_of, told

FLOWS, BATCH = 120, 20
OK, NG, SKIP = StepStatus.SUCCEEDED, StepStatus.FAILED, StepStatus.SKIPPED


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


@pytest.mark.parametrize("first", range(0, FLOWS, BATCH))
def test_equals_the_model(first: int) -> None:
    """None is missing and none is made up; the options show what they should.

    The first is the one in which every command succeeds, and they follow by how many do not.
    """
    for seed in range(first, first + BATCH):
        case = generate(seed, most_steps=4, most_in_finally=1)
        flow = flow_of(case)
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
    """Make steps that wait for nothing."""
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


def test_what_is_named_is_settled() -> None:
    """The outcomes that are given hold in each ending; all others vary."""
    steps = (StepSpec("a", ("a",)), StepSpec("b", ("b",), when="a.failed"))
    endings = endings_of(FlowSpec("f", steps), Scenario({"a": NG}))
    assert [tuple(one.steps.values()) for one in endings.found] == [(NG, OK), (NG, NG)]
    assert [one.by_themselves for one in endings.found] == [{"a": NG}, {"a": NG, "b": NG}]


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
