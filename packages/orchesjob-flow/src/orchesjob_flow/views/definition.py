"""What the views need of a stored definition: the steps in order, what each waits for, its copies.

A name that means all copies of a step counts as one thing, however many there are. Where a table
has no room for all copies, they share a line (rule 10.3).
"""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, Self

from flow_store import Run, Step, StepStatus


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
    """Return the names of what a stored step waits for, each once (rule 3.6)."""
    return tuple(step.get("x-waits-for") or step.get("depends_on", ()))


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


class Copies(NamedTuple):
    """All copies of a step: how many are in which status, and the latest `retry` of one."""

    name: str
    counts: Mapping[StepStatus, int]
    retry_no: int


type Dependency = Step | Copies


class Dependencies(NamedTuple):
    """What a step waits for, what of that has not ended, and the latest `retry` of any of it.

    Steps of one layer wait for the same; so these are found once for all of them.
    """

    those: Sequence[Dependency] = ()
    undone: Sequence[Dependency] = ()
    retry_no: int = 0

    @classmethod
    def of(cls, those: Sequence[Dependency]) -> Self:
        """Look at what a step waits for."""
        undone = [one for one in those if not has_ended(one)]
        return cls(those, undone, max((one.retry_no for one in those), default=0))


def dependencies_in(run: Run) -> dict[str, Dependency]:
    """Return what conditions and `depends_on` can name in a run, by its name."""
    found: dict[str, Dependency] = {step.step_id: step for step in run.steps}
    for name, ids in shape_of(run.definition).copies.items():
        steps = [step for step in map(found.get, ids) if isinstance(step, Step)]
        retry_no = max((step.retry_no for step in steps), default=0)
        found[name] = Copies(name, Counter(step.status for step in steps), retry_no)
    return found


def all_before_finally(run: Run) -> Dependencies:
    """List what the steps of `finally` wait for: all others, the copies of a step as one (10.1)."""
    shape, found = shape_of(run.definition), dependencies_in(run)
    names = dict.fromkeys(base_of(step.step_id) for step in in_order(run))
    return Dependencies.of(
        [found[name] for name in names if name in found and name not in shape.finally_ids]
    )


def base_of(step_id: str) -> str:
    """Return the name that means all copies, of one of which this is the id (rule 10.3)."""
    return step_id.partition("@")[0]


def name_of(waited: Dependency) -> str:
    """Return the name by which something is waited for."""
    return waited.name if isinstance(waited, Copies) else waited.step_id


def statuses_of(waited: Dependency) -> Collection[StepStatus]:
    """Return the statuses that it has; of copies, each that one of them has."""
    return waited.counts if isinstance(waited, Copies) else (waited.status,)


def has_ended(waited: Dependency) -> bool:
    """Whether nobody needs wait for it any more."""
    return all(status.is_terminal for status in statuses_of(waited))


def newer(waits: Dependencies, step: Step) -> Sequence[Dependency]:
    """Return what a `retry` has had decided anew, and not the step (rule 9.7)."""
    if waits.retry_no <= step.retry_no:
        return ()
    return [one for one in waits.those if one.retry_no > step.retry_no]


def spelled(waited: Dependency) -> str:
    """Write its name and status; of copies, how many are in each."""
    if not isinstance(waited, Copies):
        return f"{waited.step_id} {waited.status.value}"
    return f"{waited.name} ({counted(waited.counts)})"


def counted(counts: Mapping[StepStatus, int]) -> str:
    """Write how many of some steps are in each status."""
    return ", ".join(f"{count} {status.value}" for status, count in counts.items()) or "no copies"


URGENCY = ("RUNNING", "FAILED", "DELAYED", "CANCELLED", "PENDING", "SUCCEEDED", "SKIPPED")
"""Whose steps are shown first where not all of them fit."""


class Fold(NamedTuple):
    """All copies of a step."""

    name: str
    steps: Sequence[Step]

    @property
    def counts(self) -> Counter[StepStatus]:
        """How many copies are in which status, the most urgent first."""
        return Counter(sorted((step.status for step in self.steps), key=urgency))

    @property
    def status(self) -> StepStatus:
        """The most urgent status of a copy."""
        return next(iter(self.counts))


def urgency(status: StepStatus) -> int:
    """Return the place of a status in the order in which steps are shown."""
    return URGENCY.index(status.value)


def folded(run: Run, steps: Sequence[Step], room: int) -> Sequence[Step | Fold]:
    """Fold the copies of each step into one if there is no room for so many lines."""
    return steps if len(steps) <= room else list(_folds(run, steps))


def _folds(run: Run, steps: Sequence[Step]) -> Iterator[Step | Fold]:
    copies = shape_of(run.definition).copies
    by_name: dict[str, list[Step]] = {}
    for step in steps:
        by_name.setdefault(base_of(step.step_id), []).append(step)
    for name, those in by_name.items():
        if name in copies and len(those) > 1:
            yield Fold(name, those)
        else:
            yield from those


def count_statuses(rows: Sequence[Step | Fold]) -> Counter[StepStatus]:
    """Return how many steps are in which status, those in folds too."""
    counts = Counter(row.status for row in rows if isinstance(row, Step))
    for row in rows:
        if isinstance(row, Fold):
            counts.update(row.counts)
    return counts
