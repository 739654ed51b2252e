"""The outcomes that the steps of a flow can have, as functions of free variables.

Each step has variables of its own: whether it would fail, whether it would be skipped if its
fields allow that, and, where a run may be cut off by a cancel or a timeout, when it would have
ended. Its outcome follows from these and from the steps it waits for, as in the engine. So the
functions cover exactly the combinations that can occur.
"""

from collections.abc import Callable, Iterable, Sequence, Set
from enum import StrEnum
from functools import cached_property

import attrs

from flow_conditions import Functions, Name
from flow_spec.flow import FlowSpec
from flow_spec.step import StepSpec

_VARIABLES = 4  # of a step, each with a higher number than those of what it waits for
_ENDS_LATE, _ENDS_EARLY, _SKIPS, _FAILS = range(_VARIABLES)


class Fate(StrEnum):
    """The outcome of a step that runs and is not cut off."""

    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"


@attrs.frozen
class OutcomeFunctions:
    """The functions of one step, or of all copies of one: when each predicate is true."""

    succeeded: int
    failed: int
    skipped: int
    cancelled: int

    def is_true(self, predicate: str | None) -> int:
        """Return the function of an operand (rules 3.2, 3.3 and 10.1)."""
        if predicate == "finished":
            return Functions.TRUE
        function: int = getattr(self, predicate or "succeeded")
        return function


@attrs.define(eq=False, slots=False)
class Outcomes:
    """The outcomes of the steps added so far, and when each step runs.

    `runs` has the function that says whether each step runs once its condition is decided.
    """

    flow: FlowSpec
    functions: Functions
    open_lists: bool = True
    """Whether lists from files and folders may have other values next time."""
    runs: dict[str, int] = attrs.Factory(dict)
    positions: dict[str, int] = attrs.Factory(dict)
    """The order in which the steps were added; it numbers their variables."""
    _of: dict[str, OutcomeFunctions] = attrs.Factory(dict)
    _ended: dict[str, int] = attrs.Factory(dict)
    """The function that says whether a step has ended before the run is cut off."""

    def add(self, steps: Iterable[StepSpec], *, may_be_cut: bool = False) -> None:
        """Add steps; each waits only for steps that were added before.

        A run that is cut off begins and decides nothing more, and a step that has not ended by
        itself is CANCELLED (rules 5.6 and 10.1). Otherwise every step ends.

        Raises:
            BudgetExceeded: It takes more than is left.
        """
        for step in steps:
            self.positions[step.id] = len(self.positions) + 1
            condition = step.condition
            runs = Functions.TRUE
            if condition is not None:
                runs = self.functions.of(condition, self.function_of)
            if may_be_cut:
                self._add_cut(step, runs)
            else:
                self.runs[step.id] = runs
                self._of[step.id] = self._ended_by_itself(step, runs, runs ^ 1)

    def _ended_by_itself(self, step: StepSpec, ran: int, skipped: int) -> OutcomeFunctions:
        """Return the outcome of a step, given when it ran to its end and when it never began."""
        choice, variable = self.functions.choice, self._variable(step)
        never = Functions.FALSE
        if not (step.skip_exit_codes or step.only_if):
            failed = choice(variable + _FAILS, never, ran)
        else:
            failed = choice(variable + _FAILS, never, choice(variable + _SKIPS, ran, never))
            also = choice(variable + _SKIPS, skipped, self.functions.either(skipped, ran))
            skipped = choice(variable + _FAILS, skipped, also)
        succeeded = choice(variable + _FAILS, ran, never)
        return OutcomeFunctions(succeeded, failed, skipped, never)

    def _add_cut(self, step: StepSpec, is_true: int) -> None:
        both, choice, variable = self.functions.both, self.functions.choice, self._variable(step)
        waits = sorted((self._end_of(name) for name in step.waits_for), key=self.functions.level)
        decided = self.functions.joined(True, (self._begun, *waits))
        runs, is_skipped = both(decided, is_true), both(decided, is_true ^ 1)
        late = choice(variable + _ENDS_LATE, Functions.FALSE, runs)
        ran = choice(variable + _ENDS_EARLY, late, runs)
        outcome = self._ended_by_itself(step, ran, is_skipped)
        cancelled = self.functions.joined(
            False, (outcome.succeeded, outcome.failed, outcome.skipped)
        )
        self.runs[step.id] = runs
        self._of[step.id] = attrs.evolve(outcome, cancelled=cancelled ^ 1)
        self._ended[step.id] = choice(variable + _ENDS_EARLY, is_skipped, decided)

    @cached_property
    def _open_names(self) -> frozenset[str]:
        return names_of_open_lists(self.flow) if self.open_lists else frozenset()

    @property
    def _begun(self) -> int:
        """Whether anything was decided before the run was cut off."""
        return self.functions.variable(0)

    def _end_of(self, name: str) -> int:
        copies = self.flow.copies.get(name)
        if copies is None:
            return self._ended[name]
        return self.functions.joined(True, (self._ended[copy] for copy in copies))

    def _variable(self, step: StepSpec) -> int:
        return self.positions[step.id] * _VARIABLES

    def function_of(self, operand: Name) -> int:
        """Return the function of an operand of a condition."""
        return self.outcome(operand.name).is_true(operand.predicate)

    def outcome(self, name: str) -> OutcomeFunctions:
        """Return the outcome of a step, or of all copies of one (rule 10.3)."""
        if name not in self._of:
            self._of[name] = self._of_copies(name, self.flow.copies[name])
        return self._of[name]

    def _of_copies(self, name: str, copies: Sequence[str]) -> OutcomeFunctions:
        """Return the outcome of all copies of a step.

        If a file or a folder says how many there are, this may be different next time. Then only
        one thing is known: no two of the three outcomes hold at once.
        """
        functions = self.functions
        if name in self._open_names:
            self.positions[name] = number = len(self.positions) + 1
            return unknown_outcome_of_copies(functions, number)
        outcomes, never = [self._of[copy] for copy in copies], Functions.FALSE

        def joined(conjunctive: bool, of: Callable[[OutcomeFunctions], int]) -> int:
            return functions.joined(conjunctive, sorted(map(of, outcomes), key=functions.level))

        return OutcomeFunctions(
            succeeded=joined(True, lambda outcome: outcome.succeeded) if copies else never,
            failed=joined(False, lambda outcome: outcome.failed),
            skipped=joined(True, lambda outcome: outcome.skipped),
            cancelled=joined(False, lambda outcome: outcome.cancelled),
        )

    def fates(self, true: Set[int]) -> dict[str, Fate]:
        """Return the outcome of each step if it runs, given which variables are true."""

        def fate(variable: int) -> Fate:
            if variable + _FAILS not in true:
                return Fate.SUCCEEDED
            return Fate.SKIPPED if variable + _SKIPS in true else Fate.FAILED

        return {name: fate(number * _VARIABLES) for name, number in self.positions.items()}


def names_of_open_lists(flow: FlowSpec) -> frozenset[str]:
    """Return the ids, as written, of the steps whose copies depend on a file or a folder."""
    return frozenset(
        step_id
        for block in flow.blocks
        if any(one.origin is not None for one in block.lists)
        for step_id in block.ids
    )


def unknown_outcome(functions: Functions, number: int, *, in_finally: bool) -> OutcomeFunctions:
    """Return the outcome of a step about which nothing is known."""
    never_succeeded, other = (functions.variable(number * _VARIABLES + each) for each in range(2))
    both = functions.both
    third = both(never_succeeded, other)
    return OutcomeFunctions(
        succeeded=never_succeeded ^ 1,
        failed=both(never_succeeded, other ^ 1),
        skipped=both(third, functions.variable(number * _VARIABLES + 2)) if in_finally else third,
        cancelled=(
            both(third, functions.variable(number * _VARIABLES + 2) ^ 1)
            if in_finally
            else Functions.FALSE
        ),
    )


def unknown_outcome_of_copies(functions: Functions, number: int) -> OutcomeFunctions:
    """Return the outcome of copies about which nothing is known, not even how many there are."""
    free = [functions.variable(number * _VARIABLES + each) for each in range(_VARIABLES)]
    succeeded, also_skipped, also_failed, also_cancelled = free
    both = functions.both
    rest = both(succeeded ^ 1, also_skipped ^ 1)
    return OutcomeFunctions(
        succeeded=succeeded,
        failed=both(rest, also_failed),
        skipped=both(succeeded ^ 1, also_skipped),
        cancelled=both(rest, also_cancelled),
    )
