"""`watch`: a table again and again, until the run has ended."""

import json
import os
import pty
import select
import signal
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import FakeOrchesjob, Flow, Gate

HOME = "\x1b[H"


def test_append(flow: "Flow", gate: "Gate") -> None:
    """On a pipe each look is a table of its own; the end of the run ends the watch (rule 6.6)."""
    file = flow.write({"id": "a", "command": gate.command("exit 1")})
    flow.spawn("start", "--run-key=k", file)
    gate.await_arrival()
    watch = flow.spawn("watch", "--run-key=k", "--interval=0.05")
    assert watch.stdout is not None
    first = [watch.stdout.readline() for _ in range(8)]
    assert first[0] == "Flow: f  Run: k\n"
    assert first[-1] == "\n"
    gate.let_through()
    rest, stderr = watch.communicate(timeout=60)
    assert (watch.returncode, stderr) == (1, "")
    tables = ("".join(first) + rest).split("\n\nFlow: ")
    assert len(tables) >= 2
    assert "Status: > RUNNING" in tables[0]
    assert all("\x1b" not in table for table in tables)
    assert "Status: NG FAILED" in tables[-1]
    assert sum("NG FAILED" in table for table in tables) == 1


@pytest.mark.parametrize(("command", "code"), [("true", 0), ("false", 1)])
def test_ended_run(flow: "Flow", command: str, code: int) -> None:
    """An ended run is shown once; the exit code is its outcome (rule 6.9)."""
    flow.start("k", flow.write({"id": "a", "command": [command]}), code=code)
    answer = flow.run("watch", "--run-key=k", "--interval=600")
    assert (answer.returncode, answer.stderr) == (code, "")
    assert answer.stdout.count("Flow: f  Run: k") == 1


def test_end_is_not_waited_for(flow: "Flow", gate: "Gate") -> None:
    """However long the interval, the end of the run is shown at once (rule 6.6)."""
    flow.spawn("start", "--run-key=k", flow.write({"id": "a", "command": gate.command()}))
    gate.await_arrival()
    watch = flow.spawn("watch", "--run-key=k", "--interval=86400")
    assert watch.stdout is not None
    assert watch.stdout.readline()
    gate.let_through()
    stdout, _ = watch.communicate(timeout=30)
    assert watch.returncode == 0
    assert "Status: OK SUCCEEDED" in stdout


def test_screen(flow: "Flow", gate: "Gate") -> None:
    """On a terminal the table is drawn in place, and the last one stays (rule 6.6)."""
    flow.spawn("start", "--run-key=k", flow.write({"id": "a", "command": gate.command()}))
    gate.await_arrival()
    screen, terminal = pty.openpty()
    watch = flow.spawn("watch", "--run-key=k", "--interval=0.05", stdout=terminal)
    os.close(terminal)
    shown = b""
    while shown.count(HOME.encode()) < 2:
        assert select.select([screen], [], [], 30)[0]
        shown += os.read(screen, 65536)
    gate.let_through()
    while b"SUCCEEDED" not in shown.rpartition(HOME.encode())[2]:
        assert select.select([screen], [], [], 30)[0]
        shown += os.read(screen, 65536)
    assert watch.wait(60) == 0
    os.close(screen)
    text = shown.decode().replace("\r\n", "\n")
    assert "\x1b[2J" not in text  # clearing the screen flickers
    last = text.rpartition(HOME)[2]
    assert last.startswith("Flow: f  Run: k")
    assert "OK SUCCEEDED" in last


def test_mode(flow: "Flow") -> None:
    """`--mode` has the last word: append on a terminal, screen on a pipe (rule 6.6)."""
    flow.start("k", flow.write({"id": "a", "command": ["true"]}))
    code, shown = flow.run_on_terminal("watch", "--run-key=k", "--mode=append")
    assert (code, HOME in shown) == (0, False)
    assert "Status: \x1b[32mOK SUCCEEDED\x1b[0m" in shown
    on_pipe = flow.run("watch", "--run-key=k", "--mode=screen")
    assert (on_pipe.returncode, HOME in on_pipe.stdout) == (0, True)


def test_dumb_terminal(flow: "Flow") -> None:
    """Where no cursor can be moved, tables are printed one below the other (rule 6.6)."""
    flow.start("k", flow.write({"id": "a", "command": ["true"]}))
    flow.environ["TERM"] = "dumb"
    code, shown = flow.run_on_terminal("watch", "--run-key=k")
    assert (code, HOME in shown) == (0, False)
    assert "Flow: f  Run: k" in shown


def test_only_reads(flow: "Flow", gate: "Gate", fake_orchesjob: "FakeOrchesjob") -> None:
    """`watch` advances nothing: a run without a runner stays as it is, and is said to (6.6)."""
    after = {"id": "b", "command": ["true"], "when": "a"}
    runner = flow.spawn(
        "start", "--run-key=k", flow.write({"id": "a", "command": gate.command()}, after)
    )
    gate.await_arrival()
    runner.kill()
    runner.wait()
    gate.let_through()
    fake_orchesjob.await_end("k:a:1")
    watch = flow.spawn("watch", "--run-key=k", "--interval=0.05")
    assert watch.stdout is not None
    tables = [watch.stdout.readline() for _ in range(20)]
    assert any(line.startswith("Runner: none") for line in tables)
    watch.send_signal(signal.SIGINT)
    _, stderr = watch.communicate(timeout=30)
    assert watch.returncode == 130
    assert json.loads(stderr) == {
        "error": "interrupted by SIGINT; steps that have begun run on under orchesjob, and another "
        "process that advances the run goes on",
        "resume": "orchesjob-flow watch --run-key=k --interval=0.05",
    }
    assert flow.status("k")["steps"][0]["status"] == "RUNNING"


def test_advance(flow: "Flow", gate: "Gate", fake_orchesjob: "FakeOrchesjob") -> None:
    """`--advance` drives a run that nobody drives, to its end (rule 6.6)."""
    after = {"id": "b", "command": ["false"], "when": "a"}
    runner = flow.spawn(
        "start", "--run-key=k", flow.write({"id": "a", "command": gate.command()}, after)
    )
    gate.await_arrival()
    refused = flow.refusal("watch", "--run-key=k", "--advance")
    assert f"run 'k' is being advanced by process {runner.pid}" in refused["error"]
    runner.kill()
    runner.wait()
    watch = flow.spawn("watch", "--run-key=k", "--advance", "--interval=0.1")
    assert watch.stdout is not None
    assert watch.stdout.readline() == "Flow: f  Run: k\n"
    assert flow.status("k")["runner"] == {"pid": watch.pid, "alive": True}
    gate.let_through()
    stdout, stderr = watch.communicate(timeout=60)
    assert (watch.returncode, stderr) == (1, "")
    assert stdout.count("NG FAILED") == 2  # of the run and of its step, in the last table only
    begun = [event["key"] for event in fake_orchesjob.executions() if event["event"] == "begin"]
    assert begun == ["k:a:1", "k:b:1"]
    assert flow.run("watch", "--run-key=k", "--advance").returncode == 1


def test_interrupted_while_advancing(flow: "Flow", gate: "Gate") -> None:
    """Ctrl-C on `watch --advance` frees the run, which goes on under `start`."""
    file = flow.write({"id": "a", "command": gate.command()})
    runner = flow.spawn("start", "--run-key=k", file)
    gate.await_arrival()
    runner.kill()
    runner.wait()
    watch = flow.spawn("watch", "--run-key=k", "--advance", "--interval=60")
    assert watch.stdout is not None
    assert watch.stdout.readline()
    watch.send_signal(signal.SIGINT)
    assert watch.wait(30) == 130
    assert flow.status("k")["runner"] is None
    gate.let_through()
    assert flow.start("k", file)["status"] == "SUCCEEDED"
