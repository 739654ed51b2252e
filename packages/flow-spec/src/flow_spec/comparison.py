"""The comparison of two flows by what they do (rule 4.4), as sentences."""

from collections.abc import Iterable, Iterator, Mapping, Set
from itertools import zip_longest

import attrs

from flow_spec.errors import QUOTED_LENGTH, quoted
from flow_spec.fields.reading import FINALLY, STEPS, ValueList
from flow_spec.fields.records import ListedFile, ProducedFile, declarations
from flow_spec.flow import FlowSpec
from flow_spec.foreach import Block
from flow_spec.step import StepSpec


def _block_differences(old: FlowSpec, new: FlowSpec, shared: Iterable[str]) -> Iterator[str]:
    """Yield what differs in the blocks of the steps in both flows, once for each block.

    The lines of a file and the names of files make no difference: a run keeps those that were there
    when it was recorded.
    """
    before, after = (
        {step_id: block for block in flow.blocks for step_id in block.ids} for flow in (old, new)
    )
    compared = set()
    for step_id in shared:
        was, now = before.get(step_id), after.get(step_id)
        if was is None or now is None:
            if was is not now:
                where = "into a foreach" if was is None else "out of its foreach"
                yield f"step {quoted(step_id)} was moved {where}"
        elif (was.ids, now.ids) not in compared:
            compared.add((was.ids, now.ids))
            for change in _changes_of_block(was, now):
                yield f"foreach of step {quoted(step_id)}: {change}"


def _changes_of_block(old: Block, new: Block) -> Iterator[str]:
    if old.lists and new.lists:
        before, after = ({one.name: one for one in block.lists} for block in (old, new))
        for name in dict.fromkeys((*before, *after)):
            was, now = before.get(name), after.get(name)
            if was is None or now is None or was.as_written != now.as_written:
                yield f"{name} was {_shown_list(was)} and is now {_shown_list(now)}"
        if before.keys() == after.keys():
            orders = (", ".join(block.names) for block in (old, new))
            yield from _changes("the order of its names", *orders)
    elif (old.names, old.copies) != (new.names, new.copies):
        yield "its rows were changed"
    yield from _changes("max_parallel", old.max_parallel, new.max_parallel)


_SHOWN = 5
"""How many values of a list a sentence shows."""


def _shown_list(values: ValueList | None) -> str:
    if values is None:
        return "not set"
    if values.origin is not None:
        return values.spelled
    rest = len(values.values) - _SHOWN
    shown = ", ".join(map(quoted, values.values[:_SHOWN]))
    return f"[{shown}{f', and {rest} more' if rest > 0 else ''}]"


def differences(old: FlowSpec, new: FlowSpec) -> tuple[str, ...]:
    """Return a sentence for each way in which `new` behaves differently from `old` (rule 4.4).

    Descriptions, the order of the steps, the spelling of a condition, and defaults that are written
    out make no difference.
    """
    sentences: list[str] = []
    values, new_values = dict(old.values), dict(new.values)
    for name in sorted(values.keys() | new_values.keys()):
        sentences += _changes(f"params.{name}", values.get(name), new_values.get(name))
    sentences += _changes("until", *(", ".join(flow.until) or None for flow in (old, new)))
    sentences += _field_differences(old, new, besides={STEPS, FINALLY, "concurrency"})
    sentences += _changes("concurrency.group", old.group, new.group)
    was, now = (flow.concurrency and flow.concurrency.on_conflict.value for flow in (old, new))
    sentences += _changes("concurrency.on_conflict", was, now)
    before = {step.id: step for step in old.as_written.all_steps}
    after = {step.id: step for step in new.as_written.all_steps}
    for step_id, step in before.items():
        if step_id in after:
            if (step_id in old.finally_ids) != (step_id in new.finally_ids):
                there = FINALLY if step_id in new.finally_ids else STEPS
                sentences.append(f"step {quoted(step_id)} was moved to {there}")
            changes = _step_differences(step, after[step_id])
            sentences += (f"step {quoted(step_id)}: {change}" for change in changes)
        else:
            sentences.append(f"step {quoted(step_id)} was removed")
    sentences += [f"step {quoted(step_id)} was added" for step_id in after if step_id not in before]
    shared = [step_id for step_id in before if step_id in after]
    sentences += _block_differences(old, new, shared)
    return tuple(sentences)


def _step_differences(old: StepSpec, new: StepSpec) -> Iterator[str]:
    if _start_rule(old) != _start_rule(new):
        yield f"start was {_start_words(old)} and is now {_start_words(new)}"
    words = "command" if None in {old.script, new.script} else "script"
    yield from _changes(words, getattr(old, words), getattr(new, words))
    yield from _field_differences(old, new, besides={"when", "depends_on", "command"})


def _field_differences(
    old: FlowSpec | StepSpec, new: FlowSpec | StepSpec, besides: Set[str]
) -> Iterator[str]:
    for name, field in declarations(type(old)).items():
        if field.significant and name not in besides:
            before, after = getattr(old, name), getattr(new, name)
            if name == "env":
                yield from _variables(dict(before), dict(after))
            else:
                yield from _changes(name, before, after)
    for name in sorted({*old.fills} ^ {*new.fills}):
        if getattr(old, name) == getattr(new, name):
            was, now = ("were", "are not") if name in old.fills else ("were not", "are")
            yield f"names in {name} {was} filled in and {now} now"


def _variables(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    """Name the variables that differ, not their values: some are secret."""
    for name in sorted(before.keys() | after.keys()):
        if name not in after:
            yield f"env.{name} is no longer set"
        elif name not in before:
            yield f"env.{name} was not set and is now"
        elif before[name] != after[name]:
            yield f"env.{name} has a different value"


def _start_rule(step: StepSpec) -> tuple[object, frozenset[str]]:
    """Return what decides the start; two steps with equal rules start alike."""
    in_order = attrs.evolve(step, depends_on=tuple(sorted(step.depends_on)), waits_also=())
    return in_order.condition, frozenset(in_order.waits_for)


def _start_words(step: StepSpec) -> str:
    words = []
    if step.when is not None:
        words.append(f"when {quoted(step.when)}")
    if step.depends_on:
        words.append(f"depends_on {quoted(', '.join(step.depends_on))}")
    return " with ".join(words) or "unconditional"


def _changes(name: str, before: object, after: object) -> Iterator[str]:
    if isinstance(before, tuple) and isinstance(after, tuple):
        for index, (one, other) in enumerate(zip_longest(before, after)):
            yield from _changes(f"{name}[{index}]", one, other)
    elif before != after:
        if isinstance(before, str) and isinstance(after, str):
            before, after = _from_difference(before, after)
        yield f"{name} was {_shown(before)} and is now {_shown(after)}"


def _from_difference(before: str, after: str) -> tuple[str, str]:
    """Return two texts from where they differ, if they are too long for a message."""
    pairs = enumerate(zip(before, after, strict=False))
    different = next((index for index, (one, other) in pairs if one != other), None)
    start = (min(len(before), len(after)) if different is None else different) - _SHOWN_ALIKE
    if start <= 0 or max(len(before), len(after)) <= QUOTED_LENGTH:
        return before, after
    return f"…{before[start:]}", f"…{after[start:]}"


_SHOWN_ALIKE = 20
"""How many equal characters are shown before a difference."""


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
        case ListedFile(path=path) | ProducedFile(path=path):
            says = "required: false" if isinstance(value, ListedFile) else "empty: true"
            return f"{{path: {quoted(path)}, {says}}}"
        case _:
            return str(value)
