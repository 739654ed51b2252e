"""Of the runs of a group one is under way at a time, and the first to come is the first (10.7)."""

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from flow_store import (
    Attempt,
    CancelRequested,
    Changes,
    Deadline,
    FlowStatus,
    FlowStore,
    GroupPlace,
    GroupTaken,
    InsideItsGroup,
    Joining,
    Parent,
    Queue,
    Reopening,
    RunHeader,
)

type Create = Callable[..., bool]

JOINING = Joining("g")
BEGINS = RunHeader(FlowStatus.RUNNING, deadline=Deadline(1.0, 2.0, "boot"))


def begin(store: FlowStore, key: str, *passes: str, revision: int = 0) -> None:
    changes = Changes(RunHeader(FlowStatus.RUNNING))
    changes.passes = frozenset(passes)
    store.apply(key, changes, revision=revision)


def end(store: FlowStore, key: str, status: FlowStatus = FlowStatus.SUCCEEDED) -> None:
    run = store.load(key)
    assert run is not None
    store.apply(key, Changes(RunHeader(status, finished_at=9.0)), revision=run.revision)


def refusal(store: FlowStore, key: str, *passes: str) -> tuple[str, bool]:
    with pytest.raises(GroupTaken) as caught:
        begin(store, key, *passes)
    return caught.value.by, caught.value.is_under_way


@pytest.fixture
def three(store: FlowStore, create: Create) -> FlowStore:
    """A store with the runs `a`, `b` and `c` of one group, recorded in this order."""
    for key in "abc":
        create(store, key, joining=JOINING)
    return store


def test_one_at_a_time(three: FlowStore) -> None:
    """Who is under way keeps all others of its group from beginning, whoever lives, to its end."""
    begin(three, "a")
    assert refusal(three, "b") == refusal(three, "c", "b") == ("a", True)
    assert three.queue("c") == Queue("a", ("b",))
    end(three, "a")
    begin(three, "b")
    assert refusal(three, "c") == ("b", True)


def test_the_first_comes_first(three: FlowStore) -> None:
    """Who came later begins only if all before are known to have no runner."""
    assert refusal(three, "b") == ("a", False)
    assert refusal(three, "c", "a") == ("b", False)
    assert three.queue("c") == Queue(None, ("a", "b"))
    begin(three, "c", "a", "b")
    assert three.queue("a") == Queue("c", ())


def test_nothing_of_a_beginning_that_is_refused_is_written(
    three: FlowStore, attempt: Attempt
) -> None:
    """The first attempt is recorded with the beginning, or not at all."""
    begin(three, "a")
    changes = Changes(RunHeader(FlowStatus.RUNNING), attempts={(0, 1): attempt})
    with pytest.raises(GroupTaken):
        three.apply("b", changes, revision=0)
    run = three.load("b")
    assert run is not None
    assert (run.status, run.revision, run.attempts) == (FlowStatus.PENDING, 0, {})


def test_groups_are_apart(store: FlowStore, create: Create) -> None:
    """A group concerns no other one, and no run without one."""
    for key, joining in [("a", JOINING), ("b", Joining("h")), ("c", None), ("d", None)]:
        create(store, key, joining=joining)
    for key in "abcd":
        begin(store, key)


def test_a_cancel_before_the_beginning(three: FlowStore) -> None:
    """Once it is to be cancelled, a run that waits never begins; it may end."""
    three.request_cancel("a", requested_at=1.0, grace_sec=None)
    with pytest.raises(CancelRequested):
        begin(three, "a")
    assert refusal(three, "b") == ("a", False)
    end(three, "a", FlowStatus.CANCELLED)
    begin(three, "b")


def test_what_is_read_of_it(three: FlowStore) -> None:
    """A run knows its place, and who is before it as long as it waits."""
    begin(three, "a")
    run = three.load("b")
    assert run is not None
    assert (run.group, run.queue) == (GroupPlace("g", 2), Queue("a", ()))
    c, b, a = three.runs()
    assert (c.queue, b.queue, a.queue) == (Queue("a", ("b",)), Queue("a", ()), None)
    assert three.queue("a") is three.queue("unknown") is None
    assert three.queue_of_group("g") == Queue("a", ("b", "c"))
    assert three.queue_of_group("h") == Queue(None, ())


def test_a_retry_comes_last(three: FlowStore) -> None:
    """A run that is opened again has its place behind all that wait."""
    begin(three, "a")
    end(three, "a", FlowStatus.FAILED)
    three.reopen("a", Reopening("new", {0: 1}), revision=2, joining=JOINING)
    assert three.queue("a") == Queue(None, ("b", "c"))
    assert three.queue("b") == Queue(None, ())


def test_a_retry_changes_the_group(three: FlowStore) -> None:
    """The group is that of the new definition, or none."""
    begin(three, "a")
    end(three, "a")
    three.reopen("a", Reopening("new", {0: 1}), revision=2)
    run = three.load("a")
    assert run is not None
    assert (run.group, run.queue) == (None, None)


def test_places_after_the_last_has_gone(three: FlowStore) -> None:
    """A place is behind all that have not ended, whatever was removed."""
    begin(three, "c", "a", "b")
    end(three, "c")
    assert three.remove({"c": 2}, finished_by=9.0)
    three.create(
        run_key="d",
        flow_id="f",
        definition="{}",
        directory="/",
        flow_dir="/",
        orchesjob_home="/srv/jobs",
        started_at=1.0,
        steps=[],
        joining=JOINING,
    )
    assert three.queue("d") == Queue(None, ("a", "b"))


@pytest.mark.parametrize("is_under_way", [True, False])
def test_a_run_that_does_not_wait(store: FlowStore, create: Create, is_under_way: bool) -> None:
    """It begins in the transaction in which it is recorded, or nothing is recorded."""
    create(store, "a", joining=JOINING)
    if is_under_way:
        begin(store, "a")
    joining = JOINING._replace(begins=BEGINS)
    with pytest.raises(GroupTaken) as caught:
        create(store, "b", joining=joining)
    assert (caught.value.by, caught.value.is_under_way) == ("a", is_under_way)
    assert not store.has("b")
    if is_under_way:
        end(store, "a")
    assert create(store, "b", joining=joining._replace(passes=frozenset("a")))
    run = store.load("b")
    assert run is not None
    assert (run.status, run.deadline) == (FlowStatus.RUNNING, BEGINS.deadline)
    if not is_under_way:
        assert refusal(store, "a") == ("b", True)
    assert not create(store, "b", joining=joining), "it is recorded: it is not in its own way"


def test_a_retry_that_does_not_wait(three: FlowStore) -> None:
    """It begins in the transaction in which it is opened, or stays as it ended."""
    begin(three, "a")
    end(three, "a", FlowStatus.FAILED)
    joining = JOINING._replace(begins=BEGINS)
    with pytest.raises(GroupTaken):
        three.reopen("a", Reopening("new", {0: 1}), revision=2, joining=joining)
    run = three.load("a")
    assert run is not None
    assert (run.status, run.revision, run.definition) == (FlowStatus.FAILED, 2, '{"opaque": true}')
    alone = joining._replace(passes=frozenset("bc"))
    three.reopen("a", Reopening("new", {0: 1}), revision=2, joining=alone)
    run = three.load("a")
    assert run is not None
    assert (run.status, run.deadline) == (FlowStatus.RUNNING, BEGINS.deadline)


def test_inside_itself(store: FlowStore, create: Create) -> None:
    """A run does not wait for the one, however far outside, of which it is a part."""
    create(store, "a", joining=JOINING)
    begin(store, "a")
    create(store, "b", parent=Parent("a", "s", 1))
    inside = JOINING._replace(inside="b")
    with pytest.raises(InsideItsGroup, match="'a'"):
        create(store, "c", parent=Parent("b", "s", 1), joining=inside)
    assert not store.has("c")
    assert create(store, "c", parent=Parent("b", "s", 1), joining=inside._replace(group="h"))


def test_the_file_itself_excludes(three: FlowStore, raw: sqlite3.Connection) -> None:
    """Two runs of a group under way are what the schema cannot hold."""
    begin(three, "a")
    with pytest.raises(sqlite3.IntegrityError):
        raw.execute("UPDATE runs SET status = 'RUNNING' WHERE run_key = 'b'")


def test_many_at_once(path: Path, create: Create) -> None:
    """Of many processes that let a run begin in the same moment, one does."""
    keys = [f"k{number}" for number in range(8)]
    with FlowStore.open(path) as store:
        for key in keys:
            create(store, key, joining=JOINING)
    barrier, begun, refused = threading.Barrier(len(keys)), [], []

    def try_to_begin(key: str) -> None:
        with closing(FlowStore.open(path)) as mine:
            barrier.wait()
            try:
                begin(mine, key, *keys)
            except GroupTaken as taken:
                refused.append(taken.by)
            else:
                begun.append(key)

    threads = [threading.Thread(target=try_to_begin, args=[key]) for key in keys]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(begun) == 1
    assert set(refused) == set(begun)
    assert len(refused) == len(keys) - 1
