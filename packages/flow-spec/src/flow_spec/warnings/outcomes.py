"""The outcomes that the steps of a flow can have, as functions of free variables.

Each step has variables of its own: whether it would fail, whether it would be skipped if its
fields allow that, and, where a run may be cut off by a cancel or a timeout, when it would have
ended. Its outcome follows from these and from the steps it waits for, as in the engine. So the
functions cover exactly the combinations that can occur.

`ConditionText` is a condition as it is written, in pieces.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from functools import cached_property, partial
from itertools import pairwise

import attrs

from flow_conditions import Condition, Functions, Name, parse
from flow_spec.errors import Span
from flow_spec.fields.predicates import (
    RUN_WORD,
    SKIPPED_ITSELF,
    SUCCEEDED,
    End,
    holds,
    operands_of,
    parse_when,
    quantifier_of,
)
from flow_spec.flow import FlowSpec
from flow_spec.step import StepSpec, base_of

NOT, AND = "!", "&&"
CONNECTIVES = frozenset({NOT, AND, "||"})

_ENDS_LATE, _ENDS_EARLY, _SKIPS, _FAILS = range(4)
_TIMES_OUT = 1  # of the run: whether what cuts it off is its timeout
_VARIABLES = 5  # at most of a step; they have higher numbers than those of what it waits for


@attrs.frozen
class OutcomeFunctions:
    """The functions of one step: when each predicate is true."""

    succeeded: int
    failed: int
    skipped: int
    cancelled: int
    passed: int
    finished: int = Functions.TRUE

    def is_true(self, predicate: str | None) -> int:
        """Return the function of an operand (rules 3.2, 3.3, 3.8 and 10.1)."""
        function: int = getattr(self, predicate or "succeeded")
        return function

    def if_run(self, functions: Functions) -> "OutcomeFunctions":
        """Return the outcome if the step had SUCCEEDED where it passed without running (3.8)."""
        idle = functions.both(self.skipped, self.passed)
        return attrs.evolve(
            self,
            succeeded=functions.either(self.succeeded, idle),
            skipped=functions.both(self.skipped, idle ^ 1),
        )


@attrs.define(eq=False, slots=False)
class CopiesFunctions:
    """The functions of all copies of a step (rule 10.3).

    `some` are true of a copy that exists, and `every` of a copy that does not or for which it is
    true. If no copies exist, they count as skipped by their own decision.
    """

    functions: Functions
    some: Sequence[OutcomeFunctions]
    every: Sequence[OutcomeFunctions]
    exist: int
    """Whether there are any copies."""
    absent: End[str] = SKIPPED_ITSELF
    """What they count as if there are none."""
    _found: dict[tuple[str, str | None], int] = attrs.Factory(dict)

    def is_true(self, operand: Name) -> int:
        """Return the function of an operand (rules 3.7 and 10.3)."""
        quantifier, predicate = quantifier_of(operand), operand.predicate
        if quantifier == "none":
            return self._function("any", predicate) ^ 1
        return self._function(quantifier, predicate)

    def _function(self, quantifier: str, predicate: str | None) -> int:
        asked = quantifier, predicate
        if asked not in self._found:
            of = self.every if quantifier == "all" else self.some
            found = (outcome.is_true(predicate) for outcome in of)
            function = self.functions.joined(quantifier == "all", found)
            if quantifier == "all" and not holds(predicate, self.absent):
                function = self.functions.both(function, self.exist)
            self._found[asked] = function
        return self._found[asked]

    @cached_property
    def if_run(self) -> "CopiesFunctions":
        """The outcomes if every copy that passed without running had SUCCEEDED (3.8)."""
        some, every = ([one.if_run(self.functions) for one in of] for of in (self.some, self.every))
        return CopiesFunctions(self.functions, some, every, self.exist, SUCCEEDED)


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
    _of_copies: dict[str, CopiesFunctions] = attrs.Factory(dict)
    _optional: set[str] = attrs.Factory(set)
    """The ids, as written, of the steps that can pass without running."""
    _may_be_cut: bool = False
    _ended: dict[str, int] = attrs.Factory(dict)
    """The function that says whether a step has ended before the run is cut off."""

    def add(self, steps: Iterable[StepSpec], *, may_be_cut: bool = False) -> None:
        """Add steps; each waits only for steps that were added before.

        A run that is cut off begins and decides nothing more, and a step that has not ended by
        itself is CANCELLED (rules 5.6 and 10.1). Otherwise every step ends.

        Raises:
            BudgetExceeded: It takes more than is left.
        """
        self._may_be_cut = self._may_be_cut or may_be_cut
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
            outcome = self._of[step.id]
            if self.functions.both(outcome.skipped, outcome.passed) != Functions.FALSE:
                self._optional.add(base_of(step.id))

    def _passed_over(self, step: StepSpec, skipped: int) -> int:
        """Return when a step passed although its condition skipped it (rule 3.8)."""
        condition, names = step.condition, {base_of(name) for name in step.waits_for}
        absent = any(self.flow.copies.get(name) == () for name in step.waits_for)
        is_open = not self.open_names.isdisjoint(names)
        if condition is None or not (absent or is_open or not self._optional.isdisjoint(names)):
            return Functions.FALSE
        if_run = partial(self.function_of, if_run=True)
        return self.functions.both(skipped, self.functions.of(condition, if_run))

    def _ended_by_itself(self, step: StepSpec, ran: int, skipped: int) -> OutcomeFunctions:
        """Return the outcome of a step, given when it ran to its end and when it never began."""
        over = self._passed_over(step, skipped)
        choice, variable = self.functions.choice, self._variable(step)
        never = Functions.FALSE
        passed = ran if step.allow_failure else never  # unless it would succeed
        if not step.may_skip_itself:
            failed = choice(variable + _FAILS, never, ran)
        else:
            failed = choice(variable + _FAILS, never, choice(variable + _SKIPS, ran, never))
            also = choice(variable + _SKIPS, skipped, self.functions.either(skipped, ran))
            skipped = choice(variable + _FAILS, skipped, also)
            passed = choice(variable + _SKIPS, passed, ran)
        succeeded = choice(variable + _FAILS, ran, never)
        passed = self.functions.either(choice(variable + _FAILS, ran, passed), over)
        return OutcomeFunctions(succeeded, failed, skipped, never, passed)

    def _add_cut(self, step: StepSpec, is_true: int) -> None:
        both, choice, variable = self.functions.both, self.functions.choice, self._variable(step)
        waits = (self._end_of(name) for name in step.waits_for)
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
    def _run_ends(self) -> Mapping[str, int]:
        """When each `run(...)` is true; the steps that it is about have been added (rule 3.9)."""
        both, joined = self.functions.both, self.functions.joined
        judged = [(step, self._of[step.id]) for step in self.flow.judged_steps]
        failed = joined(False, (of.failed for step, of in judged if not step.allow_failure))
        cut = joined(False, (of.cancelled for _, of in judged))
        timed_out = Functions.FALSE
        if self.flow.timeout_sec is not None:
            timed_out = both(cut, self.functions.variable(_TIMES_OUT))
        return {
            "succeeded": both(cut ^ 1, failed ^ 1),
            "failed": self.functions.either(both(failed, cut ^ 1), timed_out),
            "cancelled": both(cut, timed_out ^ 1),
            "timed_out": timed_out,
        }

    @cached_property
    def open_names(self) -> frozenset[str]:
        """The ids, as written, of the steps whose copies may be others next time."""
        return frozenset(
            step_id
            for block in self.flow.blocks
            if self.open_lists and any(one.origin is not None for one in block.lists)
            for step_id in block.ids
        )

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

    def function_of(self, operand: Name, *, if_run: bool = False) -> int:
        """Return the function of an operand of a condition.

        With `if_run`, as if every step that passed without running had SUCCEEDED (rule 3.8).
        """
        name = operand.name
        if operand.quantifier == RUN_WORD:
            return self._run_ends[name]
        if (outcome := self._of.get(name)) is not None:
            outcome = outcome.if_run(self.functions) if if_run else outcome
            return outcome.is_true(operand.predicate)
        if name not in self._of_copies:
            self._of_copies[name] = self._copies_of(name)
        copies = self._of_copies[name]
        return (copies.if_run if if_run else copies).is_true(operand)

    def outcome(self, step_id: str) -> OutcomeFunctions:
        """Return the outcome of a step."""
        return self._of[step_id]

    def of_piece(self, piece: "Piece") -> int:
        """Return the function of a piece of a condition."""
        return self.functions.of(piece.condition, self.function_of)

    def of_text(self, text: "ConditionText", condition: Condition) -> int:
        """Return the function of a condition over the pieces of a text."""
        return self.functions.of(condition, lambda name: self.of_piece(text.piece(name)))

    def _copies_of(self, name: str) -> CopiesFunctions:
        if name in self.open_names:
            return self._unknown_copies(name)
        copies = self.flow.copies[name]
        outcomes = [self._of[copy] for copy in copies]
        exist = Functions.TRUE if copies else Functions.FALSE
        return CopiesFunctions(self.functions, outcomes, outcomes, exist)

    def _unknown_copies(self, name: str) -> CopiesFunctions:
        """Return the functions of copies about which nothing is known, not even their number.

        Any set of the ends that one of them can have may occur.
        """
        functions, step = self.functions, self.flow.as_written.step(name)
        statuses = ["SUCCEEDED", "FAILED", "SKIPPED", *(["CANCELLED"] if self._may_be_cut else [])]
        ends = [step.end(status, was_due=False) for status in statuses]
        if step.may_skip_itself or step.condition is not None:
            ends.append(step.end("SKIPPED", was_due=True))
        self.positions[name] = number = len(self.positions) + 1
        predicates = [field.name for field in attrs.fields(OutcomeFunctions)]
        some, every, occur = [], [], []
        for variable, end in enumerate(ends, start=number * _VARIABLES):
            occurs = functions.variable(variable)
            true = [holds(predicate, end) for predicate in predicates]
            some.append(OutcomeFunctions(*(occurs if one else Functions.FALSE for one in true)))
            every.append(OutcomeFunctions(*(Functions.TRUE if one else occurs ^ 1 for one in true)))
            occur.append(occurs)
        return CopiesFunctions(functions, some, every, functions.joined(False, occur))

    def fates(self, true: Set[int]) -> dict[str, str]:
        """Return the outcome of each step if it runs, given which variables are true.

        No step is cut off.
        """

        def fate(variable: int) -> str:
            if variable + _FAILS not in true:
                return "SUCCEEDED"
            return "SKIPPED" if variable + _SKIPS in true else "FAILED"

        return {name: fate(number * _VARIABLES) for name, number in self.positions.items()}


@attrs.frozen
class Piece:
    """An operand or a call in the text of a condition, as a condition of its own.

    `is_call` tells a call such as `any(failed)`, which asks all steps of a list alike, and
    `is_negated` whether the negations around it turn it over.
    """

    begin: int
    end: int
    condition: Condition
    is_call: bool
    is_negated: bool

    @property
    def predicate(self) -> str | None:
        """The predicate that it asks for."""
        operand = self.condition.operands[0]
        return operand.name if operand.quantifier == RUN_WORD else operand.predicate

    @property
    def asks_for_success(self) -> bool:
        """Whether it requires that steps have succeeded or passed."""
        asks_none = self.condition.operands[0].quantifier == "none"
        is_turned = asks_none or self.condition.program[-1] == NOT
        return self.predicate in {None, "succeeded", "passed"} and not is_turned

    @property
    def only_waits(self) -> bool:
        """Whether it is always true once decided, so that its only effect is to wait."""
        is_all = quantifier_of(self.condition.operands[0]) == "all"
        return self.predicate == "finished" and is_all and self.condition.program[-1] != NOT


@attrs.frozen
class ConditionText:
    """The `when` of a step, as a condition over its pieces, each of which occurs once.

    A call such as `any(failed)` is one piece, no matter how many steps it asks.
    """

    step: StepSpec
    text: str
    condition: Condition
    pieces: Sequence[Piece]

    @classmethod
    def of(cls, step: StepSpec) -> "ConditionText | None":
        """Return the text of a step's `when`, or None."""
        if step.when is None:
            return None
        text, all_found = step.when, [*operands_of(step.when)]
        numbered, begin = "", 0  # the text with the number of each piece in its place
        for number, found in enumerate(all_found):
            numbered += f"{text[begin : found.start]}_{number}"
            begin = found.end
        condition = parse(numbered + text[begin:])
        signs, negated = [False], {}
        for token in reversed(condition.program):
            is_negated = signs.pop()
            if token not in CONNECTIVES:
                negated[token] = is_negated
            else:
                signs += [not is_negated] if token == NOT else [is_negated, is_negated]
        return cls(
            step,
            text,
            condition,
            [
                Piece(
                    found.start,
                    found.end,
                    parse_when(text[found.start : found.end], step.depends_on or ("_",)),
                    is_call=found.name is None,
                    is_negated=negated[f"_{number}"],
                )
                for number, found in enumerate(all_found)
            ],
        )

    def piece(self, operand: Name) -> Piece:
        """Return the piece of an operand of the condition."""
        return self.pieces[int(operand.name[1:])]

    def span(self, pieces: Collection[Piece]) -> Span:
        """Return the characters of a part, with the negations and parentheses around it."""
        begin, end = min(piece.begin for piece in pieces), max(piece.end for piece in pieces)
        inside = (piece for piece in self.pieces if begin <= piece.begin < end)
        depth = lowest = 0
        for one, other in pairwise(inside):
            for char in self.text[one.end : other.begin]:
                depth += (char == "(") - (char == ")")
                lowest = min(lowest, depth)
        for _ in range(-lowest):
            begin = self.text.rindex("(", 0, begin)
        for _ in range(depth - lowest):
            end = self.text.index(")", end) + 1
        while True:
            before, after = self.text[:begin].rstrip(), self.text[end:].lstrip()
            if before.endswith("!"):
                begin = len(before) - 1
            elif before.endswith("(") and after.startswith(")"):
                begin, end = len(before) - 1, self.text.index(")", end) + 1
            else:
                return Span(self.text, begin, end)
