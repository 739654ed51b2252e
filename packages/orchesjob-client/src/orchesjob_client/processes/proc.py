"""Reading processes from `/proc`: one process, or the numbers of all; on other systems from `ps`.

A PID alone does not identify a process, because it is used again. So a `Process` has its start too,
and a pidfd always refers to the same process. Which processes are a job's is decided in `snapshot`.
"""

import os
import re
import select
import subprocess
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from orchesjob_client.environment import WantedMarks

PROC = Path("/proc")

_GONE = (FileNotFoundError, ProcessLookupError)
_EXITING = 0x4  # flags of the kernel
_KERNEL_THREAD = 0x200000

_READ_AT_ONCE = 2**15

_NO_MARKS = WantedMarks("", ())


class Process(NamedTuple):
    """A process that was found by a mark in its environment, or in the tree of one that was.

    Attributes:
        pid: Its PID, which alone does not identify it.
        started_ticks: When it began: clock ticks since boot, or seconds where `ps` was asked.
        command: Its command line as one line, for messages; its name in parentheses if it has no
            mark of its own.
        value: The value of the mark by which it, or its tree, was found.
    """

    pid: int
    started_ticks: int
    command: str
    value: str


def is_alive(process: Process, *, proc: Path = PROC) -> bool:
    """Tell whether this very process still runs; a zombie does not.

    Raises:
        OSError: There is neither a process table nor a `ps`, or this process has no descriptors or
            memory left.
    """
    started = read_started(process.pid, proc) if has_table(proc) else ps_started(process.pid)
    return started == process.started_ticks


def has_ended(pidfd: int, wait_sec: float = 0.0) -> bool:
    """Tell whether the process of a pidfd has ended, waiting up to `wait_sec` for its end."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(wait_sec * 1000))


class Entry(NamedTuple):
    """A living process in the table.

    Attributes:
        pid: Its PID, which alone does not identify it.
        started_ticks: When it began: clock ticks since boot.
        parent: The PID of its parent, which lives; an orphan's is the process that adopted it.
        group: Its process group: the PID of the group's first member, which may have ended.
        session: Its session: the PID of the process that created it, which may have ended.
        command: Its command line if it has a mark; else its name in parentheses.
        mark: The value of the mark in its environment; None if it has none, or we may not read it.
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
    STARTING = "it is executing another program, and has no environment at this moment"
    UNMARKED = "it has no mark that counts or that we may read, and only marked ones were asked for"


def has_table(proc: Path = PROC) -> bool:
    """Tell whether this folder is a process table."""
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
        with _opened(pid, proc) as folder:
            entry, words = _read_entry(pid, folder, _NO_MARKS), _read_words(folder)
            is_own = os.fstat(folder).st_uid == os.geteuid()
    except (*_GONE, PermissionError):
        return None
    return (entry, words) if isinstance(entry, Entry) and is_own else None


def read_entry(pid: int, wanted: WantedMarks, proc: Path = PROC) -> Entry | Unread:
    """Read one process; `wanted` are the marks in its environment that count.

    Raises:
        OSError: This process has no descriptors or memory left.
    """
    try:
        with _opened(pid, proc) as folder:
            return _read_entry(pid, folder, wanted)
    except PermissionError:
        return Unread.HIDDEN
    except _GONE:
        return Unread.VANISHED


@contextmanager
def _opened(pid: int, proc: Path) -> Iterator[int]:
    """Yield a descriptor of a process's folder, through which all of it is read.

    It dies with the process: a new one with the same PID cannot contribute its start or command.
    """
    folder = os.open(f"{proc}/{pid}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield folder
    finally:
        os.close(folder)


def read_marked(pid: int, wanted: WantedMarks, proc: Path = PROC) -> Entry | Unread:
    """Read one process if it is marked; of any other, only the file that shows that it is not.

    That file is the environment, or `stat` if there is none. A new process with the same PID cannot
    contribute to it, because it is read through one descriptor.

    Raises:
        OSError: This process has no descriptors or memory left.
    """
    try:
        if environment := _read_environment(f"{proc}/{pid}/environ"):
            is_marked = wanted.find(environment) is not None
            return read_entry(pid, wanted, proc) if is_marked else Unread.UNMARKED
        if environment is None:
            return Unread.UNMARKED
        stat = _Stat(_read(f"{proc}/{pid}/stat"))
    except PermissionError:
        return Unread.HIDDEN
    except _GONE:
        return Unread.VANISHED
    if stat.is_dead:
        return Unread.DEAD
    is_without = stat.is_kernel_thread or stat.has_empty_environment
    return Unread.UNMARKED if is_without else Unread.STARTING


def _read_entry(pid: int, folder: int, wanted: WantedMarks) -> Entry | Unread:
    stat = _Stat(_read("stat", folder))
    environment = None if stat.is_kernel_thread else _read_environment("environ", folder)
    if environment == b"":  # as of `env -i`, or of a process that is executing or exiting
        stat = _Stat(_read("stat", folder))
    if stat.is_dead:
        return Unread.DEAD
    if environment == b"" and not stat.has_empty_environment:
        return Unread.STARTING
    mark = None if environment is None else wanted.find(environment)
    command = f"({stat.name})" if mark is None else " ".join(_read_words(folder))
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
        """Whether its program was started with an empty environment, as by `env -i`.

        A process that is executing a program has no place for an environment at first. Then it has
        an empty place, while the kernel copies the variables; its code comes after that.
        """
        code, (begins, ends) = self._fields[23], self._fields[47:49]
        return begins == ends != b"0" and code != b"0"


def _read_environment(path: str, folder: int | None = None) -> bytes | None:
    """Return the environment; None if we may not read it, and b"" if there is no memory to read."""
    try:
        return _read(path, folder)
    except PermissionError:
        return None
    except ProcessLookupError:
        return b""


def _read_words(folder: int) -> list[str]:
    words = _read("cmdline", folder).rstrip(b"\0").split(b"\0")
    return [word.decode("utf-8", errors="replace") for word in words]


def _read(path: str, folder: int | None = None) -> bytes:
    """Read a file to its end, without what a Python file costs: thousands are read.

    The kernel fills the buffer as far as it can, so a read that leaves room in it was the last.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=folder)
    try:
        text = part = os.read(descriptor, _READ_AT_ONCE)
        while len(part) == _READ_AT_ONCE:
            text += (part := os.read(descriptor, _READ_AT_ONCE))
        return text
    finally:
        os.close(descriptor)


# Systems without a /proc. The output of `ps` has the form that macOS prints; it is tested with
# samples only, never on a real macOS.

_PS_LINE = r"\s*(\d+)\s+(\w{3}\s+\w{3}\s+\d+\s+\d+:\d+:\d+\s+\d{4})\s+(.*)"
_PS_VARIABLE = r" [A-Za-z_][A-Za-z0-9_]*="


def parse_ps(text: str, variable: str, values: Collection[str]) -> list[Process]:
    """Find the processes whose environment holds one of `values` in `variable`.

    Args:
        text: What `ps -E -ww -x -o pid=,lstart=,command=` printed. The words of the environment
            follow the command, if the process is the user's own.
        variable: The variable's name.
        values: The values to look for; they have no spaces.
    """
    found = []
    wanted = WantedMarks(variable, values)
    for line in text.splitlines():
        match = re.fullmatch(_PS_LINE, line)
        if match is None:
            continue
        pid, started, words = int(match[1]), match[2], match[3]
        settings = re.findall(rf" ({re.escape(variable)}=\S*)", words)
        mark = wanted.find(settings[-1].encode()) if settings else None
        if mark is not None:
            command = re.split(_PS_VARIABLE, words, maxsplit=1)[0]
            found.append(Process(pid, _ps_seconds(started), command, mark))
    return found


def parse_ps_started(text: str) -> int | None:
    """Read what `ps -o lstart= -p PID` printed; None if there is no such process."""
    return _ps_seconds(text) if text.strip() else None


def ps_marked(variable: str, values: Collection[str]) -> list[Process]:
    """Find marked processes with `ps`; see `parse_ps`."""
    text = _ps("-E", "-ww", "-x", "-o", "pid=,lstart=,command=")
    return parse_ps(text, variable, values)


def ps_started(pid: int) -> int | None:
    """Return the second in which a process began, or None if it has ended or is a zombie."""
    state = _ps("-o", "state=", "-p", str(pid))
    return None if "Z" in state else parse_ps_started(_ps("-o", "lstart=", "-p", str(pid)))


def _ps_seconds(started: str) -> int:
    """Return a number that identifies the moment, in any time zone."""
    import calendar  # not needed on Linux

    return calendar.timegm(time.strptime(" ".join(started.split()), "%a %b %d %H:%M:%S %Y"))


def _ps(*options: str) -> str:
    # The locale is fixed because `lstart` names days and months.
    finished = subprocess.run(
        ["ps", *options],  # noqa: S607 - where `ps` lies differs
        env={**os.environ, "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    return finished.stdout.decode("utf-8", errors="replace")
