"""What is proven about a flow is so in every run that the engine can make of it (rule 11.2)."""

import pytest

from flow_spec import FlowSpec
from flow_spec.warnings.proofs import Proofs
from flow_store import RunStatus, StepStatus
from orchesjob_flow.simulation import Ending, Scenario, endings_of

from .model import generate
from .test_simulated_runs import flow_of

FLOWS, BATCH = 150, 30
SKIP = StepStatus.SKIPPED


@pytest.mark.parametrize("first", range(0, FLOWS, BATCH))
def test_the_engine_agrees(first: int) -> None:
    """The real engine plays every run of a flow, and a cancel at each of its steps."""
    for seed in range(first, first + BATCH):
        case = generate(seed, most_steps=4, most_in_finally=1)
        flow = flow_of(case)
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
