"""The errors of this package: data in attributes, the sentence in `str()`.

`database` decides which of SQLite's result codes raises which error.
"""

import errno
import os
from pathlib import Path
from typing import dataclass_transform

from flow_store.records import CancelRequest

LONGEST_PATH = 504
"""How many bytes the path of a database may have: SQLite needs eight more, and allows 512."""
SHOWN_OF_LONG_PATH = 80
"""How much an error shows of a path that is too long, in characters."""

_REMEDIES = {
    errno.EAGAIN: "another process holds it; try again",
    errno.ENOSPC: "free some space and try again",
    errno.EMFILE: "raise the limit of open files (`ulimit -n`)",
    errno.ENFILE: "end other processes, which have too many files open",
    errno.ENOMEM: "free some memory, or raise the limits (`ulimit -v`, `ulimit -d`)",
    errno.EIO: "check the disk, its free space, and `ulimit -f`, then try again",
    errno.EROFS: "make the file and its folder writable",
    errno.EACCES: "check that the file and its folder can be read and written",
}


@dataclass_transform(eq_default=False)
class DeclaredError(Exception):
    """An error whose annotations are its fields and whose `says` is its sentence.

    The constructor takes the fields in order, inherited ones first; a class attribute is a default.
    `says` names fields as `str.format` does; an error that computes its sentence defines `__str__`.
    An error survives pickling. Packages that build on this one may derive their errors from it.
    """

    says = ""
    _fields: tuple[tuple[str, object], ...] = ()  # name and default, `...` if there is none

    def __init_subclass__(cls) -> None:
        """Collect the fields: all annotations except `ClassVar`."""
        own = [name for name, kind in cls.__annotations__.items() if "ClassVar" not in str(kind)]
        cls._fields += tuple((name, vars(cls).get(name, ...)) for name in own)

    def __init__(self, *values: object, **named: object) -> None:
        """Set the fields; raise TypeError if one is missing, unknown or given twice."""
        fields = dict(self._fields)
        in_order = dict(zip(fields, values, strict=False))
        given = fields | in_order | named
        too_many = len(values) > len(fields) or len(given) > len(fields) or in_order.keys() & named
        if too_many or ... in given.values():
            raise TypeError(f"{type(self).__name__} takes ({', '.join(fields)})")
        # Not `super()`: OSError, the second base of some, would take them for errno and strerror.
        Exception.__init__(self, *given.values())
        for name, value in given.items():
            setattr(self, name, value)

    def __str__(self) -> str:
        """Return the sentence."""
        return self.says.format_map({name: getattr(self, name) for name, _ in self._fields})


class StoreError(DeclaredError):
    """The base class of this package's errors.

    `retryable` says whether the same call may succeed later although nobody fixes anything.
    """

    retryable = False


class StoreMissing(StoreError, FileNotFoundError):
    """There is no flow database at `path`, or nothing was ever recorded in it."""

    says = "no flow database at {path}: nothing has been recorded there yet"
    path: Path

    def __init__(self, path: Path) -> None:
        """Set the attributes of an `OSError` too."""
        super().__init__(path)
        self.errno, self.strerror, self.filename = errno.ENOENT, "no flow database", str(path)


class StoreUnavailable(StoreError, OSError):
    """The file cannot be read or written now: locked, full, read-only, not permitted, I/O error.

    `errno` is set as for any `OSError`; `retryable` is true if the cause may go away by itself.
    """

    path: Path
    errno: int
    cause: str
    retryable: bool

    def __init__(self, path: Path, code: int, cause: str, retryable: bool) -> None:
        """Set the attributes of an `OSError` too; `code` is its `errno`."""
        super().__init__(path, code, cause, retryable)
        self.strerror, self.filename = cause, str(path)

    def __str__(self) -> str:
        """Return the sentence, with the remedy for this `errno`."""
        remedy = _REMEDIES.get(self.errno, "check the file and its folder")
        if len(os.fsencode(os.path.realpath(self.path))) > LONGEST_PATH:
            begin = str(self.path)[:SHOWN_OF_LONG_PATH]
            remedy = f"its path has more than {LONGEST_PATH} bytes: name a shorter one"
            return f"the flow database {begin}... cannot be used: {self.cause}; {remedy}"
        return f"the flow database {self.path} cannot be used: {self.cause}; {remedy}"


class StoreBroken(StoreError, ValueError):
    """The file is not an intact flow database; it is left as it is."""

    says = (
        "the flow database {path} is broken: {cause}; move it away: "
        "`start` recovers the outcomes of strict steps from orchesjob, and runs other steps again"
    )
    path: Path
    cause: str


class StoreForeign(StoreBroken):
    """The file belongs to another program; it is left as it is."""

    says = (
        "{path} is not a flow database: {cause}; check the path, or name another folder with "
        "ORCHESJOB_FLOW_HOME, or another file with --db"
    )


class StoreNewer(StoreError, RuntimeError):
    """A later version of this package wrote the file; it is left as it is (rule 6.1).

    `found` is the schema version of the file, `known` the latest that this package reads.
    """

    says = (
        "the flow database {path} has schema version {found}, but this program knows versions up "
        "to {known} only: install the newer program or name another file"
    )
    path: Path
    found: int
    known: int


class WrongThread(StoreError, RuntimeError):
    """The database is used from another thread than the one that opened it; nothing was done."""

    says = "the flow database {path} was opened by another thread: open it again in this one"
    path: Path


class Unstorable(StoreError, ValueError):
    """SQLite or the schema cannot store a value: a lone surrogate, a number beyond 64 bits."""

    says = "the flow database cannot store this value: {cause}"
    cause: str


class DamagedRecord(StoreError, ValueError):
    """The job object recorded with an attempt cannot be read."""

    says = (
        "the orchesjob report recorded for attempt {attempt_no} of step {step_id!r} of run "
        "{run_key!r} is damaged: {cause}; restore the flow database from a backup, or `prune` the "
        "run once it has ended"
    )
    run_key: str
    step_id: str
    attempt_no: int
    cause: str


class NotRecorded(StoreError, LookupError):
    """The database does not contain this run, or this step of the run.

    `step_id` is None if the run itself is unknown.
    """

    run_key: str
    step_id: str | None = None

    def __str__(self) -> str:
        """Return the sentence, which names the step if there is one."""
        step = "" if self.step_id is None else f"step {self.step_id!r} of "
        return f"{step}run {self.run_key!r} is not recorded: it was removed or never started"


class CancelRequested(StoreError, RuntimeError):
    """An attempt cannot start: its run is to be cancelled; nothing was written (rule 5.6)."""

    says = "run {run_key!r} is to be cancelled: no further step starts"
    run_key: str
    request: CancelRequest


class GroupTaken(StoreError, RuntimeError):
    """A run cannot begin while another run of its group is first; nothing was written (10.7).

    `by` is that run. `is_under_way` says whether it is running, or waits and came earlier.
    """

    run_key: str
    group: str
    by: str
    is_under_way: bool

    @property
    def details(self) -> dict[str, str]:
        """The data that a script can use."""
        return {"held_by": self.by}

    def __str__(self) -> str:
        """Return the sentence, which says what the other run does."""
        does = "is running" if self.is_under_way else "waits for it and came earlier"
        return (
            f"run {self.run_key!r} cannot begin: run {self.by!r} of its concurrency group "
            f"{self.group!r} {does}; start it again when that one has ended, or `cancel` that one"
        )


class CircleOfGroups(StoreError, RuntimeError):
    """A run would wait for itself, through groups and nested runs; nothing was written (10.7).

    `circle` are pairs: a run, beginning with this one, and the group that the run waits for. The
    group is None if the run waits because a step of it started the next run of the circle.
    """

    run_key: str
    circle: tuple[tuple[str, str | None], ...]

    @property
    def details(self) -> dict[str, list[str]]:
        """The data that a script can use."""
        return {"circle": [run_key for run_key, _ in self.circle]}

    def __str__(self) -> str:
        """Return the sentence, which names each run of the circle and why it waits."""
        following = [*self.circle[1:], self.circle[0]]
        waits = [
            f"{key!r} waits for {after!r} "
            + ("(a step of it starts that run)" if group is None else f"(group {group!r})")
            for (key, group), (after, _) in zip(self.circle, following, strict=True)
        ]
        return (
            f"run {self.run_key!r} would wait for ever: {', '.join(waits)}; "
            "give the inner flow another group, or none"
        )


class RunTakenOver(StoreError, RuntimeError):
    """Another process changed the run after it was loaded; nothing was written (rule 4.5).

    `expected` and `found` are revisions of the run.
    """

    says = (
        "another process drives run {run_key!r}: its revision is {found}, expected {expected}; "
        "stop here and load it again"
    )
    run_key: str
    expected: int
    found: int


class NotTerminal(StoreError, RuntimeError):
    """A run cannot be reopened because it has not ended; nothing was written."""

    says = "run {run_key!r} has not ended: there is nothing to reopen"
    run_key: str


class NotSettleable(StoreError, RuntimeError):
    """A step cannot be settled because its status is not the expected one; nothing was written.

    Only a step that FAILED or was CANCELLED can be settled (rule 12.3). `position` counts the steps
    from 0; `was` is the status that its settlement expects.
    """

    run_key: str
    position: int
    was: str

    def __str__(self) -> str:
        """Return the sentence, which counts steps from 1."""
        return (
            f"step {self.position + 1} of run {self.run_key!r} cannot be settled: it is not "
            f"{self.was} any more; load the run again"
        )


class TerminalStatus(StoreError, RuntimeError):
    """A run, step or attempt that has ended cannot be changed; nothing was written (rule 5.1).

    `part` names the step or attempt; it is None if the run itself has ended.
    """

    run_key: str
    part: str | None = None

    def __str__(self) -> str:
        """Return the sentence, which names what has ended."""
        part = "" if self.part is None else f"{self.part} of "
        return f"{part}run {self.run_key!r} has ended: its outcome never changes"
