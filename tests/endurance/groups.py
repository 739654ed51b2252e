"""Runs of one group whose runners are killed. Slow: the session `storm` runs it.

The seed is part of the test's name; `STORM_SEED` repeats it.
"""

import os
import secrets
import shlex
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from support.crowding import kill_a_runner, replace_each_other
from support.deadlines import CALL_SEC
from support.flow import Flow

RUNS = 50
SCRIPT = """\
mkdir {inside} || echo overlap >>{log}
echo "$ORCHESJOB_FLOW_RUN_KEY" >>{log}
rmdir {inside}
"""
PIECES, ROUNDS = 20, 10
SEED = int(os.environ.get("STORM_SEED") or secrets.randbelow(10**6))


@pytest.mark.integration
@pytest.mark.parametrize("seed", [SEED])
def test_a_crowd(real_flow: Flow, tmp_path: Path, seed: int) -> None:
    """One run at a time, each of them to its end, and nothing twice (rule 10.7)."""
    flow, random = real_flow, Random(seed)  # noqa: S311 - no secret
    log = tmp_path / "log"
    paths = {"log": shlex.quote(str(log)), "inside": shlex.quote(str(tmp_path / "inside"))}
    command = ["sh", "-c", SCRIPT.format_map(paths)]
    steps = {"id": "a", "command": command}, {"id": "b", "command": command, "when": "a"}
    file = flow.write(*steps, concurrency={})
    keys = [f"k{number}" for number in range(RUNS)]
    starts = [flow.spawn("start", "-d", f"--run-key={key}", file) for key in keys]
    for start in starts:
        _, stderr = start.communicate(timeout=RUNS * CALL_SEC)
        assert start.returncode == 0, stderr
    for _ in range(RUNS):
        kill_a_runner(flow, random)
        if random.random() < 1 / 2:
            flow.ask("resume", "--all")
    flow.ask("resume", "--all")
    for key in keys:
        run = flow.ask("wait", f"--run-key={key}", f"--timeout={RUNS * CALL_SEC}")
        assert run["status"] == "SUCCEEDED"
    said = log.read_text(encoding="utf-8").split()
    assert Counter(said) == dict.fromkeys(keys, 2)
    assert said[::2] == said[1::2], said


@pytest.mark.integration
@pytest.mark.parametrize("piece", range(PIECES))
@pytest.mark.parametrize("seed", [SEED])
def test_replaced(real_flow: Flow, tmp_path: Path, seed: int, piece: int) -> None:
    """200 rounds: the newest run remains, and `finally` of each run that began has run once."""
    random = Random(f"{seed} {piece}")  # noqa: S311 - no secret
    ended: Counter[str] = Counter()
    for number in range(ROUNDS):
        ended += replace_each_other(real_flow, tmp_path, f"r{number}", random)
    print(f"\n{ROUNDS} rounds, seed {seed}: {dict(ended)}")  # noqa: T201 - it is a figure
