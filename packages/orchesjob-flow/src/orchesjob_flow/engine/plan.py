"""Which steps of a flow are under way together, and in which order they can be decided.

A run consists of `steps`, and after the end of all these, of `finally` (rule 10.1).
"""

from collections.abc import Iterator, Sequence
from graphlib import TopologicalSorter

from flow_spec import FlowSpec, StepSpec
from flow_store import Outcome, Run, Step


def steps_under_way(flow: FlowSpec, finally_after: Outcome | None) -> Sequence[StepSpec]:
    """Return the steps of a flow that can be under way at the same time."""
    return flow.steps if finally_after is None else flow.finally_


def plan_of(flow: FlowSpec, finally_after: Outcome | None) -> TopologicalSorter[str]:
    """Plan the order of the steps under way by what they wait for among themselves.

    All else has ended. A name that means copies is ready when all of these have ended. Steps that
    are ready at the same time are in the order in which the file names them.
    """
    return flow.plan_of(steps_under_way(flow, finally_after))


def pair_up(flow: FlowSpec, run: Run) -> Iterator[tuple[StepSpec, Step]]:
    """Pair what should happen with what has happened, by the steps' ids."""
    specs = {spec.id: spec for spec in flow.all_steps}
    return ((specs[row.step_id], row) for row in run.steps)
