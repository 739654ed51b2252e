"""Groups of runs, of which one is under way at a time: who is before a run, and its place (10.7).

A run holds its group as long as it is RUNNING. The transaction belongs to `store`: what is read
here is still true when it is committed.
"""

from collections.abc import Collection

from flow_store import sql
from flow_store.changes import Joining
from flow_store.database import Database
from flow_store.errors import GroupTaken, InsideItsGroup
from flow_store.records import GroupPlace, Queue
from flow_store.statuses import FlowStatus

LAST = 2**63 - 1
"""A place behind all others."""


def read_queue(database: Database, run_key: str, place: GroupPlace) -> Queue:
    """Tell who is before a run that has not begun."""
    found = database.query(sql.SELECT_GROUP, (place.name, run_key, place.place))
    holders = [key for key, status in found if status == FlowStatus.RUNNING]
    waiting = tuple(key for key, status in found if status == FlowStatus.PENDING)
    return Queue(holders[0] if holders else None, waiting)


def refuse_taken(
    database: Database, run_key: str, place: GroupPlace, passes: Collection[str]
) -> None:
    """Refuse to let a run begin while another one is before it; those in `passes` are not.

    Raises:
        GroupTaken: One of the group is under way, or waits for it and came earlier.
    """
    queue = read_queue(database, run_key, place)
    if queue.holder is not None:
        raise GroupTaken(run_key, place.name, queue.holder, is_under_way=True)
    for key in queue.waiting:
        if key not in passes:
            raise GroupTaken(run_key, place.name, key, is_under_way=False)


def join(database: Database, run_key: str, joining: Joining) -> GroupPlace:
    """Return the last place in the group, after what is to be looked at before.

    Raises:
        GroupTaken: It is to begin at once, and another one is before it.
        InsideItsGroup: It is to wait for the very run of which it would be a part.
    """
    ((number,),) = database.query(sql.NEXT_PLACE, (joining.group,))
    place = GroupPlace(joining.group, number)
    if joining.begins is not None:
        refuse_taken(database, run_key, place, joining.passes)
    elif joining.inside is not None:
        outer = database.query(sql.SELECT_OUTER_HOLDER, (joining.inside, joining.group))
        for (holder,) in outer[:1]:
            raise InsideItsGroup(run_key, joining.group, holder)
    return place
