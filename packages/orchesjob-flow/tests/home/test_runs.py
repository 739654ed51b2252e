"""Recorded runs: finding one, looking at it again and again, and who advances it (4.5, 6.6)."""

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from flow_store import Changes, FlowStore, RunHeader, RunStatus
from orchesjob_flow.errors import (
    GaveUp,
    ResourceExhausted,
    RunRemoved,
)
from orchesjob_flow.home.locks import Holder, Lock
from orchesjob_flow.home.paths import Home
from orchesjob_flow.home.runs import Observer, RunHandle, find_runs, open_store, wait_out
from orchesjob_flow.home.settings import Settings
from orchesjob_flow.views.terminal import warn

# Finding a recorded run, and who advances it (rules 4.5 and 6.1).


def test_a_snapshot(handle: RunHandle) -> None:
    """A snapshot is the run together with the process that advances it at that moment."""
    run, runner = handle.snapshot()
    assert (run.run_key, runner) == ("k", None)
    with closing(handle.lock_or_refuse()) as lock:
        assert handle.snapshot().runner == Holder(None)
        lock.sign()
        assert handle.snapshot().runner == Holder(os.getpid())


def test_a_runner_that_lets_go_before_it_is_named(handle: RunHandle) -> None:
    """Then nobody advances the run: whoever asked has the lock, and is told of no process (4.5)."""
    lock = handle.lock_or_refuse()

    class Handle(RunHandle):
        def holder(self) -> Holder | None:
            lock.close()
            return super().holder()

    taken = Handle(*handle).lock_or_holder()
    assert handle.holder() == Holder(None)
    assert isinstance(taken, Lock)
    taken.close()


def test_abandoned_runs(handle: RunHandle) -> None:
    """A run in the list that has not ended is abandoned while no process holds its lock."""
    (listed,) = find_runs(handle.settings)
    assert listed.is_abandoned
    with closing(handle.lock_or_refuse()):
        (listed,) = find_runs(handle.settings)
    assert not listed.is_abandoned


# Looking at a run again and again: cheap while nothing happens, and never stale (rule 6.6).

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


# What the global options say (section 6).


def test_for_a_child() -> None:
    """A child gets the same settings, spelled so that its directory does not matter (6.3)."""
    home = Home(Path("/h/-x y.db"))
    options = ["--db=/h/-x y.db", "--poll-interval=0.25", "--patience=1e-05"]
    assert Settings(home, None, 0.25, 1e-05, {}).global_options() == options
    with_bin = Settings(home, "/opt/o j", 0.25, 1e-05, {})
    assert with_bin.global_options() == [*options, "--orchesjob-bin=/opt/o j"]


def test_starts_side_by_side() -> None:
    """Two steps may be starting for each core."""
    settings = Settings(Home(Path("/h/f.db")), None, 5.0, 60.0, {})
    assert settings.starts == 2 * (os.cpu_count() or 1)


# What the machine lacks is waited out, as long as the patience lasts (rule 5.7).


def handle(patience_sec: float) -> RunHandle:
    return RunHandle("k", Settings.from_options("/x.db", None, 5.0, patience_sec))


def test_it_passes(capsys: pytest.CaptureFixture[str]) -> None:
    """What is there again is used; that it was waited for is said once."""
    answers = [ResourceExhausted("cannot start a thread", "none left")] * 2

    def ask() -> str:
        if answers:
            raise answers.pop()
        return "there"

    assert wait_out(handle(60.0), ask, warn=warn) == "there"
    expected = "orchesjob-flow: cannot start a thread: none left; trying again\n"
    assert capsys.readouterr().err == expected


def test_it_does_not_pass() -> None:
    """When the patience is over, the run is given up with the cause."""

    def ask() -> None:
        raise ResourceExhausted("cannot start a thread", "none left")

    with pytest.raises(GaveUp, match="gave up on run 'k': cannot start a thread: none left; "):
        wait_out(handle(0.0), ask, warn=warn)
