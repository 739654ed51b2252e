"""Applying changes: all or nothing, by one runner, never over an outcome (rules 4.5, 5.1, 5.6)."""

import sqlite3

import pytest

from flow_store import (
    Attempt,
    AttemptStatus,
    CancelRequest,
    CancelRequested,
    Changes,
    FlowStore,
    NotRecorded,
    RunHeader,
    RunStatus,
    RunTakenOver,
    Step,
    StepStatus,
    StoreError,
    TerminalStatus,
    Unstorable,
)


@pytest.mark.parametrize("revision", [0, 2])
def test_another_revision_is_refused(run_store: FlowStore, step: Step, revision: int) -> None:
    """Whoever does not know the latest revision changes nothing (rule 4.5)."""
    run_store.apply("k", Changes(steps={0: step}), revision=0)
    with pytest.raises(RunTakenOver) as caught:
        run_store.apply("k", Changes(steps={0: step}), revision=revision)
    assert (caught.value.expected, caught.value.found) == (revision, 1)


def test_what_has_ended_is_named(run_store: FlowStore, step: Step, attempt: Attempt) -> None:
    """It is never written again, not even with its own status (rule 5.1)."""
    ended_step = step._replace(status=StepStatus.FAILED)
    ended_attempt = attempt._replace(status=AttemptStatus.FAILED)
    run_store.apply("k", Changes(None, {0: ended_step}, {(0, 1): ended_attempt}), revision=0)
    with pytest.raises(TerminalStatus, match=r"^step 'a' of run 'k'"):
        run_store.apply("k", Changes(steps={0: ended_step}), revision=1)
    with pytest.raises(TerminalStatus, match=r"^attempt 1 at step 1 of run 'k'"):
        run_store.apply("k", Changes(attempts={(0, 1): ended_attempt}), revision=1)
    run_store.apply("k", Changes(RunHeader(RunStatus.FAILED, None, 200.0)), revision=1)
    with pytest.raises(TerminalStatus, match=r"^run 'k' has ended"):
        run_store.apply("k", Changes(attempts={(0, 2): attempt._replace(number=2)}), revision=2)


def test_no_start_after_a_cancel_request(run_store: FlowStore, attempt: Attempt) -> None:
    """No attempt is recorded as starting once the run is to be cancelled (rule 5.6)."""
    run_store.request_cancel("k", requested_at=105.0, grace_sec=2.5)
    with pytest.raises(CancelRequested) as caught:
        run_store.apply("k", Changes(attempts={(0, 1): attempt}), revision=0)
    assert caught.value.request == CancelRequest(105.0, 2.5)


def test_unknown_run_or_step(run_store: FlowStore, step: Step, attempt: Attempt) -> None:
    """Only what was recorded can change: the run, and its step by position and id."""
    table: list[tuple[str, Changes, type[StoreError]]] = [
        ("gone", Changes(RunHeader(RunStatus.RUNNING)), NotRecorded),
        ("k", Changes(steps={7: step._replace(position=7)}), NotRecorded),
        ("k", Changes(steps={0: step._replace(step_id="b")}), NotRecorded),
        ("k", Changes(steps={0: step._replace(step_id="A")}), NotRecorded),
        ("k", Changes(attempts={(7, 1): attempt._replace(position=7)}), Unstorable),
        ("k", Changes(attempts={(0, 0): attempt._replace(number=0)}), Unstorable),
    ]
    before = run_store.load("k")
    for run_key, changes, error in table:
        with pytest.raises(error):
            run_store.apply(run_key, changes, revision=0)
    assert run_store.load("k") == before


def test_only_the_named_rows_are_touched(
    run_store: FlowStore, step: Step, attempt: Attempt, raw: sqlite3.Connection
) -> None:
    """The cost of a change does not depend on the size of the run."""
    raw.executescript(
        """
        CREATE TABLE touched (what TEXT);
        CREATE TRIGGER t1 AFTER UPDATE ON steps
            BEGIN INSERT INTO touched VALUES ('step ' || new.position); END;
        CREATE TRIGGER t2 AFTER INSERT ON attempts
            BEGIN INSERT INTO touched VALUES ('attempt ' || new.position); END;
        CREATE TRIGGER t3 AFTER UPDATE ON runs
            BEGIN INSERT INTO touched VALUES ('run ' || new.run_key); END;
        """
    )
    second = step._replace(position=1, step_id="b")
    run_store.apply("k", Changes(None, {1: second}, {(0, 1): attempt}), revision=0)
    touched = [what for (what,) in raw.execute("SELECT what FROM touched ORDER BY what")]
    assert touched == ["attempt 0", "run k", "step 1"]
