"""A cancel request is a recorded fact (rule 5.6)."""

from collections.abc import Callable

import pytest

from flow_store import (
    CancelRequest,
    CancelRequested,
    Changes,
    FlowStore,
    Outcome,
    Parent,
    RunHeader,
    RunStatus,
)

TIDYING = RunHeader(RunStatus.RUNNING, finally_after=Outcome.CANCELLED)


def test_what_is_inside_is_cancelled_too(run_store: FlowStore, create: Callable[..., bool]) -> None:
    """A request concerns all runs that the run has started, and those inside them (rule 5.8a)."""
    create(run_store, "in", parent=Parent("k", "a", 1))
    create(run_store, "ended", parent=Parent("k", "b", 3))
    create(run_store, "inmost", parent=Parent("ended", "a", 1))
    create(run_store, "beside")
    run_store.apply("ended", Changes(RunHeader(RunStatus.FAILED)), revision=0)
    assert run_store.unfinished_inside("k") == ("in", "inmost")
    request = run_store.request_cancel("k", requested_at=105.0, grace_sec=3.0)
    found = {key: run_store.cancel_request(key) for key in ("in", "ended", "inmost", "beside")}
    assert found == {"in": request, "ended": None, "inmost": request, "beside": None}


def test_runs_inside_each_other(run_store: FlowStore, create: Callable[..., bool]) -> None:
    """A record in which runs have started each other, which no program writes, hangs nothing."""
    create(run_store, "in", parent=Parent("around", "a", 1))
    create(run_store, "around", parent=Parent("in", "a", 1))
    assert run_store.unfinished_inside("in") == ("in", "around")


def test_nothing_begins_inside_what_is_cancelled(
    run_store: FlowStore, create: Callable[..., bool]
) -> None:
    """Once a cancel is recorded no step starts, and no run inside the run either (5.6, 5.8a)."""
    run_store.request_cancel("k", requested_at=105.0, grace_sec=None)
    with pytest.raises(CancelRequested, match="run 'k' is to be cancelled"):
        create(run_store, "in", parent=Parent("k", "a", 1))
    assert not run_store.has("in")


def test_a_later_attempt_takes_over(run_store: FlowStore, create: Callable[..., bool]) -> None:
    """A run is that of the attempt that went on with it last, at the step that started it."""
    create(run_store, "in", parent=Parent("k", "a", 1))
    for parent, attempt_no in (
        (Parent("k", "a", 2), 2),
        (Parent("k", "b", 3), 2),
        (Parent("other", "a", 3), 2),
        (None, 2),
    ):
        assert not create(run_store, "in", parent=parent)
        run = run_store.load("in")
        assert run is not None
        assert run.parent == Parent("k", "a", attempt_no)


def test_what_finally_has_started_is_spared(
    run_store: FlowStore, create: Callable[..., bool]
) -> None:
    """A first request leaves alone what a step of `finally` has started, a second does not."""
    run_store.apply("k", Changes(TIDYING), revision=0)
    create(run_store, "inner", parent=Parent("k", "a", 1))
    run_store.request_cancel("k", requested_at=105.0, grace_sec=None)
    assert run_store.cancel_request("inner") is None
    create(run_store, "later", parent=Parent("k", "a", 1))
    run_store.request_cancel("k", requested_at=106.0, grace_sec=None)
    now = CancelRequest(106.0, None, 106.0, is_nested=True)
    assert [run_store.cancel_request(key) for key in ("inner", "later")] == [now, now]
    with pytest.raises(CancelRequested):
        create(run_store, "too late", parent=Parent("k", "a", 1))
