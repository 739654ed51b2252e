"""Reading the process table of Linux, `/proc`.

The functions are those of `ps`, which serves systems without a `/proc`.
"""

import os
from collections.abc import Collection
from pathlib import Path

from orchesjob_client.processes.identity import Process

PROC = Path("/proc")

_INVISIBLE = (FileNotFoundError, ProcessLookupError, PermissionError)  # ended, or another user's


def exists(proc: Path = PROC) -> bool:
    """Tell whether there is such a process table."""
    return (proc / "self" / "environ").exists()


def read_processes(variable: str, values: Collection[str], proc: Path = PROC) -> list[Process]:
    """Find the living processes whose environment holds `variable` with one of `values`."""
    marks = {f"{variable}={value}".encode(errors="surrogateescape"): value for value in values}
    pids = (int(entry) for entry in os.listdir(proc) if entry.isdecimal())  # noqa: PTH208 - speed
    found = (_read_marked(proc, pid, marks) for pid in pids if pid != os.getpid())
    return [process for process in found if process is not None]


def read_started(pid: int, proc: Path = PROC) -> int | None:
    """Return the clock tick in which a process began, or None if it has ended or is a zombie."""
    try:
        return _parse_stat((proc / str(pid) / "stat").read_bytes())
    except _INVISIBLE:
        return None


def _read_marked(proc: Path, pid: int, marks: dict[bytes, str]) -> Process | None:
    """Read one process, if it has a mark, may be read and lives.

    Everything is read through one descriptor of its folder, which dies with the process: a new
    process with the same PID cannot contribute its start or its command.
    """
    try:
        folder = os.open(proc / str(pid), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except _INVISIBLE:
        return None
    try:
        environment = set(_read(folder, "environ").split(b"\0"))
        mark = next((mark for mark in marks if mark in environment), None)
        if mark is None:
            return None
        ticks = _parse_stat(_read(folder, "stat"))
        words = _read(folder, "cmdline").rstrip(b"\0").split(b"\0")
    except _INVISIBLE:
        return None
    finally:
        os.close(folder)
    command = b" ".join(words).decode("utf-8", errors="replace")
    return None if ticks is None else Process(pid, ticks, command, marks[mark])


def _read(folder: int, name: str) -> bytes:
    descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=folder)
    with os.fdopen(descriptor, "rb") as file:
        return file.read()


def _parse_stat(stat: bytes) -> int | None:
    """Return the start time from a `stat` file, or None for a zombie or a dead process.

    The name of the command stands in parentheses and may itself hold spaces and parentheses.
    """
    state, *fields = stat.rpartition(b")")[2].split()
    return None if state in {b"Z", b"X"} else int(fields[18])
