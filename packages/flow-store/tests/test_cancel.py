"""A cancel request is a recorded fact (rule 5.6)."""

from collections.abc import Callable

import pytest

from flow_store import (
    CancelRequest,
    Changes,
    FlowStatus,
    FlowStore,
    NotRecorded,
    RunHeader,
)


@pytest.mark.parametrize("grace_sec", [None, 0.0, 2.5])
def test_request_is_recorded(run_store: FlowStore, grace_sec: float | None) -> None:
    """The request and its grace are kept with the run, whose revision stays."""
    request = CancelRequest(105.0, grace_sec)
    answer = run_store.request_cancel("k", requested_at=105.0, grace_sec=grace_sec)
    assert answer == request
    assert run_store.cancel_request("k") == request
    run = run_store.load("k")
    assert run is not None
    assert (run.cancel, run.revision, run.status) == (request, 0, FlowStatus.PENDING)


def test_first_request_wins(run_store: FlowStore) -> None:
    """A second request changes nothing and returns the first."""
    first = run_store.request_cancel("k", requested_at=105.0, grace_sec=None)
    assert run_store.request_cancel("k", requested_at=106.0, grace_sec=9.0) == first
    assert run_store.cancel_request("k") == CancelRequest(105.0, None)


@pytest.mark.parametrize("status", [status for status in FlowStatus if status.is_terminal])
def test_an_ended_run_takes_no_request(run_store: FlowStore, status: FlowStatus) -> None:
    """On a run that has ended nothing is recorded (rule 6.7)."""
    run_store.apply("k", Changes(RunHeader(status)), revision=0)
    before = run_store.load("k")
    assert run_store.request_cancel("k", requested_at=105.0, grace_sec=None) is None
    assert run_store.load("k") == before


def test_a_cancelled_run_still_names_its_request(run_store: FlowStore) -> None:
    """The request that ended a run is the answer to a later one."""
    first = run_store.request_cancel("k", requested_at=105.0, grace_sec=1.0)
    run_store.apply("k", Changes(RunHeader(FlowStatus.CANCELLED)), revision=0)
    assert run_store.request_cancel("k", requested_at=300.0, grace_sec=None) == first


def test_unknown_run_cannot_be_cancelled(run_store: FlowStore) -> None:
    """A request for a run that is not there is an error that names it."""
    with pytest.raises(NotRecorded, match="'gone'"):
        run_store.request_cancel("gone", requested_at=105.0, grace_sec=None)


def test_only_that_run_is_cancelled(run_store: FlowStore, create: Callable[..., bool]) -> None:
    """A request concerns one run."""
    create(run_store, "k2")
    run_store.request_cancel("k", requested_at=105.0, grace_sec=None)
    assert run_store.cancel_request("k2") is None
