"""A census: all processes that lived at one moment, each of them read.

Processes come and go while the table is being read, and what is gone before it was read may have
left a child that is not in the list. So the list is taken again, and what is new in it read at
once, until there is nothing in it that has not been read: then every process that lived when that
list was taken is known. A chain of processes that fork and exit has a living member at any moment,
so it prevents that, or it is seen.
"""

import math
import time
from collections.abc import Callable, Collection, Mapping
from itertools import count
from pathlib import Path

from orchesjob_client.errors import ProcessesKeepAppearing
from orchesjob_client.processes import proc_table
from orchesjob_client.processes.marks import WantedMarks
from orchesjob_client.processes.proc_table import Entry, Unread

LIMIT_SEC = 2.0
_MOST_ROUNDS_AFTER_SIGHT = 3

type OnSight = Callable[[Entry, Collection[Entry]], None]
"""Told of each marked process as soon as it is seen, with all that are known; not of the first."""


def take_census(
    variable: str,
    values: Collection[str],
    *,
    proc: Path = proc_table.PROC,
    limit_sec: float = LIMIT_SEC,
    on_sight: OnSight | None = None,
) -> dict[int, Entry]:
    """Return every living process but this one by its PID, the oldest first.

    Marked is a process whose environment holds one of `values` in `variable`. Where processes come
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
        listed = proc_table.read_pids(proc)
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
            one = proc_table.read_entry(pid, wanted, proc)
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
