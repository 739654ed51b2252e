"""The tables, the versions of their schema, and how a file is recognised as a flow database.

A migration is history: once released it is never edited, so it spells out the statuses that
`records` defines. A later one appends columns that may be NULL (`ALTER TABLE ... ADD COLUMN ...`),
and a field of the same name is added in `records`; or it adds a table whose rows belong to a run.
The SQL that reads and writes the tables is in `sql`.
"""

import time
from collections.abc import Sequence

from flow_store.columns import TABLES
from flow_store.database import BUSY_TIMEOUT_SEC, Database
from flow_store.errors import (
    StoreBroken,
    StoreForeign,
    StoreMissing,
    StoreNewer,
    StoreUnavailable,
)

APPLICATION_ID = 0x6F6A666C
"""`PRAGMA application_id` of a flow database: "ojfl"."""

# SQLite writes all of a row anew for each change of a run, so what may be megabytes stands apart.
# What was in `runs` stays there for whoever is reading it meanwhile.
_DEFINITIONS_APART = """
    CREATE TABLE definitions (
        run_id INTEGER PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
        definition TEXT NOT NULL
    ) STRICT;
    INSERT INTO definitions SELECT id, definition FROM runs;
"""

MIGRATIONS = (
    f"""
    PRAGMA application_id = {APPLICATION_ID};

    CREATE TABLE runs (
        id INTEGER PRIMARY KEY,
        run_key TEXT NOT NULL UNIQUE,
        flow_id TEXT NOT NULL,
        definition TEXT NOT NULL,
        directory BLOB NOT NULL, -- a path is bytes, not always text
        status TEXT NOT NULL
            CHECK (status IN ('PENDING', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELLED')),
        error TEXT,
        started_at REAL NOT NULL,
        finished_at REAL,
        deadline_at REAL,
        deadline_mono REAL,
        deadline_boot TEXT,
        revision INTEGER NOT NULL CHECK (revision >= 0),
        cancel_requested_at REAL, -- these two are written by cancelling, never by a runner
        cancel_grace_sec REAL CHECK (cancel_requested_at IS NOT NULL OR cancel_grace_sec IS NULL)
    ) STRICT;

    -- A list of the latest runs, of one status or of one flow, reads only what it shows.
    CREATE INDEX runs_by_status ON runs (status);
    CREATE INDEX runs_by_flow ON runs (flow_id);

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
        finished_at REAL,
        error TEXT,
        PRIMARY KEY (run_id, position, number),
        FOREIGN KEY (run_id, position) REFERENCES steps (run_id, position) ON DELETE CASCADE
    ) STRICT; -- not WITHOUT ROWID: whole jobs in the tree of keys would make it deep and slow
    """,
    "ALTER TABLE steps ADD COLUMN retry_no INTEGER;",
    "ALTER TABLE runs ADD COLUMN orchesjob_home BLOB;",
    """
    ALTER TABLE runs ADD COLUMN parent_run_key TEXT;
    ALTER TABLE runs ADD COLUMN parent_step_id TEXT;
    ALTER TABLE runs ADD COLUMN parent_attempt_no INTEGER;
    CREATE INDEX runs_by_parent ON runs (parent_run_key) WHERE parent_run_key IS NOT NULL;
    """,
    """
    ALTER TABLE runs ADD COLUMN finally_after TEXT
        CHECK (finally_after IN ('SUCCEEDED', 'FAILED', 'CANCELLED', 'TIMED_OUT'));
    ALTER TABLE runs ADD COLUMN cancel_now_at REAL; -- written by cancelling too
    """,
    """
    ALTER TABLE runs ADD COLUMN gave_up_at REAL;
    ALTER TABLE runs ADD COLUMN gave_up_error TEXT;
    """,
    "ALTER TABLE runs ADD COLUMN flow_dir BLOB;",
    "ALTER TABLE attempts ADD COLUMN is_gate INTEGER;",
    """
    ALTER TABLE runs ADD COLUMN group_name TEXT;
    ALTER TABLE runs ADD COLUMN group_place INTEGER;
    CREATE UNIQUE INDEX one_run_of_a_group ON runs (group_name) WHERE status = 'RUNNING';
    CREATE INDEX unfinished_runs_by_group ON runs (group_name, group_place)
        WHERE status IN ('PENDING', 'RUNNING');
    """,
    "ALTER TABLE runs ADD COLUMN params TEXT;",
    # Which runs have ended, and whether one has ended again since, is read from it alone.
    """
    CREATE INDEX ended_runs ON runs (status, revision, finished_at)
        WHERE status IN ('SUCCEEDED', 'FAILED', 'CANCELLED');
    """,
    _DEFINITIONS_APART,
    """
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
    """,
)
"""The script at index n leads from version n to version n + 1."""


def upgrade(database: Database, migrations: Sequence[str] = MIGRATIONS) -> None:
    """Bring a flow database, or an empty file, to the latest version (rule 6.1).

    All that is missing is committed at once, so that an interruption leaves the file as it was.
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
        missing = migrations[_pragma(database, "user_version") :]  # another may have come first
        for script in missing:
            database.script(script)
        if missing:
            database.query(f"PRAGMA user_version = {len(migrations)}")


def require_recorded(database: Database, latest: int = len(MIGRATIONS)) -> None:
    """Refuse an empty file, and let one of an older version be read as if it had all columns.

    The file itself is left as it is.

    Raises:
        StoreMissing: The file is empty.
        StoreForeign, StoreBroken, StoreNewer: As `recognise`.
    """
    version = recognise(database, latest)
    if version == 0:
        raise StoreMissing(database.path)
    if version < latest:
        _show_what_is_missing(database)
    if version <= MIGRATIONS.index(_DEFINITIONS_APART):
        definitions = "SELECT id AS run_id, definition FROM main.runs"
        database.query(f"CREATE TEMP VIEW definitions AS {definitions}")


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


def _show_what_is_missing(database: Database) -> None:
    """Show the columns that later versions have added as NULL, to this connection alone.

    A temporary view hides the table of its name. A table that is missing has no rows, also after
    somebody else has added it: then the file is to be opened anew.
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

    The file keeps it. While another process is about to write, SQLite fails here at once, without
    its usual wait.
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
