"""The tables, the versions of their schema, and how a file is recognised as a flow database.

A released migration is never edited, so it spells out the statuses that `records` defines. A later
one adds columns that may be NULL (`ALTER TABLE ... ADD COLUMN ...`), with a field of the same name
in `records`, or a table. The SQL that reads and writes the tables is in
`sql`.
"""

import time
from collections.abc import Sequence

from flow_store.database import BUSY_TIMEOUT_SEC, Database
from flow_store.errors import (
    StoreBroken,
    StoreForeign,
    StoreMissing,
    StoreNewer,
    StoreUnavailable,
)
from flow_store.sql import TABLES

APPLICATION_ID = 0x6F6A6664
"""`PRAGMA application_id` of a flow database: "ojfd". Development versions had "ojfl"."""

SCHEMA = f"""
    PRAGMA application_id = {APPLICATION_ID};

    CREATE TABLE runs (
        id INTEGER PRIMARY KEY,
        run_key TEXT NOT NULL UNIQUE,
        flow_id TEXT NOT NULL,
        directory BLOB NOT NULL, -- a path is bytes, not always text
        flow_dir BLOB NOT NULL,
        orchesjob_home BLOB NOT NULL,
        home_inode INTEGER, -- its lower 63 bits
        params TEXT,
        status TEXT NOT NULL
            CHECK (status IN ('PENDING', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELLED')),
        error TEXT,
        started_at REAL NOT NULL,
        utc_offset_sec INTEGER NOT NULL, -- of local time when the run was recorded
        finished_at REAL,
        deadline_at REAL,
        deadline_mono REAL,
        deadline_boot TEXT,
        revision INTEGER NOT NULL CHECK (revision >= 0),
        cancel_requested_at REAL, -- these five are written by cancelling, never by a runner
        cancel_grace_sec REAL CHECK (cancel_requested_at IS NOT NULL OR cancel_grace_sec IS NULL),
        cancel_now_at REAL,
        cancel_is_nested INTEGER CHECK (cancel_is_nested IN (0, 1)),
        cancel_successor TEXT CHECK (cancel_requested_at IS NOT NULL OR cancel_successor IS NULL),
        finally_after TEXT
            CHECK (finally_after IN ('SUCCEEDED', 'FAILED', 'CANCELLED', 'TIMED_OUT')),
        gave_up_at REAL,
        gave_up_error TEXT,
        parent_run_key TEXT,
        parent_step_id TEXT,
        parent_attempt_no INTEGER,
        group_name TEXT,
        group_place INTEGER
    ) STRICT;

    -- A list of the latest runs, of one status or of one flow, reads only what it shows.
    CREATE INDEX runs_by_status ON runs (status);
    CREATE INDEX runs_by_flow ON runs (flow_id);
    CREATE INDEX runs_by_parent ON runs (parent_run_key) WHERE parent_run_key IS NOT NULL;
    CREATE UNIQUE INDEX one_run_of_a_group ON runs (group_name) WHERE status = 'RUNNING';
    CREATE INDEX unfinished_runs_by_group ON runs (group_name, group_place)
        WHERE status IN ('PENDING', 'RUNNING');

    -- SQLite rewrites the whole row of a run for each change. A definition may be megabytes, so it
    -- has a table of its own.
    CREATE TABLE definitions (
        run_id INTEGER PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
        definition TEXT NOT NULL
    ) STRICT;

    CREATE TABLE steps (
        run_id INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
        position INTEGER NOT NULL CHECK (position >= 0),
        step_id TEXT NOT NULL,
        status TEXT NOT NULL
            CHECK (status IN ('PENDING', 'DELAYED', 'RUNNING', 'SUCCEEDED', 'FAILED', 'SKIPPED',
                              'CANCELLED')),
        attempt_no INTEGER NOT NULL CHECK (attempt_no >= 0),
        failures INTEGER NOT NULL CHECK (failures >= 0),
        max_retries INTEGER NOT NULL CHECK (max_retries >= 0),
        next_attempt_at REAL,
        next_attempt_mono REAL,
        next_attempt_boot TEXT,
        started_at REAL,
        finished_at REAL,
        error TEXT,
        retry_no INTEGER NOT NULL CHECK (retry_no >= 0),
        PRIMARY KEY (run_id, position)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE attempts (
        run_id INTEGER NOT NULL,
        position INTEGER NOT NULL,
        number INTEGER NOT NULL CHECK (number >= 1),
        status TEXT NOT NULL
            CHECK (status IN ('STARTING', 'RUNNING', 'SUCCEEDED', 'FAILED', 'SKIPPED',
                              'CANCELLED', 'NEVER_RAN')),
        started_at REAL NOT NULL,
        running_mono REAL,
        boot_id TEXT NOT NULL,
        job_id TEXT,
        job TEXT,
        abort_reason TEXT,
        kin TEXT,
        finished_at REAL,
        error TEXT,
        note TEXT,
        is_gate INTEGER NOT NULL CHECK (is_gate IN (0, 1)),
        PRIMARY KEY (run_id, position, number),
        FOREIGN KEY (run_id, position) REFERENCES steps (run_id, position) ON DELETE CASCADE
    ) STRICT; -- not WITHOUT ROWID: whole jobs in the tree of keys would make it deep and slow

    CREATE TABLE settlements (
        run_id INTEGER NOT NULL,
        position INTEGER NOT NULL,
        retry_no INTEGER NOT NULL CHECK (retry_no >= 0),
        status TEXT NOT NULL CHECK (status IN ('SUCCEEDED', 'SKIPPED')),
        was TEXT NOT NULL CHECK (was IN ('FAILED', 'CANCELLED')),
        error TEXT,
        by_user TEXT NOT NULL,
        by_uid INTEGER NOT NULL,
        by_sudo_user TEXT,
        at REAL NOT NULL,
        reason TEXT NOT NULL,
        PRIMARY KEY (run_id, position, retry_no), -- a step is settled once, until it runs again
        FOREIGN KEY (run_id, position) REFERENCES steps (run_id, position) ON DELETE CASCADE
    ) STRICT, WITHOUT ROWID;
"""

FILES_OF_ATTEMPTS = "ALTER TABLE attempts ADD COLUMN files TEXT;"

KEPT_VALUES_AND_STARTS_TURNED_AWAY = """
    ALTER TABLE steps ADD COLUMN ran_with TEXT;

    CREATE TABLE not_started (
        run_key TEXT NOT NULL,
        held_by TEXT NOT NULL,
        flow_id TEXT NOT NULL,
        group_name TEXT NOT NULL,
        first_at REAL NOT NULL,
        last_at REAL NOT NULL,
        times INTEGER NOT NULL CHECK (times >= 1),
        PRIMARY KEY (run_key, held_by)
    ) STRICT, WITHOUT ROWID;
"""

HOOKS = """
    ALTER TABLE runs ADD COLUMN hook_due_at REAL;
    ALTER TABLE runs ADD COLUMN hook_error TEXT;
    CREATE INDEX runs_by_hook ON runs (hook_due_at) WHERE hook_due_at IS NOT NULL;
"""

MIGRATIONS = (SCHEMA, FILES_OF_ATTEMPTS, f"{KEPT_VALUES_AND_STARTS_TURNED_AWAY}\n{HOOKS}")
"""The script at index n upgrades version n to version n + 1."""


def upgrade(database: Database, migrations: Sequence[str] = MIGRATIONS) -> None:
    """Upgrade a flow database, or an empty file, to the latest version (rule 6.1).

    All missing migrations are committed at once, so an interruption leaves the file as it was.
    Several processes may do this at the same time.

    Raises:
        StoreForeign, StoreBroken, StoreNewer: As `recognise`.
        StoreUnavailable: The file cannot be written now.
    """
    version = recognise(database, latest=len(migrations))
    if version == 0:
        database.query("PRAGMA auto_vacuum = INCREMENTAL")  # nothing else lets a file shrink again
        _switch_to_wal(database)
    if version == len(migrations):
        return
    with database.transaction("IMMEDIATE"):
        missing = migrations[_pragma(database, "user_version") :]  # another process may be first
        for script in missing:
            database.script(script)
        if missing:
            database.query(f"PRAGMA user_version = {len(migrations)}")


def require_recorded(database: Database, latest: int = len(MIGRATIONS)) -> None:
    """Refuse an empty file, and make one of an older version readable as if it had all columns.

    The file itself does not change.

    Raises:
        StoreMissing: The file is empty.
        StoreForeign, StoreBroken, StoreNewer: As `recognise`.
    """
    version = recognise(database, latest)
    if version == 0:
        raise StoreMissing(database.path)
    if version < latest:
        _add_missing_as_null(database)


def recognise(database: Database, latest: int = len(MIGRATIONS)) -> int:
    """Return the version of a flow database, or 0 for an empty file, and change neither.

    Raises:
        StoreForeign: The file belongs to another program.
        StoreBroken: It is a flow database without a version.
        StoreNewer: Its version is later than `latest`.
    """
    with database.transaction("DEFERRED"):
        application_id = _pragma(database, "application_id")
        version = _pragma(database, "user_version")
        is_empty = not database.query("SELECT 1 FROM sqlite_schema LIMIT 1")
    if is_empty and application_id == 0 and version == 0:
        return 0
    if application_id != APPLICATION_ID:
        raise StoreForeign(database.path, "another program's data are in it")
    if version > latest:
        raise StoreNewer(database.path, version, latest)
    if version < 1:
        raise StoreBroken(database.path, f"its schema version is {version}")
    return version


def _add_missing_as_null(database: Database) -> None:
    """Make the columns that later versions added read as NULL, for this connection only.

    A temporary view hides the table of its name. A missing table has no rows, even after another
    process has added it: open the file again to see them.
    """
    for table, columns in TABLES.items():
        existing = {name for _, name, *_ in database.query(f"PRAGMA main.table_info({table})")}
        missing = [f"NULL AS {name}" for name in columns if name not in existing]
        if not existing:
            select = f"SELECT NULL AS run_id, {', '.join(missing)} WHERE FALSE"
            database.query(f"CREATE TEMP VIEW {table} AS {select}")
        elif missing:
            select = f"SELECT *, {', '.join(missing)} FROM main.{table}"  # noqa: S608 - our names
            database.query(f"CREATE TEMP VIEW {table} AS {select}")


def _pragma(database: Database, name: str) -> int:
    ((value,),) = database.query(f"PRAGMA {name}")
    return int(value)


def _switch_to_wal(database: Database) -> None:
    """Set the journal mode in which readers and the writer do not block each other.

    The file keeps this mode. While another process is about to write, SQLite fails here at once,
    without its usual wait.
    """
    deadline = time.monotonic() + BUSY_TIMEOUT_SEC
    while True:
        try:
            database.query("PRAGMA journal_mode = WAL")
        except StoreUnavailable as error:
            if not error.retryable or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return
