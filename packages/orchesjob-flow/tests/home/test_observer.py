"""Looking at a run again and again: cheap while nothing happens, and never stale (rule 6.6)."""

import os
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from flow_store import Changes, FlowStore, RunHeader, RunStatus
from orchesjob_flow.errors import RunRemoved
from orchesjob_flow.home.locks import Holder
from orchesjob_flow.home.runs import Observer, RunHandle, open_store

type Record = Callable[[FlowStore, str], None]


@pytest.fixture
def observer(handle: RunHandle) -> Iterator[Observer]:
    with Observer(handle) as observer:
        yield observer


def cancel(handle: RunHandle, run_key: str = "k") -> None:
    with handle.open() as store:
        store.request_cancel(run_key, requested_at=2.0, grace_sec=None)


def test_nothing_happens(handle: RunHandle, observer: Observer, record: Record) -> None:
    """A run that has not changed is not read again, whatever happens to others and its runner."""
    run, runner = observer.snapshot()
    attempts = observer.attempts()
    assert runner is None
    with handle.open() as store:
        record(store, "other")
    with closing(handle.lock_or_refuse()) as lock:
        lock.sign()
        now = observer.snapshot()
    assert now.run is run
    assert now.runner == Holder(os.getpid())
    assert observer.attempts() is attempts


def test_something_happens(handle: RunHandle, observer: Observer) -> None:
    """A run that has changed is read again, once."""
    assert observer.snapshot().run.cancel is None
    cancel(handle)
    changed = observer.snapshot().run
    assert changed.cancel is not None
    assert observer.snapshot().run is changed


def test_the_run_is_removed(handle: RunHandle, observer: Observer) -> None:
    """A run that is gone is reported as one that never was, again and again."""
    revision = observer.snapshot().run.revision
    ended = Changes(RunHeader(RunStatus.CANCELLED, finished_at=5.0))
    with handle.open() as store:
        revision = store.apply("k", ended, revision=revision)
        assert store.remove({"k": revision}, finished_by=9.0)
    for _ in range(2):
        with pytest.raises(RunRemoved):
            observer.snapshot()


def test_the_file_is_replaced(handle: RunHandle, observer: Observer, record: Record) -> None:
    """Another file under the same name is looked at, not the one that is gone."""
    observer.snapshot()
    database = handle.settings.home.database
    for name in (database.name, f"{database.name}-wal", f"{database.name}-shm"):
        database.with_name(name).unlink(missing_ok=True)
    with pytest.raises(RunRemoved):
        observer.snapshot()
    with open_store(handle.settings) as store:
        record(store, "k")
    cancel(handle)
    assert observer.snapshot().run.cancel is not None


def test_a_file_that_is_read_alone(handle: RunHandle, observer: Observer) -> None:
    """Where changes cannot be seen the file is opened again for each look (rule 6.1)."""
    database = handle.settings.home.database
    with handle.open() as store:
        store.checkpoint()
    index = database.with_name(f"{database.name}-shm")
    database.with_name(f"{database.name}-wal").unlink()
    index.unlink()
    index.symlink_to(database.parent / "nowhere" / "shm")
    assert observer.snapshot().run.cancel is None
    index.unlink()
    cancel(handle)
    assert observer.snapshot().run.cancel is not None
