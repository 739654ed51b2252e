"""`Proofs`, what is proven about the steps of a flow over all outcomes that they can have (11.2).

A proof is about a step as it is written: of copies, it is true of all. It is about runs as they go
by themselves: what a person reopens with `retry --only` or changes meanwhile is not in it.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

import attrs

from flow_conditions import BudgetExceeded, Functions
from flow_spec.blocks import base_of
from flow_spec.flow import FlowSpec
from flow_spec.step import StepSpec
from flow_spec.warnings.alerts import unheard_failure
from flow_spec.warnings.idle_parts import IdleParts
from flow_spec.warnings.outcomes import Outcomes
from flow_spec.warnings.phrases import Phrase
from flow_spec.warnings.verdict import BUDGET, Verdict

_CONSTANTS = frozenset({Functions.TRUE, Functions.FALSE})


@attrs.define(eq=False, slots=False)
class Proofs:
    """The proofs about one flow. What is beyond the budget is not said, and not `are_complete`."""

    flow: FlowSpec
    budget: int = BUDGET
    are_complete: bool = True

    @cached_property
    def never_run(self) -> tuple[str, ...]:
        """The steps that can never run."""
        return tuple(
            step.id
            for step, outcomes, ids in self._decided()
            if all(outcomes.runs[one] == Functions.FALSE for one in ids)
        )

    @cached_property
    def always_true(self) -> tuple[str, ...]:
        """The steps whose `when` is always true, though it asks for more than that others end."""
        return tuple(
            phrase.step.id
            for phrase in self._always_true
            if not all(piece.only_waits for piece in phrase.pieces)
        )

    @cached_property
    def runs_anyway(self) -> tuple[str, ...]:
        """The steps of `steps` that wait for others, and run however these end but by a cancel.

        Nothing waits for them, so nothing is made of what they do.
        """
        return tuple(
            phrase.step.id
            for phrase in self._always_true
            if phrase.step.id not in self._waited_for | self.flow.finally_ids
        )

    @cached_property
    def no_effect(self) -> tuple[Verdict, ...]:
        """The parts of conditions without effect: see `IdleParts`."""
        verdicts: list[Verdict] = []
        functions = Functions(self.budget)
        for step, outcomes, ids in self._decided():
            phrase = Phrase.of(step)
            if phrase is None or any(outcomes.runs[one] in _CONSTANTS for one in ids):
                continue
            copies = [self.flow.step(one) for one in ids]
            try:
                parts = IdleParts(self.flow, phrase, functions).in_all(copies, outcomes)
            except BudgetExceeded:
                self.are_complete = False
            else:
                verdicts += (Verdict(step.id, part) for part in parts)
        return tuple(verdicts)

    @cached_property
    def unhandled_failure(self) -> Verdict | None:
        """A failure that no alert hears of, if the flow has alerts: see `unheard_failure`."""
        try:
            return unheard_failure(self._by_itself(), self._order)
        except BudgetExceeded:
            self.are_complete = False
            return None

    @cached_property
    def _always_true(self) -> tuple[Phrase, ...]:
        return tuple(
            phrase
            for step, outcomes, ids in self._decided()
            if all(outcomes.runs[one] == Functions.TRUE for one in ids)
            if (phrase := Phrase.of(step)) is not None
        )

    @cached_property
    def _written(self) -> Sequence[StepSpec]:
        return self.flow.as_written.all_steps

    @cached_property
    def _waited_for(self) -> frozenset[str]:
        return frozenset(base_of(name) for step in self._written for name in step.waits_for)

    @cached_property
    def _order(self) -> Sequence[StepSpec]:
        """The steps, each after those that it waits for; those of `finally` last."""
        flow = self.flow
        ranks = (*flow.ranks, *flow.finally_ranks)
        return tuple(step for rank in ranks for step in rank)

    @cached_property
    def _of_steps(self) -> Outcomes:
        """The outcomes in runs in which all of `steps` end."""
        outcomes = Outcomes(self.flow, Functions(self.budget))
        self._add(outcomes, self._order[: len(self.flow.steps)])
        return outcomes

    def _by_itself(self) -> Outcomes:
        """Return the outcomes of runs that are not cut off, with the copies that there are now.

        Raises:
            BudgetExceeded: it takes more than is left.
        """
        outcomes = self._of_steps
        if any(one.origin is not None for block in self.flow.blocks for one in block.lists):
            outcomes = Outcomes(self.flow, Functions(self.budget), open_lists=False)
        outcomes.functions.allow(self.budget)
        outcomes.add(step for step in self._order if step.id not in outcomes.runs)
        return outcomes

    @cached_property
    def _of_finally(self) -> Outcomes:
        """The outcomes that `finally` can find, which are those of runs that are cut off too."""
        outcomes = Outcomes(self.flow, Functions(self.budget))
        of_steps = self._order[: len(self.flow.steps)]
        last = self._order[len(of_steps) :]
        asks = any(step.condition is not None for step in last)
        if not asks or self._add(outcomes, of_steps, may_be_cut=True):
            self._add(outcomes, last)
        return outcomes

    def _add(
        self, outcomes: Outcomes, steps: Iterable[StepSpec], *, may_be_cut: bool = False
    ) -> bool:
        """Add steps, and tell whether that could be done; then let the proofs begin."""
        try:
            outcomes.add(steps, may_be_cut=may_be_cut)
        except BudgetExceeded:
            self.are_complete = False
            return False
        outcomes.functions.allow(self.budget)
        return True

    def _decided(self) -> Iterator[tuple[StepSpec, Outcomes, Sequence[str]]]:
        """Yield each step that has a condition, as written, and its copies or itself."""
        for step in self._written:
            ids = self.flow.copies.get(step.id, (step.id,))
            if step.condition is not None and ids:
                in_finally = step.id in self.flow.finally_ids
                outcomes = self._of_finally if in_finally else self._of_steps
                if outcomes.runs.keys() >= set(ids):
                    yield step, outcomes, ids


def steps_that_never_run(flow: FlowSpec) -> frozenset[str]:
    """Return the ids, as written, of the steps that can never run, as far as that is proven."""
    return frozenset(Proofs(flow).never_run)
