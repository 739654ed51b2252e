"""`Proofs`, what is proven about the steps of a flow over all outcomes they can have (rule 11.2).

A proof is about a step as written: it holds for every copy. It covers runs that nobody touches,
not what a person reopens with `retry --only` or changes in the meantime.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import pairwise

import attrs

from flow_conditions import BudgetExceeded, Condition, Functions, Name, operands_in, parse
from flow_spec.errors import Span
from flow_spec.fields.env import StepVariable
from flow_spec.fields.predicates import End, holds, holds_of_copies, parse_when
from flow_spec.flow import FlowSpec
from flow_spec.foreach import base_of
from flow_spec.step import StepSpec
from flow_spec.warnings.outcomes import (
    CopiesFunctions,
    Fate,
    OutcomeFunctions,
    Outcomes,
    unknown_copies,
    unknown_outcome,
)

BUDGET = 200_000
"""Steps of work for each question about one flow: some tenths of a second."""


@attrs.frozen
class Finding:
    """What is proven about a step, which has its id as written.

    `part` is the part of its condition that this is about. `outcomes` are outcomes of steps that
    show it, and `steps` the ids of the steps it is about.
    """

    step_id: str
    part: Span | None = None
    outcomes: Mapping[str, str] = attrs.Factory(dict)
    steps: tuple[str, ...] = ()


@attrs.frozen
class Piece:
    """An operand or a call in the text of a condition, as a condition of its own."""

    begin: int
    end: int
    condition: Condition
    is_call: bool
    """Whether it is a call such as `any(failed)`, which asks all steps of a list alike."""

    @property
    def predicate(self) -> str | None:
        """The predicate that it asks for."""
        return self.condition.operands[0].predicate

    @property
    def only_waits(self) -> bool:
        """Whether it is always true once decided, so that its only effect is to wait."""
        return self.predicate == "finished" and self.condition.program[-1] != "!"


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
        text, pieces = step.when, []
        numbered, begin = "", 0  # the text with the number of each piece in its place
        for number, found in enumerate(operands_in(text)):
            condition = parse_when(text[found.start : found.end], step.depends_on or ("_",))
            pieces.append(Piece(found.start, found.end, condition, is_call=found.name is None))
            numbered += f"{text[begin : found.start]}_{number}"
            begin = found.end
        return cls(step, text, parse(numbered + text[begin:]), pieces)

    def piece(self, name: Name) -> Piece:
        """Return the piece of an operand of the condition."""
        return self.pieces[int(name.name[1:])]

    def span(self, names: Iterable[Name]) -> Span:
        """Return the characters of a part, with its negation and the parentheses around it."""
        pieces = [self.piece(name) for name in names]
        begin, end = min(piece.begin for piece in pieces), max(piece.end for piece in pieces)
        depth = lowest = 0
        for char in self._between_pieces(begin, end):
            depth += (char == "(") - (char == ")")
            lowest = min(lowest, depth)
        for _ in range(-lowest):
            begin = self.text.rindex("(", 0, begin)
        for _ in range(depth - lowest):
            end = self.text.index(")", end) + 1
        if len(pieces) == 1:
            before = self.text[:begin]
            marks = before[len(before.rstrip("! \t\r\n")) :].lstrip()
            begin -= len(marks)
        return Span(self.text, begin, end)

    def _between_pieces(self, begin: int, end: int) -> str:
        inside = (piece for piece in self.pieces if begin <= piece.begin < end)
        return "".join(self.text[one.end : other.begin] for one, other in pairwise(inside))


type Part = frozenset[Name]

_MOST_PARTS = 10
"""How many parts of one condition are reported; it may have thousands."""


@attrs.frozen
class IdleParts:
    """Finds the parts of one condition that have no effect.

    Removing such a part does not change the condition: either whatever the outcomes of the steps,
    or given the outcomes that the steps can have. The second is not reported for

    - a success in a row of successes (`extract && load`), nor `!extract` in `!extract || !load`:
      listing all of them is not a mistake, though each may follow from another,
    - a call such as `none(skipped)`, which asks all steps alike,
    - `load.finished`, which is there to wait.
    """

    flow: FlowSpec
    when: ConditionText
    functions: Functions
    """The functions of steps about which nothing is known."""

    def in_all(self, copies: Sequence[StepSpec], outcomes: Outcomes) -> list[Span]:
        """Return the parts that have no effect in any of the copies; of many, only some.

        Raises:
            BudgetExceeded: It takes more than is left.
        """
        if len(self.when.pieces) == 1:
            return []
        rest, parts = self._whatever_happens()
        if len(rest.operands) > 1:
            of_copies = [self._given(step, outcomes, rest) for step in copies]
            parts += [part for part in of_copies[0] if all(part in more for more in of_copies[1:])]
        return sorted(map(self.when.span, parts[-_MOST_PARTS:]))

    def _whatever_happens(self) -> tuple[Condition, list[Part]]:
        """Return the condition without the parts that never have an effect, and these parts."""
        functions, when = self.functions, self.when
        in_finally = when.step.id in self.flow.finally_ids
        written = self.flow.as_written
        outcome_of: dict[str, OutcomeFunctions | CopiesFunctions] = {}

        def function_of(operand: Name) -> int:
            name = operand.name
            if name not in outcome_of:
                number = len(outcome_of) + 1
                unknown = unknown_copies if name in self.flow.copies else unknown_outcome
                step = written.step(base_of(name))
                outcome_of[name] = unknown(functions, number, step, may_be_cut=in_finally)
            return outcome_of[name].is_true(operand.predicate)

        def of_piece(name: Name) -> int:
            return functions.of(when.piece(name).condition, function_of)

        def keep(name: Name, is_negated: bool, _is_conjunctive: bool) -> bool:
            return when.piece(name).only_waits and not is_negated

        return functions.without_idle_parts(when.condition, of_piece, keep)

    def _given(self, step: StepSpec, outcomes: Outcomes, rest: Condition) -> list[Part]:
        """Return the parts of the rest that have no effect given the possible outcomes."""
        when = ConditionText.of(step)
        assert when is not None  # noqa: S101 - the copy of a step has its condition

        def of_piece(name: Name) -> int:
            return outcomes.functions.of(when.piece(name).condition, outcomes.function_of)

        def keep(name: Name, is_negated: bool, is_conjunctive: bool) -> bool:
            piece = when.piece(name)
            if piece.is_call or (piece.only_waits and not is_negated):
                return True
            return piece.predicate in {None, "succeeded"} and is_conjunctive is not is_negated

        return outcomes.functions.without_idle_parts(rest, of_piece, keep)[1]


def missed_failure(outcomes: Outcomes, order: Sequence[StepSpec]) -> Finding | None:
    """Return a finding about a failure that every alert misses, or None.

    An alert is a step that runs only because another failed, and that no step waits for. All
    failures count that make the run FAILED, except those in `finally`. Other steps that run only
    because of a failure count as an answer to it. So does a step with a variable that names the
    outcome or the failed steps, whenever it runs.

    `order` has all steps, each after those it waits for. `outcomes` are those of runs that are not
    cut off.

    Raises:
        BudgetExceeded: It takes more than is left.
    """
    flow, functions = outcomes.flow, outcomes.functions
    answers = dict(answers_to_failures(outcomes, order))
    waited_for = {base_of(name) for step in order for name in step.waits_for}
    alerts = [name for name in answers if base_of(name) not in waited_for]
    if not alerts:
        return None
    upstream = ids_upstream(flow, alerts)
    failed = (
        outcomes.outcome(step.id).failed
        for step in order
        if step.id not in flow.finally_ids and not step.allow_failure
    )
    answers |= {step.id: outcomes.runs[step.id] for step in order if uses_failures(step)}
    answered = functions.joined(False, sorted(answers.values(), key=functions.level))
    missed = functions.both(functions.joined(False, failed), answered ^ 1)
    if missed == Functions.FALSE:
        return None
    ends = ends_of(flow, order, outcomes.fates(functions.example(missed)))
    relevant = {
        *upstream,
        *alerts,
        *(name for name, end in ends.items() if end == Fate.FAILED.value),
    }
    shown = {name: end for name, end in ends.items() if name in relevant}
    places = {step.id: place for place, step in enumerate(flow.all_steps)}
    names = dict.fromkeys(base_of(name) for name in sorted(alerts, key=places.__getitem__))
    return Finding(next(iter(names)), None, shown, tuple(names))


def answers_to_failures(outcomes: Outcomes, order: Iterable[StepSpec]) -> Iterator[tuple[str, int]]:
    """Yield the steps that run only because another failed, and when they run."""
    functions, succeeds = outcomes.functions, outcomes.fates(frozenset())
    ends = ends_of(outcomes.flow, order, succeeds)
    none_failed = Functions.TRUE  # of the steps so far
    for step in order:
        runs = outcomes.runs[step.id]
        # Few steps do not run if all succeed; only these need the proof.
        may_answer = ends[step.id] == Fate.SKIPPED and runs != Functions.FALSE
        if may_answer and functions.both(runs, none_failed) == Functions.FALSE:
            yield step.id, runs
        none_failed = functions.both(none_failed, outcomes.outcome(step.id).failed ^ 1)


def ids_upstream(flow: FlowSpec, names: Iterable[str]) -> frozenset[str]:
    """Return the ids of the steps that some steps wait for, directly or indirectly."""
    found: set[str] = set()
    todo = list(names)
    while todo:
        for name in flow.step(todo.pop()).waits_for:
            new = {*flow.copies.get(name, (name,))} - found
            found |= new
            todo += new
    return frozenset(found)


def uses_failures(step: StepSpec) -> bool:
    """Whether the words of a step use a variable that says what failed (rule 9.13)."""
    names = (StepVariable.FAILED_STEPS, StepVariable.OUTCOME)
    return any(name in word for word in step.command for name in names)


def ends_of(flow: FlowSpec, order: Iterable[StepSpec], fates: Mapping[str, Fate]) -> dict[str, str]:
    """Return the outcome of each step in an undisturbed run, given its outcome if it runs."""
    ends: dict[str, End[Fate]] = {}

    def is_true(operand: Name) -> bool:
        copies = flow.copies.get(operand.name)
        if copies is None:
            return holds(operand.predicate, ends[operand.name])
        return holds_of_copies(operand.predicate, [ends[copy] for copy in copies])

    for step in order:
        runs = step.condition is None or bool(step.condition.evaluate(is_true))
        ends[step.id] = step.end(fates[step.id] if runs else Fate.SKIPPED, was_due=runs)
    return {name: end.status.value for name, end in ends.items()}


_CONSTANTS = frozenset({Functions.TRUE, Functions.FALSE})


@attrs.define(eq=False, slots=False)
class Proofs:
    """The proofs about one flow; `are_complete` is false if the budget was exceeded."""

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
        """The steps whose `when` is always true, although it does not only wait."""
        return tuple(
            when.step.id
            for when in self._always_true
            if not all(piece.only_waits for piece in when.pieces)
        )

    @cached_property
    def runs_anyway(self) -> tuple[str, ...]:
        """The steps of `steps` that wait for others and run whatever happens, except a cancel.

        Only steps that no other waits for are included.
        """
        return tuple(
            when.step.id
            for when in self._always_true
            if when.step.id not in self._waited_for | self.flow.finally_ids
        )

    @cached_property
    def no_effect(self) -> tuple[Finding, ...]:
        """The parts of conditions without effect: see `IdleParts`."""
        findings: list[Finding] = []
        functions = Functions(self.budget)
        for step, outcomes, ids in self._decided():
            when = ConditionText.of(step)
            if when is None or any(outcomes.runs[one] in _CONSTANTS for one in ids):
                continue
            copies = [self.flow.step(one) for one in ids]
            try:
                parts = IdleParts(self.flow, when, functions).in_all(copies, outcomes)
            except BudgetExceeded:
                self.are_complete = False
            else:
                findings += (Finding(step.id, part) for part in parts)
        return tuple(findings)

    @cached_property
    def unhandled_failure(self) -> Finding | None:
        """A failure that every alert misses, if the flow has alerts: see `missed_failure`."""
        try:
            return missed_failure(self._by_itself(), self._order)
        except BudgetExceeded:
            self.are_complete = False
            return None

    @cached_property
    def _always_true(self) -> tuple[ConditionText, ...]:
        return tuple(
            when
            for step, outcomes, ids in self._decided()
            if all(outcomes.runs[one] == Functions.TRUE for one in ids)
            if (when := ConditionText.of(step)) is not None
        )

    @cached_property
    def _written(self) -> Sequence[StepSpec]:
        return self.flow.as_written.all_steps

    @cached_property
    def _waited_for(self) -> frozenset[str]:
        return frozenset(base_of(name) for step in self._written for name in step.waits_for)

    @cached_property
    def _order(self) -> Sequence[StepSpec]:
        """The steps, each after those it waits for; those of `finally` are last."""
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
        """Return the outcomes of runs that are not cut off, with the copies that exist now.

        Raises:
            BudgetExceeded: It takes more than is left.
        """
        outcomes = self._of_steps
        if any(one.origin is not None for block in self.flow.blocks for one in block.lists):
            outcomes = Outcomes(self.flow, Functions(self.budget), open_lists=False)
        outcomes.functions.allow(self.budget)
        outcomes.add(step for step in self._order if step.id not in outcomes.runs)
        return outcomes

    @cached_property
    def _of_finally(self) -> Outcomes:
        """The outcomes that `finally` can meet, including those of runs that are cut off."""
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
        """Add steps, and return whether the budget sufficed; then allow the proofs their budget."""
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
    """Return the ids, as written, of the steps that are proven never to run."""
    return frozenset(Proofs(flow).never_run)
