"""Runners are killed at random, again and again. Slow: the session `storm` runs it.

The seed is part of the test's name; `STORM_SEED` repeats it.
"""

import os
import secrets
import select
import shlex
import signal
import subprocess
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest

from support.answers import outcomes
from support.flow import Flow

KILLS = 200
SEED = int(os.environ.get("STORM_SEED") or secrets.randbelow(10**6))
OUTCOMES = {
    "a": "SUCCEEDED",
    "b": "FAILED",
    "c": "SUCCEEDED",
    "d": "SKIPPED",
    "e": "SUCCEEDED",
}
ONCE = {"a": 1, "b": 2, "c": 1, "e": 1}


def steps(log: Path, *, strict: bool) -> list[dict[str, Any]]:
    """Return steps that write their ids to a log: a diamond, a retry, both kinds of waiting."""

    def step(name: str, then: str = "", **fields: Any) -> dict[str, Any]:
        command = ["sh", "-c", f"echo {name} >>{shlex.quote(str(log))}{then}"]
        return {"id": name, "command": command, "strict": strict, **fields}

    return [
        step("a"),
        step("b", "; exit 1", retries=1),
        step("c", when="a && !b"),
        step("d", when="a && b"),
        step("e", when="!d", depends_on=["c"]),
    ]


def kill_foreground(flow: Flow, key: str, file: str, after_sec: float) -> bool:
    """Call `start` and kill it after some seconds; tell whether it was still there."""
    start = flow.spawn("start", f"--run-key={key}", file)
    try:
        start.wait(after_sec)
    except subprocess.TimeoutExpired:
        start.kill()
    _, stderr = start.communicate()
    assert "Traceback" not in stderr
    return start.returncode == -signal.SIGKILL


def kill_background(flow: Flow, key: str, file: str, after_sec: float) -> bool:
    """Call `start -d` and kill its child after some seconds; tell whether it was still there."""
    pid = flow.ask("start", "-d", f"--run-key={key}", file)["pid"]
    if pid is None:
        return False
    try:
        child = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        is_gone = bool(select.select([child], [], [], after_sec)[0])
        if not is_gone:
            signal.pidfd_send_signal(child, signal.SIGKILL)
    finally:
        os.close(child)
    return not is_gone


def survive_storm(flow: Flow, log: Path, *, strict: bool, seed: int, longest_sec: float) -> None:
    """Kill runners at random moments; run after run ends as if nothing had happened."""
    file = flow.write(*steps(log, strict=strict))
    random = Random(seed)  # noqa: S311 - no secret
    kills = runs = 0
    while kills < KILLS:
        runs += 1
        key = f"k{runs}"
        was_killed = True
        while was_killed and kills < KILLS:
            kill = random.choice((kill_foreground, kill_background))
            was_killed = kill(flow, key, file, random.uniform(0, longest_sec))
            kills += was_killed
        run = flow.start(key, file, code=1)
        assert run["status"] == "FAILED"
        assert outcomes(run) == OUTCOMES
        assert Counter(log.read_text(encoding="utf-8").split()) == ONCE
        log.unlink()
    with flow.open_database() as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    for path in (flow.home / "logs").iterdir():
        assert "Traceback" not in path.read_text(encoding="utf-8")


@pytest.mark.integration
@pytest.mark.parametrize("seed", [SEED])
@pytest.mark.parametrize("orchesjob", ["real"], indirect=True)
@pytest.mark.parametrize("strict", [True, False], ids=["strict", "plain"])
def test_killed_at_random(each_flow: Flow, tmp_path: Path, strict: bool, seed: int) -> None:
    """Killed 200 times and started again, no attempt has run twice or not at all (4.2, 4.5)."""
    survive_storm(each_flow, tmp_path / "log", strict=strict, seed=seed, longest_sec=0.6)
