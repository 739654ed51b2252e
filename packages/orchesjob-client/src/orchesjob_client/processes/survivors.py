"""The processes that a job has left alive: finding and ending them (rule 5.8).

Every call of orchesjob carries the mark of its job in its environment. The launcher, the worker,
the command and all processes that the command starts inherit it, in any session. Where a job has a
cgroup, the processes in it are the job's too. Only the processes that were found are ended, never
one that got the PID of one later.
"""

import contextlib
import os
import signal
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from itertools import count
from pathlib import Path

from orchesjob_client.environment import MARK, mark, marks_of, orchesjob_home
from orchesjob_client.errors import ProcessesKeepAppearing
from orchesjob_client.processes import cgroups
from orchesjob_client.processes.proc import Entry, Process, has_ended, is_alive
from orchesjob_client.processes.snapshot import LIMIT_SEC, OnSight, marked_trees

_LOOKS = 2
_HUNT_SEC = 2.0
_AFTER_KILL_SEC = 2.0
_TICK_SEC = 0.05


def find_survivors(home: str, job_keys: Iterable[str]) -> Sequence[Process]:
    """Find the living processes of some jobs, and the process trees of these.

    Only two snapshots in a row show that there is none: while the PIDs of the system start again
    from the lowest, one may miss a process that has just been given a low PID.

    Raises:
        ProcessesKeepAppearing: Processes come and go too fast to say anything.
        OSError: The process table cannot be read.
    """
    return _look({mark(home, key) for key in job_keys})


def end_survivors(home: str, job_keys: Sequence[str], grace_sec: float) -> Sequence[Process]:
    """End the living processes of some jobs; return those that could not be ended.

    A process that appears during the grace time of others has what is left of it. After that, each
    is killed on sight, so that not even a chain of processes that fork and exit escapes.

    Raises:
        ProcessesKeepAppearing, OSError: As `find_survivors`.
    """
    marks = {mark(home, key) for key in job_keys}
    try:
        found = _look(marks)
    except ProcessesKeepAppearing:
        _kill_cgroups(marks)
        found = _look(marks)
    known: dict[Process, None] = {}
    grace_ends = time.monotonic() + grace_sec
    while found and (now := time.monotonic()) < grace_ends + _HUNT_SEC:
        known |= dict.fromkeys(found)
        end_processes(found, max(0, grace_ends - now))
        if now < grace_ends:
            found = _look(marks, known)
            time.sleep(_TICK_SEC if found else 0)
        else:
            _kill_cgroups(marks)
            found = _look(marks, known, kill_on_sight)
    return found


def own_cgroup(environ: Mapping[str, str], job_key: str) -> AbstractContextManager[int | None]:
    """Make a cgroup for a job; yield its descriptor for `OrchesjobClient.start`, or None.

    None means that there can be none here. The cgroup is inside those of the jobs whose marks
    `environ` holds, and of no others.
    """
    return cgroups.joinable(mark(orchesjob_home(environ), job_key), marks_of(environ))


def discard_cgroup(environ: Mapping[str, str], job_key: str) -> None:
    """Remove the cgroup of a job that has ended, unless a process is left in it."""
    cgroups.discard(mark(orchesjob_home(environ), job_key), marks_of(environ))


def leave_cgroups(environ: Mapping[str, str]) -> None:
    """Leave the cgroups of all jobs but those whose marks `environ` holds."""
    cgroups.leave(marks_of(environ))


def _look(
    marks: set[str], known: Collection[Process] = (), on_sight: OnSight | None = None
) -> Sequence[Process]:
    """Find the living processes; a second snapshot confirms that there is none.

    The kernel knows whether a cgroup has processes, but lists only those that live long enough.
    """
    folders = cgroups.find_folders(marks)
    deadline = time.monotonic() + LIMIT_SEC
    for looks in count(1):
        in_cgroups = partial(_members, folders)
        if found := marked_trees(MARK, marks, known, on_sight, in_cgroups):
            return found
        if looks >= _LOOKS and not any(map(cgroups.is_populated, folders)):
            break
        if looks > _LOOKS and time.monotonic() > deadline:
            raise ProcessesKeepAppearing("the search for processes")
    for folder in folders:
        cgroups.remove(folder)
    return []


def _members(folders: Iterable[Path]) -> dict[int, str]:
    return {pid: cgroups.mark_of(folder) for folder in folders for pid in cgroups.members(folder)}


def _kill_cgroups(marks: set[str]) -> None:
    for folder in cgroups.find_folders(marks):
        cgroups.kill_all(folder)


def end_processes(
    processes: Iterable[Process],
    grace_sec: float,
    *,
    use_pidfd: bool = hasattr(os, "pidfd_open"),
) -> list[Process]:
    """Send TERM, wait up to `grace_sec`, send KILL, and return the processes that still live.

    Before each signal the PID is checked: it must still belong to the process that was found.
    Without `use_pidfd`, the PID could be reused in the moment between the check and the signal.
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


def kill_on_sight(sighted: Entry, known: Collection[Entry]) -> None:
    """Kill a marked process that was seen a moment ago, with its group if that is all marked.

    The kernel kills a group at once, its members that are being forked included. Its number cannot
    belong to another group yet: PIDs are given in turn.
    """
    members = [entry for entry in known if entry.group == sighted.group]
    is_ours = all(entry.mark is not None for entry in members)
    if is_ours and sighted.group > 1 and sighted.group != os.getpgrp():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(sighted.group, signal.SIGKILL)
    process = Process(sighted.pid, sighted.started_ticks, sighted.command, sighted.mark or "")
    with contextlib.closing(_Held(process, use_pidfd=hasattr(os, "pidfd_open"))) as held:
        held.send(signal.SIGKILL)


class _Held:
    """A process held by a pidfd, so that a reuse of its PID cannot go unnoticed."""

    def __init__(self, process: Process, *, use_pidfd: bool) -> None:
        self.process = process
        self._pidfd: int | None = None
        if use_pidfd:
            # The process has ended, or no descriptor is left: then the PID has to do.
            with contextlib.suppress(OSError):
                self._pidfd = os.pidfd_open(process.pid)

    def is_alive(self) -> bool:
        if self._pidfd is not None and has_ended(self._pidfd):
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
            has_ended(self._pidfd, left)

    def close(self) -> None:
        if self._pidfd is not None:
            os.close(self._pidfd)


def _wait_for_end(held: list[_Held], wait_sec: float) -> list[_Held]:
    """Wait until all have ended, up to `wait_sec`, and return those that have not."""
    deadline = time.monotonic() + wait_sec
    alive = [one for one in held if one.is_alive()]
    while alive and time.monotonic() < deadline:
        alive[0].wait(deadline)
        alive = [one for one in alive if one.is_alive()]
    return alive
