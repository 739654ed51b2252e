"""Why each step of a run waits, runs or was skipped, led by who decided (rule 9.4).

The condition is evaluated as `flow_conditions` does it, three-valued, over what is recorded. The
operands that decide come from `Condition.blame`. A call such as `any(failed)` is shown as it is
written, however many steps it asks.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

import attrs

from flow_conditions import Explanation, Name
from flow_spec import RUN_WORD, FlowSpec, StepEnds, StepSpec, operands_of
from flow_store import AttemptStatus, PastAttempt, Run, Settlement, Step, StepStatus
from orchesjob_flow.engine.plan import fate_of_row
from orchesjob_flow.home import flow_of_run
from orchesjob_flow.reasons import (
    NO_DEPENDENCIES,
    Copies,
    Dependencies,
    Dependency,
    all_before_finally,
    dependencies_in,
    dependency_text,
    held_steps,
    is_left_out,
    listed,
    reason,
    retried_since,
    statuses_of,
    with_rest,
    words_instead,
)

GATE_ANSWERS = {AttemptStatus.SUCCEEDED: "yes", AttemptStatus.SKIPPED: "no"}
WORDS = {True: "true", False: "false", None: "undecided"}
DEEPEST = 8
LONGEST_PART, LONGEST_LINE = 60, 100
MOST_PARTS = 8
"""How many parts of a row are named; the others are counted."""

type Value = bool | None
type Lookup = Callable[[Name], Value]


class Gate(NamedTuple):
    """A step's `only_if`, and the latest attempt at it (rule 10.8).

    The attempt is None if there was none since the step was last decided.
    """

    command: Sequence[str]
    latest: PastAttempt | None

    @property
    def answer(self) -> str | None:
        """yes, no, or None: it has not answered yet, or has failed."""
        return None if self.latest is None else GATE_ANSWERS.get(self.latest.status)

    def __str__(self) -> str:
        """Write the answer, or how the attempt ended, and the attempt's number."""
        if self.latest is None:
            return "not asked yet"
        return f"{self.answer or self.latest.status.value} (attempt {self.latest.number})"


@attrs.frozen(slots=False)
class ExplainedCondition:
    """A step's condition with the value of every part, and the operands that decide.

    `decided_by` is None while the value is open. `spec` is one of the steps that have this
    condition, and `run_end` how the run ends, if they ask that and it is known.
    """

    spec: StepSpec
    whole: Explanation
    decided_by: Sequence[Name] | None
    value_of: Lookup
    run_end: str | None

    @property
    def value(self) -> Value:
        """True, False, or None while undecided."""
        return self.whole.value

    @cached_property
    def written(self) -> str | None:
        """The condition as it is written, if it has a call."""
        when = " ".join((self.spec.when or "").split())
        return when if any(operand.name is None for operand in operands_of(when)) else None

    @cached_property
    def calls(self) -> Mapping[str, str]:
        """The calls as they are written, by the condition that each stands for."""
        return calls_in(self.spec)

    def text_of(self, part: Explanation) -> str:
        """Return the text of a part, with calls as they are written."""
        text = part.text
        if self.written is not None and text == self.whole.text:
            return self.written
        for spelled_out, call in self.calls.items():
            whole = rf"\({re.escape(spelled_out)}\)|(?<![\w@.-]){re.escape(spelled_out)}(?![\w@.-])"
            text = re.sub(whole, call, text)
        return text

    @cached_property
    def lines(self) -> Sequence[str]:
        """A line for the condition and one for each part, indented by its depth.

        If a row has many parts, those with its own value come first, and the rest is counted. Parts
        that are too deep to read are left out.
        """
        return list(self._lines_of(self.whole, 0))

    def _lines_of(self, part: Explanation, level: int) -> Iterator[str]:
        indent = "  " * level
        yield f"{indent}{WORDS[part.value]}: {shortened(self.text_of(part), LONGEST_LINE)}"
        if level >= DEEPEST or (level > 0 and part.text in self.calls):
            return
        shown: Sequence[Explanation] = part.children
        more = len(shown) - MOST_PARTS
        if more > 0:
            shown = sorted(shown, key=lambda child: child.value is not part.value)[:MOST_PARTS]
        for child in shown:
            yield from self._lines_of(child, level + 1)
        if more > 0:
            yield f"{indent}  ... and {more} more"


def calls_in(spec: StepSpec) -> dict[str, str]:
    """Return the calls in a step's `when` by the condition that each stands for, longest first.

    A call that stands for a single operand is left out: it would not be shorter.
    """
    spelled = {}
    when = spec.when or ""
    for operand in operands_of(when):
        if operand.name is not None:
            continue
        call = when[operand.start : operand.end]
        condition = attrs.evolve(spec, when=call).condition
        if condition is not None and len(condition.names) > 1:
            spelled[str(condition)] = " ".join(call.split())
    return dict(sorted(spelled.items(), key=lambda item: -len(item[0])))


class Explained(NamedTuple):
    """A step, the steps that it waits for, and its condition with the value of every part.

    The condition is None if the step has none, or if `retry --only` has decided a step in it again:
    its value today is not the reason for the step's status (rule 9.7). A step of `finally` that is
    not decided waits for all steps `before` it (rule 10.1). `held` says what else the step waits
    for: the turn of its run (rule 10.7) or of its copy (rule 10.3). `settlement` is what a person
    decided instead (rule 12.3). `instead` is what explains the step instead of all that.
    """

    step: Step
    waits_for: Dependencies
    condition: ExplainedCondition | None
    before: Dependencies = NO_DEPENDENCIES
    gate: Gate | None = None
    held: str | None = None
    settlement: Settlement | None = None
    instead: str | None = None


def explain_steps(run: Run, step_id: str | None, stale: Collection[int] = ()) -> list[Explained]:
    """Explain one step of a run, all copies of one, or all steps.

    `stale` are the positions of the RUNNING steps of which nothing runs any more.
    """
    flow = flow_of_run(run)
    held, before = held_steps(run), all_before_finally(run)
    at_gates = sorted((one for one in run.history if one.is_gate), key=lambda one: one.number)
    latest = {one.position: one for one in at_gates}
    conditions, instead = Conditions(run, flow), words_instead(run, stale)
    steps = {step.step_id: step for step in run.steps}

    def explain(spec: StepSpec) -> Explained:
        step = steps[spec.id]
        if is_left_out(run, step):
            return Explained(step, NO_DEPENDENCIES, None, instead=instead[step.position])
        waits_for, condition = conditions.of(spec)
        return Explained(
            step,
            waits_for,
            None if retried_since(waits_for, step) else condition,
            before if spec.id in flow.finally_ids else NO_DEPENDENCIES,
            Gate(spec.only_if, latest.get(step.position) if step.has_begun else None)
            if spec.only_if
            else None,
            held.get(spec.id),
            run.settled.get(step.position),
            instead.get(step.position),
        )

    return [explain(spec) for spec in (flow.all_steps if step_id is None else flow.named(step_id))]


class Conditions:
    """The conditions of steps over what is recorded; equal conditions are evaluated once."""

    def __init__(self, run: Run, flow: FlowSpec) -> None:
        """Evaluate over the records of a run."""
        self._rows = dependencies_in(run)
        self._settled = run.settled
        self._ends = StepEnds(flow, self._fate_of, run.finally_after)
        self._found: dict[object, tuple[Dependencies, ExplainedCondition | None]] = {}

    def of(self, spec: StepSpec) -> tuple[Dependencies, ExplainedCondition | None]:
        """Return what a step waits for, and its condition, if it has one."""
        same = spec.when, spec.depends_on
        if same not in self._found:
            waits_for = Dependencies.of([self._rows[name] for name in spec.waits_for])
            explained, condition, value = None, spec.condition, self._ends.value
            if condition is not None:
                whole, deciding = condition.explain(value), condition.blame(value)
                explained = ExplainedCondition(
                    spec, whole, deciding, value, self._ends.run_status if spec.asks_run else None
                )
            self._found[same] = waits_for, explained
        return self._found[same]

    def _fate_of(self, step_id: str) -> tuple[StepStatus, bool] | None:
        row = self._rows[step_id]
        assert isinstance(row, Step)  # noqa: S101 - the ids of copies name steps
        return fate_of_row(row, is_settled=row.position in self._settled)


def by_name(waits: Iterable[Dependency]) -> Mapping[str, Dependency]:
    """Return what is waited for, by its name."""
    return {one.step_id: one for one in waits}


def sentence(explained: Explained) -> str:
    """Explain in one sentence why a step has its status, and what its gate answered."""
    if explained.instead is not None:
        return explained.instead
    why, gate = sentence_without_gate(explained), explained.gate
    if gate is not None and gate.answer == "yes":
        why = f"{why}; its only_if said {gate}"
    old = explained.step.ran_with
    return f"{why}; it ran with {values_text(old)}" if old else why


def values_text(values: Mapping[str, str]) -> str:
    """Write the values of parameters, each shortened."""
    return ", ".join(f"{name}={shortened(text, LONGEST_PART)}" for name, text in values.items())


def sentence_without_gate(explained: Explained) -> str:
    """Explain in one sentence why a step has its status, without the answer of its gate."""
    step, waits_for, condition, before, gate, held, *_ = explained
    if condition is not None and step.status is StepStatus.SKIPPED and not step.has_begun:
        return _describe_decision(condition, by_name(waits_for.steps))
    latest = None if gate is None else gate.latest
    is_gate = latest is not None and latest.number == step.attempt_no
    why = reason(step, waits_for, before, held, is_gate=is_gate)
    if condition is None or step.status is StepStatus.CANCELLED:
        return why
    if waits_for.unfinished and condition.value is not None:
        then = "run" if condition.value else "be skipped"
        rest = "it" if len(waits_for.unfinished) == 1 else "them"
        why += f", and will {then} whatever becomes of {rest}"
    return f"{why}; {_describe_decision(condition, by_name(waits_for.steps))}"


def _describe_decision(condition: ExplainedCondition, rows: Mapping[str, Dependency]) -> str:
    if condition.decided_by is None:
        return _describe_parts(condition, rows)
    deciding = describe_operands(condition, condition.decided_by, rows)
    return f"{deciding}, so {_spell_value(condition, condition.whole)}"


def describe_operands(
    condition: ExplainedCondition, operands: Iterable[Name], rows: Mapping[str, Dependency]
) -> str:
    """Write the statuses of the steps in some operands, and why one that is to pass was SKIPPED."""
    described: dict[str, str] = {}
    for operand in operands:
        if operand.quantifier == RUN_WORD:
            end = condition.run_end
            described[""] = f"the run ends {end}" if end else "how the run ends is open"
            continue
        row = rows[operand.name]
        text = dependency_text(row)
        if operand.predicate == "passed" and statuses_of(row) == (StepStatus.SKIPPED,):
            has_passed = condition.value_of(operand)
            is_optional = isinstance(row, Copies) or row.has_begun
            passing = " by itself" if is_optional else " as the optional steps before it"
            text += passing if has_passed else " by its condition"
        described[operand.name] = max(described.get(operand.name, ""), text, key=len)
    return listed([*described.values()])


def _describe_parts(condition: ExplainedCondition, rows: Mapping[str, Dependency]) -> str:
    whole = condition.whole
    if whole.operator not in ("&&", "||"):
        return _describe_part(condition, whole, rows)
    clauses = [_describe_part(condition, part, rows) for part in whole.children[:MOST_PARTS]]
    return f"{_spell_value(condition, whole)}: {with_rest(clauses, len(whole.children))}"


def _describe_part(
    condition: ExplainedCondition, part: Explanation, rows: Mapping[str, Dependency]
) -> str:
    return f"{_spell_value(condition, part)} ({describe_operands(condition, part.operands, rows)})"


def _spell_value(condition: ExplainedCondition, part: Explanation) -> str:
    return f"`{shortened(condition.text_of(part), LONGEST_PART)}` is {WORDS[part.value]}"


def shortened(text: str, longest: int) -> str:
    """Return a text, or its beginning."""
    return text if len(text) <= longest else f"{text[: longest - 3]}..."
