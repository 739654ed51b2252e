"""The errors of this package: data in attributes, the sentence in `str()`.

Which of SQLite's result codes raises which error is decided in `database`.
"""

import errno
from pathlib import Path
from typing import ClassVar

from flow_store.records import CancelRequest


class StoreError(Exception):
    """The base of every error that this package raises.

    `retryable` tells whether the same call may succeed later without anyone fixing anything.
    """

    retryable: bool = False


class StoreMissing(StoreError, FileNotFoundError):
    """There is no flow database at `path`, or nothing was ever recorded in it."""

    def __init__(self, path: Path) -> None:
        """Keep the path."""
        super().__init__(errno.ENOENT, "no flow database", str(path))
        self.path = path

    def __str__(self) -> str:
        """Name the path."""
        return f"no flow database at {self.path}: nothing has been recorded there yet"


class StoreUnavailable(StoreError, OSError):
    """The file cannot be read or written now: locked, full, read-only, not permitted, I/O error.

    `errno` is set as for any `OSError`; `retryable` is true for what may pass by itself.
    """

    _REMEDIES: ClassVar[dict[int, str]] = {
        errno.EAGAIN: "another process holds it; try again",
        errno.ENOSPC: "free some space and try again",
        errno.EMFILE: "raise the limit of open files (`ulimit -n`)",
        errno.ENFILE: "end other processes, which have too many files open",
        errno.ENOMEM: "free some memory, or raise the limit (`ulimit -v`)",
        errno.EIO: "check the disk and its free space, then try again",
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
        """Name the cause and the remedy."""
        remedy = self._REMEDIES.get(self.errno or 0, "check the file and its folder")
        return f"the flow database {self.path} cannot be used: {self.cause}; {remedy}"


class StoreBroken(StoreError, ValueError):
    """The file is not an intact flow database; it is left as it is."""

    def __init__(self, path: Path, cause: str) -> None:
        """Keep the path and what is wrong with the file."""
        super().__init__(path, cause)
        self.path = path
        self.cause = cause

    def __str__(self) -> str:
        """Name the cause, the remedy, and what can be recovered."""
        return (
            f"the flow database {self.path} is broken: {self.cause}; move it away: "
            "`start` recovers the outcomes of strict steps from orchesjob"
        )


class StoreForeign(StoreBroken):
    """The file belongs to something else; it is left as it is."""

    def __str__(self) -> str:
        """Name the cause and the remedy."""
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
        """Name both versions and the remedy."""
        return (
            f"the flow database {self.path} has schema version {self.found}, but this program "
            f"knows versions up to {self.known} only: install the newer program or "
            "name another file"
        )


class Unstorable(StoreError, ValueError):
    """SQLite or the schema cannot store a value: a lone surrogate, a number beyond 64 bits."""

    def __init__(self, cause: str) -> None:
        """Keep the cause in SQLite's words."""
        super().__init__(cause)
        self.cause = cause

    def __str__(self) -> str:
        """Name the cause."""
        return f"the flow database cannot store this value: {self.cause}"


class DamagedRecord(StoreError, ValueError):
    """The job object recorded with an attempt cannot be read."""

    def __init__(self, run_key: str, step_id: str, attempt_no: int, cause: str) -> None:
        """Keep whose record it is and what is wrong with it."""
        super().__init__(run_key, step_id, attempt_no, cause)
        self.run_key = run_key
        self.step_id = step_id
        self.attempt_no = attempt_no
        self.cause = cause

    def __str__(self) -> str:
        """Name the attempt, the cause and the remedy."""
        return (
            f"the orchesjob report recorded for attempt {self.attempt_no} of step {self.step_id!r} "
            f"of run {self.run_key!r} is damaged: {self.cause}; restore the flow database "
            "from a backup, or `prune` the run once it has ended"
        )


class NotRecorded(StoreError, LookupError):
    """A run, or a step of a run, cannot be changed because it is not in the database."""

    def __init__(self, run_key: str, step_id: str | None = None) -> None:
        """Keep the run and the step, if it is the step that is unknown."""
        super().__init__(run_key, step_id)
        self.run_key = run_key
        self.step_id = step_id

    def __str__(self) -> str:
        """Name what is not recorded, and why that may be."""
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


class GroupTaken(StoreError, RuntimeError):
    """A run was to begin while another one of its group is before it; nothing was written (10.7).

    `by` is that run; it is under way, or waits and came earlier.

    Attributes:
        details: What a script may want to know.
    """

    def __init__(self, run_key: str, group: str, by: str, *, is_under_way: bool) -> None:
        """Keep the run, its group, and who is before it."""
        super().__init__(run_key, group, by)
        self.run_key = run_key
        self.group = group
        self.by = by
        self.is_under_way = is_under_way
        self.details = {"held_by": by}

    def __str__(self) -> str:
        """Name the group, who is before the run, and the remedy."""
        does = "is under way" if self.is_under_way else "waits for it and came earlier"
        return (
            f"run {self.run_key!r} cannot begin: run {self.by!r} of its concurrency group "
            f"{self.group!r} {does}; start it again when that one has ended, or `cancel` that one"
        )


class InsideItsGroup(StoreError, RuntimeError):
    """A run was to wait for the run inside which it was started; nothing was written (10.7)."""

    def __init__(self, run_key: str, group: str, outer: str) -> None:
        """Keep the run, its group, and the outer run, which holds that."""
        super().__init__(run_key, group, outer)
        self.run_key = run_key
        self.group = group
        self.outer = outer

    def __str__(self) -> str:
        """Name the outer run and the remedy."""
        return (
            f"run {self.run_key!r} would wait for ever: a step of run {self.outer!r} starts it, "
            f"which is under way in the same concurrency group {self.group!r}; give the inner flow "
            "another group, or none"
        )


class RunTakenOver(StoreError, RuntimeError):
    """Another process changed the run after it was loaded; nothing was written (rule 4.5)."""

    def __init__(self, run_key: str, expected: int, found: int) -> None:
        """Keep the run and both revisions."""
        super().__init__(run_key, expected, found)
        self.run_key = run_key
        self.expected = expected
        self.found = found

    def __str__(self) -> str:
        """Name both revisions and the remedy."""
        return (
            f"another process drives run {self.run_key!r}: its revision is {self.found}, "
            f"expected {self.expected}; stop here and load it again"
        )


class NotTerminal(StoreError, RuntimeError):
    """A run cannot be opened again because it has not ended; nothing was written."""

    def __init__(self, run_key: str) -> None:
        """Keep the run."""
        super().__init__(run_key)
        self.run_key = run_key

    def __str__(self) -> str:
        """Name the run."""
        return f"run {self.run_key!r} has not ended: there is nothing to reopen"


class NotSettleable(StoreError, RuntimeError):
    """A step that was to be settled has not FAILED and is not CANCELLED; nothing was written.

    Or it is not as its settlement says that it was (rule 12.3).
    """

    def __init__(self, run_key: str, position: int, was: str) -> None:
        """Keep the run, the step's position from 0 on, and the status that it was to have."""
        super().__init__(run_key, position, was)
        self.run_key = run_key
        self.position = position
        self.was = was

    def __str__(self) -> str:
        """Name the step and the status that it does not have."""
        return (
            f"step {self.position + 1} of run {self.run_key!r} cannot be settled: it is not "
            f"{self.was} any more; load the run again"
        )


class TerminalStatus(StoreError, RuntimeError):
    """A run, step or attempt that has ended cannot be changed; nothing was written (rule 5.1).

    `part` names the step or attempt; it is None where the run itself has ended.
    """

    def __init__(self, run_key: str, part: str | None = None) -> None:
        """Keep the run and the part of it that has ended."""
        super().__init__(run_key, part)
        self.run_key = run_key
        self.part = part

    def __str__(self) -> str:
        """Name what has ended."""
        part = "" if self.part is None else f"{self.part} of "
        return f"{part}run {self.run_key!r} has ended: its outcome never changes"
