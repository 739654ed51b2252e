"""What can go wrong with the record: data in attributes, the sentence in `str()`.

Turning SQLite's result codes into these errors belongs to `database`.
"""

import errno
from pathlib import Path
from typing import ClassVar

from flow_store.records import CancelRequest


class StoreError(Exception):
    """The base of every error that this package raises.

    `retryable` says whether the same call may succeed later without anybody mending anything.
    """

    retryable: bool = False


class StoreMissing(StoreError, FileNotFoundError):
    """There is no flow database at `path`, or nothing was ever recorded in it."""

    def __init__(self, path: Path) -> None:
        """Keep the path."""
        super().__init__(errno.ENOENT, "no flow database", str(path))
        self.path = path

    def __str__(self) -> str:
        """Say where nothing is."""
        return f"no flow database at {self.path}: nothing has been recorded there yet"


class StoreUnavailable(StoreError, OSError):
    """The file cannot be read or written now: locked, full, read-only, not permitted, I/O error.

    `errno` is set as for any `OSError`; `retryable` is true for what passes by itself.
    """

    _MENDING: ClassVar[dict[int, str]] = {
        errno.EAGAIN: "another process holds it; try again",
        errno.ENOSPC: "free some space and try again",
        errno.EIO: "look at the disk and its free space, then try again",
        errno.EROFS: "make the file and its folder writable",
        errno.EACCES: "check that the file and its folder can be read and written",
    }

    def __init__(self, path: Path, code: int, cause: str, *, retryable: bool) -> None:
        """Keep the path, the errno `code` and the words for it."""
        super().__init__(code, cause, str(path))
        self.path = path
        self.cause = cause
        self.retryable = retryable

    def __str__(self) -> str:
        """Say what failed and what to look at."""
        mending = self._MENDING.get(self.errno or 0, "check the file and its folder")
        return f"the flow database {self.path} cannot be used: {self.cause}; {mending}"


class StoreBroken(StoreError, ValueError):
    """The file is no intact flow database; it is left as it is."""

    def __init__(self, path: Path, cause: str) -> None:
        """Keep the path and what is wrong with the file."""
        super().__init__(path, cause)
        self.path = path
        self.cause = cause

    def __str__(self) -> str:
        """Say what is broken and what is lost with it."""
        return (
            f"the flow database {self.path} is broken: {self.cause}; move it away - "
            "`start` finds the outcomes of strict steps again in orchesjob"
        )


class StoreForeign(StoreBroken):
    """The file belongs to something else; it is left as it is."""

    def __str__(self) -> str:
        """Say what to do about the file."""
        return (
            f"{self.path} is not a flow database: {self.cause}; move it away or name another file"
        )


class StoreNewer(StoreError, RuntimeError):
    """A later version of this package wrote the file; it is left as it is (rule 6.1)."""

    def __init__(self, path: Path, found: int, known: int) -> None:
        """Keep the path and both versions."""
        super().__init__(path, found, known)
        self.path = path
        self.found = found
        self.known = known

    def __str__(self) -> str:
        """Say which versions do not meet."""
        return (
            f"the flow database {self.path} has schema version {self.found}, this program knows "
            f"versions up to {self.known}: install the newer program, or name another file"
        )


class Unstorable(StoreError, ValueError):
    """A value that SQLite or the schema cannot take: a lone surrogate, a number beyond 64 bits."""

    def __init__(self, cause: str) -> None:
        """Keep what SQLite said."""
        super().__init__(cause)
        self.cause = cause

    def __str__(self) -> str:
        """Say which value, as SQLite put it."""
        return f"the flow database cannot hold this value: {self.cause}"


class NotRecorded(StoreError, LookupError):
    """A change to a run, or to a step of a run, that is not in the database."""

    def __init__(self, run_key: str, step_id: str | None = None) -> None:
        """Keep the run and the step, if it is the step that is unknown."""
        super().__init__(run_key, step_id)
        self.run_key = run_key
        self.step_id = step_id

    def __str__(self) -> str:
        """Say what is unknown."""
        step = "" if self.step_id is None else f"step {self.step_id!r} of "
        return f"{step}run {self.run_key!r} is not recorded: it was removed or never started"


class CancelRequested(StoreError, RuntimeError):
    """An attempt was to start in a run that is to be cancelled; nothing was written (rule 5.6)."""

    def __init__(self, run_key: str, request: CancelRequest) -> None:
        """Keep the run and its request."""
        super().__init__(run_key, request)
        self.run_key = run_key
        self.request = request

    def __str__(self) -> str:
        """Say what follows from the request."""
        return f"run {self.run_key!r} is to be cancelled: no further step starts"


class RunTakenOver(StoreError, RuntimeError):
    """Somebody else changed the run since it was loaded; nothing was written (rule 4.5)."""

    def __init__(self, run_key: str, expected: int, found: int) -> None:
        """Keep the run and both revisions."""
        super().__init__(run_key, expected, found)
        self.run_key = run_key
        self.expected = expected
        self.found = found

    def __str__(self) -> str:
        """Say who is ahead."""
        return (
            f"another process drives run {self.run_key!r}: its revision is {self.found}, "
            f"expected {self.expected}; stop here and load it again"
        )


class NotTerminal(StoreError, RuntimeError):
    """A run that was to be reopened has not ended; nothing was written."""

    def __init__(self, run_key: str) -> None:
        """Keep the run."""
        super().__init__(run_key)
        self.run_key = run_key

    def __str__(self) -> str:
        """Say what is in the way."""
        return f"run {self.run_key!r} has not ended: there is nothing to reopen"


class TerminalStatus(StoreError, RuntimeError):
    """A change to a run, step or attempt that has ended; nothing was written (rule 5.1).

    `part` names the step or attempt; it is None where the run itself has ended.
    """

    def __init__(self, run_key: str, part: str | None = None) -> None:
        """Keep the run and what of it has ended."""
        super().__init__(run_key, part)
        self.run_key = run_key
        self.part = part

    def __str__(self) -> str:
        """Say what stays as it is."""
        part = "" if self.part is None else f"{self.part} of "
        return f"{part}run {self.run_key!r} has ended: its outcome never changes"
