"""One connection to one SQLite file: opening it, its settings, transactions, and its errors.

Every call into `sqlite3` is made here, so that all of its errors are translated. The schema is in
`schema`, the statements are in `sql`.
"""

import errno
import os
import sqlite3
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal

from flow_store.errors import (
    StoreBroken,
    StoreError,
    StoreForeign,
    StoreMissing,
    StoreUnavailable,
    Unstorable,
    WrongThread,
)

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
