"""The columns follow from the fields of the records, in files of every version."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from flow_store import (
    Attempt,
    CancelRequest,
    Changes,
    Deadline,
    FlowStatus,
    FlowStore,
    Reopening,
    RunHeader,
    Step,
    StepStatus,
    Unstorable,
)
from flow_store.columns import TABLES, Columns
from flow_store.database import Database
from flow_store.records import ForeignText, SystemPath
from flow_store.schema import MIGRATIONS, require_recorded, upgrade

KEYS = {
    "runs": {"id", "definition"},
    "steps": {"run_id"},
    "attempts": {"run_id"},
    "settlements": {"run_id"},
}
"""What no field of a record gives: the numbers, and the place that definitions had once."""

ADDED = ("runs", "deadline_boot"), ("steps", "next_attempt_boot"), ("attempts", "abort_reason")
"""Columns that the tests take for later ones."""

OLDER = "\n".join(
    line
    for line in MIGRATIONS[0].splitlines()
    if not any(line.strip() == f"{column} TEXT," for _, column in ADDED)
)
LATER = "\n".join(
    [
        *MIGRATIONS[1:],
        *(f"ALTER TABLE {table} ADD COLUMN {column} TEXT;" for table, column in ADDED),
    ]
)


class Place(NamedTuple):
    """Part of another record."""

    folder: str
    depth: int | None


class Thing(NamedTuple):
    """A record with a field of every kind."""

    status: StepStatus
    is_new: bool
    place: Place | None
    path: SystemPath
    note: ForeignText | None
    number: int


def test_a_field_is_a_column() -> None:
    """Columns are named as the fields; a record in a record is a column for each of its fields."""
    names = ("status", "is_new", "place_folder", "place_depth", "path", "note", "number")
    assert Columns(Thing).names == names
    assert Columns(Thing, without=("place", "path")).names == ("status", "is_new", "note", "number")


@pytest.mark.parametrize("place", [None, Place("/", None), Place("/", 2)])
def test_records_are_read_as_they_were_written(place: Place | None) -> None:
    """The values of a record give the same record again, with enums and booleans in it."""
    columns = Columns(Thing)
    thing = Thing(StepStatus.FAILED, False, place, "/caf\udce9", "note", 3)
    row = [int(value) if isinstance(value, bool) else value for value in columns.values(thing)]
    read = columns.record(row)
    assert read == thing
    assert isinstance(read.status, StepStatus)
    assert isinstance(read.is_new, bool)
    assert row[4] == b"/caf\xe9"
    assert columns.fields(row) == thing._asdict()


def test_lone_surrogates_are_spelled_out() -> None:
    """Text from outside may hold what SQLite cannot store; a path may not."""
    columns = Columns(Thing)
    thing = Thing(StepStatus.FAILED, False, None, "/", "x\udc80", 3)
    assert columns.values(thing)[5] == r"x\udc80"
    with pytest.raises(Unstorable, match="surrogates not allowed"):
        columns.values(thing._replace(path="/\ud800"))


def test_tables_have_the_columns_of_the_records(filled: Path) -> None:
    """At the latest version every field has its column, and every column its field."""
    with closing(sqlite3.connect(filled)) as raw:
        for table, names in TABLES.items():
            found = {name for _, name, *_ in raw.execute(f"PRAGMA table_info({table})")}
            assert found == {*names, *KEYS[table]}


@pytest.fixture
def older(path: Path) -> Path:
    """A closed file of version 1, which lacks what version 2 adds, with a run in it."""
    path.touch()
    with closing(Database(path, "rw")) as database:
        upgrade(database, (OLDER,))
        database.script(
            "INSERT INTO runs (run_key, flow_id, definition, directory, status, started_at,"
            " revision, cancel_requested_at) VALUES ('k', 'f', '{}', x'2f', 'RUNNING', 1, 0, 5);"
            "INSERT INTO steps (run_id, position, step_id, status, attempt_no, failures,"
            " max_retries) VALUES (1, 0, 'a', 'RUNNING', 2, 1, 2);"
            "INSERT INTO attempts (run_id, position, number, status, started_at, boot_id, job)"
            " VALUES (1, 0, 1, 'FAILED', 2, 'boot', '{}'), (1, 0, 2, 'RUNNING', 3, 'boot', NULL)"
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
    assert (run.status, run.deadline) == (FlowStatus.RUNNING, None)
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


def test_definitions_stand_apart(older: Path, reader: FlowStore) -> None:
    """A run's row, which each change writes anew, is short however long its definition is."""
    long = "x" * 100_000
    database = Database(older, "rw")
    upgrade(database, (OLDER, LATER))
    with FlowStore(database) as store:
        assert store.create(
            run_key="new",
            flow_id="f",
            definition=long,
            directory="/",
            started_at=1.0,
            steps=[("a", 0)],
        )
        store.apply("new", Changes(RunHeader(FlowStatus.CANCELLED, finished_at=2.0)), revision=0)
        store.reopen("new", Reopening(f"{long}y", {0: 0}), revision=1)
        found = store.load("new")
        assert found is not None
        assert found.definition == f"{long}y"
    with closing(sqlite3.connect(older)) as raw:
        assert raw.execute("SELECT definition FROM runs WHERE run_key = 'new'").fetchone() == ("",)
    run = reader.load("k")
    assert run is not None
    assert run.definition == "{}"


def test_a_migration_appends_columns(older: Path, step: Step, attempt: Attempt) -> None:
    """After an upgrade the columns that it added are written and read like all others."""
    database = Database(older, "rw")
    upgrade(database, (OLDER, LATER))
    changes = Changes(RunHeader(FlowStatus.RUNNING, "why", None, Deadline(1, 2, "boot")))
    changes.steps[0] = step._replace(next_attempt_boot="boot")
    changes.attempts[0, 3] = attempt._replace(number=3, abort_reason="cancel")
    with FlowStore(database) as store:
        assert store.apply("k", changes, revision=0) == 1
        run = store.load("k")
    assert run is not None
    assert (run.error, run.deadline) == ("why", Deadline(1, 2, "boot"))
    assert run.steps == (changes.steps[0],)
    assert run.attempts == {0: changes.attempts[0, 3]}
