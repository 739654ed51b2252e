"""What follows when a person decides how a step has ended (rule 12.3)."""

from collections.abc import Callable

import pytest

from flow_spec import Block, Copy, FlowSpec, StepSpec
from flow_store import Person, Reopening, Run, RunStatus, Settlement, Step, StepStatus
from orchesjob_flow.engine.reopening import Settling, plan_settle
from orchesjob_flow.errors import NotReopened

MakeRun = Callable[..., Run]

# get -> load -> report -> archive, an alert, and a step beside them; then tidy and tell
FLOW = FlowSpec(
    "f",
    (
        StepSpec("get", ("x",)),
        StepSpec("load", ("x",), when="get", retries=3),
        StepSpec("report", ("x",), when="load", retries=1),
        StepSpec("archive", ("x",), when="report.finished"),
        StepSpec("alert", ("x",), when="load.failed"),
        StepSpec("beside", ("x",)),
    ),
    finally_=(
        StepSpec("tidy", ("x",), retries=2),
        StepSpec("tell", ("x",), when="load.failed"),
        StepSpec("last", ("x",), when="tidy"),
    ),
)
OUTCOMES = "SUCCEEDED FAILED SKIPPED SUCCEEDED SUCCEEDED CANCELLED FAILED SUCCEEDED SKIPPED"
BY_HAND = Settling(StepStatus.SUCCEEDED, "by hand", Person("ann", 1000), 50.0)


@pytest.fixture
def ended(make_run: MakeRun) -> Callable[..., Run]:
    """Make a run of a flow that has ended with some outcomes."""

    def make(outcomes: str = OUTCOMES, flow: FlowSpec = FLOW, **facts: object) -> Run:
        rows = [
            Step(
                *(place, spec.id, StepStatus(outcome), 1, 1, spec.retries),
                started_at=1.0,
                error="exit code 1" if outcome == "FAILED" else None,
                retry_no=2 if spec.id == "load" else 0,
            )
            for place, (spec, outcome) in enumerate(
                zip(flow.all_steps, outcomes.split(), strict=True)
            )
        ]
        steps = [(row, None) for row in rows]
        facts = {"status": RunStatus.FAILED, "definition": flow.to_json(), **facts}
        return make_run(*steps, **facts)

    return make


def again(run: Run, reopening: Reopening) -> list[str]:
    return [run.steps[position].step_id for position in reopening.resets]


def test_what_is_recorded(ended: Callable[..., Run]) -> None:
    """Who, when, as what and why, and what was recorded of the step until then."""
    run = ended(params={"DAY": "monday"})
    reopening = plan_settle(run, FLOW, "load", BY_HAND)
    assert reopening.params == {"DAY": "monday"}
    assert reopening.settled == [
        Settlement(
            position=1,
            retry_no=2,
            status=StepStatus.SUCCEEDED,
            was=StepStatus.FAILED,
            error="exit code 1",
            by=Person("ann", 1000),
            at=50.0,
            reason="by hand",
        )
    ]


@pytest.mark.parametrize(
    ("name", "how"),
    [("get", "is SUCCEEDED"), ("report", "is SKIPPED"), ("archive", "is SUCCEEDED")],
)
def test_only_what_has_not_ended_well(ended: Callable[..., Run], name: str, how: str) -> None:
    """A step that SUCCEEDED, or was SKIPPED, is not settled."""
    with pytest.raises(NotReopened, match=f"step '{name}' of run .* {how}: only a step"):
        plan_settle(ended(), FLOW, name, BY_HAND)


@pytest.mark.parametrize(
    ("outcomes", "settled"),
    [
        ("SUCCEEDED FAILED CANCELLED SKIPPED", ["a@q", "a@r"]),
        ("FAILED SKIPPED FAILED SKIPPED", ["a@p", "a@r"]),
    ],
)
def test_copies(ended: Callable[..., Run], outcomes: str, settled: list[str]) -> None:
    """The name of all copies means those that have not ended well (rule 10.3)."""
    copies = tuple(Copy(label, (label,)) for label in "pqr")
    block = Block(("X",), (StepSpec("a", ("x",)),), copies, 0)
    flow = FlowSpec("f", (StepSpec("b", ("x",), when="a"),), blocks=(block,)).with_copies()
    run = ended(outcomes, flow)
    reopening = plan_settle(run, flow, "a", BY_HAND)
    assert [run.steps[one.position].step_id for one in reopening.settled] == settled
    assert again(run, reopening) == ["b"]
    with pytest.raises(NotReopened, match="step 'b' of run"):
        plan_settle(run, flow, "b", BY_HAND)


def test_no_copies(ended: Callable[..., Run]) -> None:
    """A name of no copies means nothing that could be settled (rule 10.3)."""
    block = Block(("X",), (StepSpec("a", ("x",)),), (), 0)
    flow = FlowSpec("f", (StepSpec("b", ("x",)),), blocks=(block,)).with_copies()
    with pytest.raises(NotReopened, match="no copies"):
        plan_settle(ended("FAILED", flow), flow, "a", BY_HAND)
