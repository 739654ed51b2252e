"""What the steps of a recorded flow wait for, and which are copies or in `finally`.

A second reader of the stored form: importing flow-spec's takes several times as long as all of
`status`.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple


class BoundedBlock(NamedTuple):
    """The ids of the steps of each copy, and how many copies may run at once (rule 10.3)."""

    max_parallel: int
    copies: Sequence[Sequence[str]]


class Shape(NamedTuple):
    """What the steps of a flow wait for (rule 3.6), which are in `finally`, and which are copies.

    Attributes:
        waits: The dependencies of each step, by id, in the order of the file, `finally` last.
        finally_ids: The steps of `finally`.
        copies: The ids of all copies of a step, by the step's name (rule 10.3).
        values: The values of its `foreach` for each copy, by id and by the names of the block.
        bounded: The blocks with `max_parallel`.
        until: The steps for which the run is made; empty: for all (rule 6.14).
        left_out: The steps that it therefore leaves out.
    """

    waits: dict[str, tuple[str, ...]]
    finally_ids: frozenset[str]
    copies: dict[str, list[str]]
    values: dict[str, dict[str, str]]
    bounded: list[BoundedBlock]
    until: Sequence[str]
    left_out: frozenset[str]


_latest: list[tuple[str, Shape]] = []
"""The definition that was asked for last, if there was one, and its shape."""


def shape_of(definition: str) -> Shape:
    """Return the shape of a flow from its stored definition, which is read once.

    It is asked for with each step. A run that is read again has another object of the same text,
    and comparing two of them takes as long as they are, so it is done once for each object.

    Raises:
        StoredFlowError: It is damaged.
    """
    known, shape = _latest[0] if _latest else (None, None)
    if shape is None or known is not definition:
        if shape is None or known != definition:
            shape = read_shape(definition)
        _latest[:] = [(definition, shape)]
    return shape


def read_shape(definition: str) -> Shape:
    """Read the shape of a flow from its stored definition.

    Raises:
        StoredFlowError: It is damaged.
    """
    try:
        flow = json.loads(definition)
        outside, finally_ = flow["steps"], flow.get("finally", ())
        shape = Shape(
            waits={},
            finally_ids=frozenset(step["id"] for step in finally_),
            copies={},
            values={},
            bounded=[],
            until=flow.get("until", ()),
            left_out=frozenset(flow.get("left_out", ())),
        )
        begin = 0
        for block in flow.get("blocks", ()):
            add_plain_steps(shape, outside[begin : block["before"]])
            add_block(shape, block)
            begin = block["before"]
        add_plain_steps(shape, (*outside[begin:], *finally_))
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        # `FlowSpec` raises the error that says what is wrong. It is slow to import.
        from flow_spec import FlowSpec

        FlowSpec.from_json(definition)
        raise
    return shape


def add_plain_steps(shape: Shape, steps: Iterable[Mapping[str, Any]]) -> None:
    """Add steps outside of blocks."""
    shape.waits.update((step["id"], waits_of(step)) for step in steps)


def add_block(shape: Shape, block: Mapping[str, Any]) -> None:
    """Add the copies of a block's steps; inside, a name means the step of the same copy (10.3)."""
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


def waits_of(step: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of a stored step's dependencies, each once (rule 3.6)."""
    return tuple(step.get("x-waits-for") or step.get("depends_on", ()))
