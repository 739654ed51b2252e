"""The processes that a job has left alive: finding and ending them (rule 5.8).

Every call of orchesjob carries the mark of its job in its environment. The launcher, the worker,
the command and all processes that the command starts inherit it, in any session. So a mark finds
what PIDs and process groups do not: daemons, and jobs whose worker has died. Where a job has a
cgroup, the processes in it are the job's too.

A process may shed the mark, by another environment or one that cannot be read. Its process tree
shows its job as long as the tree lives: a child of a job's process is the job's, and so is every
member of a session or group whose first process is. A number alone proves nothing: a process that
is older than the one whose number it bears belongs to somebody else.

Processes come and go while the process table is read, and a process that ended before it was read
may have left a child that is not in the list. So the list is read again, and its new processes at
once, until it holds none that has not been read. Then the snapshot has every process that lived
when that list was read. A chain of processes that fork and exit has a living member at any moment,
so it prevents the end of this, or it is seen.

Only the processes that were found are ended, never one that got the PID of one later.

Every process is read in each of two looks, because nothing cheaper proves the same. What was tried,
per look with 2,000 processes, where the environments take 13 ms of the kernel's time:

- `stat` takes 10 ms. Its addresses change when a program is executed, unless they are not random.
  They do not change when a process writes other variables into its memory.
- `auxv` takes 4.5 ms, and shows no more than these addresses do.
- The inode of a folder in `/proc` comes with the list, and shows that a PID was not reused. But the
  same process may have executed a program since.
- A process that is older than the attempt may still execute a program with its variables.
- The number of the newest PID shows whether PIDs started again, which one look could rely on. But
  `systemd-run` hands its variables to a process that does not show them yet, and exits.
- An empty cgroup proves nothing, because our user can move a process out. Events by netlink need
  privileges.

What is not needed for the proof is not read. Without a root there is no tree, so as long as nothing
is the job's, one file of each process is read.
"""

import contextlib
import math
import os
import signal
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from types import MappingProxyType

from orchesjob_client.environment import MARK, WantedMarks, mark
from orchesjob_client.errors import ProcessesKeepAppearing
from orchesjob_client.processes import cgroups
from orchesjob_client.processes.proc import (
    PROC,
    Entry,
    Process,
    Unread,
    has_ended,
    has_table,
    is_alive,
    ps_marked,
    read_entry,
    read_marked,
    read_pids,
)
from orchesjob_client.report import JobReport

LIMIT_SEC = 2.0
_MOST_ROUNDS_AFTER_SIGHT = 3

type OnSight = Callable[[Entry, Collection[Entry]], None]
"""Is given each marked process as soon as it is seen, with all that are known; not of the first
round."""


def marked_processes(variable: str, values: Collection[str], *, proc: Path = PROC) -> list[Process]:
    """Find the living processes whose environment holds one of `values` in `variable`.

    The variable may hold several, joined by `:`, as that of a marked process inside another does.
    Neither the caller itself nor a zombie is among them. If `proc` is not a process table, `ps` is
    asked.

    Raises:
        ProcessesKeepAppearing: Processes come and go too fast to be read.
        OSError: There is neither a process table nor a `ps`, or this process has no descriptors or
            memory left.
    """
    if not has_table(proc):
        return _ask_ps(variable, values)
    snapshot = take_snapshot(WantedMarks(variable, values), read_marked, proc=proc)
    return [
        Process(entry.pid, entry.started_ticks, entry.command, entry.mark)
        for entry in snapshot.values()
        if entry.mark is not None
    ]


def marked_trees(
    variable: str,
    values: Collection[str],
    known: Collection[Process] = (),
    on_sight: OnSight | None = None,
    members: Callable[[], Mapping[int, str]] = dict,
) -> list[Process]:
    """Find marked processes, living ones of `known`, `members`, and the process trees of all.

    `members` returns PIDs with the values for which they stand. It is called after the snapshot, so
    that a PID that was given to another process before is not among them.

    A tree has a root. So where there is none, parents, sessions and groups are not read.

    `ps` finds marked ones only.

    Raises:
        ProcessesKeepAppearing, OSError: As `marked_processes`.
    """
    if not has_table():
        return _ask_ps(variable, values)
    wanted = WantedMarks(variable, values)
    if not known and not take_snapshot(wanted, read_marked) and not members():
        return []
    snapshot = take_snapshot(wanted, on_sight=on_sight)
    return trees_of(snapshot, known, members())


def _ask_ps(variable: str, values: Collection[str]) -> list[Process]:
    return [found for found in ps_marked(variable, values) if found.pid != os.getpid()]


def take_snapshot(
    wanted: WantedMarks,
    read: Callable[[int, WantedMarks, Path], Entry | Unread] = read_entry,
    *,
    proc: Path = PROC,
    limit_sec: float = LIMIT_SEC,
    on_sight: OnSight | None = None,
) -> dict[int, Entry]:
    """Return every living process but this one by its PID, the oldest first.

    With `read_marked`, return only the marked ones. Every process is read for that too. Where
    processes come and go so fast that there is no end, and marked ones were seen, these are
    returned too.

    Raises:
        ProcessesKeepAppearing: Processes that had not been there before appeared for `limit_sec`,
            and nothing marked was seen.
        OSError: This process has no descriptors or memory left.
    """
    deadline = math.inf
    known: dict[int, Entry | Unread] = {}
    sighted: dict[int, Entry] = {}
    for rounds in count(1):
        listed = read_pids(proc)
        known = {pid: one for pid, one in known.items() if pid in listed}
        fresh = listed - known.keys()
        if not fresh:
            return _living(known)
        is_late = time.monotonic() >= deadline
        if sighted and (is_late or rounds > _MOST_ROUNDS_AFTER_SIGHT):
            return _living({**known, **sighted})
        if is_late:
            break
        for pid in sorted(fresh, reverse=True):  # the newest first, which may be gone the soonest
            one = read(pid, wanted, proc)
            if one in (Unread.VANISHED, Unread.STARTING):
                continue
            known[pid] = one
            if isinstance(one, Entry) and one.mark is not None:
                sighted[pid] = one
                if on_sight is not None and rounds > 1:
                    on_sight(one, _living(known).values())
        # The first round takes as long as it takes to read all that were there before.
        deadline = min(deadline, time.monotonic() + limit_sec)
    raise ProcessesKeepAppearing("the search for processes")


def _living(known: Mapping[int, Entry | Unread]) -> dict[int, Entry]:
    living = [one for one in known.values() if isinstance(one, Entry)]
    return {one.pid: one for one in sorted(living, key=lambda one: (one.started_ticks, one.pid))}


def trees_of(
    snapshot: Mapping[int, Entry],
    known: Collection[Process] = (),
    members: Mapping[int, str] = MappingProxyType({}),
) -> list[Process]:
    """Return the processes of a snapshot that are marked, `known` or `members`, with their trees.

    `members` are PIDs of processes that are the job's by other evidence, with the job's mark.
    """
    earlier = {(process.pid, process.started_ticks): process.value for process in known}
    values = {
        pid: value
        for pid, entry in snapshot.items()
        if (value := entry.mark or earlier.get((pid, entry.started_ticks)) or members.get(pid))
    }
    found = values
    while found:
        found = {
            pid: value
            for pid, entry in snapshot.items()
            if pid not in values and (value := _inherited(entry, snapshot, values))
        }
        values |= found
    return [
        Process(pid, entry.started_ticks, entry.command, values[pid])
        for pid, entry in snapshot.items()
        if pid in values
    ]


def _inherited(
    entry: Entry, snapshot: Mapping[int, Entry], values: Mapping[int, str]
) -> str | None:
    """Return the mark of a process's parent, or else of the leader of its session or group."""
    for pid in (entry.parent, entry.session, entry.group):
        if pid in values and snapshot[pid].started_ticks <= entry.started_ticks:
            return values[pid]
    return None


_LOOKS = 2
_HUNT_SEC = 2.0
_AFTER_KILL_SEC = 2.0
_TICK_SEC = 0.05


def find_survivors(
    home: str, job_keys: Iterable[str], known: Collection[Process] = ()
) -> Sequence[Process]:
    """Find the living processes of some jobs, those of `known` too, and the process trees of all.

    `known` are processes that were found earlier. A process of another user shows no mark, and no
    tree either once its parents have exited (rule 5.8).

    Only two snapshots in a row show that there is none: while the PIDs of the system start again
    from the lowest, one may miss a process that has just been given a low PID.

    Raises:
        ProcessesKeepAppearing: Processes come and go too fast to say anything.
        OSError: The process table cannot be read.
    """
    return list(map(_with_owner, _look({mark(home, key) for key in job_keys}, known)))


def end_survivors(
    home: str, job_keys: Sequence[str], grace_sec: float, known: Collection[Process] = ()
) -> Sequence[Process]:
    """End the processes that `find_survivors` finds; return those that could not be ended.

    A process that appears during the grace time of others has what is left of it. After that, each
    is killed on sight, so that not even a chain of processes that fork and exit escapes.

    Raises:
        ProcessesKeepAppearing, OSError: As `find_survivors`.
    """
    marks = {mark(home, key) for key in job_keys}
    try:
        found = _look(marks, known)
    except ProcessesKeepAppearing:
        _kill_cgroups(marks)
        found = _look(marks, known)
    known = dict.fromkeys(known)
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
    return list(map(_with_owner, found))


def foreign_target(report: JobReport) -> Process | None:
    """Return the process of a job's command if it is another user's, as under sudo.

    Nobody but root may read its mark. While the worker lives, it shows whose the process is; so the
    worker must be known to live.
    """
    pid = report.target_pid
    try:
        if pid is None or (PROC / str(pid)).stat().st_uid == os.geteuid():
            return None
    except OSError:  # it has exited, or there is no process table
        return None
    entry = read_entry(pid, WantedMarks(MARK, ()))
    if not isinstance(entry, Entry) or entry.parent != report.worker_pid:
        return None
    return Process(pid, entry.started_ticks, entry.command, report.job_key)


def _with_owner(process: Process) -> Process:
    """Add the owner of a process that we may not signal to its command, for messages."""
    with contextlib.suppress(OSError):  # it has exited, or there is no process table
        uid = (PROC / str(process.pid)).stat().st_uid
        if os.geteuid() not in (0, uid):
            return process._replace(command=f"{process.command} of uid {uid}")
    return process


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
    processes: Iterable[Process], grace_sec: float, *, use_pidfd: bool = hasattr(os, "pidfd_open")
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
