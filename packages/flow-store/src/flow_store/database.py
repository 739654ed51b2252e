"""The SQLite file: one connection to it, its transactions and errors, its tables, their versions.

Every call into `sqlite3` is made here, so that all of its errors are translated. The SQL that reads
and writes the tables is in `sql`.

A released migration is never edited, so it spells out the statuses that `records` defines. A later
one adds columns that may be NULL (`ALTER TABLE ... ADD COLUMN ...`), with a field of the same name
in `records`, or a table.
"""

import errno
import os
import sqlite3
import stat
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal

from flow_store.errors import (
    StoreBroken,
    StoreError,
    StoreForeign,
    StoreMissing,
    StoreNewer,
    StoreUnavailable,
    Unstorable,
    WrongThread,
)
from flow_store.sql import TABLES

BUSY_TIMEOUT_SEC = 2.0
"""How long a call waits for another process's lock. Short, because callers try again themselves."""

Mode = Literal["rw", "ro", "ro&immutable=1"]

# Per connection, whether it reads or writes.
_SETTINGS = (
    # In WAL, FULL adds one fdatasync to a commit. Without it a power cut could roll back "attempt 1
    # is starting" or "SUCCEEDED", and a step would run twice.
    "PRAGMA synchronous = FULL",
    # On macOS an fsync does not reach the disk; elsewhere this changes nothing.
    "PRAGMA fullfsync = ON",
    # SQLite does not check references by default, for compatibility with old files.
    "PRAGMA foreign_keys = ON",
    # The schema of a file prepared by an attacker cannot call dangerous functions ...
    "PRAGMA trusted_schema = OFF",
    # ... and a damaged page is noticed when it is read, not when it is used.
    "PRAGMA cell_size_check = ON",
    # Before SQLite 3.51.3, a checkpoint at the same instant as a commit can corrupt the file (the
    # "WAL-reset" bug), so a connection checkpoints only when asked to.
    "PRAGMA wal_autocheckpoint = 0",
)

# Result codes of what passes by itself (True), or of what can be fixed outside the file, each with
# the errno that says what it is.
_UNAVAILABLE = {
    sqlite3.SQLITE_BUSY: (errno.EAGAIN, True),
    sqlite3.SQLITE_PROTOCOL: (errno.EAGAIN, True),
    sqlite3.SQLITE_FULL: (errno.ENOSPC, True),
    sqlite3.SQLITE_IOERR: (errno.EIO, True),
    sqlite3.SQLITE_READONLY: (errno.EROFS, False),
    sqlite3.SQLITE_CANTOPEN: (errno.EACCES, False),
    sqlite3.SQLITE_PERM: (errno.EACCES, False),
    # A closed connection.
    sqlite3.SQLITE_MISUSE: (errno.EBADF, False),
}
_UNSTORABLE = frozenset({sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_TOOBIG})
_RETRYABLE_OS_ERRORS = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN}
)


class Database:
    """A connection to an existing SQLite file, used from the thread that opened it."""

    def __init__(self, path: Path, mode: Mode) -> None:
        """Connect to the file at the absolute `path`.

        Raises:
            StoreMissing: There is no such file.
            StoreForeign: It is a directory, a pipe or the like, or not an SQLite file.
            StoreUnavailable: It cannot be opened.
        """
        self.path = path
        self._translated = _Translated(path)
        self.sees_changes = mode != "ro&immutable=1"
        # Read before connecting: if the file is replaced in between, `is_same_file` is False.
        self._identity = _identity(path)
        with self._translated:
            self._connection = sqlite3.connect(
                f"{_uri(path)}?mode={mode}",
                uri=True,
                timeout=BUSY_TIMEOUT_SEC,
                autocommit=True,  # transactions are explicit, see `transaction`
            )
        with ExitStack() as unless_configured:
            unless_configured.callback(self.close)
            with self._translated:
                # Otherwise the last connection to close would checkpoint, and so change a file that
                # is only read or refused.
                self._connection.setconfig(sqlite3.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE)
            for setting in _SETTINGS:
                self.query(setting)
            unless_configured.pop_all()

    def query(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run one statement and return all its rows."""
        with self._translated:
            return self._connection.execute(sql, parameters).fetchall()

    def change(self, sql: str, parameters: Sequence[object] = ()) -> int:
        """Run one statement and return how many rows it changed."""
        with self._translated:
            return self._connection.execute(sql, parameters).rowcount

    def change_each(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        """Run one statement once for each of `rows`."""
        with self._translated:
            self._connection.executemany(sql, rows)

    def script(self, sql: str) -> None:
        """Run several statements, inside the transaction that is open."""
        with self._translated:
            self._connection.executescript(sql)

    @contextmanager
    def transaction(self, kind: Literal["DEFERRED", "IMMEDIATE"]) -> Iterator[None]:
        """Do all of the block or nothing: DEFERRED reads one moment's state, IMMEDIATE writes."""
        self.query(f"BEGIN {kind}")
        try:
            yield
            self.query("COMMIT")
        except BaseException:  # also on Ctrl-C, nothing may stay half done; raised again
            # On a full disk SQLite rolls back by itself; on a lock the transaction stays open.
            if self._connection.in_transaction:
                self.query("ROLLBACK")
            raise

    def checkpoint(self) -> None:
        """Move the write-ahead log into the file and empty it, as far as it is not in use."""
        # A checkpoint that waits for the last reader would keep every writer out.
        self.query("PRAGMA busy_timeout = 0")
        try:
            self.query("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            self.query(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_SEC * 1000:.0f}")

    def release_pages(self, most: int) -> bool:
        """Cut so many unused pages off the file; False if there are none, or if it keeps them."""
        before = self._unused_pages()
        self.query(f"PRAGMA incremental_vacuum({most})")
        return self._unused_pages() < before

    def _unused_pages(self) -> int:
        ((count,),) = self.query("PRAGMA freelist_count")
        return int(count)

    def is_same_file(self) -> bool:
        """Whether the path still names the file that was opened."""
        try:
            return _identity(self.path) == self._identity
        except StoreError:
            return False

    def close(self) -> None:
        """Close the connection. Closing again does nothing."""
        with self._translated:
            self._connection.close()


class _Translated:
    """Turns errors of `sqlite3` into those of this package. A block of it costs next to nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        match error:
            case None:
                return
            case sqlite3.Error():
                raise _store_error(self._path, error) from error
            case MemoryError():  # SQLite's, or Python's while it reads a row
                raise _file_error(self._path, OSError(errno.ENOMEM, "")) from error
            case UnicodeDecodeError():
                # SQLite's message about a damaged schema quotes it.
                raise StoreBroken(self._path, "its schema is damaged") from error
            case UnicodeEncodeError() | OverflowError():
                raise Unstorable(str(error)) from error


def create_file(path: Path) -> None:
    """Create an empty file that only its owner can read (rule 6.1), unless one exists.

    SQLite gives its `-wal` and `-shm` files the mode of the file itself.

    Raises:
        StoreMissing: The folder does not exist.
        StoreForeign: There is a link of this name whose target is missing.
        StoreUnavailable: The file cannot be created.
    """
    try:
        path.touch(mode=0o600, exist_ok=False)
        path.chmod(0o600)  # from which the umask may have taken something away
    except FileExistsError:
        if path.is_symlink() and not path.exists():
            raise StoreForeign(path, "it is a link whose target is missing") from None
        # The file is not opened here: closing any of its descriptors drops all of the process's
        # POSIX locks on it, even those of another connection.
        return
    except OSError as error:
        raise _file_error(path, error) from error


def has_wal(path: Path) -> bool:
    """Whether the write-ahead log beside `path` may hold commits that are not yet in the file."""
    try:
        return path.with_name(f"{path.name}-wal").stat().st_size > 0
    except FileNotFoundError:
        return False
    except OSError:
        return True


def _uri(path: Path) -> str:
    """Return the path as a URI; all other characters mean themselves to SQLite."""
    return f"file://{str(path).replace('%', '%25').replace('?', '%3F').replace('#', '%23')}"


def _identity(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError as error:
        raise _file_error(path, error) from error
    if not stat.S_ISREG(found.st_mode):
        raise StoreForeign(path, "it is not a regular file")
    return found.st_dev, found.st_ino


def _file_error(path: Path, error: OSError) -> StoreError:
    if error.errno == errno.ENOENT:
        return StoreMissing(path)
    code = error.errno or errno.EIO
    retryable = code in _RETRYABLE_OS_ERRORS
    return StoreUnavailable(path, code, os.strerror(code), retryable=retryable)


def _store_error(path: Path, error: sqlite3.Error) -> StoreError:
    # Errors that Python's module raises itself carry no result code: misuse, or text in the file
    # that is not UTF-8.
    misuse = isinstance(error, sqlite3.ProgrammingError | sqlite3.InterfaceError)
    if misuse and "thread" in str(error):
        return WrongThread(path)
    default = sqlite3.SQLITE_MISUSE if misuse else sqlite3.SQLITE_CORRUPT
    result = getattr(error, "sqlite_errorcode", default) & 0xFF  # the rest is detail
    if result == sqlite3.SQLITE_CANTOPEN and (lack := _lack_of_descriptors()):
        return _file_error(path, lack)
    if result in _UNAVAILABLE:
        code, retryable = _UNAVAILABLE[result]
        return StoreUnavailable(path, code, str(error), retryable=retryable)
    if result in _UNSTORABLE:
        return Unstorable(str(error))
    if result == sqlite3.SQLITE_NOTADB:
        return StoreForeign(path, "it is not an SQLite file")
    return StoreBroken(path, str(error))


def _lack_of_descriptors() -> OSError | None:
    """Return why nothing at all can be opened, which SQLite does not tell."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        return error
    return None


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
        missing = ", ".join(f"NULL AS {name}" for name in columns if name not in existing)
        rows = f"*, {missing} FROM main.{table}" if existing else f"0 run_id, {missing} WHERE FALSE"
        if missing:
            database.query(f"CREATE TEMP VIEW {table} AS SELECT {rows}")


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
