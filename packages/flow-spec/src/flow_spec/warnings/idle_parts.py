"""`IdleParts`, the parts of a condition without effect (rule 11.2).

A part is without effect if the condition comes to the same without it: by the condition alone,
whatever becomes of the steps; or given what the steps can do. The second is not said of

- a success in a row of successes (`extract && load`), nor `!extract` in `!extract || !load`: to
  list all of them is no mistake, though each may follow from another,
- a call such as `none(skipped)`, which asks all steps alike,
- `load.finished`, which is there to wait.
"""

from collections.abc import Sequence

import attrs

from flow_conditions import Condition, Functions, Name
from flow_spec.errors import Span
from flow_spec.flow import FlowSpec
from flow_spec.step import StepSpec
from flow_spec.warnings.outcomes import (
    Outcome,
    Outcomes,
    unknown_outcome,
    unknown_outcome_of_copies,
)
from flow_spec.warnings.phrases import Phrase

type Part = frozenset[Name]

_MOST_PARTS = 10
"""How many parts of one condition are named, which may hold thousands."""


@attrs.frozen
class IdleParts:
    """The question about one condition, as it is written."""

    flow: FlowSpec
    phrase: Phrase
    functions: Functions
    """Those of steps of which nothing is known."""

    def in_all(self, copies: Sequence[StepSpec], outcomes: Outcomes) -> list[Span]:
        """Return the parts that have no effect in any of the copies, some of very many.

        Raises:
            BudgetExceeded: it takes more than is left.
        """
        if len(self.phrase.pieces) == 1:
            return []
        rest, parts = self._whatever_happens()
        if len(rest.operands) > 1:
            of_copies = [self._given(step, outcomes, rest) for step in copies]
            parts += [part for part in of_copies[0] if all(part in more for more in of_copies[1:])]
        return sorted(map(self.phrase.span, parts[-_MOST_PARTS:]))

    def _whatever_happens(self) -> tuple[Condition, list[Part]]:
        """Return what is left by the condition alone, and the parts that are left out."""
        functions, phrase = self.functions, self.phrase
        in_finally = phrase.step.id in self.flow.finally_ids
        outcome_of: dict[str, Outcome] = {}

        def function_of(operand: Name) -> int:
            name = operand.name
            if name not in outcome_of:
                number = len(outcome_of) + 1
                outcome_of[name] = (
                    unknown_outcome_of_copies(functions, number)
                    if name in self.flow.copies
                    else unknown_outcome(functions, number, in_finally=in_finally)
                )
            return outcome_of[name].is_true(operand.predicate)

        def of_piece(name: Name) -> int:
            return functions.of(phrase.piece(name).condition, function_of)

        def keep(name: Name, is_negated: bool, _is_conjunctive: bool) -> bool:
            return phrase.piece(name).only_waits and not is_negated

        return functions.without_idle_parts(phrase.condition, of_piece, keep)

    def _given(self, step: StepSpec, outcomes: Outcomes, rest: Condition) -> list[Part]:
        """Return the parts of the rest that have no effect given what the steps can do."""
        phrase = Phrase.of(step)
        assert phrase is not None  # noqa: S101 - the copy of a step has its condition

        def of_piece(name: Name) -> int:
            return outcomes.functions.of(phrase.piece(name).condition, outcomes.function_of)

        def keep(name: Name, is_negated: bool, is_conjunctive: bool) -> bool:
            piece = phrase.piece(name)
            if piece.is_call or (piece.only_waits and not is_negated):
                return True
            return piece.predicate in {None, "succeeded"} and is_conjunctive is not is_negated

        return outcomes.functions.without_idle_parts(rest, of_piece, keep)[1]
