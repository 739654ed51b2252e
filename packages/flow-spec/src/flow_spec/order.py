"""The order in which steps can run, given what they wait for (rules 3.6 and 10.3)."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from flow_spec.blocks import base_of
from flow_spec.step import StepSpec

if TYPE_CHECKING:
    from graphlib import TopologicalSorter


def plan_of(
    steps: Sequence[StepSpec], copies: Mapping[str, Sequence[str]]
) -> "TopologicalSorter[str]":
    """Return the order of some steps by what they wait for among themselves.

    A name that means copies is a node of its own, so that ten thousand steps may wait for ten
    thousand copies. Where the steps are those that are written, a copy's id means its step.

    Raises:
        CycleError: they wait for each other.
    """
    # Importing it costs more than most commands need altogether.
    from graphlib import TopologicalSorter

    among = {step.id for step in steps}
    named = {name: ids for name, ids in copies.items() if among.issuperset(ids)}
    among.update(named)
    waits = {
        step.id: [
            name
            for written in step.waits_for
            if (name := written if written in among else base_of(written)) in among
        ]
        for step in steps
    }
    plan: TopologicalSorter[str] = TopologicalSorter({**waits, **named})
    plan.prepare()
    return plan


def ranks_of(
    steps: Sequence[StepSpec], copies: Mapping[str, Sequence[str]]
) -> tuple[tuple[StepSpec, ...], ...]:
    """Return steps in the order in which they can run, each rank after those it waits for."""
    plan = plan_of(steps, copies)
    places = {step.id: place for place, step in enumerate(steps)}
    ranks = []
    while ready := plan.get_ready():
        rank = sorted(places[name] for name in ready if name in places)
        if rank:
            ranks.append(tuple(steps[place] for place in rank))
        plan.done(*ready)
    return tuple(ranks)
