"""What the errors are, say and carry."""

import errno
import pickle
from pathlib import Path

import pytest

from flow_store import (
    DamagedRecord,
    NotRecorded,
    RunTakenOver,
    StoreBroken,
    StoreError,
    StoreForeign,
    StoreMissing,
    StoreNewer,
    StoreUnavailable,
    TerminalStatus,
    WrongThread,
)

FILE = Path("/home/me/flow.sqlite3")
LOCKED = StoreUnavailable(FILE, errno.EAGAIN, "database is locked", retryable=True)
UNUSABLE = StoreUnavailable(FILE, errno.ELOOP, "a loop", retryable=False)


@pytest.mark.parametrize(
    ("error", "builtin", "said"),
    [
        (StoreMissing(FILE), FileNotFoundError, f"no flow database at {FILE}: nothing has been"),
        (LOCKED, OSError, f"{FILE} cannot be used: database is locked; another process holds it"),
        (UNUSABLE, OSError, f"{FILE} cannot be used: a loop; check the file and its folder"),
        (StoreForeign(FILE, "it is a pipe"), StoreBroken, "a flow database: it is a pipe; check"),
        (
            StoreNewer(FILE, 7, 1),
            RuntimeError,
            "version 7, but this program knows versions up to 1",
        ),
        (WrongThread(FILE), RuntimeError, "opened by another thread: open it again in this one"),
        (
            DamagedRecord("k", "a", 2, "why"),
            ValueError,
            "attempt 2 of step 'a' of run 'k' is damage",
        ),
        (NotRecorded("k", "a"), LookupError, "step 'a' of run 'k' is not recorded"),
        (
            RunTakenOver("k", 3, 4),
            RuntimeError,
            "run 'k': its revision is 4, expected 3; stop here",
        ),
        (TerminalStatus("k", "step 'a'"), RuntimeError, "step 'a' of run 'k' has ended"),
    ],
)
def test_sentence(error: StoreError, builtin: type[Exception], said: str) -> None:
    """Every error says what is wrong, where, and how to fix it, and is a kind of builtin error."""
    assert said in str(error)
    assert isinstance(error, builtin)
    assert error.retryable is (error is LOCKED)


@pytest.mark.parametrize(
    ("error", "code", "cause"),
    [
        (LOCKED, errno.EAGAIN, "database is locked"),
        (StoreMissing(FILE), errno.ENOENT, "no flow database"),
    ],
)
def test_os_errors(error: StoreMissing | StoreUnavailable, code: int, cause: str) -> None:
    """An OSError has an error number, the words for it and a file name, after a pickle too."""
    for each in (error, pickle.loads(pickle.dumps(error))):  # noqa: S301 - our own
        assert (each.errno, each.strerror, each.filename) == (code, cause, str(FILE))
        assert (str(each), each.path) == (str(error), FILE)
