"""A snapshot: all processes that lived at one moment; in it, the processes of a job.

Processes come and go while the table is being read, and a process that ended before it was read may
have left a child that is not in the list. So the list is read again, and its new processes at once,
until it holds none that has not been read. Then every process that lived when that list was read is
known. A chain of processes that fork and exit has a living member at any moment, so it prevents the
end of this, or it is seen.

A job's processes are those with its mark, which children inherit with the environment. So a mark
finds what PIDs and process groups do not: daemons, and jobs whose worker has died. But a process
may shed the mark, by another environment or one that nobody may read. Its process tree shows whose
it is, as long as that lives: a child of a job's process is the job's, and so is every member of a
session or group whose first process is. A number alone proves nothing: a process that is older than
the one whose number it bears belongs to somebody else.
"""

import math
import os
import time
from collections.abc import Callable, Collection, Mapping
from itertools import count
from pathlib import Path
from types import MappingProxyType

from orchesjob_client.environment import WantedMarks
from orchesjob_client.errors import ProcessesKeepAppearing
from orchesjob_client.processes.proc import (
    PROC,
    Entry,
    Process,
    Unread,
    has_table,
    ps_marked,
    read_entry,
    read_pids,
)

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
    snapshot = take_snapshot(variable, values, proc=proc)
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

    `ps` finds marked ones only.

    Raises:
        ProcessesKeepAppearing, OSError: As `marked_processes`.
    """
    if not has_table():
        return _ask_ps(variable, values)
    snapshot = take_snapshot(variable, values, on_sight=on_sight)
    return trees_of(snapshot, known, members())


def _ask_ps(variable: str, values: Collection[str]) -> list[Process]:
    return [found for found in ps_marked(variable, values) if found.pid != os.getpid()]


def take_snapshot(
    variable: str,
    values: Collection[str],
    *,
    proc: Path = PROC,
    limit_sec: float = LIMIT_SEC,
    on_sight: OnSight | None = None,
) -> dict[int, Entry]:
    """Return every living process but this one by its PID, the oldest first.

    A process is marked if its environment holds one of `values` in `variable`. Where processes come
    and go so fast that there is no end, and marked ones were seen, these are returned too.

    Raises:
        ProcessesKeepAppearing: Processes that had not been there before appeared for `limit_sec`,
            and nothing marked was seen.
        OSError: This process has no descriptors or memory left.
    """
    wanted = WantedMarks(variable, values)
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
            one = read_entry(pid, wanted, proc)
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
