"""All ways in which a run of a flow can end, over all outcomes of its steps (rule 11.3).

The flow is played again and again. Whenever a step comes to its end by itself, its other outcomes
are noted, and played later: those with the fewest failures and skips first. So no rule about runs
is repeated here. How many endings there are in all, where that is too many to play, is counted in
`counting`.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import attrs

from flow_spec import FlowSpec, StepSpec
from flow_store import FlowStatus, StepStatus
from orchesjob_flow.rehearsal.counting import count_endings
from orchesjob_flow.rehearsal.play import play_on, unbegun
from orchesjob_flow.rehearsal.script import Script, can_be_skipped, refuse_retries
from orchesjob_flow.rehearsal.stage import Stage

MOST_ENDINGS = 1_000
MOST_WORK = 10_000
"""Of all that is played together: a second or two."""


class Ending(NamedTuple):
    """How a run and each of its steps end, and which steps did not succeed by themselves for it."""

    status: FlowStatus
    steps: Mapping[str, StepStatus]
    by_themselves: Mapping[str, StepStatus]


class Endings(NamedTuple):
    """Different endings, and how many there are in all; None if they are too many to count."""

    found: Sequence[Ending]
    total: int | None

    @property
    def is_complete(self) -> bool:
        """Whether none is missing."""
        return self.total == len(self.found)


class Branch(NamedTuple):
    """Outcomes that are to be played: the first so many of what is asked are settled."""

    changed: Mapping[str, StepStatus]
    settled: int


def endings_of(flow: FlowSpec, script: Script) -> Endings:
    """Find the endings of a flow in which some steps may have an outcome already.

    Raises:
        TooManyRetries: It would take too long to use up all of them.
    """
    if flow.timeout_sec is None:
        flow = without_retries(flow)
    refuse_retries(flow.all_steps)
    run = unbegun(flow)
    branches = deque([Branch({}, 0)])
    found: dict[tuple[StepStatus, ...], Ending] = {}
    left = max(MOST_WORK // work_of(flow), 1)
    while branches and left and len(found) < MOST_ENDINGS:
        branch, left = branches.popleft(), left - 1
        wanted = Script({**branch.changed, **script.outcomes}, script.cancel_at)
        stage = Stage(flow, wanted.outcome_of, script.cancel_at)
        state, _ = play_on(stage, run)
        steps = {step.spec.id: step.row.status for step in state.steps}
        changed = {name: one for name, one in stage.outcomes.items() if one != "SUCCEEDED"}
        found.setdefault(tuple(steps.values()), Ending(state.status, steps, changed))
        free = [flow.step(name) for name in stage.outcomes if name not in script.outcomes]
        for place, spec in enumerate(free[branch.settled :], start=branch.settled + 1):
            for other in other_outcomes(spec):
                branches.append(Branch({**branch.changed, spec.id: other}, place))
    if not branches:
        return Endings([*found.values()], len(found))
    is_timeless = flow.timeout_sec is None and not script.cancel_at
    total = count_endings(flow, script.outcomes) if is_timeless else None
    return Endings([*found.values()], total)


def without_retries(flow: FlowSpec) -> FlowSpec:
    """Return a flow whose failures are final: where no time is limited, it ends in the same ways.

    A step is under way for less long; what comes of it is not changed by that.
    """
    return attrs.evolve(
        flow,
        steps=tuple(attrs.evolve(step, retries=0) for step in flow.steps),
        finally_=tuple(attrs.evolve(step, retries=0) for step in flow.finally_),
    )


def work_of(flow: FlowSpec) -> int:
    """Return what it takes to play a flow once: of many steps, each is told which have failed."""
    attempts = sum(step.retries + 1 for step in flow.all_steps)
    return attempts + attempts**2 // 1_000


def other_outcomes(spec: StepSpec) -> Sequence[StepStatus]:
    """Return how a step that runs can end, but for its success."""
    skipped = (StepStatus.SKIPPED,) if can_be_skipped(spec) else ()
    return (StepStatus.FAILED, *skipped)
