"""`StepEnds`: how the steps of a run have ended, which of them passed, and what conditions see.

The engine, `explain`, the warnings and Airflow ask it, each with its own records.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import attrs

from flow_spec.fields.predicates import RUN_WORD, End, holds, holds_of_copies, holds_of_run
from flow_spec.flow import FlowSpec

if TYPE_CHECKING:
    from flow_conditions import Name


@attrs.define(eq=False)
class StepEnds[Status: str]:
    """The values of operands over the steps that have ended.

    `fate_of` returns the status of a step, and whether it was skipped although its condition was
    true; that is None where nobody knows, and the condition decides. The whole is None for a step
    that has not ended. What has ended stays so while this object lives. `after` is how
    `steps` ended, if that is recorded.
    """

    flow: FlowSpec
    fate_of: Callable[[str], tuple[Status, bool | None] | None]
    after: str | None = None
    _ends: dict[str, End[Status]] = attrs.field(factory=dict, init=False)
    _of_copies: dict[tuple[str, bool, bool], frozenset[End[Status]]] = attrs.field(
        factory=dict, init=False
    )
    _walked: set[str] = attrs.field(factory=set, init=False)
    """The names whose steps `_walk` has reached."""
    _run_status: str | None = attrs.field(default=None, init=False)

    def value(self, operand: "Name", *, if_run: bool = False) -> bool | None:
        """Tell whether an operand is true; None while a step of it has not ended (rule 3.4).

        `if_run` treats every step that passed without running as SUCCEEDED (rule 3.8). Ten thousand
        steps may ask about the same ten thousand copies, so these are read once.
        """
        if operand.quantifier == RUN_WORD:
            status = self.run_status
            return None if status is None else holds_of_run(operand.name, status)
        asks_passed = if_run or operand.predicate == "passed"
        copies = self.flow.copies.get(operand.name)
        if copies is None:
            end = self._end(operand.name, asks_passed=asks_passed, if_run=if_run)
            return None if end is None else holds(operand.predicate, end)
        key = operand.name, asks_passed, if_run
        if key not in self._of_copies:
            ends = set()
            for copy in copies:
                end = self._end(copy, asks_passed=asks_passed, if_run=if_run)
                if end is None:
                    return None
                ends.add(end)
            self._of_copies[key] = frozenset(ends)
        return holds_of_copies(operand, self._of_copies[key], if_run=if_run)

    @property
    def run_status(self) -> str | None:
        """How the run ends, as it stands for `run(failed)`; None if that is not known yet (3.9)."""
        if self._run_status is None:
            judged = [
                (self.fate_of(step.id), step.allow_failure) for step in self.flow.judged_steps
            ]
            ends = [(fate[0], is_allowed) for fate, is_allowed in judged if fate is not None]
            if self.after not in {None, "SUCCEEDED"}:
                self._run_status = self.after
            elif ("FAILED", False) in ends and len(ends) == len(judged):
                self._run_status = "FAILED"
            elif len(ends) == len(judged):
                is_cut = any(status == "CANCELLED" for status, _ in ends)
                self._run_status = "CANCELLED" if is_cut else "SUCCEEDED"
        return self._run_status

    def _end(self, step_id: str, *, asks_passed: bool, if_run: bool) -> End[Status] | None:
        fate = self.fate_of(step_id)
        if fate is None:
            return None
        if not asks_passed:
            return End(fate[0], False)
        if step_id not in self._ends:
            self._walk(step_id)
        end = self._ends[step_id]
        if if_run and end.passed and end.status == "SKIPPED":
            return End(cast("Status", "SUCCEEDED"), True)
        return end

    def _walk(self, step_id: str) -> None:
        """Find how a step ended, after the steps it waits for: a chain may be long."""
        todo = [step_id]
        while todo:
            last = todo[-1]
            fate = self.fate_of(last)
            if fate is not None and last not in self._ends:
                status, was_due = fate
                if status == "SKIPPED" and not was_due and (names := self._unknown(last)):
                    self._walked.update(names)
                    todo += (one for name in names for one in self.flow.copies.get(name, (name,)))
                    continue
                self._ends[last] = self._judged(last, status, was_due)
            todo.pop()

    def _unknown(self, step_id: str) -> list[str]:
        return [name for name in self.flow.step(step_id).waits_for if name not in self._walked]

    def _judged(self, step_id: str, status: Status, was_due: bool | None) -> End[Status]:
        step = self.flow.step(step_id)
        if status == "SKIPPED" and not was_due and step_id not in self.flow.left_out:
            condition = step.condition
            decides = was_due is None and step.may_skip_itself
            was_due = decides and (condition is None or condition.evaluate(self.value) is True)
            if not was_due and condition is not None:
                was_due = condition.evaluate(lambda name: self.value(name, if_run=True)) is True
        return step.end(status, was_due=bool(was_due))
