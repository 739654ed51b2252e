"""`watch`: the table is repeated until the run has ended."""

import json
import signal

from support.flow import Flow
from support.gate import Gate
from support.orchesjob import FakeOrchesjob
from support.steps import AFTER
from support.terminal import PICTURE


def test_append(flow: Flow, gate: Gate) -> None:
    """On a pipe the tables follow each other; the end is shown at once, and is the last (6.6)."""
    file = flow.write({"id": "a", "command": gate.command("exit 1")})
    flow.spawn("start", "--run-key=k", file)
    gate.await_arrival()
    watch = flow.spawn("watch", "--run-key=k", "--interval=86400")
    first = [watch.stdout.readline() for _ in range(8)]
    assert first[0] == "Flow: f  Run: k\n"
    assert first[-1] == "\n"
    gate.let_through()
    rest, stderr = watch.communicate()
    assert (watch.returncode, stderr) == (1, "")
    tables = ("".join(first) + rest).split("\n\nFlow: ")
    assert len(tables) >= 2
    assert "Status: > RUNNING" in tables[0]
    assert all("\x1b" not in table for table in tables)
    assert "Status: NG FAILED" in tables[-1]
    assert sum("NG FAILED" in table for table in tables) == 1


def test_screen(flow: Flow, gate: Gate) -> None:
    """On a terminal the table is drawn in place, and the last one stays (rule 6.6)."""
    flow.spawn("start", "--run-key=k", flow.write({"id": "a", "command": gate.command()}))
    gate.await_arrival()
    words = ("watch", "--run-key=k", "--interval=0.05")
    watch, terminal = flow.spawn_on_terminal(*words, stream="stdout")
    terminal.await_picture("RUNNING", pictures=2)
    gate.let_through()
    shown = terminal.read_to_end()
    assert watch.wait() == 0
    assert "\x1b[2J" not in shown  # clearing the screen flickers
    assert terminal.picture.startswith("Flow: f  Run: k")
    assert "SUCCEEDED" in terminal.picture


def test_ended_run(flow: Flow) -> None:
    """It is shown once, by default or as `--mode` says; the exit code is its outcome (6.6, 6.9)."""
    flow.start("bad", flow.write({"id": "a", "command": ["false"]}), code=1)
    assert flow.run("watch", "--run-key=bad").returncode == 1
    flow.start("k", flow.write({"id": "a", "command": ["true"]}))
    answer = flow.run("watch", "--run-key=k", "--interval=600")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout.count("Flow: f  Run: k") == 1
    code, shown = flow.run_on_terminal("watch", "--run-key=k", "--mode=append")
    assert (code, PICTURE in shown) == (0, False)
    assert "Status: \x1b[32mSUCCEEDED\x1b[0m" in shown
    on_pipe = flow.run("watch", "--run-key=k", "--mode=screen")
    assert (on_pipe.returncode, PICTURE in on_pipe.stdout) == (0, True)
    assert "Status: OK SUCCEEDED" in on_pipe.stdout  # scripts read the marks (rule 6.5)


def test_only_reads(flow: Flow, gate: Gate, fake_orchesjob: FakeOrchesjob) -> None:
    """`watch` advances nothing: a run without a runner is not changed, and it says so (6.6)."""
    flow.abandon(flow.write({"id": "a", "command": gate.command()}, AFTER), gate)
    gate.let_through()
    fake_orchesjob.await_end("k:a:1")
    watch = flow.spawn("watch", "--run-key=k", "--interval=0.05")
    tables = [watch.stdout.readline() for _ in range(20)]
    assert any(line.startswith("Runner: none") for line in tables)
    watch.send_signal(signal.SIGINT)
    _, stderr = watch.communicate()
    assert watch.returncode == 130
    assert json.loads(stderr) == {
        "error": "interrupted by SIGINT; the run has no runner; "
        "steps that have started keep running under orchesjob",
        "resume": "orchesjob-flow resume k",
        "cancel": "orchesjob-flow cancel k",
    }
    assert flow.status("k")["steps"][0]["status"] == "RUNNING"


def test_advance(flow: Flow, gate: Gate, fake_orchesjob: FakeOrchesjob) -> None:
    """`--advance` advances a run that has no runner to its end (rule 6.6)."""
    after = {"id": "b", "command": ["false"], "when": "a"}
    runner = flow.begin(flow.write({"id": "a", "command": gate.command()}, after), gate)
    refused = flow.refusal("watch", "--run-key=k", "--advance")
    assert f"run 'k' is being advanced by process {runner.pid}" in refused["error"]
    runner.kill()
    runner.wait()
    watch = flow.spawn("watch", "--run-key=k", "--advance", "--interval=0.1")
    assert watch.stdout.readline() == "Flow: f  Run: k\n"
    assert flow.status("k")["runner"] == {"pid": watch.pid, "alive": True}
    gate.let_through()
    stdout, stderr = watch.communicate()
    assert (watch.returncode, stderr) == (1, "")
    assert stdout.count("NG FAILED") == 2  # of the run and of its step, in the last table only
    assert fake_orchesjob.begun() == ["k:a:1", "k:b:1"]
    assert flow.run("watch", "--run-key=k", "--advance").returncode == 1
