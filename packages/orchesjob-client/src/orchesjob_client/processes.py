"""Finding processes by a mark in their environment, and ending exactly those.

A child inherits its parent's environment, so a mark finds what PIDs and process groups lose:
daemons, and jobs whose worker died. Not found are processes of other users and those that clear
their environment (`env -i`, sudo). Nothing here knows orchesjob.
"""

import contextlib
import os
import select
import signal
import time
from collections.abc import Collection, Iterable
from pathlib import Path

from orchesjob_client import ps
from orchesjob_client.process import Process

_PROC = Path("/proc")
_AFTER_KILL_SEC = 2.0
_TICK_SEC = 0.05
_NOT_TO_BE_SEEN = (FileNotFoundError, ProcessLookupError, PermissionError)  # gone, or another's


def marked_processes(
    variable: str, values: Collection[str], *, proc: Path = _PROC
) -> list[Process]:
    """Find the living processes whose environment holds `variable` with one of `values`.

    The caller itself is never among them, nor are zombies. Where `proc` is no process file
    system, `ps` is asked.

    Raises:
        OSError: Nobody can tell: there is neither a process file system nor a `ps`, or this process
            is out of descriptors or memory.
    """
    if not _has_processes(proc):
        return [found for found in ps.read_processes(variable, values) if found.pid != os.getpid()]
    marks = {f"{variable}={value}".encode(errors="surrogateescape"): value for value in values}
    pids = (int(entry) for entry in os.listdir(proc) if entry.isdecimal())  # noqa: PTH208 - speed
    found = (_read_marked(proc, pid, marks) for pid in pids if pid != os.getpid())
    return [process for process in found if process is not None]


def is_alive(process: Process, *, proc: Path = _PROC) -> bool:
    """Tell whether this very process still runs; a zombie does not.

    Raises:
        OSError: As for `marked_processes`.
    """
    if _has_processes(proc):
        return _started_ticks(proc / str(process.pid)) == process.started_ticks
    return ps.read_started(process.pid) == process.started_ticks


def end_processes(
    processes: Iterable[Process],
    grace_sec: float,
    *,
    use_pidfd: bool = hasattr(os, "pidfd_open"),
) -> list[Process]:
    """Send TERM, wait up to `grace_sec`, send KILL, and return those that live on.

    Before each signal it is made sure that the PID still belongs to the process that was found.
    Without `use_pidfd`, a moment remains in which it could be recycled.
    """
    with contextlib.ExitStack() as stack:
        held = [_Held(process, use_pidfd=use_pidfd) for process in processes]
        for one in held:
            stack.callback(one.close)
        for one in held:
            one.send(signal.SIGTERM)
        remaining = _wait_for_end(held, grace_sec)
        for one in remaining:
            one.send(signal.SIGKILL)
        return [one.process for one in _wait_for_end(remaining, _AFTER_KILL_SEC)]


class _Held:
    """A process held by a pidfd, so that its PID cannot become another's unnoticed."""

    def __init__(self, process: Process, *, use_pidfd: bool) -> None:
        self.process = process
        self._pidfd: int | None = None
        if use_pidfd:
            with contextlib.suppress(OSError):  # gone, or no descriptor left: the PID must do
                self._pidfd = os.pidfd_open(process.pid)

    def is_alive(self) -> bool:
        if self._pidfd is not None and _is_readable(self._pidfd):
            return False
        return is_alive(self.process)

    def send(self, signal_number: signal.Signals) -> None:
        if not self.is_alive():
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if self._pidfd is None:
                os.kill(self.process.pid, signal_number)
            else:
                signal.pidfd_send_signal(self._pidfd, signal_number)

    def wait(self, deadline: float) -> None:
        """Return when the process may have ended, at the latest at the deadline."""
        left = max(0.0, deadline - time.monotonic())
        if self._pidfd is None:
            time.sleep(min(left, _TICK_SEC))
        else:
            _is_readable(self._pidfd, left)

    def close(self) -> None:
        if self._pidfd is not None:
            os.close(self._pidfd)


def _wait_for_end(held: list[_Held], wait_sec: float) -> list[_Held]:
    deadline = time.monotonic() + wait_sec
    alive = [one for one in held if one.is_alive()]
    while alive and time.monotonic() < deadline:
        alive[0].wait(deadline)
        alive = [one for one in alive if one.is_alive()]
    return alive


def _is_readable(pidfd: int, wait_sec: float = 0.0) -> bool:
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(wait_sec * 1000))


def _has_processes(proc: Path) -> bool:
    return (proc / "self" / "environ").exists()


def _read_marked(proc: Path, pid: int, marks: dict[bytes, str]) -> Process | None:
    """Read one process, if it is marked, may be read and lives.

    All is read through one descriptor of its folder, which dies with the process: a successor
    under the same PID cannot lend its start or its command.
    """
    try:
        folder = os.open(proc / str(pid), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except _NOT_TO_BE_SEEN:
        return None
    try:
        environment = set(_read(folder, "environ").split(b"\0"))
        mark = next((mark for mark in marks if mark in environment), None)
        if mark is None:
            return None
        ticks = _parse_stat(_read(folder, "stat"))
        words = _read(folder, "cmdline").rstrip(b"\0").split(b"\0")
    except _NOT_TO_BE_SEEN:
        return None
    finally:
        os.close(folder)
    command = b" ".join(words).decode("utf-8", errors="replace")
    return None if ticks is None else Process(pid, ticks, command, marks[mark])


def _read(folder: int, name: str) -> bytes:
    descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=folder)
    with os.fdopen(descriptor, "rb") as file:
        return file.read()


def _started_ticks(folder: Path) -> int | None:
    try:
        return _parse_stat((folder / "stat").read_bytes())
    except _NOT_TO_BE_SEEN:
        return None


def _parse_stat(stat: bytes) -> int | None:
    """Return the start time from a `stat` file, None for a zombie or a dead process.

    The command's name stands in parentheses and may itself hold spaces and parentheses.
    """
    state, *fields = stat.rpartition(b")")[2].split()
    return None if state in {b"Z", b"X"} else int(fields[18])
