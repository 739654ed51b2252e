"""Concurrency groups: which run of a group may begin, and which would wait for itself (rule 10.7).

A run that joins a group gets the last place in its queue. These functions only read: the caller is
in the transaction that writes. No run may begin while another one is ahead of it, and no run may
join a group if it would then wait for itself.
"""

from collections import deque
from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from flow_store import sql
from flow_store.database import Database
from flow_store.errors import CircleOfGroups, GroupTaken
from flow_store.records import GroupPlace, Joining, Queue, RunStatus

LAST = 2**63 - 1
"""A place after all others in a group."""


def read_queue(database: Database, run_key: str, place: GroupPlace) -> Queue:
    """Return the runs ahead of a run that has not begun (rule 10.7)."""
    found = database.query(sql.SELECT_GROUP, (place.name, run_key, place.place))
    holders = [key for key, status in found if status == RunStatus.RUNNING]
    waiting = tuple(key for key, status in found if status == RunStatus.PENDING)
    return Queue(holders[0] if holders else None, waiting)


def refuse_taken(
    database: Database, run_key: str, place: GroupPlace, passes: Collection[str]
) -> None:
    """Refuse to let a run begin while another run of its group is ahead of it (rule 10.7).

    Waiting runs in `passes` do not count.

    Raises:
        GroupTaken: A run of the group is RUNNING, or waits and joined earlier.
    """
    queue = read_queue(database, run_key, place)
    if queue.holder is not None:
        raise GroupTaken(run_key, place.name, queue.holder, is_under_way=True)
    for key in queue.waiting:
        if key not in passes:
            raise GroupTaken(run_key, place.name, key, is_under_way=False)


def join(database: Database, run_key: str, joining: Joining) -> GroupPlace:
    """Return the last place in a group, for a run that may join it like this (rule 10.7).

    Raises:
        GroupTaken: The run is to begin at once, and another run is ahead of it.
        CircleOfGroups: The run would wait for itself.
    """
    ((number,),) = database.query(sql.NEXT_PLACE, (joining.group,))
    place = GroupPlace(joining.group, number)
    if joining.begins is not None:
        refuse_taken(database, run_key, place, joining.passes)
        return place
    found = database.query(sql.SELECT_CONNECTED, (run_key, joining.inside))
    waits = waits_in_group({row[0]: RunInGroup(*row[1:]) for row in found}, run_key, joining)
    circle = find_circle(waits, run_key)
    if circle:
        raise CircleOfGroups(run_key, circle)
    return place


class RunInGroup(NamedTuple):
    """What decides for which other runs a run waits: its outer run, status and group."""

    outer: str | None
    status: str
    group: str | None
    place: int | None

    @property
    def order(self) -> tuple[bool, int]:
        """Sorts the runs of a group: the one that holds it, then the others by their places."""
        return self.status != RunStatus.RUNNING, self.place or 0


type Waits = Mapping[str, Sequence[tuple[str, str | None]]]
"""The runs that each run waits for, each with their group, or None for a nested run."""


def waits_in_group(runs: Mapping[str, RunInGroup], run_key: str, joining: Joining) -> Waits:
    """Return which run would wait for which, if a run joined a group like this.

    `runs` are all runs that have not ended, and those around them. A run waits for its
    nested runs, whether their starts have returned (`start -d`) or not: a later step may wait for
    them. A run without a runner waits too, because it can be resumed.
    """
    active = {key for key, run in runs.items() if not RunStatus(run.status).is_terminal}
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
            if before != first and runs[first].status == RunStatus.RUNNING:
                waits[key].append((first, group))
            waits[key].append((before, group))
    return waits


def nearest_active(
    runs: Mapping[str, RunInGroup], active: Collection[str], run_key: str | None
) -> str | None:
    """Return this run, or the nearest one around it that has not ended: only that one waits."""
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
