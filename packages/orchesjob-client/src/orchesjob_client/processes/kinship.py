"""Which processes belong to a job, besides those that carry its mark.

A process may shed the mark, by another environment or one that nobody may read. It is known by its
kin as long as these live: a child of one of the job's processes is the job's, and so is whatever is
in a session or a group whose first process is. A number alone proves nothing: whoever was there
before the kin whose number it bears belongs to somebody else.
"""

from collections.abc import Collection, Mapping
from types import MappingProxyType

from orchesjob_client.processes.identity import Process
from orchesjob_client.processes.proc_table import Entry


def relatives(
    census: Mapping[int, Entry],
    known: Collection[Process] = (),
    members: Mapping[int, str] = MappingProxyType({}),
) -> list[Process]:
    """Return the processes of a census that are marked, `known` or `members`, and all their kin.

    `members` are PIDs of processes that are the job's by other evidence, with the job's mark.
    """
    earlier = {(process.pid, process.started_ticks): process.value for process in known}
    values = {
        pid: value
        for pid, entry in census.items()
        if (value := entry.mark or earlier.get((pid, entry.started_ticks)) or members.get(pid))
    }
    found = values
    while found:
        found = {
            pid: value
            for pid, entry in census.items()
            if pid not in values and (value := _inherited(entry, census, values))
        }
        values |= found
    return [
        Process(pid, entry.started_ticks, entry.command, values[pid])
        for pid, entry in census.items()
        if pid in values
    ]


def _inherited(entry: Entry, census: Mapping[int, Entry], values: Mapping[int, str]) -> str | None:
    """Return the mark of a process's parent, or else of who began its session or its group."""
    for pid in (entry.parent, entry.session, entry.group):
        if pid in values and census[pid].started_ticks <= entry.started_ticks:
            return values[pid]
    return None
