"""Run orchesjob-flow in this process, then write what the process used, without its children.

usage: own_usage.py REPORT ARGUMENT...

The report is JSON: `cpu_sec`, from the start of the interpreter on, and `resident_mb`, the most
that was ever resident.
"""

import json
import os
import resource
import runpy
import sys
from pathlib import Path
from typing import NoReturn


def most_resident_mb() -> float:
    """Read the high-water mark of this program; `ru_maxrss` would include its parent's."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # bytes, on macOS
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024 / 1e6


def write_report(path: Path) -> None:
    """Write what this process has used so far."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    used = {"cpu_sec": usage.ru_utime + usage.ru_stime, "resident_mb": most_resident_mb()}
    path.write_text(json.dumps(used))


if __name__ == "__main__":
    report, *arguments = sys.argv[1:]
    program = str(Path(sys.executable).with_name("orchesjob-flow"))
    sys.argv = [program, *arguments]
    leave = os._exit

    def report_and_leave(exit_code: int) -> NoReturn:
        """Stand in for the exit of a process that skips all that Python does at its end."""
        write_report(Path(report))
        leave(exit_code)

    os._exit = report_and_leave
    try:
        runpy.run_path(program, run_name="__main__")
    finally:
        write_report(Path(report))
