"""`explain`: why each step of a run waits, runs or was skipped, led by who decided (rule 9.4).

The condition is evaluated as `flow_conditions` does it, three-valued, over what is recorded; what
is said of it is in `explain_condition`.
"""

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from flow_conditions import Name
from flow_spec import FlowSpec, StepSpec
from flow_store import AttemptStatus, PastAttempt, Run, Settlement, Step, StepStatus
from orchesjob_flow.commands.explain_condition import (
    ExplainedCondition,
    decided_json,
    describe_decision,
    status_json,
    tree_json,
)
from orchesjob_flow.engine.state import is_true, is_true_of_copies
from orchesjob_flow.exit_codes import DONE
from orchesjob_flow.home.locks import Holder
from orchesjob_flow.home.runs import RunHandle
from orchesjob_flow.views.definition import (
    Copies,
    Waited,
    Waits,
    all_before_finally,
    name_of,
    newer,
    waited_for,
)
from orchesjob_flow.views.reasons import (
    NOTHING,
    describe_given_up,
    reason,
    settled_words,
    settlement_json,
    waiting_words,
    without_place,
)
from orchesjob_flow.views.run_json import gave_up_json, print_json, queue_json, runner_json
from orchesjob_flow.views.streams import Form, print_lines
from orchesjob_flow.views.text import visible

ANSWERS = {AttemptStatus.SUCCEEDED: "yes", AttemptStatus.SKIPPED: "no"}
BUDGET, MOST_BUDGET, LEAST_BUDGET = 300_000, 100_000, 200
"""What it may take to find who decided: for all steps together, and for each at most and least."""


def explain(handle: RunHandle, step_id: str | None, form: Form) -> int:
    """Print why one step of a run, or each, is where it is.

    Raises:
        UnknownStepError: There is no such step; it names the one that was probably meant.
    """
    run, runner = handle.snapshot()
    explained = explain_steps(run, step_id)
    notes = [*waiting_notes(handle, run), *not_advanced(run, runner)]
    if form is Form.TEXT:
        print_lines(explained_lines(explained, notes))
    else:
        print_json(
            {
                "run_key": run.run_key,
                "flow_id": run.flow_id,
                "status": run.status.value,
                "runner": runner_json(runner),
                "gave_up": gave_up_json(run),
                "group": None if run.group is None else run.group.name,
                "waits_for_group": queue_json(run.queue),
                "notes": notes,
                "steps": [explained_json(one) for one in explained],
            }
        )
    return DONE


class Gate(NamedTuple):
    """What is asked before a step's command, and the latest attempt at that (rule 10.8).

    The attempt is None before the first one since the step was decided last.
    """

    command: Sequence[str]
    latest: PastAttempt | None

    @property
    def answer(self) -> str | None:
        """What it says: yes, no, or nothing yet; a failure is no answer."""
        return None if self.latest is None else ANSWERS.get(self.latest.status)

    def __str__(self) -> str:
        """Say what it answers, and in which attempt, or what became of that."""
        if self.latest is None:
            return "not asked yet"
        return f"{self.answer or self.latest.status.value} (attempt {self.latest.number})"


class Explained(NamedTuple):
    """A step, the steps that it waits for, and its condition with the value of every part.

    The condition is None if there is none, and if a `retry --only` has had a step in it decided
    anew: what it would say today is not why its step stands as it does (rule 9.7). A step of
    `finally` that is not decided waits for all steps `before` it (rule 10.1). `held` says what else
    it waits for: the turn of its run (rule 10.7), or that of its copy (rule 10.3). `settlement` is
    what a person has decided of it instead (rule 12.3).
    """

    step: Step
    waits_for: Waits
    condition: ExplainedCondition | None
    before: Waits = NOTHING
    gate: Gate | None = None
    held: str | None = None
    settlement: Settlement | None = None


def explain_steps(run: Run, step_id: str | None) -> list[Explained]:
    """Explain one step of a run, all copies of one, or all steps."""
    flow = FlowSpec.from_json(run.definition)
    rows, places, gates = waited_for(run), without_place(run), attempts_at_gates(run)
    steps, settled = {step.step_id: step for step in run.steps}, run.settled
    specs = flow.all_steps if step_id is None else flow.named(step_id)
    before = all_before_finally(run) if run.finally_after is None else NOTHING
    waiting = waiting_words(run)
    of_run = None if waiting is None else f"the run {waiting}"
    budget = min(MOST_BUDGET, max(LEAST_BUDGET, BUDGET // max(len(specs), 1)))
    conditions = Conditions(rows, budget)
    return [
        explain_step(spec, steps[spec.id], conditions)._replace(
            before=before if spec.id in flow.finally_ids else NOTHING,
            held=of_run or places.get(spec.id),
            gate=gate_of(gates, spec, steps[spec.id]),
            settlement=settled.get(steps[spec.id].position),
        )
        for spec in specs
    ]


def attempts_at_gates(run: Run) -> Mapping[int, PastAttempt]:
    """Return the latest attempt at each gate, by the position of its step."""
    past = sorted((one for one in run.history if one.is_gate), key=lambda one: one.number)
    return {one.position: one for one in past}


def gate_of(gates: Mapping[int, PastAttempt], spec: StepSpec, step: Step) -> Gate | None:
    """Find what a step's gate has said since the step was decided last; None if it has none."""
    if not spec.only_if:
        return None
    return Gate(spec.only_if, gates.get(step.position) if step.has_begun else None)


class Conditions:
    """The conditions of steps over what is recorded; one that many steps have is evaluated once."""

    def __init__(self, rows: Mapping[str, Waited], budget: int) -> None:
        """Evaluate over these statuses; `budget` bounds the search for who decided each."""
        self._rows, self._budget = rows, budget
        self._found: dict[object, tuple[Waits, ExplainedCondition | None]] = {}

    def of(self, spec: StepSpec) -> tuple[Waits, ExplainedCondition | None]:
        """Return what a step waits for, and its condition, if it has one."""
        same = spec.when, spec.depends_on
        if same not in self._found:
            waits_for = Waits.of([self._rows[name] for name in spec.waits_for])
            self._found[same] = waits_for, self._evaluate(spec)
        return self._found[same]

    def _evaluate(self, spec: StepSpec) -> ExplainedCondition | None:
        if spec.condition is None:
            return None
        return ExplainedCondition.of(spec, spec.condition, self._value, self._budget)

    def _value(self, operand: Name) -> bool | None:
        found = self._rows[operand.name]
        if isinstance(found, Copies):
            return is_true_of_copies(operand.predicate, found.counts)
        return is_true(operand.predicate, found.status)


def explain_step(spec: StepSpec, step: Step, conditions: Conditions) -> Explained:
    """Find what a step waits for, and its condition, unless that says nothing of the step now."""
    waits_for, condition = conditions.of(spec)
    return Explained(step, waits_for, None if newer(waits_for, step) else condition)


def explained_json(explained: Explained) -> dict[str, Any]:
    """Describe the explanation of a step for scripts; the condition is a tree."""
    step, waits_for, condition, before, gate, _, settlement = explained
    rows = by_name((*before.those, *waits_for.those))
    return {
        "id": step.step_id,
        "status": step.status.value,
        "reason": sentence(explained),
        "waits_for": [{"id": name, **status_json(row)} for name, row in rows.items()],
        "decided_by": None if condition is None else decided_json(condition, rows),
        "condition": None if condition is None else tree_json(condition.whole, rows),
        "only_if": None if gate is None else gate_json(gate),
        "settled": None if settlement is None else settlement_json(settlement, holds=True),
    }


def gate_json(gate: Gate) -> dict[str, Any]:
    """Describe what is asked before a step's command, and its latest answer."""
    latest = gate.latest
    return {
        "command": list(gate.command),
        "attempt": None if latest is None else latest.number,
        "status": None if latest is None else latest.status.value,
        "answer": gate.answer,
        "error": None if latest is None else latest.error,
    }


def by_name(waits: Iterable[Waited]) -> Mapping[str, Waited]:
    """Return what is waited for, by its name."""
    return {name_of(one): one for one in waits}


def sentence(explained: Explained) -> str:
    """Explain in one sentence why a step is where it is, and that its gate has let it run.

    Of one that a person has settled, that is why (rule 12.3).
    """
    if explained.settlement is not None:
        return settled_words(explained.settlement)
    why, gate = sentence_without_gate(explained), explained.gate
    return why if gate is None or gate.answer != "yes" else f"{why}; its only_if said {gate}"


def sentence_without_gate(explained: Explained) -> str:
    """Explain in one sentence why a step is where it is, but for what its gate has let pass."""
    step, waits_for, condition, before, gate, held, _ = explained
    if condition is not None and step.status is StepStatus.SKIPPED and not step.has_begun:
        return describe_decision(condition, by_name(waits_for.those))
    is_gate = gate is not None and gate.latest is not None and is_latest(gate.latest, step)
    why = reason(step, waits_for, before, held, is_gate=is_gate)
    if condition is None or step.status is StepStatus.CANCELLED:
        return why
    if waits_for.undone and condition.value is not None:
        then = "run" if condition.value else "be skipped"
        rest = "it" if len(waits_for.undone) == 1 else "them"
        why += f", and will {then} whatever becomes of {rest}"
    return f"{why}; {describe_decision(condition, by_name(waits_for.those))}"


def is_latest(attempt: PastAttempt, step: Step) -> bool:
    """Tell whether an attempt is its step's latest."""
    return attempt.number == step.attempt_no


def waiting_notes(handle: RunHandle, run: Run) -> Iterator[str]:
    """Say for which run another one waits, and how to free the group of both (rule 10.7)."""
    if run.queue is None:
        return
    yield f"This run {waiting_words(run)}: nothing of it runs before it is its turn."
    first = run.queue.holder or next(iter(run.queue.waiting), None)
    if first is None:
        return
    before = handle._replace(run_key=first)
    runner, key = before.holder(), shlex.quote(first)
    remedy = f"`orchesjob-flow cancel --run-key {key}` ends it"
    if runner is not None:
        yield f"{first} is advanced by {runner}; {remedy}."
    elif first == run.queue.holder:
        resume = f"`orchesjob-flow resume --run-key {key}` continues it"
        yield f"No process advances {first}, which keeps the group: {resume}, {remedy}."
    else:
        yield f"No process advances {first}: a run that has one does not wait for it."


def not_advanced(run: Run, runner: Holder | None) -> Iterator[str]:
    """Say why nothing happens in a run that has not ended, if no runner goes on with it."""
    if run.gave_up is not None:
        sentence = str(describe_given_up(run, runner))
        yield f"{sentence[:1].upper()}{sentence[1:]}."
    elif runner is None and not run.status.is_terminal:
        yield "No process advances this run: `orchesjob-flow resume` with its run key continues it."


def explained_lines(explained: Sequence[Explained], notes: Sequence[str]) -> list[str]:
    """Write a sentence for each step.

    Of a single one, the whole condition follows, part by part, if it has parts, and its gate. The
    notes about the run, if there are any, come last.
    """
    lines = [f"{one.step.step_id} {one.step.status.value}: {sentence(one)}" for one in explained]
    condition = explained[0].condition if len(explained) == 1 else None
    if condition is not None and condition.whole.operator is not None:
        lines += ["", *(f"  {line}" for line in condition.lines)]
    if len(explained) == 1 and explained[0].gate is not None:
        gate = explained[0].gate
        lines += ["", f"  only_if {shlex.join(gate.command)}: {gate}"]
    if notes:
        lines += ["", *notes]
    return list(map(visible, lines))
