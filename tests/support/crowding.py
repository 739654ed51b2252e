"""Many starts of one group at once, and runners killed at random meanwhile (rule 10.7)."""

import os
import shlex
import signal
from collections import Counter
from contextlib import suppress
from pathlib import Path
from random import Random

from support.deadlines import CALL_SEC
from support.flow import Flow

SCRIPT = """\
mkdir {inside} || echo overlap >>{log}
echo "$ORCHESJOB_FLOW_RUN_KEY" >>{log}
rmdir {inside}
"""


def start_crowd(flow: Flow, folder: Path, *, runs: int, kills: int, seed: int) -> list[str]:
    """Start many runs of one group at once, kill some runners, and go on until all have ended.

    Return the run keys in the order in which they were under way, of which no two were at the same
    time, and nothing of them twice.
    """
    random = Random(seed)  # noqa: S311 - no secret
    log = folder / "log"
    paths = {"log": shlex.quote(str(log)), "inside": shlex.quote(str(folder / "inside"))}
    command = ["sh", "-c", SCRIPT.format_map(paths)]
    steps = {"id": "a", "command": command}, {"id": "b", "command": command, "when": "a"}
    file = flow.write(*steps, concurrency={})
    keys = [f"k{number}" for number in range(runs)]
    starts = [flow.spawn("start", "-d", f"--run-key={key}", file) for key in keys]
    for start in starts:
        _, stderr = start.communicate(timeout=runs * CALL_SEC)
        assert start.returncode == 0, stderr
    for _ in range(kills):
        kill_a_runner(flow, random)
        if random.random() < 1 / 2:
            flow.ask("resume", "--all")
    flow.ask("resume", "--all")
    for key in keys:
        run = flow.ask("wait", f"--run-key={key}", f"--timeout={runs * CALL_SEC}")
        assert run["status"] == "SUCCEEDED"
    said = log.read_text(encoding="utf-8").split()
    assert Counter(said) == dict.fromkeys(keys, 2)
    assert said[::2] == said[1::2], said
    return said[::2]


def kill_a_runner(flow: Flow, random: Random) -> None:
    """Kill the runner of one of the runs that have not ended, of one that waits or not."""
    runs = flow.ask("list", "--status=PENDING", "--status=RUNNING")["runs"]
    pids = [run["runner"]["pid"] for run in runs if run["runner"] is not None]
    if pids and (pid := random.choice(pids)) is not None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def places(flow: Flow) -> list[str]:
    """List the runs in the order in which they have joined their group."""
    with flow.open_database() as database:
        return [key for (key,) in database.execute("SELECT run_key FROM runs ORDER BY group_place")]
