"""A run is removed as it was chosen, or not at all (rule 9.10)."""

from collections.abc import Callable

import pytest

from flow_store import Changes, FlowStatus, FlowStore, Reopening, RunHeader


@pytest.fixture
def ended(store: FlowStore, create: Callable[..., bool]) -> FlowStore:
    """A store with the run `k`, which FAILED at 400.0, and the run `other`, which is PENDING."""
    create(store)
    create(store, run_key="other")
    store.apply("k", Changes(RunHeader(FlowStatus.FAILED, "1 step failed: a", 400.0)), revision=0)
    return store


def keys(store: FlowStore) -> list[str]:
    """Return the keys of all runs."""
    return [run.run_key for run in store.runs()]


def test_removed(ended: FlowStore) -> None:
    """A run that has ended by the given time and has not changed is removed, and no other."""
    assert ended.remove("k", revision=1, finished_by=400.0)
    assert keys(ended) == ["other"]
    assert not ended.remove("k", revision=1, finished_by=400.0)


@pytest.mark.parametrize(("revision", "finished_by"), [(0, 500.0), (2, 500.0), (1, 399.9)])
def test_another_than_was_chosen(ended: FlowStore, revision: int, finished_by: float) -> None:
    """A run that has changed, or has ended later, stays."""
    assert not ended.remove("k", revision=revision, finished_by=finished_by)
    assert keys(ended) == ["other", "k"]


def test_retried_and_ended_again(ended: FlowStore) -> None:
    """A run that was retried stays while it runs, and when it has ended at the very same time."""
    (_, chosen) = ended.runs()
    ended.reopen("k", Reopening("{}", {0: 2}), revision=1)
    assert not ended.remove("k", revision=2, finished_by=500.0)
    ended.apply("k", Changes(RunHeader(FlowStatus.SUCCEEDED, None, 400.0)), revision=2)
    assert not ended.remove("k", revision=chosen.revision, finished_by=400.0)
    assert keys(ended) == ["other", "k"]
