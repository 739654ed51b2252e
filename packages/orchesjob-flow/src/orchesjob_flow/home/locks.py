"""Locks that the kernel frees when their holder dies: one runner for a run, and its calls (4.5).

`flock` on files that only `prune` removes, while it holds them. A lock belongs to the open file,
not to the process: a child that inherits the descriptor holds it too, without a gap.
"""

import errno
import fcntl
import os
import stat
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from orchesjob_flow.errors import ResourceExhausted, UnsafePlace, exhausted_resource, name_process

PATIENCE_WITH_READERS_SEC = 0.2
RETRY_SEC = 0.02
NOWHERE_ELSE = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
"""Follow no link, pass the descriptor to no child by accident, and never wait for a pipe."""
PRIVATE = 0o600
"""The mode of a file that only its owner reads and writes."""


class Lock:
    """A lock that is held until the last process that has it closes it or dies."""

    def __init__(self, descriptor: int) -> None:
        """Use `take`, `wait` or `inherit`."""
        self._descriptor = descriptor

    @classmethod
    def take(cls, path: Path, *, wait_sec: float = PATIENCE_WITH_READERS_SEC) -> "Lock | None":
        """Take the lock, or return None if another process holds it for longer than `wait_sec`.

        The default bridges the moment in which a reader checks whether the lock is held.
        """
        deadline = time.monotonic() + wait_sec
        while True:
            lock = cls._try(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if lock is not None or time.monotonic() >= deadline:
                return lock
            time.sleep(RETRY_SEC)

    @classmethod
    def wait(cls, path: Path, *, before_waiting: Callable[[], None]) -> "Lock":
        """Take the lock as soon as it is free; if it is held, call `before_waiting` first."""
        lock = cls.take(path)
        if lock is None:
            before_waiting()
            lock = cls.queue(path)
        return lock

    @classmethod
    def queue(cls, path: Path) -> "Lock":
        """Take the lock as soon as it is free: the kernel wakes waiting processes one by one."""
        while (lock := cls._try(path, fcntl.LOCK_EX)) is None:
            pass
        return lock

    @classmethod
    def inherit(cls, descriptor: int) -> "Lock":
        """Take over a descriptor from the parent process, and keep it from our own children."""
        os.set_inheritable(descriptor, False)
        return cls(descriptor)

    @classmethod
    def _try(cls, path: Path, operation: int) -> "Lock | None":
        descriptor, opened = _open_owned(path, os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(descriptor, operation)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except BaseException:  # raised again; the descriptor must be closed
            os.close(descriptor)
            raise
        if _is_at(path, opened):
            return cls(descriptor)
        os.close(descriptor)  # the file was replaced: this lock protects nothing
        return None

    def fileno(self) -> int:
        """Return the descriptor, for a child that has to hold the lock too."""
        return self._descriptor

    def sign(self) -> None:
        """Write this process's id into the lock, for `holder`; skip it on a full disk."""
        with suppress(OSError):
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def close(self) -> None:
        """Release the lock in this process. Closing again does nothing."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


class Holder(NamedTuple):
    """The process that holds a lock; `pid` is None until it has signed."""

    pid: int | None

    def __str__(self) -> str:
        """Name the process in a message."""
        return name_process(self.pid)


def holder(path: Path) -> Holder | None:
    """Return the process that holds a lock, or None if there is none. Creates nothing.

    Raises:
        ResourceExhausted: There is no descriptor or memory left to see it.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | NOWHERE_ELSE)
    except OSError as error:
        if (lack := exhausted_resource(error)) is not None:
            raise ResourceExhausted(f"cannot open {path}", lack) from error
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        signature = os.pread(descriptor, 32, 0).strip()  # empty until the holder has signed
        return Holder(int(signature) if signature.isdigit() else None)
    else:
        return None
    finally:
        os.close(descriptor)


def processes_with(path: Path) -> list[int]:
    """Return the PIDs of other processes that have a lock's file open, as far as /proc shows."""
    pids = (int(folder.name) for folder in Path("/proc").glob("[0-9]*"))
    return sorted(pid for pid in pids if pid != os.getpid() and has_open(pid, path))


def has_open(pid: int, path: Path) -> bool:
    """Tell whether a process has a file open, as far as /proc shows."""
    with suppress(OSError):  # it has ended, or is another user's
        for link in list(Path(f"/proc/{pid}/fd").iterdir()):
            with suppress(OSError):  # it was closed
                if link.samefile(path):
                    return True
    return False


def _is_at(path: Path, opened: os.stat_result) -> bool:
    """Tell whether a path names an open file."""
    try:
        return os.path.samestat(opened, path.stat())
    except OSError:
        return False


def open_owned(path: Path, flags: int) -> int:
    """Open a file of ours in a folder of ours, creating it for its owner only.

    Raises:
        UnsafePlace: It cannot be opened, or is not a plain file that is ours alone.
        ResourceExhausted: There is no descriptor or memory left for it.
    """
    descriptor, _ = _open_owned(path, flags)
    return descriptor


def _open_owned(path: Path, flags: int) -> tuple[int, os.stat_result]:
    try:
        descriptor = os.open(path, flags | NOWHERE_ELSE, PRIVATE)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise UnsafePlace(path, "is a symbolic link, and must be a file of its own") from error
        if (lack := exhausted_resource(error)) is not None:
            raise ResourceExhausted(f"cannot open {path}", lack) from error
        raise UnsafePlace(path, f"cannot be opened: {error.strerror}") from error
    found = os.fstat(descriptor)
    problem = find_foreign(found)
    if problem is not None:
        os.close(descriptor)
        raise UnsafePlace(path, problem)
    if (
        found.st_mode & PRIVATE != PRIVATE
    ):  # the umask removed it, and the file could not be opened again
        os.fchmod(descriptor, PRIVATE)
    return descriptor, found


def find_foreign(found: os.stat_result) -> str | None:
    """Return why a file is not ours alone, so that others could see or change it; else None."""
    if not stat.S_ISREG(found.st_mode):
        return "is not a regular file"
    if found.st_uid != os.geteuid():
        return "belongs to another user"
    if found.st_nlink > 1:
        return "is a hard link, and must be a file of its own"
    return None


def refuse_foreign(paths: Iterable[Path]) -> None:
    """Refuse existing lock files that are not ours, since no call could be made. Creates nothing.

    Raises:
        UnsafePlace: There is such a file.
    """
    for path in paths:
        with suppress(FileNotFoundError, NotADirectoryError):  # others check the home
            problem = find_foreign(path.lstat())
            if problem is not None:
                raise UnsafePlace(path, problem, "move it away")
