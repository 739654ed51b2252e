"""The flow of a run as its stored definition has it: order, dependencies, copies, `finally`.

A name that means all copies of a step counts as one thing, however many there are. flow-spec's own
reader takes longer to import than `status` takes, so this one reads what it needs.
"""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Self

from flow_store import Run, Step, StepStatus


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
            add_steps(shape, outside[begin : block["before"]])
            add_block(shape, block)
            begin = block["before"]
        add_steps(shape, (*outside[begin:], *finally_))
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        # `FlowSpec` raises the error that says what is wrong. It is slow to import.
        from flow_spec import FlowSpec

        FlowSpec.from_json(definition)
        raise
    return shape


def add_steps(shape: Shape, steps: Iterable[Mapping[str, Any]]) -> None:
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


def in_order(run: Run) -> list[Step]:
    """List the steps in the order of the file, those of `finally` last.

    Where `retry --file` has added steps, they are recorded in another order (rule 9.7).
    """
    places = {step_id: place for place, step_id in enumerate(shape_of(run.definition).waits)}
    return sorted(run.steps, key=lambda step: places.get(step.step_id, len(places)))


def is_in_finally(run: Run, step: Step) -> bool:
    """Tell whether a step is one of `finally` (rule 10.1)."""
    return step.step_id in shape_of(run.definition).finally_ids


def steps_before_finally(run: Run) -> list[Step]:
    """List the steps that are not in `finally`."""
    return [step for step in in_order(run) if not is_in_finally(run, step)]


def steps_of_finally(run: Run) -> list[Step]:
    """List the steps of `finally`."""
    return [step for step in in_order(run) if is_in_finally(run, step)]


def is_left_out(run: Run, step: Step) -> bool:
    """Tell whether a step was skipped because `--until` leaves it out (rule 6.14)."""
    is_named = step.step_id in shape_of(run.definition).left_out
    return is_named and step.status is StepStatus.SKIPPED and not step.has_begun


class Copies(NamedTuple):
    """All copies of a step: its id, the number in each status, and the latest `retry` of one."""

    step_id: str
    counts: Mapping[StepStatus, int]
    retry_no: int


type Dependency = Step | Copies


class Dependencies(NamedTuple):
    """What a step waits for, which of it has not ended, and the latest `retry` of any of it.

    Steps of one layer wait for the same, so this is computed once for all of them.
    """

    steps: Sequence[Dependency] = ()
    unfinished: Sequence[Dependency] = ()
    retry_no: int = 0

    @classmethod
    def of(cls, steps: Sequence[Dependency]) -> Self:
        """Find which dependencies have not ended, and the latest `retry`."""
        unfinished = [
            one for one in steps if not all(status.is_terminal for status in statuses_of(one))
        ]
        return cls(steps, unfinished, max((one.retry_no for one in steps), default=0))


NO_DEPENDENCIES = Dependencies()


def dependencies_in(run: Run) -> dict[str, Dependency]:
    """Return everything that conditions and `depends_on` can name in a run, by its name."""
    found: dict[str, Dependency] = {step.step_id: step for step in run.steps}
    for name, ids in shape_of(run.definition).copies.items():
        steps = [step for step in map(found.get, ids) if isinstance(step, Step)]
        retry_no = max((step.retry_no for step in steps), default=0)
        found[name] = Copies(name, Counter(step.status for step in steps), retry_no)
    return found


def all_before_finally(run: Run) -> Dependencies:
    """List what the steps of `finally` wait for: all others, copies of a step as one (10.1)."""
    shape, found = shape_of(run.definition), dependencies_in(run)
    names = dict.fromkeys(base_of(step.step_id) for step in in_order(run))
    return Dependencies.of(
        [found[name] for name in names if name in found and name not in shape.finally_ids]
    )


def base_of(step_id: str) -> str:
    """Return the name that means all copies of a step, given the id of one (rule 10.3)."""
    return step_id.partition("@")[0]


def statuses_of(dependency: Dependency) -> Collection[StepStatus]:
    """Return the status of a step, or all different statuses of copies."""
    return dependency.counts if isinstance(dependency, Copies) else (dependency.status,)


def retried_since(waits: Dependencies, step: Step) -> Sequence[Dependency]:
    """Return the dependencies that a `retry` decided again after this step was decided (9.7)."""
    if waits.retry_no <= step.retry_no:
        return ()
    return [one for one in waits.steps if one.retry_no > step.retry_no]
