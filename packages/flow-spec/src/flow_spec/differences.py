"""How two flows differ in meaning (rule 4.4): a comparison that returns sentences."""

from itertools import zip_longest
from typing import TYPE_CHECKING

from flow_conditions import Condition, all_of
from flow_spec.conditions import parse_when
from flow_spec.errors import quoted
from flow_spec.fields import declarations

if TYPE_CHECKING:
    from flow_spec.model import FlowSpec, StepSpec

_DECIDING_START = {"when", "depends_on"}


def differences(old: "FlowSpec", new: "FlowSpec") -> tuple[str, ...]:
    """Return a sentence for each difference in what the flows do, in the order of `old`."""
    sentences = []
    if old.flow_id != new.flow_id:
        sentences.append(f"flow_id was {quoted(old.flow_id)} and is now {quoted(new.flow_id)}")
    before = {step.id: step for step in old.steps}
    after = {step.id: step for step in new.steps}
    for step_id, step in before.items():
        if step_id in after:
            sentences += _step_differences(step, after[step_id])
        else:
            sentences.append(f"step {quoted(step_id)} was removed")
    sentences += [f"step {quoted(step_id)} was added" for step_id in after if step_id not in before]
    return tuple(sentences)


def _step_differences(old: "StepSpec", new: "StepSpec") -> list[str]:
    changes = []
    if _start_rule(old) != _start_rule(new):
        changes.append(("start", _start_words(old), _start_words(new)))
    for name, field in declarations(type(old)).items():
        if field.means and name not in _DECIDING_START:
            changes += _changes(name, getattr(old, name), getattr(new, name))
    return [
        f"step {quoted(old.id)}: {what} was {before} and is now {after}"
        for what, before, after in changes
    ]


def _start_rule(step: "StepSpec") -> tuple[Condition | None, frozenset[str]]:
    """Return what decides the start: two steps with equal rules start alike."""
    listed = sorted(step.depends_on)
    condition = all_of(listed) if listed else None
    if step.when is not None:
        condition = parse_when(step.when, listed)
    return condition, frozenset(step.waits_for)


def _start_words(step: "StepSpec") -> str:
    words = []
    if step.when is not None:
        words.append(f"when {quoted(step.when)}")
    if step.depends_on:
        words.append(f"depends_on {quoted(', '.join(step.depends_on))}")
    return " with ".join(words) or "unconditional"


def _changes(name: str, before: object, after: object) -> list[tuple[str, str, str]]:
    """Return what differs, item by item where both are lists."""
    if isinstance(before, tuple) and isinstance(after, tuple):
        pairs = zip_longest(before, after)
        return [
            change
            for index, (one, other) in enumerate(pairs)
            for change in _changes(f"{name}[{index}]", one, other)
        ]
    return [(name, _shown(before), _shown(after))] if before != after else []


def _shown(value: object) -> str:
    match value:
        case None:
            return "not set"
        case str():
            return quoted(value)
        case bool():
            return str(value).lower()
        case float():
            return f"{value:g}"
        case _:
            return str(value)
