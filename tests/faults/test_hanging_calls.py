"""Calls of orchesjob that do not answer: ended, and made again (rule 5.7)."""

import json
import os
import select
import signal
from collections import Counter
from pathlib import Path

import pytest

from support.answers import outcomes, warnings
from support.deadlines import EVENT_SEC
from support.flow import Flow
from support.gate import Gate
from support.marks import LONG_IF_REAL
from support.orchesjob import FakeOrchesjob
from support.processes import await_exit

HANG_ONCE = """\
hang() { touch "$0.$1"; sleep 86400 & wait; }
case "$*" in
    *status*k:asked:*) [ -e $0.asked ] || hang asked ;;
    *start*k:before:*) [ -e $0.before ] || hang before ;;
    *start*k:after:*) [ -e $0.after ] || { "$ORCHESJOB" "$@" >"$0.lost"; hang after; } ;;
esac
"""
"""A status that hangs, and starts that hang before and after they have acted, each once."""
BRIEFLY = ("--patience=4",)
CALLS = ("start", "status", "abort")


@LONG_IF_REAL
def test_one_call_of_each_hangs(each_flow: Flow, gate: Gate, tmp_path: Path) -> None:
    """A call that hangs is ended with all its processes, and the true outcome is learned (5.7)."""
    each_flow.wrap_orchesjob(HANG_ONCE)
    log = tmp_path / "log"
    tell = {
        name: {"id": name, "command": ["sh", "-c", f"echo {name} >>{log}"], "start_timeout_sec": 0}
        for name in ("before", "after")
    }
    asked = {"id": "asked", "command": gate.command(f"echo asked >>{log}")}
    file = each_flow.write(asked, *tell.values(), {"id": "b", "command": ["true"], "when": "asked"})
    runner = each_flow.spawn(*BRIEFLY, "start", "--run-key=k", file)
    gate.await_arrival()
    each_flow.await_job("k")
    gate.let_through()
    stdout, stderr = runner.communicate()
    steps = json.loads(stdout)["steps"]
    assert {(step["status"], step["attempt_no"], step["error"]) for step in steps} == {
        ("SUCCEEDED", 1, None)
    }
    assert Counter(log.read_text(encoding="utf-8").split()) == Counter(["asked", *tell])
    assert sum("did not answer in time" in line for line in warnings(stderr)) == 3
    assert each_flow.orchesjob.processes() == []


@pytest.mark.long
def test_calls_that_always_hang(flow: Flow, fake_orchesjob: FakeOrchesjob) -> None:
    """They hold up no other step; the runner gives up, names the call, leaves no call behind (5.7).

    The three calls hang at once, because each takes as long as a call may take.
    """
    fake_orchesjob.script([{"call": c, "key": f"{c}:a:1", "fault": "hang"} for c in CALLS])
    others = [{"id": "b", "command": ["true"]}, {"id": "c", "command": ["true"], "when": "b"}]
    short = {"id": "a", "command": ["sleep", "0.3"], "start_timeout_sec": 0}
    endless = {"id": "a", "command": ["sleep", "600"], "timeout_sec": 0.1}
    steps = {"start": short, "status": short, "abort": endless}
    files = {c: flow.write(steps[c], *others, name=f"{c}.json") for c in CALLS}
    runners = {c: flow.spawn("--patience=0.2", "start", f"--run-key={c}", files[c]) for c in CALLS}
    for call, runner in runners.items():
        _, stderr = runner.communicate()
        error = json.loads(stderr.splitlines()[-1])["error"]
        assert runner.returncode == 2
        assert f"{call}:a:1: orchesjob {call} did not answer in time" in error
        left = flow.status(call)
        assert outcomes(left) == {"a": "RUNNING", "b": "SUCCEEDED", "c": "SUCCEEDED"}
        assert left["runner"] is None
    assert not [found for found in fake_orchesjob.processes() if "--run-key" in found.command]
    fake_orchesjob.script([])
    assert flow.start("start", files["start"])["status"] == "SUCCEEDED"
    assert flow.start("status", files["status"])["status"] == "SUCCEEDED"
    assert flow.ask("cancel", "--run-key=abort", "--grace-seconds=0")["status"] == "CANCELLED"
    assert Counter(fake_orchesjob.begun()) == Counter(f"{c}:{s}:1" for c in CALLS for s in "abc")


@LONG_IF_REAL
def test_calls_of_a_dead_runner_hang(each_flow: Flow, gate: Gate, tmp_path: Path) -> None:
    """The next runner ends them when their time is over, and leaves the job alone (rule 5.7)."""
    each_flow.start("first", each_flow.write({"id": "first", "command": ["true"]}))
    each_flow.wrap_orchesjob(HANG_ONCE.replace("touch", "echo $$ >"))
    log = tmp_path / "log"
    steps = {
        "before": ["sh", "-c", f"echo before >>{log}"],
        "after": gate.command(f"echo after >>{log}"),
    }
    file = each_flow.write(
        *({"id": id_, "command": words, "start_timeout_sec": 0} for id_, words in steps.items())
    )
    words = (*BRIEFLY, "start", "--run-key=k", file)
    runner = each_flow.spawn(*words)
    gate.await_arrival()
    calls = [tmp_path / f"orchesjob-of-today.{id_}" for id_ in steps]
    each_flow.await_true(lambda: all(call.exists() and call.read_text() for call in calls))
    runner.kill()
    runner.wait()
    runner = each_flow.spawn(*words)
    for call in calls:
        await_exit(int(call.read_text(encoding="ascii")))
    gate.let_through()
    stdout, stderr = runner.communicate()
    assert {
        (step["status"], step["attempt_no"], step["error"]) for step in json.loads(stdout)["steps"]
    } == {("SUCCEEDED", 1, None)}
    assert Counter(log.read_text(encoding="utf-8").split()) == Counter(steps.keys())
    assert sum("did not answer in time, and is ended" in line for line in warnings(stderr)) == 2
    assert each_flow.orchesjob.processes() == []


def test_a_call_of_a_dead_runner_that_may_take_long(flow: Flow, tmp_path: Path) -> None:
    """The next runner waits for it as long as its step lets it, and says so (rule 5.7)."""
    flow.wrap_orchesjob(HANG_ONCE.replace("touch", "echo $$ >"))
    file = flow.write({"id": "before", "command": ["true"], "start_timeout_sec": 600})
    words = ("--patience=0.2", "start", "--run-key=k", file)
    runner = flow.spawn(*words)
    call = tmp_path / "orchesjob-of-today.before"
    flow.await_true(lambda: call.exists() and call.read_text())
    runner.kill()
    runner.wait()
    pid = int(call.read_text(encoding="ascii"))
    runner = flow.spawn(*words)
    assert select.select([runner.stderr], [], [], EVENT_SEC)[0]
    assert f"waiting for `orchesjob start` (process {pid}) of" in runner.stderr.readline()
    os.killpg(pid, signal.SIGKILL)
    stdout, _ = runner.communicate()
    assert json.loads(stdout)["status"] == "SUCCEEDED"


def test_what_else_a_dead_runner_has_left(flow: Flow, gate: Gate, tmp_path: Path) -> None:
    """Whoever holds the lock of a dead runner's calls and is none is named, not ended (rule 10)."""
    left = tmp_path / "left"
    leave = f"setsid sh -c 'echo $$ >{left}; exec sleep 600' &"
    flow.wrap_orchesjob(f'case "$1" in start) {leave} esac')
    file = flow.write({"id": "a", "command": gate.command()})
    flow.abandon(file, gate)
    gate.let_through()
    flow.await_true(lambda: left.exists() and left.read_text())
    pid = int(left.read_text(encoding="ascii"))
    error = flow.refusal("--patience=0.2", "start", "--run-key=k", file)["error"]
    assert "is still running" in error
    assert f"end that process ({pid})" in error
    os.kill(pid, signal.SIGKILL)  # it is alive
    assert flow.start("k", file)["status"] == "SUCCEEDED"
