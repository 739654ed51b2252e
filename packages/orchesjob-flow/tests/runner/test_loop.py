"""What a runner sees of other processes, and what it records when it gives up."""

import errno
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import pytest

from flow_spec import Concurrency, FlowSpec, OnConflict, StepSpec
from flow_store import Changes, FlowStore, Joining, Queue, RunHeader, RunStatus, StoreUnavailable
from orchesjob_client import CallTimedOut
from orchesjob_flow.engine.messages import QueueSeen
from orchesjob_flow.engine.state import Limits, RunState
from orchesjob_flow.errors import (
    NO_MEMORY,
    NO_THREAD,
    REMEDIES,
    GaveUp,
    Interrupted,
    ResourceExhausted,
    UnsafePlace,
)
from orchesjob_flow.home.runs import RunHandle
from orchesjob_flow.runner.loop import RequestPoller, giving_up_recorded

# What a runner sees of what other processes have recorded (rules 5.6 and 10.7).

FLOW = FlowSpec("f", (StepSpec("a", ("a",)),), concurrency=Concurrency("g"))


@pytest.fixture
def path(tmp_path: Path, record: Callable[..., None]) -> Path:
    """Where a database is in which `first` and `second` wait for one group."""
    path = tmp_path / "flow.sqlite3"
    with FlowStore.open(path) as store:
        for key in ("first", "second"):
            record(store, key, definition=FLOW.to_json(), joining=Joining("g"))
    return path


@pytest.fixture
def store(path: Path) -> Iterator[FlowStore]:
    with FlowStore.open(path) as store:
        yield store


def second(store: FlowStore) -> RunState:
    recorded = store.load("second")
    assert recorded is not None
    return RunState.load(FLOW, recorded, Limits())


def test_who_is_before_a_run(path: Path, store: FlowStore) -> None:
    """Nothing is asked again while a run holds the group and nobody commits; else who lives is."""
    living = {"first"}
    run = second(store)
    poller = RequestPoller(store, lambda key: key in living, end=lambda _: False)
    queue = Queue(None, ("first",))
    assert list(poller.look(run)) == [QueueSeen(queue, frozenset({"first"}))]
    living.clear()  # which nobody records
    assert list(poller.look(run)) == [QueueSeen(queue, frozenset())]
    with FlowStore.open(path) as other:
        other.apply("first", Changes(RunHeader(RunStatus.RUNNING)), revision=0)
    assert list(poller.look(run)) == [QueueSeen(Queue("first", ()), frozenset())]
    assert list(poller.look(run)) == []
    with FlowStore.open(path) as other:
        other.apply("first", Changes(RunHeader(RunStatus.FAILED, finished_at=2.0)), revision=1)
    assert list(poller.look(run)) == [QueueSeen(Queue(None, ()), frozenset())]


@pytest.mark.parametrize("is_ended", [True, False])
def test_those_that_are_to_end(path: Path, store: FlowStore, is_ended: bool) -> None:
    """A run that replaces others gives them a runner if theirs died, at each look.

    It waits for one that got a runner, or is to get one, and passes one that could not get it.
    """
    living, asked = {"first"}, []

    def end(key: str) -> bool:
        asked.append(key)
        return is_ended

    run = second(store)
    run.flow = attrs.evolve(FLOW, concurrency=Concurrency("g", OnConflict.REPLACE))
    poller = RequestPoller(store, lambda key: key in living, end)
    queue = Queue(None, ("first",))
    living.clear()
    assert list(poller.look(run)) == [QueueSeen(queue, frozenset())]
    assert not asked, "nobody has asked it to end"
    with FlowStore.open(path) as other:
        other.request_cancel("first", requested_at=1.0, grace_sec=None)
    waits_for = frozenset({"first"} if is_ended else ())
    assert list(poller.look(run)) == [QueueSeen(queue, waits_for)]
    assert list(poller.look(run)) == [QueueSeen(queue, waits_for)]
    assert asked == ["first", "first"]
    living.add("first")
    assert list(poller.look(run)) == [QueueSeen(queue, frozenset({"first"}))]
    assert len(asked) == 2


def test_a_holder_that_is_to_end(path: Path, store: FlowStore) -> None:
    """Its runner may die without a record, so a run that replaces it looks again and again."""
    living, asked = {"first"}, []
    run = second(store)
    run.flow = attrs.evolve(FLOW, concurrency=Concurrency("g", OnConflict.REPLACE))

    def end(key: str) -> bool:
        asked.append(key)
        return True

    poller = RequestPoller(store, lambda key: key in living, end)
    with FlowStore.open(path) as other:
        other.apply("first", Changes(RunHeader(RunStatus.RUNNING)), revision=0)
        other.request_cancel("first", requested_at=1.0, grace_sec=None)
    seen = QueueSeen(Queue("first", ()), frozenset(), holder_is_to_end=True)
    assert list(poller.look(run)) == [seen]
    assert not asked
    living.clear()
    assert list(poller.look(run)) == [seen]
    assert asked == ["first"]


def test_a_database_that_is_gone(path: Path, store: FlowStore) -> None:
    """A run does not wait for what nobody will record (rule 5.7)."""
    run, poller = second(store), RequestPoller(store, lambda _: False, end=lambda _: False)
    path.unlink()
    with pytest.raises(GaveUp, match="removed or replaced"):
        list(poller.look(run))


# What is recorded of a run whose runner ends because of an error (rule 5.7).


def refused(code: int) -> OSError:
    return OSError(code, "why", "/srv/flow")


CAUSES = [
    (GaveUp("k", "orchesjob is gone"), "orchesjob is gone"),
    (refused(errno.ENOSPC), "[Errno 28] why: '/srv/flow'"),
    (refused(errno.EDQUOT), "[Errno 122] why: '/srv/flow'"),
    (refused(errno.EROFS), "[Errno 30] why: '/srv/flow'"),
    (refused(errno.EACCES), "[Errno 13] why: '/srv/flow'"),
    (refused(errno.EIO), "[Errno 5] why: '/srv/flow'"),
    (refused(errno.EMFILE), f"cannot go on: Too many open files; {REMEDIES[errno.EMFILE]}"),
    (refused(errno.ENOMEM), f"cannot go on: Cannot allocate memory; {REMEDIES[errno.ENOMEM]}"),
    (MemoryError(), f"cannot go on: {NO_MEMORY}"),
    (RuntimeError("can't start new thread"), f"cannot go on: {NO_THREAD}"),
    (ResourceExhausted("cannot start a process", "why"), "cannot start a process: why"),
    *(
        (error, str(error))
        for error in (
            UnsafePlace(Path("/srv"), "is a link"),
            StoreUnavailable(Path("/srv/f.db"), errno.ENOSPC, "disk full", retryable=True),
            StoreUnavailable(Path("/srv/f.db"), errno.EMFILE, "no descriptors", retryable=True),
            CallTimedOut("orchesjob status", "after 60 s"),
        )
    ),
    (KeyError("step"), "internal error: KeyError('step')"),
    (RuntimeError("why"), "internal error: RuntimeError('why')"),
]


@pytest.mark.parametrize(("error", "words"), CAUSES)
def test_the_cause(handle: RunHandle, error: Exception, words: str) -> None:
    """What the machine lacks is named, and only what nobody expected is an internal error."""
    with handle.open() as store:
        with (
            pytest.raises(type(error)),
            giving_up_recorded(store, "k", revision=lambda: 0, wall=lambda: 7.0, warn=pytest.fail),
        ):
            raise error
        given_up = handle.load(store).gave_up
    assert given_up is not None
    assert (given_up.at, given_up.error) == (7.0, words)


def test_what_is_no_error(handle: RunHandle) -> None:
    """A runner that was ended, or whose run another one has driven on, has not given up."""
    with handle.open() as store:
        for revision, error in ((0, Interrupted(15)), (1, KeyError("step"))):
            with (
                pytest.raises(type(error)),
                giving_up_recorded(
                    store, "k", revision=revision.__int__, wall=lambda: 7.0, warn=pytest.fail
                ),
            ):
                raise error
        assert handle.load(store).gave_up is None
