"""The tables, how a file is upgraded, and how one of an older version is read (rule 6.1)."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from flow_store import (
    Attempt,
    CancelRequest,
    Changes,
    Deadline,
    FlowStore,
    Person,
    Reopening,
    RunHeader,
    RunStatus,
    Settlement,
    Step,
    StepStatus,
    StoreBroken,
)
from flow_store.database import (
    APPLICATION_ID,
    MIGRATIONS,
    SCHEMA,
    Database,
    require_recorded,
    upgrade,
)
from flow_store.sql import TABLES

KEYS = {
    "runs": {"id"},
    "steps": {"run_id"},
    "attempts": {"run_id"},
    "settlements": {"run_id"},
    "not_started": set(),
}
"""The numbers that tie the tables together, which no field of a record gives."""

ADDED = ("runs", "deadline_boot"), ("steps", "next_attempt_boot"), ("attempts", "abort_reason")
"""Columns that a made-up version 2 adds. It also adds the table `settlements`."""

SETTLEMENTS = re.compile(r"CREATE TABLE settlements .*?\) STRICT, WITHOUT ROWID;", re.DOTALL)

OLDER = "\n".join(
    line
    for line in SETTLEMENTS.sub("", SCHEMA).splitlines()
    if not any(line.strip() == f"{column} TEXT," for _, column in ADDED)
)
LATER = "\n".join(
    [
        *SETTLEMENTS.findall(SCHEMA),
        *(f"ALTER TABLE {table} ADD COLUMN {column} TEXT;" for table, column in ADDED),
        *MIGRATIONS[1:],
    ]
)


def test_tables_have_the_columns_of_the_records(filled: Path) -> None:
    """Every field has its column, and every column its field."""
    with closing(sqlite3.connect(filled)) as raw:
        for table, names in TABLES.items():
            found = {name for _, name, *_ in raw.execute(f"PRAGMA table_info({table})")}
            assert found == {*names, *KEYS[table]}


def test_definitions_stand_apart(run_store: FlowStore, raw: sqlite3.Connection) -> None:
    """A run's row, which each change rewrites, does not hold its definition."""
    run_store.apply("k", Changes(RunHeader(RunStatus.CANCELLED, finished_at=2.0)), revision=0)
    run_store.reopen("k", Reopening("another", {0: 0}), revision=1)
    run = run_store.load("k")
    assert run is not None
    assert run.definition == "another"
    assert raw.execute("SELECT definition FROM definitions").fetchall() == [("another",)]
    assert "definition" not in {name for _, name, *_ in raw.execute("PRAGMA table_info(runs)")}


def test_migrations_are_committed_together(path: Path) -> None:
    """An upgrade that fails half-way leaves the version from which it began, complete."""
    path.touch()
    steps = (
        f"PRAGMA application_id = {APPLICATION_ID}; CREATE TABLE a (x)",
        "ALTER TABLE a ADD COLUMN y; CREATE TABLE b (x)",
        "CREATE TABLE c (x); CREATE TABLE a (x)",
    )
    with closing(Database(path, "rw")) as database:
        upgrade(database, steps[:1])
        with pytest.raises(StoreBroken, match="already exists"):
            upgrade(database, steps)
        assert database.query("PRAGMA user_version") == [(1,)]
        assert database.query("SELECT name FROM sqlite_schema") == [("a",)]
        upgrade(database, (*steps[:2], "CREATE TABLE c (x)"))
        assert database.query("PRAGMA user_version") == [(3,)]


@pytest.fixture
def older(path: Path) -> Path:
    """A closed file of version 1, which lacks what version 2 adds, with a run in it."""
    path.touch()
    with closing(Database(path, "rw")) as database:
        upgrade(database, (OLDER,))
        database.script(
            "INSERT INTO runs (run_key, flow_id, directory, flow_dir, orchesjob_home, status,"
            " started_at, utc_offset_sec, revision, cancel_requested_at)"
            " VALUES ('k', 'f', x'2f', x'2f', x'2f', 'RUNNING', 1, 0, 0, 5);"
            "INSERT INTO definitions VALUES (1, '{}');"
            "INSERT INTO steps (run_id, position, step_id, status, attempt_no, failures,"
            " max_retries, retry_no) VALUES (1, 0, 'a', 'RUNNING', 2, 1, 2, 0);"
            "INSERT INTO attempts (run_id, position, number, status, started_at, boot_id, job,"
            " is_gate) VALUES (1, 0, 1, 'FAILED', 2, 'boot', '{}', 0),"
            " (1, 0, 2, 'RUNNING', 3, 'boot', NULL, 0)"
        )
        database.checkpoint()
    return path


@pytest.fixture
def reader(older: Path) -> Iterator[FlowStore]:
    """A store opened for reading by a program that knows version 2."""
    database = Database(older, "ro")
    require_recorded(database, latest=2)
    with FlowStore(database) as store:
        yield store


def test_an_older_file_is_read_as_it_is(older: Path, reader: FlowStore) -> None:
    """Columns that an older file lacks read as NULL, and the file is not written (rule 6.1)."""
    before = older.read_bytes()
    run = reader.load("k")
    assert run is not None
    assert (run.status, run.deadline, run.settlements) == (RunStatus.RUNNING, None, ())
    assert run.cancel == CancelRequest(5, None)
    assert run.steps == (Step(0, "a", StepStatus.RUNNING, 2, 1, 2),)
    assert {place: one.number for place, one in run.attempts.items()} == {0: 2}
    assert [(past.number, past.is_foreign) for past in run.history] == [(1, True), (2, False)]
    assert [(one.number, one.abort_reason) for one in reader.attempts("k")] == [
        (1, None),
        (2, None),
    ]
    assert [(one.run_key, one.total) for one in reader.runs(flow_id="f")] == [("k", 1)]
    assert reader.cancel_request("k") == CancelRequest(5, None)
    assert older.read_bytes() == before
    assert sorted(file.name for file in older.parent.iterdir()) == [
        *(older.name, f"{older.name}-shm", f"{older.name}-wal")
    ]


def test_a_reader_survives_an_upgrade(older: Path, reader: FlowStore) -> None:
    """What another process adds to the file meanwhile is seen in the columns that it adds."""
    before = reader.load("k")
    with closing(Database(older, "rw")) as database:
        upgrade(database, (OLDER, LATER))
        database.change("UPDATE runs SET deadline_at = 1, deadline_mono = 2, deadline_boot = 'b'")
    after = reader.load("k")
    assert before is not None
    assert after == before._replace(deadline=Deadline(1, 2, "b"))


def test_a_migration_adds_columns_and_a_table(older: Path, step: Step, attempt: Attempt) -> None:
    """After an upgrade what it added is written and read like all else."""
    settlement = Settlement(
        *(0, 0, StepStatus.SUCCEEDED, StepStatus.FAILED, None),
        *(Person("ann", 1000), 7.0, "done by hand"),
    )
    database = Database(older, "rw")
    upgrade(database, (OLDER, LATER))
    changes = Changes(RunHeader(RunStatus.FAILED, "why", None, Deadline(1, 2, "boot")))
    changes.steps[0] = step._replace(status=StepStatus.FAILED, next_attempt_boot="boot")
    changes.attempts[0, 3] = attempt._replace(number=3, abort_reason="cancel")
    with FlowStore(database) as store:
        assert store.apply("k", changes, revision=0) == 1
        run = store.load("k")
        assert run is not None
        assert (run.error, run.deadline) == ("why", Deadline(1, 2, "boot"))
        assert run.steps == (changes.steps[0],)
        assert run.attempts == {0: changes.attempts[0, 3]}
        store.reopen("k", Reopening("{}", {}, settled=[settlement]), revision=1)
        run = store.load("k")
        assert run is not None
        assert run.settlements == (settlement,)
