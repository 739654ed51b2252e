"""Whether anything of a run has changed is seen without reading the run."""

from collections.abc import Callable

import pytest

from flow_store import Changes, FlowStatus, FlowStore, GivenUp, Joining, RunHeader, Step

RUNNING, GAVE_UP = RunHeader(FlowStatus.RUNNING), GivenUp(1.0, "no answer")
CHANGES: dict[str, Callable[[FlowStore, Step], object]] = {
    "a step": lambda store, step: store.apply("k", Changes(steps={0: step}), revision=0),
    "the run": lambda store, _: store.apply(
        "k", Changes(RunHeader(FlowStatus.RUNNING)), revision=0
    ),
    "a cancel": lambda store, _: store.request_cancel("k", requested_at=1.0, grace_sec=None),
    "a giving up": lambda store, _: store.record_giving_up(
        "k", GivenUp(1.0, "no answer"), revision=0
    ),
    "its home": lambda store, _: store.record_orchesjob_home("k", "/srv/jobs"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_changes(run_store: FlowStore, step: Step, change: str) -> None:
    """Each change of a run gives it another token (rule 6.6)."""
    before = run_store.token_of("k")
    CHANGES[change](run_store, step)
    assert run_store.token_of("k") != before


def test_other_runs(run_store: FlowStore, create: Callable[..., bool]) -> None:
    """While nothing of the run itself changes, its token stays."""
    before = run_store.token_of("k")
    create(run_store, "other")
    run_store.request_cancel("other", requested_at=1.0, grace_sec=None)
    assert run_store.token_of("k") == before
    assert run_store.token_of("nobody") is None


def test_a_run_that_waits(store: FlowStore, create: Callable[..., bool]) -> None:
    """Who is before a run that waits for its group is a matter of that run too (rule 10.7)."""
    create(store, "first", joining=Joining("g"))
    create(store, "k", joining=Joining("g"))
    before = store.token_of("k")
    ended = RunHeader(FlowStatus.CANCELLED, finished_at=5.0)
    store.apply("first", Changes(ended), revision=0)
    assert store.token_of("k") != before
