"""Finding a recorded run, and who advances it (rules 4.5 and 6.1)."""

import os
from contextlib import closing

import pytest

from orchesjob_flow.errors import BadRunKey, RunnerBusy, RunNotFound
from orchesjob_flow.home.locks import Holder, Lock
from orchesjob_flow.home.runs import RunHandle, find_runs
from orchesjob_flow.home.settings import Settings


def test_a_snapshot(handle: RunHandle) -> None:
    """A snapshot is the run together with the process that advances it at that moment."""
    run, runner = handle.snapshot()
    assert (run.run_key, runner) == ("k", None)
    with closing(handle.lock_or_refuse()) as lock:
        assert handle.snapshot().runner == Holder(None)
        lock.sign()
        assert handle.snapshot().runner == Holder(os.getpid())


def test_no_database(settings: Settings) -> None:
    """Without a database there is no run, and none is created by looking."""
    handle = RunHandle("k", settings)
    for look in (handle.snapshot, handle.open, handle.open_readonly):
        with pytest.raises(RunNotFound):
            look()
    assert find_runs(settings) == []
    assert not settings.home.database.parent.exists()


def test_no_such_run(handle: RunHandle) -> None:
    """A database without the run is named in the error; a key that names no run is refused."""
    with pytest.raises(RunNotFound, match=str(handle.settings.home.database)):
        handle._replace(run_key="other").snapshot()
    with pytest.raises(BadRunKey):
        handle._replace(run_key="").snapshot()


def test_a_run_that_is_advanced_already(handle: RunHandle) -> None:
    """The second process is told which one holds the run's lock."""
    with closing(handle.lock_or_refuse()) as lock:
        lock.sign()
        assert handle.lock(wait_sec=0) is None
        with pytest.raises(RunnerBusy) as refused:
            handle.lock_or_refuse()
    assert refused.value.pid == os.getpid()
    assert handle.holder() is None


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
