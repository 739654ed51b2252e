"""Reading the process table of Linux, `/proc`: one process, or the numbers of all.

What the processes have to do with each other is decided in `kinship`.
"""

import os
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from orchesjob_client.processes.marks import WantedMarks

PROC = Path("/proc")

_GONE = (FileNotFoundError, ProcessLookupError)
_EXITING = 0x4  # flags of the kernel
_KERNEL_THREAD = 0x200000

_READ_AT_ONCE = 2**15

_NO_MARKS = WantedMarks("", ())


class Entry(NamedTuple):
    """A living process in the table.

    Attributes:
        pid: Its PID, which alone does not identify it.
        started_ticks: When it began: clock ticks since boot.
        parent: The PID of its parent, which lives; that of an orphan is the one that adopted it.
        group: Its process group: the PID of the group's first member, which may have ended.
        session: Its session: the PID of the process that began it, which may have ended.
        command: Its command line if it has a mark; else its name in parentheses.
        mark: The value of the mark in its environment; None if it has none, or is hidden from us.
    """

    pid: int
    started_ticks: int
    parent: int
    group: int
    session: int
    command: str
    mark: str | None


class Unread(Enum):
    """Why there is no entry of a process."""

    HIDDEN = "we may not look at it at all, so it is another user's"
    DEAD = "it is a zombie, or all that it will still do is to become one"
    VANISHED = "it ended before it was read"
    STARTING = "it is beginning another program, and has no environment in this instant"


def exists(proc: Path = PROC) -> bool:
    """Tell whether there is such a process table."""
    return (proc / "self" / "environ").exists()


def read_pids(proc: Path = PROC) -> set[int]:
    """Return the PIDs of all processes but this one."""
    pids = {int(entry) for entry in os.listdir(proc) if entry.isdecimal()}  # noqa: PTH208 - speed
    pids.discard(os.getpid())
    return pids


def read_started(pid: int, proc: Path = PROC) -> int | None:
    """Return the clock tick in which a process began, or None if it has ended or is a zombie."""
    try:
        stat = _Stat((proc / str(pid) / "stat").read_bytes())
    except (*_GONE, PermissionError):
        return None
    return None if stat.is_zombie else stat.started_ticks


def read_all(proc: Path = PROC) -> list[Entry]:
    """Return what can be read of all processes but this one, without their marks."""
    found = (read_entry(pid, _NO_MARKS, proc) for pid in read_pids(proc))
    return [one for one in found if isinstance(one, Entry)]


def read_own(pid: int, proc: Path = PROC) -> tuple[Entry, list[str]] | None:
    """Read a living process of this user, and the words of its command line, as one moment."""
    try:
        folder = os.open(f"{proc}/{pid}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except (*_GONE, PermissionError):
        return None
    try:
        entry, words = _read_entry(pid, folder, _NO_MARKS), _read_words(folder)
        is_own = os.fstat(folder).st_uid == os.geteuid()
    except (*_GONE, PermissionError):
        return None
    finally:
        os.close(folder)
    return (entry, words) if isinstance(entry, Entry) and is_own else None


def read_entry(pid: int, wanted: WantedMarks, proc: Path = PROC) -> Entry | Unread:
    """Read one process; `wanted` are the marks in its environment that count.

    Everything is read through one descriptor of its folder, which dies with the process: a new
    process with the same PID cannot contribute its start or its command.

    Raises:
        OSError: This process has no descriptors or memory left.
    """
    try:
        folder = os.open(f"{proc}/{pid}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except PermissionError:
        return Unread.HIDDEN
    except _GONE:
        return Unread.VANISHED
    try:
        return _read_entry(pid, folder, wanted)
    except PermissionError:
        return Unread.HIDDEN
    except _GONE:
        return Unread.VANISHED
    finally:
        os.close(folder)


def _read_entry(pid: int, folder: int, wanted: WantedMarks) -> Entry | Unread:
    stat = _Stat(_read(folder, "stat"))
    environment = None if stat.is_kernel_thread else _read_environment(folder)
    if environment == b"":  # as it is by `env -i`, and for whoever begins a program or exits
        stat = _Stat(_read(folder, "stat"))
    if stat.is_dead:
        return Unread.DEAD
    if environment == b"" and not stat.has_empty_environment:
        return Unread.STARTING
    mark = None if environment is None else wanted.find(environment)
    command = f"({stat.name})" if mark is None else _read_command(folder)
    return Entry(pid, stat.started_ticks, stat.parent, stat.group, stat.session, command, mark)


class _Stat:
    """The fields of a `stat` file.

    The name of the command stands in parentheses and may itself hold spaces and parentheses.
    """

    def __init__(self, stat: bytes) -> None:
        head, _, tail = stat.rpartition(b")")
        self._fields = tail.split()
        self.name = head.partition(b"(")[2].decode("utf-8", errors="replace")
        self.is_zombie = self._fields[0] in {b"Z", b"X"}
        self.parent, self.group, self.session = map(int, self._fields[1:4])
        flags = int(self._fields[6])
        self.is_dead = self.is_zombie or bool(flags & _EXITING)
        self.is_kernel_thread = bool(flags & _KERNEL_THREAD)
        self.started_ticks = int(self._fields[19])

    @property
    def has_empty_environment(self) -> bool:
        """Whether its program was begun with an empty environment, as by `env -i`.

        Who is about to begin a program has no place for one yet, not even for an empty one. Then it
        has an empty place, while the kernel copies the variables; its code comes after that.
        """
        code, (begins, ends) = self._fields[23], self._fields[47:49]
        return begins == ends != b"0" and code != b"0"


def _read_environment(folder: int) -> bytes | None:
    """Return the environment; None if we may not read it, and b"" if there is no memory to read."""
    try:
        return _read(folder, "environ")
    except PermissionError:
        return None
    except ProcessLookupError:
        return b""


def _read_command(folder: int) -> str:
    return " ".join(_read_words(folder))


def _read_words(folder: int) -> list[str]:
    words = _read(folder, "cmdline").rstrip(b"\0").split(b"\0")
    return [word.decode("utf-8", errors="replace") for word in words]


def _read(folder: int, name: str) -> bytes:
    """Read a file to its end, without what a Python file costs: thousands are read."""
    descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=folder)
    try:
        parts = []
        while part := os.read(descriptor, _READ_AT_ONCE):
            parts.append(part)
        return b"".join(parts)
    finally:
        os.close(descriptor)
