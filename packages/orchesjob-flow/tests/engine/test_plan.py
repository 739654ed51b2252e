"""Which steps can be decided, and in which order."""

from flow_spec import FlowSpec, StepSpec
from orchesjob_flow.engine.plan import plan_of


def test_the_order_of_the_file() -> None:
    """What is ready at the same time begins in the order in which the file names it, every time."""
    ids = [f"step-{number}" for number in range(30)]
    last = StepSpec(id="last", command=("true",), depends_on=tuple(ids))
    steps = [StepSpec(id=step_id, command=("true",)) for step_id in ids]
    assert list(plan_of(FlowSpec("f", (last, *steps)), None).get_ready()) == ids
