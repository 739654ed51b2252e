"""What a step waits for: other steps, and all copies of a step under one name (rule 10.3).

However many copies there are, a name that means them is one thing here, and is counted once.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Self

from flow_store import Run, Step, StepStatus
from orchesjob_flow.views.definition import in_order, shape_of


class Copies(NamedTuple):
    """All copies of a step: how many are in which status, and the latest `retry` of one."""

    name: str
    counts: Mapping[StepStatus, int]
    retry_no: int | None


type Waited = Step | Copies


class Waits(NamedTuple):
    """What a step waits for, what of that has not ended, and the latest `retry` of any of it.

    Steps of one layer wait for the same; so these are found once for all of them.
    """

    those: Sequence[Waited] = ()
    undone: Sequence[Waited] = ()
    retry_no: int = 0

    @classmethod
    def of(cls, those: Sequence[Waited]) -> Self:
        """Look at what a step waits for."""
        undone = [one for one in those if not has_ended(one)]
        return cls(those, undone, max((one.retry_no or 0 for one in those), default=0))


def waited_for(run: Run) -> dict[str, Waited]:
    """Return what conditions and `depends_on` can name in a run, by its name."""
    found: dict[str, Waited] = {step.step_id: step for step in run.steps}
    for name, ids in shape_of(run.definition).copies.items():
        steps = [step for step in map(found.get, ids) if isinstance(step, Step)]
        retry_no = max((step.retry_no or 0 for step in steps), default=0)
        found[name] = Copies(name, Counter(step.status for step in steps), retry_no or None)
    return found


def all_before_finally(run: Run) -> Waits:
    """List what the steps of `finally` wait for: all others, the copies of a step as one (10.1)."""
    shape, found = shape_of(run.definition), waited_for(run)
    names = dict.fromkeys(base_of(step.step_id) for step in in_order(run))
    return Waits.of(
        [found[name] for name in names if name in found and name not in shape.finally_ids]
    )


def base_of(step_id: str) -> str:
    """Return the name that means all copies, of one of which this is the id (rule 10.3)."""
    return step_id.partition("@")[0]


def name_of(waited: Waited) -> str:
    """Return the name by which something is waited for."""
    return waited.name if isinstance(waited, Copies) else waited.step_id


def statuses_of(waited: Waited) -> Collection[StepStatus]:
    """Return the statuses that it has; of copies, each that one of them has."""
    return waited.counts if isinstance(waited, Copies) else (waited.status,)


def has_ended(waited: Waited) -> bool:
    """Whether nobody needs wait for it any more."""
    return all(status.is_terminal for status in statuses_of(waited))


def newer(waits: Waits, step: Step) -> Sequence[Waited]:
    """Return what a `retry` has had decided anew, and not the step (rule 9.7)."""
    retry_no = step.retry_no or 0
    if waits.retry_no <= retry_no:
        return ()
    return [one for one in waits.those if (one.retry_no or 0) > retry_no]


def spelled(waited: Waited) -> str:
    """Write its name and status; of copies, how many are in each."""
    if not isinstance(waited, Copies):
        return f"{waited.step_id} {waited.status.value}"
    return f"{waited.name} ({counted(waited.counts)})"


def counted(counts: Mapping[StepStatus, int]) -> str:
    """Write how many of some steps are in each status."""
    return ", ".join(f"{count} {status.value}" for status, count in counts.items()) or "no copies"
