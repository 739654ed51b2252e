"""Run orchesjob-flow in this process, then write what the process used, without its children.

usage: own_usage.py REPORT ARGUMENT...

The report is JSON: `cpu_sec`, from the start of the interpreter on, and `resident_mb`, the most
that was ever resident.
"""

import json
import resource
import sys
from pathlib import Path

from orchesjob_flow.door import main


def most_resident_mb() -> float:
    """Read the high-water mark of this program; `ru_maxrss` would include its parent's."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # bytes, on macOS
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024 / 1e6


if __name__ == "__main__":
    code = main(sys.argv[2:])
    usage = resource.getrusage(resource.RUSAGE_SELF)
    report = {"cpu_sec": usage.ru_utime + usage.ru_stime, "resident_mb": most_resident_mb()}
    Path(sys.argv[1]).write_text(json.dumps(report))
    sys.exit(code)
