"""Reading the process table with `ps`, on systems without a `/proc`.

The output has the form that macOS prints. It is tested with samples only, never on a real
macOS. The functions are those of `proc_table`.
"""

import calendar
import os
import re
import subprocess
import time
from collections.abc import Collection

from orchesjob_client.processes.identity import Process
from orchesjob_client.processes.marks import WantedMarks

_LINE = re.compile(r"\s*(\d+)\s+(\w{3}\s+\w{3}\s+\d+\s+\d+:\d+:\d+\s+\d{4})\s+(.*)")
_ENVIRONMENT = re.compile(r" [A-Za-z_][A-Za-z0-9_]*=")


def parse_processes(text: str, variable: str, values: Collection[str]) -> list[Process]:
    """Find the processes whose environment holds one of `values` in `variable`.

    Args:
        text: What `ps -E -ww -x -o pid=,lstart=,command=` printed. The words of the environment
            follow the command, if the process is the user's own.
        variable: The variable's name.
        values: The values to look for; they have no spaces.
    """
    found = []
    wanted = WantedMarks(variable, values)
    for line in text.splitlines():
        match = _LINE.fullmatch(line)
        if match is None:
            continue
        pid, started, words = int(match[1]), match[2], match[3]
        settings = re.findall(rf" ({re.escape(variable)}=\S*)", words)
        mark = wanted.find(settings[-1].encode()) if settings else None
        if mark is not None:
            command = _ENVIRONMENT.split(words, maxsplit=1)[0]
            found.append(Process(pid, _seconds(started), command, mark))
    return found


def parse_started(text: str) -> int | None:
    """Read what `ps -o lstart= -p PID` printed; None if there is no such process."""
    return _seconds(text) if text.strip() else None


def read_processes(variable: str, values: Collection[str]) -> list[Process]:
    """Find marked processes with `ps`; see `parse_processes`."""
    text = _ps("-E", "-ww", "-x", "-o", "pid=,lstart=,command=")
    return parse_processes(text, variable, values)


def read_started(pid: int) -> int | None:
    """Return the second in which a process began, or None if it has ended or is a zombie."""
    state = _ps("-o", "state=", "-p", str(pid))
    return None if "Z" in state else parse_started(_ps("-o", "lstart=", "-p", str(pid)))


def _seconds(started: str) -> int:
    """Return a number that identifies the moment, whatever the time zone."""
    return calendar.timegm(time.strptime(" ".join(started.split()), "%a %b %d %H:%M:%S %Y"))


def _ps(*options: str) -> str:
    # The locale is fixed because `lstart` names days and months.
    finished = subprocess.run(
        ["ps", *options],  # noqa: S607 - where `ps` lies differs
        env={**os.environ, "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    return finished.stdout.decode("utf-8", errors="replace")
