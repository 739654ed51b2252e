"""Finding processes by a mark in their environment, and the kin of those that have it.

A child inherits its parent's environment, so a mark finds what PIDs and process groups do not:
daemons, and jobs whose worker has died. Nothing here knows orchesjob.
"""

import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from orchesjob_client.processes import proc_table
from orchesjob_client.processes.census import OnSight, take_census
from orchesjob_client.processes.identity import Process
from orchesjob_client.processes.kinship import relatives


def marked_processes(
    variable: str, values: Collection[str], *, proc: Path = proc_table.PROC
) -> list[Process]:
    """Find the living processes whose environment holds one of `values` in `variable`.

    The variable may hold several, joined by `:`, as that of a marked process inside another does.
    Neither the caller itself nor a zombie is among them. If `proc` is not a process table, `ps` is
    asked.

    Raises:
        ProcessesKeepAppearing: Processes come and go too fast to be read.
        OSError: There is neither a process table nor a `ps`, or this process has no descriptors or
            memory left.
    """
    if not proc_table.exists(proc):
        return _ask_ps(variable, values)
    census = take_census(variable, values, proc=proc)
    return [
        Process(entry.pid, entry.started_ticks, entry.command, entry.mark)
        for entry in census.values()
        if entry.mark is not None
    ]


def marked_families(
    variable: str,
    values: Collection[str],
    known: Collection[Process] = (),
    on_sight: OnSight | None = None,
    members: Callable[[], Mapping[int, str]] = dict,
) -> list[Process]:
    """Find marked processes, those of `known` that still live, `members`, and the kin of all.

    `members` names PIDs with the values for which they stand. It is asked after the census, so that
    a PID that was given to somebody else before is none of them.

    `ps` finds marked ones only.

    Raises:
        ProcessesKeepAppearing, OSError: As `marked_processes`.
    """
    if not proc_table.exists():
        return _ask_ps(variable, values)
    census = take_census(variable, values, on_sight=on_sight)
    return relatives(census, known, members())


def _ask_ps(variable: str, values: Collection[str]) -> list[Process]:
    from orchesjob_client.processes import ps  # needed by no Linux

    return [found for found in ps.read_processes(variable, values) if found.pid != os.getpid()]


def is_alive(process: Process, *, proc: Path = proc_table.PROC) -> bool:
    """Tell whether this very process still runs; a zombie does not.

    Raises:
        OSError: As `marked_processes`.
    """
    if proc_table.exists(proc):
        return proc_table.read_started(process.pid, proc) == process.started_ticks
    from orchesjob_client.processes import ps

    return ps.read_started(process.pid) == process.started_ticks
