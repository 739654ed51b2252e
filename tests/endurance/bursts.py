"""Signals hail on every command, at random moments. Slow: the session `storm` runs it.

The seed is part of the test's name; `BURSTS_SEED` repeats it.
"""

import json
import os
import re
import secrets
import signal
import subprocess
import time
from collections import Counter
from contextlib import suppress
from random import Random

import pytest

from support.deadlines import CALL_SEC
from support.flow import Flow
from support.steps import TRUE

BURSTS = int(os.environ.get("BURSTS") or 2_000)
SEED = int(os.environ.get("BURSTS_SEED") or secrets.randbelow(10**6))
NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
ENDED_BY_A_SIGNAL = {code for number in NUMBERS for code in (-number, 128 + number)}

COMMANDS = (
    "status --run-key=k",
    "status --run-key=k --format=table",
    "list",
    "logs --run-key=k",
    "explain --run-key=k",
    "graph --run-key=k",
    "wait --run-key=k",
    "wait --run-key=waiting",
    "watch --run-key=waiting",
    "watch --run-key=waiting --mode=screen",
    "doctor",
    "prune --older-than=30d --dry-run",
    "validate flow.json",
    "schema",
    "example",
    "completion bash",
    "--help",
    "start --run-key=NEW flow.json",
    "start --run-key=NEW --progress=plain flow.json",
    "start -d --run-key=NEW flow.json",
    "resume --run-key=k",
    "resume --all",
    "retry --run-key=k --step=a",
    "retry --run-key=k --step=a -d",
    "cancel --run-key=k",
    "tick --run-key=k",
)


QUICK_COMMANDS = (
    "status k",
    "list",
    "report k",
    "explain k",
    "wait k",
    "validate flow.json",
    "--help",
    "start NEW flow.json",
)


OUR_LINE = re.compile(r"src/orchesjob_flow/(?!__init__\.py\", line [01],)")
"""A place in the program; its package begins with a docstring and has no line but that."""


def check(code: int, stderr: str) -> None:
    """Check how a command has ended: by its own will or by a signal, and with no other words.

    While Python begins and when it has shut down, a signal ends it without asking the program.
    """
    assert code in {0, 1, 2, 8} | ENDED_BY_A_SIGNAL, (code, stderr)
    if "Traceback" in stderr and not OUR_LINE.search(stderr):
        return  # before the first line of the program, Python itself answers a Ctrl-C
    said = [json.loads(line) for line in stderr.splitlines() if line.startswith("{")]
    assert len(said) <= 1, stderr
    assert "Traceback" not in stderr, stderr
    assert "Exception ignored" not in stderr, stderr
    if code in {0, 1, 8}:
        assert not said, stderr
    elif code > 0:
        assert "internal error" not in str(said), stderr
        assert code == 2 or not said or said[0]["error"].startswith("interrupted by SIG"), stderr


def burst(flow: Flow, words: list[str], random: Random, longest_sec: float) -> int:
    """Call a command and send it some signals within milliseconds; return how it has ended."""
    command = flow.spawn(*words)
    time.sleep(random.uniform(0, longest_sec))
    for _ in range(random.randint(1, 5)):
        with suppress(ProcessLookupError):
            command.send_signal(random.choice(NUMBERS))
        time.sleep(random.choice((0, 0, random.uniform(0, 0.004))))
    _, stderr = command.communicate()
    check(command.returncode, stderr)
    return command.returncode


@pytest.mark.parametrize("seed", [SEED])
def test_the_first_milliseconds(flow: Flow, seed: int) -> None:
    """A signal in the first 100 ms ends a command silently, with its words, or in Python's own."""
    random = Random(seed)  # noqa: S311 - it must be repeatable
    flow.start("k", flow.write(TRUE))
    ends: Counter[str] = Counter()
    for number in range(BURSTS):
        words = random.choice(QUICK_COMMANDS).replace("NEW", f"r{number}").split()
        # A plain start: a process that is forked from a template has begun long ago.
        with subprocess.Popen(
            [flow.program, *words],
            cwd=flow.folder,
            env=flow.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as command:
            time.sleep(random.uniform(0, 0.1))
            command.send_signal(random.choice(NUMBERS))
            _, stderr = command.communicate(timeout=CALL_SEC)
        check(command.returncode, stderr)
        if "Traceback" in stderr:
            ends["fatal" if "Fatal Python error" in stderr else "traceback"] += 1
            assert not flow.database.exists() or flow.run("status", f"r{number}").returncode == 2
        elif command.returncode in ENDED_BY_A_SIGNAL:
            ends["with words" if stderr else "silently"] += 1
        else:
            ends["had ended"] += 1
    print(f"\n{BURSTS} signals, seed {seed}: {dict(ends)}")  # noqa: T201 - it is a figure
    assert ends["with words"] > BURSTS / 10
    assert ends["fatal"] + ends["traceback"] < BURSTS / 10


@pytest.mark.parametrize("seed", [SEED])
def test_bursts(flow: Flow, seed: int) -> None:
    """Whatever signals come whenever, a command ends with the exit code of one of them (6.9)."""
    random = Random(seed)  # noqa: S311 - it must be repeatable
    flow.start("k", flow.write(TRUE))
    waiting = flow.write({"id": "a", "command": ["true"], "retries": 1}, name="waiting.json")
    flow.start("waiting", waiting)
    flow.change("UPDATE runs SET status = 'RUNNING', finished_at = NULL WHERE run_key = 'waiting'")
    codes: Counter[int] = Counter()
    for number in range(BURSTS):
        words = random.choice(COMMANDS).replace("NEW", f"r{number}").split()
        codes[burst(flow, words, random, random.choice((0.03, 0.1, 0.3)))] += 1
    assert sum(codes[code] for code in ENDED_BY_A_SIGNAL) > BURSTS / 4
    unfinished = [run["run_key"] for run in flow.ask("list", "--limit=10000")["runs"]]
    for key in unfinished:
        if key != "waiting":
            flow.run("resume", f"--run-key={key}", stdout=subprocess.DEVNULL)
            assert flow.status(key)["status"] in {"SUCCEEDED", "CANCELLED"}
