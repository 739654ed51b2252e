"""Run orchesjob-flow in this process, then write what the process used, without its children.

usage: own_usage.py REPORT ARGUMENT...

The report is JSON: `cpu_sec`, from the start of the interpreter on, and `resident_mb`, the most
that was ever resident.
"""

import json
import resource
import runpy
import sys
from pathlib import Path


def most_resident_mb() -> float:
    """Read the high-water mark of this program; `ru_maxrss` would include its parent's."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # bytes, on macOS
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024 / 1e6


if __name__ == "__main__":
    report, *arguments = sys.argv[1:]
    program = str(Path(sys.executable).with_name("orchesjob-flow"))
    sys.argv = [program, *arguments]
    try:
        runpy.run_path(program, run_name="__main__")
    finally:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        used = {"cpu_sec": usage.ru_utime + usage.ru_stime, "resident_mb": most_resident_mb()}
        Path(report).write_text(json.dumps(used))
