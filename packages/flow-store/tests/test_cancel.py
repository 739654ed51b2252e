"""A cancel request is a recorded fact (rule 5.6)."""

from collections.abc import Callable

import pytest

from flow_store import (
    CancelRequest,
    CancelRequested,
    Changes,
    FlowStore,
    NotRecorded,
    Outcome,
    Parent,
    RunHeader,
    RunStatus,
)

TIDYING = RunHeader(RunStatus.RUNNING, finally_after=Outcome.CANCELLED)


@pytest.mark.parametrize("grace_sec", [None, 0.0, 2.5])
def test_request_is_recorded(run_store: FlowStore, grace_sec: float | None) -> None:
    """The request and its grace are kept with the run, whose revision stays."""
    request = CancelRequest(105.0, grace_sec)
    answer = run_store.request_cancel("k", requested_at=105.0, grace_sec=grace_sec)
    assert answer == request
    assert run_store.cancel_request("k") == request
    run = run_store.load("k")
    assert run is not None
    assert (run.cancel, run.revision, run.status) == (request, 0, RunStatus.PENDING)


def test_first_request_wins(run_store: FlowStore) -> None:
    """A second request changes nothing and returns the first."""
    first = run_store.request_cancel("k", requested_at=105.0, grace_sec=None)
    assert run_store.request_cancel("k", requested_at=106.0, grace_sec=9.0) == first
    assert run_store.cancel_request("k") == CancelRequest(105.0, None)


@pytest.mark.parametrize("status", [status for status in RunStatus if status.is_terminal])
def test_an_ended_run_takes_no_request(run_store: FlowStore, status: RunStatus) -> None:
    """On a run that has ended nothing is recorded (rule 6.7)."""
    run_store.apply("k", Changes(RunHeader(status)), revision=0)
    before = run_store.load("k")
    assert run_store.request_cancel("k", requested_at=105.0, grace_sec=None) is None
    assert run_store.load("k") == before


def test_a_cancelled_run_still_names_its_request(run_store: FlowStore) -> None:
    """The request that ended a run is the answer to a later one."""
    first = run_store.request_cancel("k", requested_at=105.0, grace_sec=1.0)
    run_store.apply("k", Changes(RunHeader(RunStatus.CANCELLED)), revision=0)
    assert run_store.request_cancel("k", requested_at=300.0, grace_sec=None) == first


def test_unknown_run_cannot_be_cancelled(run_store: FlowStore) -> None:
    """A request for a run that is not there is an error that names it."""
    with pytest.raises(NotRecorded, match="'gone'"):
        run_store.request_cancel("gone", requested_at=105.0, grace_sec=None)


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


def test_only_that_run_is_cancelled(run_store: FlowStore, create: Callable[..., bool]) -> None:
    """A request concerns one run."""
    create(run_store, "k2")
    run_store.request_cancel("k", requested_at=105.0, grace_sec=None)
    assert run_store.cancel_request("k2") is None


def test_a_second_request_ends_finally_too(run_store: FlowStore) -> None:
    """While the steps of `finally` are under way, that is what a second request asks (10.1)."""
    run_store.request_cancel("k", requested_at=105.0, grace_sec=2.0)
    run_store.apply("k", Changes(TIDYING), revision=0)
    second = run_store.request_cancel("k", requested_at=106.0, grace_sec=None)
    assert second == CancelRequest(105.0, 2.0, 106.0)
    assert run_store.request_cancel("k", requested_at=107.0, grace_sec=9.0) == second


def test_the_first_request_leaves_finally_alone(run_store: FlowStore) -> None:
    """However late it comes, a first request waits for the steps of `finally` (rule 10.1)."""
    run_store.apply("k", Changes(TIDYING), revision=0)
    first = run_store.request_cancel("k", requested_at=105.0, grace_sec=None)
    assert first == CancelRequest(105.0, None)


def test_a_request_may_be_for_all_at_once(run_store: FlowStore) -> None:
    """With `now` the steps of `finally` are to be ended too, whatever is under way (rule 10.1)."""
    first = run_store.request_cancel("k", requested_at=105.0, grace_sec=None, now=True)
    assert first == CancelRequest(105.0, None, 105.0)


def test_its_grace_time_is_that_of_the_request(run_store: FlowStore) -> None:
    """A request to end all at once has its own grace time, if it gives one (rule 10.1)."""
    run_store.request_cancel("k", requested_at=105.0, grace_sec=60.0)
    now = run_store.request_cancel("k", requested_at=106.0, grace_sec=0.0, now=True)
    assert now == CancelRequest(105.0, 0.0, 106.0)


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
