"""When and why a runner gave up is recorded until another one goes on (rule 5.7)."""

import pytest

from flow_store import (
    Changes,
    FlowStore,
    GivenUp,
    NotRecorded,
    Reopening,
    RunHeader,
    RunStatus,
    RunTakenOver,
    TerminalStatus,
)

FAILED_CALL = GivenUp(105.0, "k:a:1: orchesjob status failed: \ud800")
AS_STORED = FAILED_CALL._replace(error=r"k:a:1: orchesjob status failed: \ud800")


def recorded(store: FlowStore, run_key: str = "k") -> GivenUp | None:
    """Return what is recorded of a run, which is the same wherever it is read."""
    run = store.load(run_key)
    assert run is not None
    (listed,) = (found for found in store.runs() if found.run_key == run_key)
    assert listed.gave_up == run.gave_up
    return run.gave_up


def test_recorded_and_removed(run_store: FlowStore) -> None:
    """It is there until a runner goes on; the revision stays, so that this runner may write."""
    assert recorded(run_store) is None
    run_store.record_giving_up("k", FAILED_CALL, revision=0)
    assert recorded(run_store) == AS_STORED
    run_store.apply("k", Changes(RunHeader(RunStatus.RUNNING)), revision=0)
    assert recorded(run_store) == AS_STORED
    run_store.record_giving_up("k", None, revision=1)
    assert recorded(run_store) is None


@pytest.mark.parametrize("status", [status for status in RunStatus if status.is_terminal])
def test_removed_by_the_end(run_store: FlowStore, status: RunStatus) -> None:
    """A run that has ended, or was reopened since, does not say that a runner gave up."""
    run_store.record_giving_up("k", FAILED_CALL, revision=0)
    run_store.apply("k", Changes(RunHeader(status)), revision=0)
    assert recorded(run_store) is None
    with pytest.raises(TerminalStatus):
        run_store.record_giving_up("k", FAILED_CALL, revision=1)
    run_store.reopen("k", Reopening("{}", {0: 1}), revision=1)
    assert recorded(run_store) is None


def test_only_by_who_drives_it(run_store: FlowStore) -> None:
    """A runner that was overtaken records nothing: the run has another one (rule 4.5)."""
    run_store.apply("k", Changes(RunHeader(RunStatus.RUNNING)), revision=0)
    with pytest.raises(RunTakenOver):
        run_store.record_giving_up("k", FAILED_CALL, revision=0)
    assert recorded(run_store) is None
    with pytest.raises(NotRecorded, match="'gone'"):
        run_store.record_giving_up("gone", FAILED_CALL, revision=0)
