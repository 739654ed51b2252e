"""Finding processes by a mark in their environment.

A child inherits its parent's environment, so a mark finds what PIDs and process groups do not:
daemons, and jobs whose worker has died. Processes of other users and those that clear their
environment (`env -i`, sudo) are not found. Nothing here knows orchesjob.
"""

import os
from collections.abc import Collection
from pathlib import Path

from orchesjob_client.processes import proc_table, ps
from orchesjob_client.processes.identity import Process


def marked_processes(
    variable: str, values: Collection[str], *, proc: Path = proc_table.PROC
) -> list[Process]:
    """Find the living processes whose environment holds `variable` with one of `values`.

    Neither the caller itself nor a zombie is among them. If `proc` is not a process table, `ps` is
    asked.

    Raises:
        OSError: There is neither a process table nor a `ps`, or this process has no descriptors or
            memory left.
    """
    if proc_table.exists(proc):
        return proc_table.read_processes(variable, values, proc)
    return [found for found in ps.read_processes(variable, values) if found.pid != os.getpid()]


def is_alive(process: Process, *, proc: Path = proc_table.PROC) -> bool:
    """Tell whether this very process still runs; a zombie does not.

    Raises:
        OSError: As `marked_processes`.
    """
    if proc_table.exists(proc):
        return proc_table.read_started(process.pid, proc) == process.started_ticks
    return ps.read_started(process.pid) == process.started_ticks
