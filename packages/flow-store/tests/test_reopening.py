"""A run that has ended is opened again: in one transaction, and with its history (rule 9.7)."""

from collections.abc import Callable

import pytest

from flow_store import (
    Attempt,
    AttemptStatus,
    Changes,
    Deadline,
    FlowStore,
    NotRecorded,
    NotSettleable,
    Person,
    Reopening,
    RunHeader,
    RunStatus,
    Settlement,
    Step,
    StepStatus,
    Unstorable,
)

FIRST = Attempt(1, 1, AttemptStatus.FAILED, 110.0, None, "boot", "j1", "{}", finished_at=120.0)


@pytest.fixture
def ended(store: FlowStore, create: Callable[..., bool]) -> FlowStore:
    """A store with the run `k`, FAILED after a cancel was asked for: `a` SUCCEEDED, `b` FAILED."""
    create(store, steps=[("a", 2), ("b", 1)])
    store.request_cancel("k", requested_at=105.0, grace_sec=3.0)
    changes = Changes(
        RunHeader(RunStatus.FAILED, "1 step failed: b", 130.0, Deadline(1, 2, "boot"))
    )
    changes.steps[0] = Step(0, "a", StepStatus.SUCCEEDED, 0, 0, 2, started_at=1.0, finished_at=2.0)
    changes.steps[1] = Step(1, "b", StepStatus.FAILED, 1, 2, 1, 1.0, 2.0, "x", 3.0, 4.0, "exit 1")
    changes.attempts[1, 1] = FIRST
    store.apply("k", changes, revision=0)
    return store


def test_reopen(ended: FlowStore) -> None:
    """Steps that are reset wait with a new budget; the rest, and every attempt, stays as it was."""
    before = ended.load("k")
    assert ended.reopen("k", Reopening("new", {1: 5}, [("c", 7)]), revision=1) == 2
    run = ended.load("k")
    assert before is not None
    assert run is not None
    assert (run.status, run.error, run.finished_at) == (RunStatus.PENDING, None, None)
    assert (run.definition, run.cancel, run.deadline, run.revision) == ("new", None, None, 2)
    assert run.started_at == before.started_at
    assert run.steps == (
        before.steps[0],
        Step(1, "b", StepStatus.PENDING, 1, 0, 5, retry_no=1),
        Step(2, "c", StepStatus.PENDING, 0, 0, 7, retry_no=1),
    )
    assert ended.attempts("k") == (FIRST,)


def test_retries_are_numbered(ended: FlowStore) -> None:
    """Each step names the `retry` that had it decided last: what predates what can be told."""
    ended.reopen("k", Reopening("new", {1: 5}), revision=1)
    ended.apply("k", Changes(RunHeader(RunStatus.FAILED, "x", 140.0)), revision=2)
    ended.reopen("k", Reopening("new", {}, [("c", 7)]), revision=3)
    run = ended.load("k")
    assert run is not None
    assert [step.retry_no for step in run.steps] == [0, 1, 2]
    first, second, third = run.steps
    assert [first.predates(second), second.predates(third)] == [True, True]
    assert [second.predates(first), second.predates(second)] == [False, False]
    assert [first.has_begun, second.has_begun, third.has_begun] == [True, False, False]


def test_all_or_nothing(ended: FlowStore) -> None:
    """What cannot be written as a whole is not written at all."""
    before = ended.load("k")
    with pytest.raises(Unstorable):
        ended.reopen("k", Reopening("new", {1: 0}, [("c", 0), ("\ud800", 0)]), revision=1)
    assert ended.load("k") == before


def test_no_such_position(ended: FlowStore) -> None:
    """A step that the run does not have cannot run again, and nobody can settle it."""
    before = ended.load("k")
    status, was = StepStatus.SUCCEEDED, StepStatus.FAILED
    by_hand = Settlement(9, 0, status, was, None, Person("ada", 1000), 1.0, "seen")
    with pytest.raises(NotRecorded, match="step '#9' of run 'k' is not recorded"):
        ended.reopen("k", Reopening("new", {9: 0}), revision=1)
    with pytest.raises(NotSettleable):
        ended.reopen("k", Reopening("new", {}, settled=[by_hand]), revision=1)
    assert ended.load("k") == before
