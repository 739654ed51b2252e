"""Signals to a runner, and to commands that wait or watch (rule 6.9)."""

import json
import os
import shlex
import signal
import subprocess
import sys

import pytest

from support.deadlines import CALL_SEC
from support.flow import Flow
from support.gate import Gate
from support.orchesjob import FakeOrchesjob
from support.steps import AFTER

SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
STOPPED_TWICE = """
import os, signal, sys
from queue import SimpleQueue
from orchesjob_flow.signals import Interruption, stopped_by_signals
signal.signal(signal.SIGINT, signal.SIG_DFL)  # as while the program is loaded
Interruption(["start", "--run-key=k", "flow.yaml"]).listen()
inbox = SimpleQueue()
with stopped_by_signals(inbox.put):
    os.kill(os.getpid(), int(sys.argv[1]))
    print(inbox.get_nowait(), flush=True)
    os.kill(os.getpid(), int(sys.argv[2]))
    print("still there", flush=True)
"""


FIRST_HANDLER = """
import _signal, sys
before = set(sys.modules)
set_handler = _signal.signal
def tell(number, handler):
    print(int(number), handler == _signal.SIG_DFL, *sorted(set(sys.modules) - before), flush=True)
    return set_handler(number, handler)
_signal.signal = tell
import orchesjob_flow.__main__
"""


def test_the_first_line() -> None:
    """Python answers a Ctrl-C with a traceback; nothing is loaded before that is changed (6.9)."""
    words = [sys.executable, "-c", FIRST_HANDLER]
    told = subprocess.run(words, capture_output=True, text=True, timeout=CALL_SEC, check=True)
    assert told.stdout.split() == ["2", "True", "orchesjob_flow", "orchesjob_flow.__main__"]


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_foreground_start(
    flow: Flow, gate: Gate, fake_orchesjob: FakeOrchesjob, number: signal.Signals, code: int
) -> None:
    """An interrupted `start` leaves its steps running and says how to resume (rule 6.9)."""
    file = flow.write({"id": "a", "command": gate.command()}, AFTER)
    runner = flow.begin(file, gate)
    assert flow.await_job("k")["status"] == "RUNNING"
    runner.send_signal(number)
    stdout, stderr = runner.communicate()
    assert (runner.returncode, stdout, stderr.count("\n")) == (code, "", 1)
    assert json.loads(stderr) == {
        "error": f"interrupted by {number.name}; "
        "steps that have started keep running under orchesjob",
        "resume": f"orchesjob-flow start --run-key=k {file}",
        "cancel": "orchesjob-flow cancel k",
    }
    left = flow.status("k")
    assert (left["status"], left["runner"], left["steps"][0]["status"]) == (
        "RUNNING",
        None,
        "RUNNING",
    )
    assert fake_orchesjob.status("k:a:1")["status"] == "RUNNING"
    gate.let_through()
    assert flow.start("k", file)["status"] == "SUCCEEDED"
    assert fake_orchesjob.begun() == ["k:a:1", "k:b:1"]


@pytest.mark.integration
def test_ctrl_c_reaches_no_step(real_flow: Flow, gate: Gate) -> None:
    """Ctrl-C, which the terminal sends to the whole group, does not reach steps or calls."""
    file = real_flow.write({"id": "a", "command": gate.command()})
    runner = real_flow.spawn("start", "--run-key=k", file, process_group=0)
    gate.await_arrival()
    os.killpg(runner.pid, signal.SIGINT)
    assert runner.wait() == 130
    gate.let_through()
    assert real_flow.start("k", file)["status"] == "SUCCEEDED"


def test_nohup(flow: Flow, gate: Gate) -> None:
    """A SIGHUP that the caller ignores stays ignored, as under nohup."""
    file = flow.write({"id": "a", "command": gate.command()})
    line = f"trap '' HUP; exec {shlex.quote(flow.program)} start --run-key=k {shlex.quote(file)}"
    runner = flow.spawn("-c", line, executable="/bin/bash")
    gate.await_arrival()
    runner.send_signal(signal.SIGHUP)
    gate.let_through()
    assert runner.wait() == 0


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (signal.SIGINT, signal.SIGINT),
        (signal.SIGTERM, signal.SIGTERM),
        (signal.SIGHUP, signal.SIGINT),
    ],
)
def test_a_second_signal(first: signal.Signals, second: signal.Signals) -> None:
    """The first signal asks the runner to end, a second one ends it at once (rule 6.9)."""
    words = [sys.executable, "-c", STOPPED_TWICE, str(int(first)), str(int(second))]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=CALL_SEC, check=False)
    assert (ended.stdout, ended.returncode) == (f"{int(first)}\n", 128 + second)
    assert json.loads(ended.stderr)["resume"] == "orchesjob-flow start --run-key=k flow.yaml"


def test_watch(flow: Flow, gate: Gate) -> None:
    """An interrupted `watch` ends at once and says so; the run is not affected."""
    runner = flow.begin(flow.write({"id": "a", "command": gate.command()}), gate)
    watch = flow.spawn("watch", "--run-key=k", "--interval=60")
    assert watch.stdout.readline().startswith("Flow: f  Run: k")
    watch.send_signal(signal.SIGINT)
    _, stderr = watch.communicate()
    assert (watch.returncode, stderr.count("\n")) == (130, 1)
    assert json.loads(stderr) == {
        "error": "interrupted by SIGINT; the run goes on",
        "watch": "orchesjob-flow watch --run-key=k --interval=60",
        "cancel": "orchesjob-flow cancel k",
    }
    gate.let_through()
    assert runner.wait() == 0
