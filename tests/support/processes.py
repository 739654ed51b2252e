"""Processes by their numbers: whether they live, and what they open."""

import contextlib
import ctypes
import os
import select
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from support.deadlines import EVENT_SEC

IN_OPEN = 0x20
"""What `inotify` calls the event that a file is opened."""


def await_exit(pid: int | None) -> None:
    """Wait until a process has exited."""
    assert pid is not None
    with contextlib.suppress(ProcessLookupError):
        pidfd = os.pidfd_open(pid)
        try:
            assert select.select([pidfd], [], [], EVENT_SEC)[0], pid
        finally:
            os.close(pidfd)


def is_gone(pid: int | None) -> bool:
    """Tell whether a process has exited, be it reaped or not."""
    assert pid is not None
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return True
    return stat.rpartition(b")")[2].split()[0] == b"Z"


def descriptors(pid: int) -> dict[int, str]:
    """Return what a process has open, by its file descriptors."""
    found = {}
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            found[int(link.name)] = str(link.readlink())
    return found


@contextlib.contextmanager
def await_opened(path: Path) -> Iterator[None]:
    """Wait at the end of the block until some process has opened a file, however shortly."""
    libc = ctypes.CDLL(None, use_errno=True)
    watch = libc.inotify_init1(os.O_CLOEXEC)
    assert watch >= 0, os.strerror(ctypes.get_errno())
    try:
        assert libc.inotify_add_watch(watch, os.fsencode(path), IN_OPEN) >= 0, path
        yield
        assert select.select([watch], [], [], EVENT_SEC)[0], path
    finally:
        os.close(watch)


def kill_job(job: Any) -> None:
    """Kill worker and command of a job."""
    os.kill(job["worker_pid"], signal.SIGKILL)
    os.killpg(job["target_pid"], signal.SIGKILL)
    await_exit(job["target_pid"])
