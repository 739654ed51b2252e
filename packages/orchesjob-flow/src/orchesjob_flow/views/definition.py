"""What the views need of a stored definition: the steps in order, their waits, what is a copy.

It is read without flow-spec, since `status` is called every few seconds; no flow is checked here.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from flow_store import Run, Step

# A name before a parenthesis is a call such as `any(failed)`, which asks the steps in depends_on.
NAME_IN_CONDITION = re.compile(r"\w+\s*\(\s*\w+\s*\)|([A-Za-z0-9_][A-Za-z0-9_@-]*)(?:\.\w+)?")


class BoundedBlock(NamedTuple):
    """The ids of the steps of each copy, of which so many may be under way at once (rule 10.3)."""

    most: int
    copies: Sequence[Sequence[str]]


class Shape(NamedTuple):
    """What the steps of a flow wait for (rule 3.6), which are in `finally`, and which are copies.

    Each step is a key of `waits`, in the order of the file, those of `finally` last.

    `copies` has the ids of all copies of a step, by the name that means them; `values` what the
    names of their block stand for in each (rule 10.3).
    """

    waits: dict[str, tuple[str, ...]]
    finally_ids: frozenset[str]
    copies: dict[str, list[str]]
    values: dict[str, dict[str, str]]
    bounded: list[BoundedBlock]


@lru_cache(maxsize=1)
def shape_of(definition: str) -> Shape:
    """Read the shape of a flow from its stored definition.

    Raises:
        StoredFlowError: It is damaged.
    """
    try:
        flow = json.loads(definition)
        outside, finally_ = flow["steps"], flow.get("finally", ())
        shape = Shape({}, frozenset(step["id"] for step in finally_), {}, {}, [])
        begin = 0
        for block in flow.get("blocks", ()):
            add_steps(shape, outside[begin : block["before"]])
            add_block(shape, block)
            begin = block["before"]
        add_steps(shape, (*outside[begin:], *finally_))
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        # Slower to import than all the rest; it raises the error that says what is wrong.
        from flow_spec import FlowSpec

        FlowSpec.from_json(definition)
        raise
    return shape


def waits_of(step: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what a step waits for, each name once."""
    return all_named(tuple(step.get("depends_on", ())), str(step.get("when", "")))


@lru_cache(maxsize=100)
def all_named(depends_on: tuple[str, ...], when: str) -> tuple[str, ...]:
    """Return each id in `depends_on` and in `when` once; those of a layer often name the same."""
    return tuple(dict.fromkeys((*depends_on, *filter(None, NAME_IN_CONDITION.findall(when)))))


def in_order(run: Run) -> list[Step]:
    """List the steps in the order of the file, those of `finally` last.

    They are recorded in another order where `retry --file` has added some (rule 9.7).
    """
    places = {step_id: place for place, step_id in enumerate(shape_of(run.definition).waits)}
    return sorted(run.steps, key=lambda step: places.get(step.step_id, len(places)))


def is_in_finally(run: Run, step: Step) -> bool:
    """Tell whether a step is one of `finally` (rule 10.1)."""
    return step.step_id in shape_of(run.definition).finally_ids


def add_steps(shape: Shape, steps: Iterable[Mapping[str, Any]]) -> None:
    """Add steps that are in no block."""
    shape.waits.update((step["id"], waits_of(step)) for step in steps)


def add_block(shape: Shape, block: Mapping[str, Any]) -> None:
    """Add the copies of the steps of a block; inside, a name means the same copy's step (10.3)."""
    waits = {step["id"]: waits_of(step) for step in block["steps"]}
    shape.copies.update((name, []) for name in waits)
    ids = []
    for copy in block["copies"]:
        own = {name: f"{name}@{copy['label']}" for name in waits}
        values = dict(zip(block["names"], copy["values"], strict=True))
        for name, others in waits.items():
            shape.copies[name].append(own[name])
            shape.waits[own[name]] = tuple(own.get(other, other) for other in others)
            shape.values[own[name]] = values
        ids.append(list(own.values()))
    if block.get("max_parallel") is not None:
        shape.bounded.append(BoundedBlock(block["max_parallel"], ids))
