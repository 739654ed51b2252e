"""Of the runs of a group one is under way at a time, and the first to come is the first (10.7)."""

import sqlite3
from collections.abc import Callable, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flow_store import (
    Attempt,
    CancelRequest,
    CancelRequested,
    Changes,
    CircleOfGroups,
    Deadline,
    FlowStore,
    GroupPlace,
    GroupTaken,
    Joining,
    Outcome,
    Parent,
    Queue,
    Reopening,
    RunHeader,
    RunStatus,
)
from flow_store.groups import RunInGroup, find_circle, waits_in_group

type Create = Callable[..., bool]

JOINING = Joining("g")
BEGINS = RunHeader(RunStatus.RUNNING, deadline=Deadline(1.0, 2.0, "boot"))


def begin(store: FlowStore, key: str, *passes: str, revision: int = 0) -> None:
    changes = Changes(RunHeader(RunStatus.RUNNING))
    changes.passes = frozenset(passes)
    store.apply(key, changes, revision=revision)


def end(store: FlowStore, key: str, status: RunStatus = RunStatus.SUCCEEDED) -> None:
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


def test_nothing_of_a_beginning_that_is_refused_is_written(
    three: FlowStore, attempt: Attempt
) -> None:
    """The first attempt is recorded with the beginning, or not at all."""
    begin(three, "a")
    changes = Changes(RunHeader(RunStatus.RUNNING), attempts={(0, 1): attempt})
    with pytest.raises(GroupTaken):
        three.apply("b", changes, revision=0)
    run = three.load("b")
    assert run is not None
    assert (run.status, run.revision, run.attempts) == (RunStatus.PENDING, 0, {})


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


def test_places_after_the_last_has_gone(three: FlowStore, create: Create) -> None:
    """A place is behind all that have not ended, whatever was removed."""
    begin(three, "c", "a", "b")
    end(three, "c")
    assert three.remove({"c": 2}, finished_by=9.0)
    create(three, "d", joining=JOINING)
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
    assert (run.status, run.deadline) == (RunStatus.RUNNING, BEGINS.deadline)
    if not is_under_way:
        assert refusal(store, "a") == ("b", True)
    assert not create(store, "b", joining=joining), "it is recorded: it is not in its own way"


def test_a_retry_that_does_not_wait(three: FlowStore) -> None:
    """It begins in the transaction in which it is opened, or stays as it ended."""
    begin(three, "a")
    end(three, "a", RunStatus.FAILED)
    joining = JOINING._replace(begins=BEGINS)
    with pytest.raises(GroupTaken):
        three.reopen("a", Reopening("new", {0: 1}), revision=2, joining=joining)
    run = three.load("a")
    assert run is not None
    assert (run.status, run.revision, run.definition) == (RunStatus.FAILED, 2, '{"opaque": true}')
    alone = joining._replace(passes=frozenset("bc"))
    three.reopen("a", Reopening("new", {0: 1}), revision=2, joining=alone)
    run = three.load("a")
    assert run is not None
    assert (run.status, run.deadline) == (RunStatus.RUNNING, BEGINS.deadline)


def start(store: FlowStore, create: Create, key: str, group: str, inside: str | None) -> None:
    """Record a run, inside another one or not, and let it begin if it is its turn."""
    parent = None if inside is None else Parent(inside, "a", 1)
    create(store, key, parent=parent, joining=Joining(group, inside=inside))
    if store.queue(key) == Queue(None, ()):
        begin(store, key)


REPLACING = JOINING._replace(replaces_at=5.0)


def successors(store: FlowStore) -> dict[str, str | None]:
    """Return by run which run asks it to end; runs that nobody has asked are left out."""
    asked = {run.run_key: run.cancel for run in store.runs()}
    return {key: request.successor for key, request in asked.items() if request is not None}


def test_the_newest_remains(three: FlowStore, create: Create) -> None:
    """Of several that replace others the newest begins; each names the first that asked it."""
    begin(three, "a")
    for key in "de":
        create(three, key, joining=REPLACING)
    assert successors(three) == {"a": "d", "b": "d", "c": "d", "d": "e"}
    for key in "bcd":
        with pytest.raises(CancelRequested):
            begin(three, key)
        end(three, key, RunStatus.CANCELLED)
    end(three, "a", RunStatus.CANCELLED)
    begin(three, "e")


def test_finally_is_left_alone(three: FlowStore, create: Create) -> None:
    """However many ask a run to end, its `finally` goes on, and the runs that this has started."""
    header = RunHeader(RunStatus.RUNNING, finally_after=Outcome.CANCELLED)
    begin(three, "a")
    three.apply("a", Changes(header), revision=1)
    create(three, "inner", parent=Parent("a", "a", 1))
    for key in "de":
        create(three, key, joining=REPLACING)
    request = three.cancel_request("a")
    assert request is not None
    assert (request.successor, request.now_at) == ("d", None)
    assert three.cancel_request("inner") is None


def test_a_retry_replaces(three: FlowStore) -> None:
    """A run that is opened again asks all others to end, and nobody asks it any more."""
    begin(three, "a")
    three.request_cancel("a", requested_at=1.0, grace_sec=None)
    end(three, "a", RunStatus.CANCELLED)
    begin(three, "b")
    three.reopen("a", Reopening("new", {0: 1}), revision=2, joining=REPLACING)
    assert successors(three) == {"b": "a", "c": "a"}


def test_the_newest_remains_after_a_retry(three: FlowStore, create: Create) -> None:
    """A replaced run that is opened again is not replaced any more, until a newer run comes."""
    begin(three, "a")
    create(three, "d", joining=REPLACING)
    for key in "bca":
        end(three, key, RunStatus.CANCELLED)
    three.reopen("a", Reopening("new", {0: 1}), revision=2, joining=JOINING)
    three.request_cancel("a", requested_at=7.0, grace_sec=None)
    assert three.cancel_request("a") == CancelRequest(7.0, None)


def test_it_is_recorded_already(three: FlowStore, create: Create) -> None:
    """A second start of the same run asks nobody again: those that came later go on."""
    create(three, "d", joining=REPLACING)
    create(three, "e", joining=JOINING)
    for key in "abc":
        end(three, key, RunStatus.CANCELLED)
    begin(three, "e", "d")
    assert not create(three, "d", joining=REPLACING)
    assert three.cancel_request("e") is None


@pytest.mark.parametrize(
    ("runs", "last", "circle"),
    [
        ("a:g", "b:g:a", "b-g a"),
        ("a:g b:h:a", "c:g:b", "c-g a b"),
        ("a:g b:h c:i d:h:a e:i:b", "f:g:c", "f-g a d-h b e-i c"),
        ("a:g c:h z:i:a b:h:z", "d:g:c", "d-g a z b-h c"),
        ("a:g c:h d:g:c", "b:g", ""),
    ],
)
def test_circles(store: FlowStore, create: Create, runs: str, last: str, circle: str) -> None:
    """A run that would wait for itself is refused, and each run of the circle is named.

    Each run is written as its key, its group, and the run inside which it starts. Those of a circle
    are written with the group in which they wait for the next one.
    """

    def begin_written(text: str) -> None:
        key, group, *inside = text.split(":")
        start(store, create, key, group, inside[0] if inside else None)

    for text in runs.split():
        begin_written(text)
    if not circle:
        begin_written(last)
        return
    with pytest.raises(CircleOfGroups) as caught:
        begin_written(last)
    found = [key if group is None else f"{key}-{group}" for key, group in caught.value.circle]
    assert found == circle.split()
    assert not store.has(last[0])


def test_a_retry_in_a_circle(store: FlowStore, create: Create) -> None:
    """A nested run that is opened again is refused, whoever opens it; it stays as it ended."""
    start(store, create, "a", "g", None)
    start(store, create, "b", "h", "a")
    end(store, "b", RunStatus.FAILED)
    start(store, create, "c", "h", None)
    start(store, create, "d", "g", "c")
    with pytest.raises(CircleOfGroups):
        store.reopen("b", Reopening("new", {0: 1}), revision=2, joining=Joining("h"))
    assert store.revision_of("b") == 2
    end(store, "c")
    store.reopen("b", Reopening("new", {0: 1}), revision=2, joining=Joining("h"))


def test_a_retry_from_within_what_it_left(store: FlowStore, create: Create) -> None:
    """A run that has ended waits for nothing, even if a process that it left opens it again."""
    start(store, create, "a", "g", None)
    start(store, create, "b", "h", "a")
    for key in "ba":
        end(store, key)
    for key, group in [("a", "g"), ("b", "h")]:
        joining = Joining(group, inside="b")
        store.reopen(key, Reopening("new", {0: 1}), revision=2, joining=joining)


@settings(deadline=None)
@given(st.data())
def test_nobody_waits_for_ever(data: st.DataObject) -> None:
    """Whatever is started inside whatever, some run can always end; and no other run is refused.

    A run is refused if and only if nothing that could happen would let it end.
    """
    runs: dict[str, RunInGroup] = {}
    for number in range(data.draw(st.integers(2, 12))):
        active = [key for key, run in runs.items() if run.status in ("PENDING", "RUNNING")]
        endable = [key for key in active if able_to_end(runs) >= {key}]
        assert endable == active
        running = [key for key in active if runs[key].status == "RUNNING"]
        if bool(running) and data.draw(st.booleans()):
            ended = data.draw(st.sampled_from(running))
            group = runs[ended].group
            runs[ended] = runs[ended]._replace(status="SUCCEEDED")
            nexts = [key for key in active if key != ended and runs[key].group == group]
            if group is not None and nexts:
                runs[nexts[0]] = runs[nexts[0]]._replace(status="RUNNING")
            continue
        key = str(number)
        inside = data.draw(st.sampled_from([None, *running])) if running else None
        group = data.draw(st.sampled_from("ghi"))
        is_free = all(run.group != group for key, run in runs.items() if key in active)
        new = RunInGroup(inside, "RUNNING" if is_free else "PENDING", group, number)
        circle = find_circle(waits_in_group(runs, key, Joining(group, inside=inside)), key)
        would_end = key in able_to_end({**runs, key: new})
        assert bool(circle) is not would_end
        if not circle:
            runs[key] = new


def able_to_end(runs: Mapping[str, RunInGroup]) -> set[str]:
    """Return the runs that can end: first those that wait for nothing, then those after them."""
    able = {key for key, run in runs.items() if run.status == "SUCCEEDED"}

    def is_able(key: str, run: RunInGroup) -> bool:
        inner = {one for one in runs if key in outer_runs(runs, one)}
        ahead = {
            one
            for one, other in runs.items()
            if other.group == run.group
            and (other.status == "RUNNING" or (other.place or 0) < (run.place or 0))
        }
        return able.issuperset(inner | ahead if run.status == "PENDING" else inner)

    while more := {key for key, run in runs.items() if key not in able and is_able(key, run)}:
        able |= more
    return able


def outer_runs(runs: Mapping[str, RunInGroup], key: str) -> set[str]:
    outer = runs[key].outer
    return set() if outer is None else {outer, *outer_runs(runs, outer)}


def test_the_file_itself_excludes(three: FlowStore, raw: sqlite3.Connection) -> None:
    """Two runs of a group under way are what the schema cannot hold."""
    begin(three, "a")
    with pytest.raises(sqlite3.IntegrityError):
        raw.execute("UPDATE runs SET status = 'RUNNING' WHERE run_key = 'b'")
