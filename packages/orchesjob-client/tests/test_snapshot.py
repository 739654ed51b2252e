"""The processes in a snapshot that are a job's without its mark (rule 5.8)."""

import pytest

from orchesjob_client import Process
from orchesjob_client.processes.proc import Entry
from orchesjob_client.processes.survivors import trees_of

INIT = 1
JOB = Entry(10, 500, INIT, 10, 10, "job", "x")
UNRELATED = Entry(20, 100, INIT, 20, 20, "(unrelated)", None)


def process(pid: int, parent: int = INIT, group: int = 0, session: int = 0, at: int = 600) -> Entry:
    """Return a process without a mark; it leads its own group and session unless told."""
    return Entry(pid, at, parent, group or pid, session or pid, "(name)", None)


@pytest.mark.parametrize(
    ("entry", "is_in_tree"),
    [
        (process(30, parent=10), True),
        (process(30, group=10), True),
        (process(30, session=10), True),
        (process(30, group=20, session=20), False),
        # It was there before the process whose number it names: the number is another's now.
        (process(30, parent=10, at=400), False),
        (process(30, group=10, at=400), False),
        (process(30, session=10, at=400), False),
    ],
)
def test_tree(entry: Entry, is_in_tree: bool) -> None:
    """Children, and the members of a session or group that the job created, are the job's."""
    snapshot = {one.pid: one for one in (JOB, UNRELATED, entry)}
    expected = [Process(10, 500, "job", "x")]
    if is_in_tree:
        expected.append(Process(30, entry.started_ticks, "(name)", "x"))
    assert trees_of(snapshot) == expected


def test_tree_of_a_tree() -> None:
    """Membership is passed on, whatever the order of the PIDs."""
    snapshot = {5: process(5, parent=30), 30: process(30, parent=10), 10: JOB}
    assert [one.pid for one in trees_of(snapshot)] == [5, 30, 10]


def test_a_mark_in_a_session_of_others() -> None:
    """A marked process that came into a session of others makes none of them the job's."""
    guest = Entry(30, 600, 20, 20, 20, "guest", "x")
    others = {20: UNRELATED, 21: process(21, parent=20, group=20, session=20)}
    assert [one.pid for one in trees_of({**others, 30: guest})] == [30]


def test_known_from_an_earlier_look() -> None:
    """A process that was found once is found again without its parent, and so are its children."""
    known = [Process(30, 600, "(name)", "x"), Process(40, 600, "(name)", "x")]
    snapshot = {30: process(30), 31: process(31, parent=30), 40: process(40, at=700)}
    assert [one.pid for one in trees_of(snapshot, known)] == [30, 31]
