"""What the failures of steps do: which alerts miss one, and which steps ignore or hide one.

All of it is about runs that are not cut off (rule 11.2).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from functools import cached_property

import attrs

from flow_conditions import Condition, Functions, Name
from flow_spec.fields.predicates import quantifier_of
from flow_spec.flow import FlowSpec
from flow_spec.foreach import base_of
from flow_spec.step import StepSpec
from flow_spec.step_ends import StepEnds
from flow_spec.step_variables import StepVariable
from flow_spec.warnings.outcomes import (
    AND,
    CONNECTIVES,
    NOT,
    ConditionText,
    Finding,
    Outcomes,
    Piece,
)
from flow_spec.warnings.shell import tells


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

    def ignored(self, step: StepSpec) -> Finding | None:
        """Return a finding about allowed failures that keep a step from running, or None.

        The step names others that may fail, and can only run if one of them has succeeded, or one
        of all. In some run these fail, no other step answers that, and the run SUCCEEDS.
        """
        functions, function_of = self.outcomes.functions, self.outcomes.function_of
        runs = self.outcomes.runs[step.id]
        steps = {name: self._flow.named(name) for name in step.waits_for}
        names = [name for name, named in steps.items() if named and all_may_fail(named)]
        for group in (*([name] for name in names), names):
            succeeded = self._any(function_of(Name(name, None, "any")) for name in group)
            if runs == Functions.FALSE or functions.both(runs, succeeded ^ 1) != Functions.FALSE:
                continue
            failing = {one.id for name in group for one in steps[name]}
            others = (ran for one, ran in self._answering.items() if one not in failing)
            all_failed = (function_of(Name(name, "failed", "all")) for name in group)
            ignored = functions.joined(True, (self._green, self._any(others) ^ 1, *all_failed))
            if ignored != Functions.FALSE:
                return Finding(
                    base_of(step.id), None, self._shown(ignored, [step.id]), tuple(group)
                )
        return None

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


def all_may_fail(steps: Iterable[StepSpec]) -> bool:
    """Whether a failure of any of these steps is allowed."""
    return all(step.allow_failure for step in steps)


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


def ends_of(flow: FlowSpec, order: Iterable[StepSpec], fates: Mapping[str, str]) -> dict[str, str]:
    """Return the outcome of each step in an undisturbed run, given its outcome if it runs."""
    found: dict[str, tuple[str, bool]] = {}
    ends = StepEnds(flow, found.get)
    for step in order:
        runs = step.condition is None or bool(step.condition.evaluate(ends.value))
        found[step.id] = fates[step.id] if runs else "SKIPPED", runs
    return {name: status for name, (status, _) in found.items()}
