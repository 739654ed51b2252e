"""The copies of a step on one line of a table, where there is no room for all (rule 10.3)."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from flow_store import Run, Step, StepStatus
from orchesjob_flow.views.definition import shape_of
from orchesjob_flow.views.waited import base_of

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
