"""Locks that the kernel frees when their holder dies: one runner for a run, and its calls (4.5).

`flock` on files that only `prune` removes, while it holds them. A lock belongs to the open file,
not to the process: a child that inherits the descriptor holds it too, without a gap.
"""

import errno
import fcntl
import os
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from orchesjob_flow.errors import UnsafePlace

PATIENCE_WITH_READERS_SEC = 0.2
RETRY_SEC = 0.02
NOWHERE_ELSE = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
"""Follow no link, be inherited by nobody by accident, and never wait at a pipe."""


class Lock:
    """A lock that is held until it is released or the last process that has it dies."""

    def __init__(self, descriptor: int, path: Path) -> None:
        """Use `take`, `wait` or `inherit`."""
        self._descriptor = descriptor
        self.path = path

    @classmethod
    def take(cls, path: Path, *, wait_sec: float = PATIENCE_WITH_READERS_SEC) -> "Lock | None":
        """Take the lock, or return None if another process holds it for longer than `wait_sec`.

        The least wait bridges the moment in which a reader looks whether the lock is held.
        """
        deadline = time.monotonic() + wait_sec
        while True:
            lock = cls._try(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if lock is not None or time.monotonic() >= deadline:
                return lock
            time.sleep(RETRY_SEC)

    @classmethod
    def wait(cls, path: Path, *, before_waiting: Callable[[], None]) -> "Lock":
        """Take the lock as soon as it is free; tell `before_waiting` if that is not at once."""
        lock = cls.take(path)
        if lock is None:
            before_waiting()
        while lock is None:
            lock = cls._try(path, fcntl.LOCK_EX)
        return lock

    @classmethod
    def inherit(cls, descriptor: int, path: Path) -> "Lock":
        """Take over a descriptor from the parent process and keep it from own children."""
        os.set_inheritable(descriptor, False)
        return cls(descriptor, path)

    @classmethod
    def _try(cls, path: Path, operation: int) -> "Lock | None":
        descriptor = open_owned(path, os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(descriptor, operation)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except BaseException:  # whatever it is, it goes on: only the descriptor must not stay open
            os.close(descriptor)
            raise
        lock = cls(descriptor, path)
        if lock.is_current():
            return lock
        lock.close()  # somebody replaced the file: what was taken guards nothing
        return None

    def fileno(self) -> int:
        """Return the descriptor, for a child that is to hold the lock too."""
        return self._descriptor

    def is_current(self) -> bool:
        """Whether the path still names the file that is locked."""
        try:
            return os.path.samestat(os.fstat(self._descriptor), self.path.stat())
        except OSError:
            return False

    def sign(self) -> None:
        """Write this process's id into the lock, for `holder`; on a full disk it stays unnamed."""
        with suppress(OSError):
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def close(self) -> None:
        """Let go of the lock in this process."""
        os.close(self._descriptor)


def holder(path: Path) -> int | None:
    """Return the process id that the lock's holder has written, or None if nobody holds it.

    Zero stands for a holder that has not signed yet. Creates nothing.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | NOWHERE_ELSE)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return parse_signature(os.pread(descriptor, 32, 0))
    else:
        return None
    finally:
        os.close(descriptor)


def parse_signature(signature: bytes) -> int:
    """Read a process id; 0 if there is none."""
    text = signature.strip()
    return int(text) if text.isdigit() else 0


def open_owned(path: Path, flags: int) -> int:
    """Open a file of ours in a folder of ours, creating it for its owner only.

    Raises:
        UnsafePlace: It cannot be opened, or is not a plain file that is ours alone.
    """
    try:
        descriptor = os.open(path, flags | NOWHERE_ELSE, 0o600)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise UnsafePlace(path, "is a symbolic link, and must be a file of its own") from error
        raise UnsafePlace(path, f"cannot be opened: {error.strerror}") from error
    problem = find_foreign(os.fstat(descriptor))
    if problem is not None:
        os.close(descriptor)
        raise UnsafePlace(path, problem)
    return descriptor


def find_foreign(found: os.stat_result) -> str | None:
    """Say why an open file is not ours alone: what is written to it would reach something else."""
    if not stat.S_ISREG(found.st_mode):
        return "is no regular file"
    if found.st_uid != os.geteuid():
        return "belongs to another user"
    if found.st_nlink > 1:
        return "is a hard link, and must be a file of its own"
    return None
