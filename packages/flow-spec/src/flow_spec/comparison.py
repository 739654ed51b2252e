"""The comparison of two flows by what they do (rule 4.4); its result is sentences."""

from collections.abc import Iterator, Mapping, Set
from itertools import zip_longest

from flow_conditions import Condition, all_of
from flow_spec.block_comparison import block_differences
from flow_spec.declaration import declarations
from flow_spec.errors import QUOTED_LENGTH, quoted
from flow_spec.flow import FlowSpec
from flow_spec.predicates import parse_when
from flow_spec.reading import FINALLY, STEPS
from flow_spec.step import StepSpec

_DECIDING_START = {"when", "depends_on"}


def differences(old: FlowSpec, new: FlowSpec) -> tuple[str, ...]:
    """Return a sentence for each way in which `new` does something else than `old`.

    Descriptions, the order of the steps, the spelling of a condition and defaults that are written
    out make no difference. Rule 4.4.
    """
    sentences = [*_value_differences(dict(old.values), dict(new.values))]
    sentences += _field_differences(old, new, besides={STEPS, FINALLY, "concurrency"})
    sentences += _changes("concurrency.group", old.group, new.group)
    sentences += _changes("concurrency.on_conflict", _on_conflict(old), _on_conflict(new))
    before = {step.id: step for step in old.as_written.all_steps}
    after = {step.id: step for step in new.as_written.all_steps}
    for step_id, step in before.items():
        if step_id in after:
            if (step_id in old.finally_ids) != (step_id in new.finally_ids):
                there = FINALLY if step_id in new.finally_ids else STEPS
                sentences.append(f"step {quoted(step_id)} was moved to {there}")
            sentences += _step_differences(step, after[step_id])
        else:
            sentences.append(f"step {quoted(step_id)} was removed")
    sentences += [f"step {quoted(step_id)} was added" for step_id in after if step_id not in before]
    sentences += block_differences(
        old.blocks, new.blocks, [name for name in before if name in after]
    )
    return tuple(sentences)


def _on_conflict(flow: FlowSpec) -> str | None:
    return None if flow.concurrency is None else flow.concurrency.on_conflict.value


def _value_differences(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(before.keys() | after.keys()):
        yield from _changes(f"params.{name}", before.get(name), after.get(name))


def _step_differences(old: StepSpec, new: StepSpec) -> list[str]:
    changes = []
    if _start_rule(old) != _start_rule(new):
        changes.append(f"start was {_start_words(old)} and is now {_start_words(new)}")
    changes += _field_differences(old, new, besides=_DECIDING_START)
    return [f"step {quoted(old.id)}: {change}" for change in changes]


def _field_differences(
    old: FlowSpec | StepSpec, new: FlowSpec | StepSpec, besides: Set[str]
) -> Iterator[str]:
    for name, field in declarations(type(old)).items():
        if field.significant and name not in besides:
            before, after = getattr(old, name), getattr(new, name)
            if name == "env":
                yield from _variables(dict(before), dict(after))
            elif isinstance(old, StepSpec) and isinstance(new, StepSpec) and name == "command":
                yield from _command_changes(old, new)
            else:
                yield from _changes(name, before, after)
    for name in sorted({*old.fills} ^ {*new.fills}):
        if getattr(old, name) == getattr(new, name):
            was, now = ("were", "are not") if name in old.fills else ("were not", "are")
            yield f"names in {name} {was} filled in and {now} now"


def _command_changes(old: StepSpec, new: StepSpec) -> Iterator[str]:
    """Name a script as one, although it is a word of a command."""
    if old.script is not None and new.script is not None:
        return _changes("script", old.script, new.script)
    return _changes("command", old.command, new.command)


def _variables(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    """Name the variables that differ, and not their values: some are secret."""
    for name in sorted(before.keys() | after.keys()):
        if name not in after:
            yield f"env.{name} is no longer set"
        elif name not in before:
            yield f"env.{name} was not set and is now"
        elif before[name] != after[name]:
            yield f"env.{name} has a different value"


def _start_rule(step: StepSpec) -> tuple[Condition | None, frozenset[str]]:
    """Return what decides the start: two steps with equal rules start alike."""
    listed = sorted(step.depends_on)
    condition = all_of(listed) if listed else None
    if step.when is not None:
        condition = parse_when(step.when, listed)
    return condition, frozenset(step.waits_for)


def _start_words(step: StepSpec) -> str:
    words = []
    if step.when is not None:
        words.append(f"when {quoted(step.when)}")
    if step.depends_on:
        words.append(f"depends_on {quoted(', '.join(step.depends_on))}")
    return " with ".join(words) or "unconditional"


def _changes(name: str, before: object, after: object) -> Iterator[str]:
    """Yield what differs, item by item where both are lists."""
    if isinstance(before, tuple) and isinstance(after, tuple):
        for index, (one, other) in enumerate(zip_longest(before, after)):
            yield from _changes(f"{name}[{index}]", one, other)
    elif before != after:
        if isinstance(before, str) and isinstance(after, str):
            before, after = _from_difference(before, after)
        yield f"{name} was {_shown(before)} and is now {_shown(after)}"


def _from_difference(before: str, after: str) -> tuple[str, str]:
    """Return two texts from where they differ, if a message would not show them to their ends."""
    pairs = enumerate(zip(before, after, strict=False))
    different = next((index for index, (one, other) in pairs if one != other), None)
    start = (min(len(before), len(after)) if different is None else different) - _SHOWN_ALIKE
    if start <= 0 or max(len(before), len(after)) <= QUOTED_LENGTH:
        return before, after
    return f"…{before[start:]}", f"…{after[start:]}"


_SHOWN_ALIKE = 20
"""Characters shown before those that differ."""


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
