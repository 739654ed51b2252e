"""`explain`: why each step of a run waits, runs or was skipped, operand by operand (rule 9.4).

The condition is evaluated as `flow_conditions` does it, three-valued, over what is recorded.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from flow_conditions import Explanation, Name
from flow_spec import FlowSpec, StepSpec
from flow_store import Run, Step, StepStatus
from orchesjob_flow.engine.outcome import is_true
from orchesjob_flow.reasons import reason, spell
from orchesjob_flow.text import visible

WORDS = {True: "true", False: "false", None: "undecided"}
DEEPEST = 50
LONGEST_PART = 60
MOST_PARTS = 8


class Explained(NamedTuple):
    """A step, the steps that it waits for, and its condition with the value of every part."""

    step: Step
    waits_for: tuple[Step, ...]
    condition: Explanation | None


def explain(run: Run, step_id: str | None) -> list[Explained]:
    """Explain one step of a run, or all.

    Raises:
        UnknownStepError: There is no such step; it names the one that was probably meant.
    """
    flow = FlowSpec.from_json(run.definition)
    rows = {row.step_id: row for row in run.steps}
    specs = flow.steps if step_id is None else (flow.step(step_id),)
    return [explain_step(spec, rows) for spec in specs]


def explain_step(spec: StepSpec, rows: dict[str, Step]) -> Explained:
    """Evaluate a step's condition over what is recorded."""
    waits_for = tuple(rows[name] for name in spec.waits_for)
    if spec.condition is None:
        return Explained(rows[spec.id], waits_for, None)

    def value(operand: Name) -> bool | None:
        return is_true(operand.predicate, rows[operand.name].status)

    return Explained(rows[spec.id], waits_for, spec.condition.explain(value))


def explained_json(explained: Explained) -> dict[str, Any]:
    """Describe the explanation of a step for scripts; the condition is a tree."""
    step, waits_for, condition = explained
    statuses = {other.step_id: other.status for other in waits_for}
    return {
        "id": step.step_id,
        "status": step.status.value,
        "reason": sentence(explained),
        "waits_for": [{"id": name, "status": status.value} for name, status in statuses.items()],
        "condition": None if condition is None else tree_json(condition, statuses),
    }


def tree_json(
    part: Explanation, statuses: Mapping[str, StepStatus], level: int = 0
) -> dict[str, Any]:
    """Describe a part of a condition; what lies deeper than anybody looks is left out."""
    described: dict[str, Any] = {"text": part.text, "value": part.value, "operator": part.operator}
    if part.operator is None:
        (operand,) = part.operands
        return described | {"step": operand.name, "status": statuses[operand.name].value}
    children = part.children if level < DEEPEST else ()
    return described | {"children": [tree_json(child, statuses, level + 1) for child in children]}


def sentence(explained: Explained) -> str:
    """Say what a person would say about a step."""
    step, waits_for, condition = explained
    statuses = {other.step_id: other.status for other in waits_for}
    if condition is not None and step.status is StepStatus.SKIPPED and step.attempt_no == 0:
        return worth(condition, statuses)
    said = reason(step, statuses)
    if condition is None or step.status is StepStatus.CANCELLED:
        return said
    undone = sum(not other.status.is_terminal for other in waits_for)
    if undone and condition.value is not None:
        then = "run" if condition.value else "be skipped"
        said += f", and will {then} whatever becomes of {'it' if undone == 1 else 'them'}"
    return f"{said}; {worth(condition, statuses)}"


def worth(condition: Explanation, statuses: Mapping[str, StepStatus]) -> str:
    """Say what a condition is worth, and what it follows from: the parts of its outermost row."""
    if condition.operator not in ("&&", "||"):
        return worth_of_part(condition, statuses)
    row = condition.children
    clauses = ", ".join(worth_of_part(part, statuses) for part in row[:MOST_PARTS])
    rest = len(row) - MOST_PARTS
    more = f" and {rest} more" if rest > 0 else ""
    return f"{spell_value(condition)}: {clauses}{more}"


def worth_of_part(part: Explanation, statuses: Mapping[str, StepStatus]) -> str:
    """Say what one part of a row is worth, by the steps that it names."""
    operands = {name.name: statuses[name.name] for name in part.operands}
    return f"{spell_value(part)} ({spell(operands.items())})"


def spell_value(part: Explanation) -> str:
    """Say what a part is worth, cut to a length that one can read."""
    text = part.text
    cut = text if len(text) <= LONGEST_PART else f"{text[: LONGEST_PART - 3]}..."
    return f"`{cut}` is {WORDS[part.value]}"


def explained_text(explained: Sequence[Explained], *, advanced: bool) -> str:
    """Write a sentence for each step; of a single one the whole condition too, part by part.

    `advanced` is false for a run that waits in vain, having no runner.
    """
    lines = [f"{one.step.step_id} {one.step.status.value}: {sentence(one)}" for one in explained]
    if len(explained) == 1 and explained[0].condition is not None:
        lines += ["", *(f"  {line}" for line in explained[0].condition.lines())]
    if not advanced:
        lines += ["", "Nobody advances this run: `orchesjob-flow resume` with its run key goes on."]
    return "".join(f"{visible(line)}\n" for line in lines)
