"""Which run would wait for which, and whether one would wait for itself (rule 10.7)."""

from collections import deque
from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from flow_store.records import FlowStatus, Joining


class RunInGroup(NamedTuple):
    """What decides for which other runs a run waits: its outer run, status and group."""

    outer: str | None
    status: str
    group: str | None
    place: int | None

    @property
    def order(self) -> tuple[bool, int]:
        """Sorts the runs of a group: the one that holds it, then the others by their places."""
        return self.status != FlowStatus.RUNNING, self.place or 0


type Waits = Mapping[str, Sequence[tuple[str, str | None]]]
"""For each run the runs that it waits for; with each the group, or None for a nested run."""


def waits_of(runs: Mapping[str, RunInGroup], run_key: str, joining: Joining) -> Waits:
    """Return which run would wait for which, if a run joined a group like this.

    `runs` are all runs that have not ended, and those around them. A run waits for its
    nested runs, whether their starts have returned (`start -d`) or not: a later step may wait for
    them. A run without a runner waits too, because it can be resumed.
    """
    active = {key for key, run in runs.items() if not FlowStatus(run.status).is_terminal}
    active.add(run_key)
    waits: dict[str, list[tuple[str, str | None]]] = {key: [] for key in active}
    nested = [(key, runs[key].outer) for key in active & runs.keys()]
    for key, outer in (*nested, (run_key, joining.inside)):
        waiting = nearest_active(runs, active, outer)
        if waiting is not None and waiting != key:
            waits[waiting].append((key, None))
    queues: dict[str, list[str]] = {}
    for key in sorted(active - {run_key}, key=lambda key: runs[key].order):
        if (group := runs[key].group) is not None:
            queues.setdefault(group, []).append(key)
    queues.setdefault(joining.group, []).append(run_key)
    for group, queue in queues.items():
        first, *_ = queue
        for before, key in pairwise(queue):
            if before != first and runs[first].status == FlowStatus.RUNNING:
                waits[key].append((first, group))
            waits[key].append((before, group))
    return waits


def nearest_active(
    runs: Mapping[str, RunInGroup], active: Collection[str], run_key: str | None
) -> str | None:
    """Return this run, or the nearest one around it that has not ended; an ended one waits not."""
    seen: set[str] = set()  # a removed run can have been recorded again, inside one of its own
    while run_key is not None and run_key not in active:
        if run_key in seen or run_key not in runs:
            return None
        seen.add(run_key)
        run_key = runs[run_key].outer
    return run_key


def find_circle(waits: Waits, start: str) -> tuple[tuple[str, str | None], ...]:
    """Return the shortest circle through a run, empty if there is none.

    Each run of it comes with the group in which it waits for the next one; the last one waits for
    `start`.
    """
    came_from: dict[str, tuple[str, str | None]] = {}
    queue = deque([start])
    while queue and start not in came_from:
        key = queue.popleft()
        for after, group in waits.get(key, ()):
            if after not in came_from:
                came_from[after] = (key, group)
                queue.append(after)
    circle = [came_from[start]] if start in came_from else []
    while circle and circle[-1][0] != start:
        circle.append(came_from[circle[-1][0]])
    return tuple(reversed(circle))
