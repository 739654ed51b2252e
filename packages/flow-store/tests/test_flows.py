"""What all runs of a flow come to: which have ended, and which is the newest (rule 12.2)."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from flow_store import (
    Attempt,
    AttemptStatus,
    Changes,
    EndMark,
    FlowStatus,
    FlowStore,
    Reopening,
    RunHeader,
    sql,
)
from flow_store.database import Database
from flow_store.schema import MIGRATIONS, upgrade

type Create = Callable[..., bool]


def end(store: FlowStore, run_key: str, status: FlowStatus, at: float, revision: int = 0) -> None:
    """Let a run end."""
    store.apply(run_key, Changes(RunHeader(status, None, at)), revision=revision)


@pytest.fixture
def several(store: FlowStore, create: Create) -> FlowStore:
    """Runs of two flows, of which `a2` and `b1` have not ended."""
    for key in ("a1", "b1", "a2", "a3"):
        create(store, key, flow_id=key[0])
    end(store, "a1", FlowStatus.FAILED, 200.0)
    end(store, "a3", FlowStatus.SUCCEEDED, 300.0)
    store.apply("b1", Changes(RunHeader(FlowStatus.RUNNING)), revision=0)
    return store


def test_flows(several: FlowStore) -> None:
    """Each flow is named once, its newest run is the one recorded last, however it stands."""
    assert several.flow_ids() == ("a", "b")
    assert [run.run_key for run in several.newest_runs()] == ["a3", "b1"]
    assert several.unfinished() == {"a": {FlowStatus.PENDING: 1}, "b": {FlowStatus.RUNNING: 1}}


def test_no_flows(store: FlowStore) -> None:
    """An empty database has no flows."""
    assert (store.flow_ids(), store.newest_runs(), store.unfinished()) == ((), (), {})
    assert store.end_marks() == set()


def test_marks(several: FlowStore) -> None:
    """Exactly the runs that have ended have a mark."""
    assert several.end_marks() == {EndMark(1, 1, 200.0), EndMark(4, 1, 300.0)}


def test_an_end_has_a_mark_of_its_own(several: FlowStore) -> None:
    """A run that is opened again loses its mark, and has another one when it has ended again.

    That holds where the clock was set back, so that it ended at the same time.
    """
    (before,) = (mark for mark in several.end_marks() if mark.run_id == 1)
    several.reopen("a1", Reopening("{}", {0: 0}), revision=1)
    assert {mark.run_id for mark in several.end_marks()} == {4}
    end(several, "a1", FlowStatus.FAILED, 200.0, revision=2)
    (after,) = (mark for mark in several.end_marks() if mark.run_id == 1)
    assert (after.finished_at, after != before) == (before.finished_at, True)


def test_the_number_of_a_removed_run(several: FlowStore, create: Create) -> None:
    """A run that gets the number of one that was removed has another mark."""
    before = several.end_marks()
    several.remove({"a3": 1}, finished_by=300.0)
    create(several, "new")
    end(several, "new", FlowStatus.SUCCEEDED, 300.5)
    assert several.end_marks() - before == {EndMark(4, 1, 300.5)}


def test_no_run_is_read_for_the_marks(several: FlowStore) -> None:
    """All that a mark holds is in an index, for a run's own row holds the text of its flow."""
    plan = several._database.query(f"EXPLAIN QUERY PLAN {sql.SELECT_END_MARKS}")
    assert [detail for *_, detail in plan] == [
        "SEARCH runs USING COVERING INDEX ended_runs (status=?)"
    ]


def test_marks_of_an_older_file(path: Path) -> None:
    """A file of a version before that index is read as well, and stays as it is."""
    version = next(n for n, script in enumerate(MIGRATIONS) if "INDEX ended_runs" in script)
    path.touch()
    with closing(Database(path, "rw")) as database:
        upgrade(database, MIGRATIONS[:version])
        database.query(
            "INSERT INTO runs (run_key, flow_id, definition, directory, status, started_at,"
            " finished_at, revision) VALUES ('k', 'f', '{}', x'2f', 'FAILED', 100.0, 200.0, 7)"
        )
    with FlowStore.open_readonly(path) as older:
        assert older.end_marks() == {EndMark(1, 7, 200.0)}
    with closing(Database(path, "ro")) as database:
        assert database.query("PRAGMA user_version") == [(version,)]
    with FlowStore.open(path) as upgraded:
        assert upgraded.end_marks() == {EndMark(1, 7, 200.0)}


def test_a_run_by_its_mark(store: FlowStore, create: Create, attempt: Attempt) -> None:
    """A run that has ended is read by its number, with all its attempts; no other is."""
    create(store)
    done = attempt._replace(status=AttemptStatus.FAILED, finished_at=102.0)
    store.apply("k", Changes(attempts={(0, 1): done}), revision=0)
    assert store.load_ended(1) is None
    end(store, "k", FlowStatus.FAILED, 103.0, revision=1)
    found = store.load_ended(1)
    assert found == (EndMark(1, 2, 103.0), store.load("k"), store.attempts("k"))
    assert found[2] == (done,)
    assert store.load_ended(2) is None
