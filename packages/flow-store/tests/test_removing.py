"""Runs are chosen by when they ended, and removed as they were chosen or not at all (9.10)."""

from collections.abc import Callable
from pathlib import Path

import pytest

from flow_store import (
    Changes,
    FlowStore,
    Reopening,
    RunHeader,
    RunStatus,
    StoreUnavailable,
)


@pytest.fixture
def ended(store: FlowStore, create: Callable[..., bool]) -> FlowStore:
    """A store with the run `k`, which FAILED at 400.0, and the run `other`, which is PENDING."""
    create(store)
    create(store, run_key="other")
    store.apply("k", Changes(RunHeader(RunStatus.FAILED, "1 step failed: a", 400.0)), revision=0)
    return store


def keys(store: FlowStore) -> list[str]:
    return [run.run_key for run in store.runs()]


def test_removed(ended: FlowStore) -> None:
    """A run that has ended by the given time and has not changed is removed, and no other."""
    assert ended.remove({"k": 1, "other": 0, "nobody": 1}, finished_by=400.0) == {"k"}
    assert keys(ended) == ["other"]
    assert not ended.remove({"k": 1}, finished_by=400.0)


@pytest.mark.parametrize(("revision", "finished_by"), [(0, 500.0), (2, 500.0), (1, 399.9)])
def test_another_than_was_chosen(ended: FlowStore, revision: int, finished_by: float) -> None:
    """A run that has changed, or has ended later, stays."""
    assert not ended.remove({"k": revision}, finished_by=finished_by)
    assert keys(ended) == ["other", "k"]


def test_retried_and_ended_again(ended: FlowStore) -> None:
    """A run that was retried stays while it runs, and when it has ended at the very same time."""
    (_, chosen) = ended.runs()
    ended.reopen("k", Reopening("{}", {0: 2}), revision=1)
    assert not ended.remove({"k": 2}, finished_by=500.0)
    ended.apply("k", Changes(RunHeader(RunStatus.SUCCEEDED, None, 400.0)), revision=2)
    assert not ended.remove({"k": chosen.revision}, finished_by=400.0)
    assert keys(ended) == ["other", "k"]


@pytest.fixture
def many(store: FlowStore, create: Callable[..., bool]) -> FlowStore:
    """Runs of two flows, each with a name that says when it ended, in the order of their names."""
    for number in range(1, 7):
        key, flow_id = f"k{number}", "odd" if number % 2 else "even"
        create(store, key, flow_id=flow_id)
        ended = RunHeader(RunStatus.SUCCEEDED, None, float(number))
        if number < 6:
            store.apply(key, Changes(ended), revision=0)
    return store


def chosen(store: FlowStore, **choice: object) -> list[str]:
    runs = store.ended_runs(**{"finished_by": 9.0, **choice})  # type: ignore[arg-type]
    return [run.run_key for run in runs]


def test_choice(many: FlowStore) -> None:
    """What ended in time is chosen, the newest first, but for the newest of each flow."""
    assert chosen(many) == ["k5", "k4", "k3", "k2", "k1"]
    assert chosen(many, finished_by=3.0) == ["k3", "k2", "k1"]
    assert chosen(many, flow_id="even") == ["k4", "k2"]
    assert chosen(many, keep=1) == ["k4", "k3", "k2", "k1"]
    assert chosen(many, keep=2) == ["k2", "k1"]
    assert chosen(many, keep=2, flow_id="odd") == ["k1"]
    assert chosen(many, keep=3) == []


def test_space_is_given_back(store: FlowStore, create: Callable[..., bool], path: Path) -> None:
    """The file is as small again as before, step by step, and the log stays small meanwhile."""
    store.checkpoint()
    before = path.stat().st_size
    for number in range(60):
        create(store, f"k{number}", definition="x" * 500_000)
        end = RunHeader(RunStatus.SUCCEEDED, None, 1.0)
        store.apply(f"k{number}", Changes(end), revision=0)
        store.checkpoint()
    assert path.stat().st_size > 30_000_000
    store.remove({f"k{number}": 1 for number in range(60)}, finished_by=1.0)
    steps = 0
    while store.give_back_space():
        steps += 1
        assert Path(f"{path}-wal").stat().st_size == 0
    assert steps > 1
    assert path.stat().st_size <= before + 8 * 4096


def test_space_in_a_file_that_is_in_use(run_store: FlowStore, path: Path) -> None:
    """Where another process writes, the space is left to the next time."""
    with FlowStore.open(path) as other, other._database.transaction("IMMEDIATE"):
        with pytest.raises(StoreUnavailable):
            run_store.remove({"k": 0}, finished_by=1.0)
        assert not run_store.give_back_space()


def test_each_is_looked_up(store: FlowStore, create: Callable[..., bool]) -> None:
    """To remove a run takes no longer beside many others that have ended (rule 9.10)."""

    def steps_of_removing(key: str) -> int:
        """Return how many hundreds of steps SQLite needs."""
        steps = [0]

        def count() -> None:
            steps[0] += 1

        store._database._connection.set_progress_handler(count, 100)
        assert store.remove({key: 1}, finished_by=1.0) == {key}
        return steps[0]

    def record(number: int) -> None:
        create(store, f"k{number}")
        end = RunHeader(RunStatus.SUCCEEDED, None, 1.0)
        store.apply(f"k{number}", Changes(end), revision=0)

    record(0)
    alone = steps_of_removing("k0")
    for number in range(200):
        record(number)
    assert steps_of_removing("k100") <= alone + 2
