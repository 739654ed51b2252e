"""What the errors are, say and carry."""

import errno
import pickle
from pathlib import Path

import pytest

from flow_store import (
    CancelRequest,
    CancelRequested,
    DamagedRecord,
    NoSuchPosition,
    NotRecorded,
    RunTakenOver,
    StoreBroken,
    StoreError,
    StoreForeign,
    StoreMissing,
    StoreNewer,
    StoreUnavailable,
    TerminalStatus,
    Unstorable,
    WrongThread,
)

FILE = Path("/home/me/flow.sqlite3")
LOCKED = StoreUnavailable(FILE, errno.EAGAIN, "database is locked", retryable=True)


@pytest.mark.parametrize(
    ("error", "builtin", "sentence"),
    [
        (
            StoreMissing(FILE),
            FileNotFoundError,
            "no flow database at /home/me/flow.sqlite3: nothing has been recorded there yet",
        ),
        (
            LOCKED,
            OSError,
            (
                "the flow database /home/me/flow.sqlite3 cannot be used: database is locked; "
                "another process holds it; try again"
            ),
        ),
        (
            StoreUnavailable(FILE, errno.ELOOP, "a loop", retryable=False),
            OSError,
            (
                "the flow database /home/me/flow.sqlite3 cannot be used: a loop; "
                "check the file and its folder"
            ),
        ),
        (
            StoreBroken(FILE, "database disk image is malformed"),
            ValueError,
            (
                "the flow database /home/me/flow.sqlite3 is broken: "
                "database disk image is malformed; "
                "move it away: `start` recovers the outcomes of strict steps from orchesjob, "
                "and runs other steps again"
            ),
        ),
        (
            StoreForeign(FILE, "it is not a regular file"),
            StoreBroken,
            (
                "/home/me/flow.sqlite3 is not a flow database: it is not a regular file; "
                "check the path, or name another folder with ORCHESJOB_FLOW_HOME, or another file "
                "with --db"
            ),
        ),
        (
            StoreNewer(FILE, 7, 1),
            RuntimeError,
            (
                "the flow database /home/me/flow.sqlite3 has schema version 7, but this program "
                "knows versions up to 1 only: install the newer program or name another file"
            ),
        ),
        (
            WrongThread(FILE),
            RuntimeError,
            (
                "the flow database /home/me/flow.sqlite3 was opened by another thread: "
                "open it again in this one"
            ),
        ),
        (
            NoSuchPosition("k", 7, 2),
            LookupError,
            "run 'k' has no step at position 7: its positions are 0 to 2",
        ),
        (
            Unstorable("Python int too large to convert to SQLite INTEGER"),
            ValueError,
            (
                "the flow database cannot store this value: "
                "Python int too large to convert to SQLite INTEGER"
            ),
        ),
        (
            DamagedRecord("k", "a", 2, "Expecting value"),
            ValueError,
            (
                "the orchesjob report recorded for attempt 2 of step 'a' of run 'k' is damaged: "
                "Expecting value; restore the flow database from a backup, "
                "or `prune` the run once it has ended"
            ),
        ),
        (
            NotRecorded("k"),
            LookupError,
            "run 'k' is not recorded: it was removed or never started",
        ),
        (
            NotRecorded("k", "a"),
            LookupError,
            "step 'a' of run 'k' is not recorded: it was removed or never started",
        ),
        (
            CancelRequested("k", CancelRequest(5.0, None)),
            RuntimeError,
            "run 'k' is to be cancelled: no further step starts",
        ),
        (
            RunTakenOver("k", 3, 4),
            RuntimeError,
            (
                "another process drives run 'k': its revision is 4, expected 3; "
                "stop here and load it again"
            ),
        ),
        (
            TerminalStatus("k"),
            RuntimeError,
            "run 'k' has ended: its outcome never changes",
        ),
        (
            TerminalStatus("k", "step 'a'"),
            RuntimeError,
            "step 'a' of run 'k' has ended: its outcome never changes",
        ),
    ],
)
def test_sentence(error: StoreError, builtin: type[Exception], sentence: str) -> None:
    """Every error says what is wrong, where, and how to fix it, and is a kind of builtin error."""
    assert str(error) == sentence
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
