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


def plan_of(specs: Sequence[StepSpec]) -> TopologicalSorter[str]:
    """Plan the order of some steps by what they wait for among themselves: all else has ended.

    Steps that are ready at the same time are in the order in which the file names them.
    """
    among = {spec.id for spec in specs}
    plan: TopologicalSorter[str] = TopologicalSorter(
        {spec.id: [other for other in spec.waits_for if other in among] for spec in specs}
    )
    plan.prepare()
    return plan


def pair_up(flow: FlowSpec, run: Run) -> Iterator[tuple[StepSpec, Step]]:
    """Pair what should happen with what has happened, by the steps' ids."""
    specs = {spec.id: spec for spec in flow.all_steps}
    return ((specs[row.step_id], row) for row in run.steps)
