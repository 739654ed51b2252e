"""All ways in which a run of a flow can end, over all outcomes of its steps (rule 11.3).

The flow is played again and again. Whenever a step ends by itself, its other outcomes are noted and
played later, those with the fewest failures and skips first. So no rule about runs is repeated
here. Where there are too many endings to play them, they are only counted.
"""

from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import attrs

from flow_conditions import Condition
from flow_spec import FlowSpec, StepSpec, base_of
from flow_store import FlowStatus, StepStatus
from orchesjob_flow.engine.state import is_true, is_true_of_copies
from orchesjob_flow.simulation.world import (
    Scenario,
    World,
    can_be_skipped,
    play_in,
    refuse_retries,
    unbegun,
)

MOST_WORK_OF_COUNTING = 1_000_000
"""Of how many words the conditions are that are looked at: a second or two."""

WORK_OF_STEP = 4
MOST_COUNTED = 10**300
"""Numbers beyond are none to many a reader of JSON."""

type Rest = Condition | bool | None


class Known(NamedTuple):
    """What the steps that are decided leave: of conditions to come, and of copies to come."""

    rests: tuple[tuple[str, Rest], ...] = ()
    copies: tuple[tuple[str, frozenset[StepStatus]], ...] = ()


def count_endings(flow: FlowSpec, fixed: Mapping[str, StepStatus]) -> int | None:
    """Count the endings over all outcomes of the steps that are not fixed.

    None if that takes too long, or if they are more than can be told. No limit of time is minded.
    """
    counting = _Counting(flow, fixed)
    known = Counter({counting.begin(): 1})
    for spec in counting.order:
        following: Counter[Known] = Counter()
        for before, count in known.items():
            for after in counting.decide(spec, before):
                following[after] += count
            if counting.work > MOST_WORK_OF_COUNTING:
                return None
        known = following
    return known.total() if known.total() <= MOST_COUNTED else None


def in_depth(flow: FlowSpec, steps: Sequence[StepSpec]) -> Iterator[StepSpec]:
    """Yield steps that are under way together in an order in which they can be decided.

    What waits for a step follows it as soon as possible, so that it is soon forgotten again.
    """
    specs = {spec.id: spec for spec in steps}
    plan = flow.plan_of(steps)
    ready = [*reversed(plan.get_ready())]
    while ready:
        name = ready.pop()
        if name in specs:
            yield specs[name]
        plan.done(name)
        ready += reversed(plan.get_ready())


class _Counting:
    """The steps of a flow in an order in which they can be decided, and who asks about whom."""

    def __init__(self, flow: FlowSpec, fixed: Mapping[str, StepStatus]) -> None:
        """Look who asks about whom."""
        self.order = [*in_depth(flow, flow.steps), *in_depth(flow, flow.finally_)]
        self.work = 0
        self._fixed = fixed
        self._copies = flow.copies
        self._last_copy = {base_of(spec.id): spec.id for spec in self.order}
        self._asking: dict[str, list[StepSpec]] = {}
        for spec in self.order:
            for name in () if spec.condition is None else spec.condition.names:
                self._asking.setdefault(name, []).append(spec)
        self._restricted: dict[tuple[Condition, str, object], Condition | bool] = {}

    def begin(self) -> Known:
        """Return what is known before any step: that there are no copies of some."""
        known = Known()
        for name, copies in self._copies.items():
            if not copies:
                known = self._tell(known, name, frozenset())
        return known

    def decide(self, spec: StepSpec, known: Known) -> Iterator[Known]:
        """Yield what is known after a step, for each of its outcomes."""
        rests = dict(known.rests)
        runs = rests.pop(spec.id, spec.condition)
        known = known._replace(rests=tuple(rests.items()))
        self.work += WORK_OF_STEP * (len(rests) + 1)
        for status in self._outcomes(spec) if runs in (None, True) else (StepStatus.SKIPPED,):
            after = self._tell(known, spec.id, status)
            base = base_of(spec.id)
            yield self._tell_of_copy(after, base, spec, status) if base in self._asking else after

    def _outcomes(self, spec: StepSpec) -> Sequence[StepStatus]:
        if spec.id in self._fixed:
            return (self._fixed[spec.id],)
        skipped = (StepStatus.SKIPPED,) if can_be_skipped(spec) else ()
        return (StepStatus.SUCCEEDED, StepStatus.FAILED, *skipped)

    def _tell_of_copy(self, known: Known, base: str, spec: StepSpec, status: StepStatus) -> Known:
        """Add the outcome of a copy to those of the others; tell them when it is the last."""
        if base == spec.id:
            return known
        copies = dict(known.copies)
        statuses = copies.pop(base, frozenset()) | {status}
        if self._last_copy[base] == spec.id:
            return self._tell(known._replace(copies=tuple(copies.items())), base, statuses)
        return known._replace(copies=tuple((copies | {base: statuses}).items()))

    def _tell(self, known: Known, name: str, outcome: StepStatus | frozenset[StepStatus]) -> Known:
        """Put an outcome into the conditions that ask about it."""
        asking = self._asking.get(name, ())
        if not asking:
            return known
        rests = dict(known.rests)
        for spec in asking:
            rest = rests.get(spec.id, spec.condition)
            if isinstance(rest, Condition):
                self.work += len(rest.program)
                rests[spec.id] = self._restrict(rest, name, outcome)
        return known._replace(rests=tuple(sorted(rests.items(), key=lambda item: item[0])))

    def _restrict(
        self, rest: Condition, name: str, outcome: StepStatus | frozenset[StepStatus]
    ) -> Condition | bool:
        key = rest, name, outcome
        if key not in self._restricted:
            self._restricted[key] = rest.restrict(
                {
                    operand: is_true(operand.predicate, outcome)
                    if isinstance(outcome, StepStatus)
                    else is_true_of_copies(operand.predicate, outcome)
                    for operand in rest.operands
                    if operand.name == name
                }
            )
        return self._restricted[key]


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


def endings_of(flow: FlowSpec, scenario: Scenario) -> Endings:
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
        wanted = Scenario({**branch.changed, **scenario.outcomes}, scenario.cancel_at)
        world = World(flow, wanted.outcome_of, scenario.cancel_at)
        state, _ = play_in(world, run)
        steps = {step.spec.id: step.row.status for step in state.steps}
        changed = {name: one for name, one in world.outcomes.items() if one != "SUCCEEDED"}
        found.setdefault(tuple(steps.values()), Ending(state.status, steps, changed))
        free = [flow.step(name) for name in world.outcomes if name not in scenario.outcomes]
        for place, spec in enumerate(free[branch.settled :], start=branch.settled + 1):
            for other in other_outcomes(spec):
                branches.append(Branch({**branch.changed, spec.id: other}, place))
    if not branches:
        return Endings([*found.values()], len(found))
    is_timeless = flow.timeout_sec is None and not scenario.cancel_at
    total = count_endings(flow, scenario.outcomes) if is_timeless else None
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
