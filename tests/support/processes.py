"""Processes by their numbers: whether they live, and what they have open."""

import contextlib
import os
import select
import signal
from pathlib import Path
from typing import Any

from support.deadlines import EVENT_SEC


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


def kill_job(job: Any) -> None:
    """Kill worker and command of a job."""
    os.kill(job["worker_pid"], signal.SIGKILL)
    os.killpg(job["target_pid"], signal.SIGKILL)
    await_exit(job["target_pid"])
