"""`Proofs`, what is proven about the steps of a flow over all outcomes they can have (rule 11.2).

A proof is about a step as written: it holds for every copy. It covers runs that nobody touches,
not what a person reopens with `retry --only` or changes in the meantime. `Failures` are about runs
that are not cut off: which alerts miss a failure, and which steps ignore or hide one.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from functools import cached_property
from itertools import chain, pairwise

import attrs

from flow_conditions import BudgetExceeded, Condition, Functions, Name
from flow_spec.errors import Span
from flow_spec.fields.predicates import quantifier_of
from flow_spec.fields.reading import BUILT_IN
from flow_spec.fields.records import path_of
from flow_spec.flow import FlowSpec
from flow_spec.step import StepSpec, base_of
from flow_spec.step_ends import StepEnds
from flow_spec.warnings.outcomes import AND, CONNECTIVES, NOT, ConditionText, Outcomes, Piece
from flow_spec.warnings.shell import tells, uses_failures

PROOF_BUDGET = 200_000
"""Steps of work for each question about one flow: some tenths of a second."""


_MOST_PARTS = 10
"""How many parts of one condition are reported; it may have thousands."""


def parts_without_effect(
    when: ConditionText, copies: Iterable[StepSpec], outcomes: Outcomes
) -> list[Span]:
    """Return the parts of a condition that have no effect in any of the copies; of many, only some.

    Removing all of them does not change the condition, given the outcomes that the steps can have.
    It must have both values. Not reported are

    - a success in a row of successes (`extract && load`), nor `!extract` in `!extract || !load`:
      listing all of them is not a mistake, though each may follow from another,
    - a call such as `none(skipped)`, which asks all steps alike,
    - `load.finished`, which is there to wait.

    Raises:
        BudgetExceeded: It takes more than is left.
    """
    texts = [*filter(None, map(ConditionText.of, copies))]

    def of_copies(known: Mapping[Name, bool]) -> list[int]:
        outcomes.functions.spend(len(when.condition.program))
        left = when.condition.restrict(known)
        return [outcomes.of_text(text, left) for text in texts]

    found: list[Span] = []
    known: dict[Name, bool] = {}
    whole = of_copies(known)
    for names, in_conjunction in parts_of(when.condition.program):
        pieces = [when.piece(name) for name in names]
        # In a conjunction, what is true changes nothing.
        idle = {
            name: in_conjunction is not piece.is_negated
            for name, piece in zip(names, pieces, strict=True)
        }
        is_kept = len(pieces) == 1 and _is_kept(pieces[0], in_conjunction=in_conjunction)
        if is_kept or idle.keys() <= known.keys() or len(found) == _MOST_PARTS:
            continue
        if of_copies(known | idle) == whole:
            known |= idle
            found.append(when.span(pieces))
    return sorted(found)


def _is_kept(piece: Piece, *, in_conjunction: bool) -> bool:
    if piece.is_call or (piece.only_waits and not piece.is_negated):
        return True
    return piece.asks_for_success and in_conjunction is not piece.is_negated


def parts_of(program: Sequence[str]) -> Iterator[tuple[list[Name], bool]]:
    """Yield the operands of each part of a row, and whether that is a conjunction.

    A part is an operand, or a row of the other kind. The last ones are first, and a row is before
    its parts. Negations count: `!(a || b)` is a conjunction.
    """
    begins: list[int] = []
    parts: list[int] = []
    for position, token in enumerate(program):
        if token not in CONNECTIVES:
            parts.append(position)
        elif token != NOT:
            parts.pop()
        begins.append(parts[-1])
    todo: list[tuple[int, bool, bool | None]] = [(len(program) - 1, False, None)]
    while todo:
        end, is_negated, around = todo.pop()
        while program[end] == NOT:
            end, is_negated = end - 1, not is_negated
        is_row = program[end] in CONNECTIVES
        is_conjunction = (program[end] == AND) is not is_negated
        if around is not None and not (is_row and is_conjunction is around):
            part = program[begins[end] : end + 1]
            yield [Name.spelled(token) for token in part if token not in CONNECTIVES], around
        if is_row:
            left = begins[end - 1] - 1
            todo += (left, is_negated, is_conjunction), (end - 1, is_negated, is_conjunction)


_CONSTANTS = frozenset({Functions.TRUE, Functions.FALSE})


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


@attrs.frozen(slots=False)
class Failures:
    """What the failures of a flow's steps do in runs that are not cut off.

    `order` has all steps, each after those it waits for. Its methods raise `BudgetExceeded` if it
    takes more than is left.
    """

    outcomes: Outcomes
    order: Sequence[StepSpec]
    _found: dict[str, int] = attrs.Factory(dict)
    """What `_failed_before` has found."""

    @property
    def _flow(self) -> FlowSpec:
        return self.outcomes.flow

    @cached_property
    def _answers(self) -> Mapping[str, int]:
        """The steps that run only because another failed, and when they run."""
        functions, outcomes, found = self.outcomes.functions, self.outcomes, {}
        ends = ends_of(self._flow, self.order, outcomes.fates(frozenset()))
        none_failed = Functions.TRUE  # of the steps so far
        for step in self.order:
            runs = outcomes.runs[step.id]
            # Few steps do not run if all succeed; only these need the proof.
            may_answer = ends[step.id] == "SKIPPED" and runs != Functions.FALSE
            if may_answer and functions.both(runs, none_failed) == Functions.FALSE:
                found[step.id] = runs
            none_failed = functions.both(none_failed, outcomes.outcome(step.id).failed ^ 1)
        return found

    @cached_property
    def _answering(self) -> Mapping[str, int]:
        """The steps that answer a failure, and when they run.

        So does a step with a variable that names the outcome or the failed steps.
        """
        runs = self.outcomes.runs
        telling = {step.id: runs[step.id] for step in self.order if uses_failures(step)}
        return {**self._answers, **telling}

    @cached_property
    def _green(self) -> int:
        """When no failure makes the run FAILED."""
        return self._charged() ^ 1

    def _any(self, functions: Iterable[int]) -> int:
        return self.outcomes.functions.joined(False, functions)

    def _charged(self, ids: Set[str] | None = None) -> int:
        """Return when one of these steps, or of all, FAILED that may not."""
        return self._any(
            self.outcomes.outcome(step.id).failed
            for step in self.order
            if not step.allow_failure and (ids is None or step.id in ids)
        )

    def missed(self) -> Finding | None:
        """Return a finding about a failure that every alert misses, or None.

        An alert is a step that runs only because another failed, that no step waits for, and that
        looks like one by what it calls. All failures count that make the run FAILED, except those
        in `finally`. Other steps that run only because of a failure count as an answer to it.
        """
        flow, functions = self._flow, self.outcomes.functions
        waited_for = {base_of(name) for step in self.order for name in step.waits_for}
        alerts = [
            name
            for name in self._answers
            if base_of(name) not in waited_for and tells(flow.step(name))
        ]
        if not alerts:
            return None
        of_steps = {step.id for step in flow.steps}
        missed = functions.both(self._charged(of_steps), self._any(self._answering.values()) ^ 1)
        if missed == Functions.FALSE:
            return None
        places = {step.id: place for place, step in enumerate(flow.all_steps)}
        names = dict.fromkeys(base_of(name) for name in sorted(alerts, key=places.__getitem__))
        return Finding(next(iter(names)), None, self._shown(missed, alerts), tuple(names))

    def _shown(self, function: int, names: Iterable[str]) -> dict[str, str]:
        """Return outcomes for which a function is true: of these steps, and of all before them."""
        flow, names = self._flow, tuple(names)
        fates = self.outcomes.fates(self.outcomes.functions.example(function))
        ends = ends_of(flow, self.order, fates)
        relevant = {
            *ids_upstream(flow, names),
            *names,
            *(name for name, end in ends.items() if end == "FAILED"),
        }
        return {name: end for name, end in ends.items() if name in relevant}

    def ignored(self, step: StepSpec) -> Iterator[Finding]:
        """Yield a finding about allowed failures that keep a step from running, if they do.

        The step names others that may fail, and can only run if one of them has succeeded, or one
        of all. In some run these fail, no other step answers that, and the run SUCCEEDS.
        """
        functions, function_of = self.outcomes.functions, self.outcomes.function_of
        runs = self.outcomes.runs[step.id]
        steps = {name: self._flow.named(name) for name in step.waits_for}
        names = [
            name
            for name, named in steps.items()
            if named and all(one.allow_failure for one in named)
        ]
        for group in (*([name] for name in names), names):
            succeeded = self._any(function_of(Name(name, None, "any")) for name in group)
            if runs == Functions.FALSE or functions.both(runs, succeeded ^ 1) != Functions.FALSE:
                continue
            failing = {one.id for name in group for one in steps[name]}
            others = (ran for one, ran in self._answering.items() if one not in failing)
            all_failed = (function_of(Name(name, "failed", "all")) for name in group)
            ignored = functions.joined(True, (self._green, self._any(others) ^ 1, *all_failed))
            if ignored != Functions.FALSE:
                shown = self._shown(ignored, [step.id])
                yield Finding(base_of(step.id), None, shown, tuple(group))
                return

    def hidden(self, step: StepSpec) -> Iterator[Finding]:
        """Yield the parts of a condition that let a step run although something failed before it.

        Such a part is `A.skipped` or `!A.failed`. In some run A was SKIPPED by its condition, a
        step before A FAILED, and with `A.passed` in its place the step would not run. A step that
        answers a failure, or uses what failed, may run then.
        """
        functions, text = self.outcomes.functions, step.when or ""
        if not any(predicate in text for predicate in ("skipped", "failed")):
            return
        when = ConditionText.of(step)
        written = ConditionText.of(self._flow.as_written.step(base_of(step.id)))
        if when is None or written is None or step.id in self._answers or uses_failures(step):
            return
        for piece, place in zip(when.pieces, written.pieces, strict=True):
            instead, asked = instead_of(piece)
            may_hide = [(one, self._failed_before(one.name)) for one in asked]
            if all(failed == Functions.FALSE for _, failed in may_hide):
                continue
            passing = self._function(when, piece, instead)
            lets = functions.both(self.outcomes.runs[step.id], passing ^ 1)
            for operand, failed in may_hide:
                hiding = functions.both(lets, failed)
                if hiding != Functions.FALSE:
                    shown = self._shown(hiding, [step.id])
                    yield Finding(base_of(step.id), written.span([place]), shown, (operand.name,))
                    break

    def _function(self, when: ConditionText, changed: Piece, instead: Condition) -> int:
        """Return the function of a condition with another condition in place of a piece."""
        functions, outcomes = self.outcomes.functions, self.outcomes
        functions.spend(len(when.pieces))

        def of_piece(name: Name) -> int:
            piece = when.piece(name)
            if piece is changed:
                return functions.of(instead, outcomes.function_of)
            return outcomes.of_piece(piece)

        return functions.of(when.condition, of_piece)

    def _failed_before(self, name: str) -> int:
        """Return when a step was SKIPPED by its condition and a step before it FAILED."""
        functions = self.outcomes.functions
        if name not in self._found:
            found = []
            for step_id in self._flow.copies.get(name, (name,)):
                outcome = self.outcomes.outcome(step_id)
                skipped = functions.both(outcome.skipped, outcome.passed ^ 1)
                if skipped != Functions.FALSE:
                    before = self._charged(ids_upstream(self._flow, [step_id]))
                    found.append(functions.both(skipped, before))
            self._found[name] = self._any(found)
        return self._found[name]


def instead_of(piece: Piece) -> tuple[Condition, list[Name]]:
    """Return a piece with `passed` in place of each `skipped` and `!failed`, and these operands."""
    program: list[str] = []
    changed = []
    is_negated = piece.is_negated is not (piece.condition.program[-1] == NOT)
    for token in piece.condition.program:
        program.append(token)
        if token in CONNECTIVES:
            continue
        operand = Name.spelled(token)
        passed, quantifier = str(Name(operand.name, "passed")), quantifier_of(operand)
        match operand.predicate, quantifier:
            case "skipped", "any" | "all" if not is_negated:
                program += passed, AND
            case "failed", "any" if is_negated:
                program[-1:] = passed, NOT
            case "failed", "none" if not is_negated:
                program[-1] = passed
            case _:
                continue
        changed.append(operand)
    return Condition(tuple(program)), changed


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


def ends_of(flow: FlowSpec, order: Iterable[StepSpec], fates: Mapping[str, str]) -> dict[str, str]:
    """Return the outcome of each step in an undisturbed run, given its outcome if it runs."""
    found: dict[str, tuple[str, bool]] = {}
    ends = StepEnds(flow, found.get)
    for step in order:
        runs = step.condition is None or bool(step.condition.evaluate(ends.value))
        found[step.id] = fates[step.id] if runs else "SKIPPED", runs
    return {name: status for name, (status, _) in found.items()}


@attrs.define(eq=False, slots=False)
class Proofs:
    """The proofs about one flow; `are_complete` is false if the budget was exceeded."""

    flow: FlowSpec
    budget: int = PROOF_BUDGET
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
        """The steps whose `when` is always true, although it does not only wait.

        Nor are those included that list steps which pass in any case: after an allowed failure that
        is what to write.
        """
        return tuple(
            when.step.id
            for when in self._always_true
            if not all(
                piece.only_waits
                or (piece.predicate == "passed" and piece.asks_for_success and not piece.is_negated)
                for piece in when.pieces
            )
        )

    @property
    def with_true_condition(self) -> frozenset[str]:
        """The steps whose condition is always true, also where it only waits."""
        return frozenset(when.step.id for when in self._always_true)

    @cached_property
    def runs_anyway(self) -> tuple[str, ...]:
        """The steps of `steps` that wait for others and run whatever happens, except a cancel.

        Only steps that no other waits for are included.
        """
        waited_for = {base_of(name) for step in self._written for name in step.waits_for}
        ids = (when.step.id for when in self._always_true)
        return tuple(one for one in ids if one not in waited_for | self.flow.finally_ids)

    @cached_property
    def no_effect(self) -> tuple[Finding, ...]:
        """The parts of conditions without effect: see `parts_without_effect`."""
        findings: list[Finding] = []
        for step, outcomes, ids in self._decided():
            when = ConditionText.of(step)
            if when is None or any(outcomes.runs[one] in _CONSTANTS for one in ids):
                continue
            copies = map(self.flow.step, ids)
            try:
                findings += (
                    Finding(step.id, part) for part in parts_without_effect(when, copies, outcomes)
                )
            except BudgetExceeded:
                self.are_complete = False
        return tuple(findings)

    @cached_property
    def unhandled_failure(self) -> Finding | None:
        """A failure that every alert misses, if the flow has alerts: see `Failures.missed`."""
        try:
            return self._failures.missed()
        except BudgetExceeded:
            self.are_complete = False
            return None

    @cached_property
    def ignored_failures(self) -> tuple[Finding, ...]:
        """The steps that an allowed failure may skip, unanswered: see `Failures.ignored`."""
        return self._first_of_copies(Failures.ignored)

    @cached_property
    def shared_products(self) -> tuple[tuple[str, int, str], ...]:
        """The steps with a path that another one produces too, without an order between them.

        Each with the place of the path, and the id of the other step, which may be a copy of the
        same one. A pair is left out if only one of the two can run.
        """
        names = (*BUILT_IN, *(param.name for param in self.flow.params))
        flow = self.flow.filled({name: f"${{{{ {name} }}}}" for name in names})
        makers: dict[str, list[tuple[str, int]]] = {}
        for step in map(flow.step, (step.id for step in self._order)):
            for place, product in enumerate(step.produces):
                below = step.working_dir or flow.working_dir or ""
                path = os.path.normpath(os.path.join(below, path_of(product)))  # noqa: PTH118
                makers.setdefault(path, []).append((step.id, place))
        found: dict[tuple[str, int], str] = {}
        for first, second in chain.from_iterable(map(pairwise, makers.values())):
            (before, _), (after, place) = first, second
            if (base_of(after), place) not in found and self._may_meet(before, after):
                found[base_of(after), place] = before
        return tuple((step_id, place, other) for (step_id, place), other in found.items())

    def _may_meet(self, before: str, after: str) -> bool:
        """Whether two steps may run at once; the second is not before the first."""
        last = self.flow.finally_ids
        if (before in last) != (after in last) or before in ids_upstream(self.flow, [after]):
            return False
        outcomes = self._of_finally if before in last else self._of_steps
        runs = [outcomes.runs.get(step_id, Functions.TRUE) for step_id in (before, after)]
        try:
            return outcomes.functions.both(*runs) != Functions.FALSE
        except BudgetExceeded:
            self.are_complete = False
            return False

    @cached_property
    def hidden_failures(self) -> tuple[Finding, ...]:
        """The parts of conditions that hide a failure: see `Failures.hidden`."""
        return self._first_of_copies(Failures.hidden)

    def _first_of_copies(
        self, look: Callable[[Failures, StepSpec], Iterator[Finding]]
    ) -> tuple[Finding, ...]:
        """Return what is found about each step, or about the first copy with a finding."""
        findings: list[Finding] = []
        try:
            self._failures.outcomes.functions.allow(self.budget)
            for step in self._written:
                found = ([*look(self._failures, copy)] for copy in self.flow.named(step.id))
                findings += next(filter(None, found), ())
        except BudgetExceeded:
            self.are_complete = False
        return tuple(findings)

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

    @cached_property
    def _failures(self) -> Failures:
        """Those in runs that are not cut off, with the copies that exist now."""
        outcomes = self._of_steps
        if outcomes.open_names:
            outcomes = Outcomes(self.flow, Functions(self.budget), open_lists=False)
        outcomes.functions.allow(self.budget)
        outcomes.add(step for step in self._order if step.id not in outcomes.runs)
        return Failures(outcomes, self._order)

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


def constant_conditions(flow: FlowSpec) -> dict[str, bool]:
    """Return the value of each condition that is proven to have only one, by the step's id."""
    proofs = Proofs(flow)
    return dict.fromkeys(proofs.never_run, False) | dict.fromkeys(proofs.with_true_condition, True)
