"""What is recorded when a person decides how a step has ended (rule 12.3)."""

from collections.abc import Callable

import pytest

from flow_spec import Block, FlowSpec, StepSpec
from flow_store import Person, Run, RunStatus, Settlement, Step, StepStatus
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


def test_no_copies(ended: Callable[..., Run]) -> None:
    """A name of no copies means nothing that could be settled (rule 10.3)."""
    block = Block(("X",), (StepSpec("a", ("x",)),), (), 0)
    flow = FlowSpec("f", (StepSpec("b", ("x",)),), blocks=(block,)).with_copies()
    with pytest.raises(NotReopened, match="no copies"):
        plan_settle(ended("FAILED", flow), flow, "a", BY_HAND)
