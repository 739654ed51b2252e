"""Signals and closed outputs: a runner ends tidily, and nobody sees a traceback."""

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import FakeOrchesjob, Flow, Gate

TRUE = {"id": "a", "command": ["true"]}
SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_foreground_start(
    flow: "Flow", gate: "Gate", fake_orchesjob: "FakeOrchesjob", number: signal.Signals, code: int
) -> None:
    """An interrupted `start` leaves its steps running and says how to go on (rule 6.9)."""
    after = {"id": "b", "command": ["true"], "when": "a"}
    file = flow.write({"id": "a", "command": gate.command()}, after)
    runner = flow.spawn("start", "--run-key=k", file)
    gate.await_arrival()
    assert flow.await_job("k")["status"] == "RUNNING"
    runner.send_signal(number)
    stdout, stderr = runner.communicate(timeout=30)
    assert (runner.returncode, stdout, stderr.count("\n")) == (code, "", 1)
    assert json.loads(stderr) == {
        "error": f"interrupted by {number.name}; steps that have begun run on under orchesjob",
        "resume": f"orchesjob-flow start --run-key=k {file}",
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
    begun = [event["key"] for event in fake_orchesjob.executions() if event["event"] == "begin"]
    assert begun == ["k:a:1", "k:b:1"]


def test_ctrl_c_reaches_no_step(each_flow: "Flow", gate: "Gate") -> None:
    """Ctrl-C, which the terminal sends to the whole group, does not reach steps or calls."""
    file = each_flow.write({"id": "a", "command": gate.command()})
    runner = each_flow.spawn("start", "--run-key=k", file, process_group=0)
    gate.await_arrival()
    os.killpg(runner.pid, signal.SIGINT)
    assert runner.wait(30) == 130
    gate.let_through()
    assert each_flow.start("k", file)["status"] == "SUCCEEDED"


def test_waiting_start(flow: "Flow", gate: "Gate") -> None:
    """A waiting `start` is interrupted too, and the one that it waits for goes on."""
    file = flow.write({"id": "a", "command": gate.command()})
    first = flow.spawn("start", "--run-key=k", file)
    gate.await_arrival()
    second = flow.spawn("start", "--run-key=k", file)
    assert second.stderr is not None
    assert "waiting for its outcome" in second.stderr.readline()
    second.send_signal(signal.SIGINT)
    assert second.wait(30) == 130
    gate.let_through()
    assert first.wait(60) == 0


def test_nohup(flow: "Flow", gate: "Gate") -> None:
    """A hangup that was ignored by the caller stays ignored, as under nohup."""
    file = flow.write({"id": "a", "command": gate.command()})
    line = f"trap '' HUP; exec {shlex.quote(flow.program)} start --run-key=k {shlex.quote(file)}"
    runner = flow.spawn("-c", line, executable="/bin/bash")
    gate.await_arrival()
    runner.send_signal(signal.SIGHUP)
    gate.let_through()
    assert runner.wait(60) == 0


STOPPED_TWICE = """
import os, sys
from queue import SimpleQueue
from orchesjob_flow.driving import stopped_by_signals
inbox = SimpleQueue()
with stopped_by_signals(inbox):
    os.kill(os.getpid(), int(sys.argv[1]))
    print(inbox.get_nowait().signum, flush=True)
    os.kill(os.getpid(), int(sys.argv[2]))
    print("still there", flush=True)
"""


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (signal.SIGINT, signal.SIGINT),
        (signal.SIGTERM, signal.SIGTERM),
        (signal.SIGHUP, signal.SIGHUP),
        (signal.SIGINT, signal.SIGTERM),
        (signal.SIGHUP, signal.SIGINT),
    ],
)
def test_a_second_signal(first: signal.Signals, second: signal.Signals) -> None:
    """The first signal asks the runner to end, a second one ends it at once (rule 6.9)."""
    words = [sys.executable, "-c", STOPPED_TWICE, str(int(first)), str(int(second))]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.stdout, ended.returncode) == (f"{int(first)}\n", -second)


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_watch(flow: "Flow", gate: "Gate", number: signal.Signals, code: int) -> None:
    """An interrupted `watch` ends at once and says so; the run does not notice."""
    runner = flow.spawn("start", "--run-key=k", flow.write({"id": "a", "command": gate.command()}))
    gate.await_arrival()
    watch = flow.spawn("watch", "--run-key=k", "--interval=60")
    assert watch.stdout is not None
    assert watch.stdout.readline().startswith("Flow: f  Run: k")
    watch.send_signal(number)
    _, stderr = watch.communicate(timeout=30)
    assert (watch.returncode, stderr.count("\n")) == (code, 1)
    assert json.loads(stderr) == {
        "error": f"interrupted by {number.name}; steps that have begun run on under orchesjob, and "
        "another process that advances the run goes on",
        "resume": "orchesjob-flow watch --run-key=k --interval=60",
    }
    gate.let_through()
    assert runner.wait(60) == 0


def shell(flow: "Flow", line: str) -> subprocess.CompletedProcess[str]:
    """Run a line of bash in which $flow is the command."""
    return subprocess.run(
        ["/bin/bash", "-c", f"flow={shlex.quote(flow.program)}; {line}"],
        cwd=flow.folder,
        env=flow.environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    "line",
    [
        "$flow start --run-key=k flow.json | true; exit ${PIPESTATUS[0]}",
        "$flow start --run-key=k flow.json >&-",
        "$flow start --run-key=k flow.json >/dev/full",
        "$flow start --run-key=k flow.json >/dev/full 2>&1",
        "$flow start --run-key=k flow.json >&- 2>&- <&-",
    ],
)
def test_lost_output_of_start(flow: "Flow", line: str) -> None:
    """Whoever stops reading stops no run; the exit code says that nobody was told (rule 6.9)."""
    flow.write(TRUE, {"id": "b", "command": ["true"], "when": "a"})
    answer = shell(flow, line)
    assert "Traceback" not in answer.stderr
    assert answer.returncode == 2, answer
    assert flow.status("k")["status"] == "SUCCEEDED"


@pytest.mark.parametrize(
    ("command", "target"),
    [("cancel", ">/dev/full"), ("start -d", ">&-"), ("watch", ">&-"), ("watch", "| true")],
)
def test_lost_output_of_what_was_done(
    flow: "Flow", gate: "Gate", command: str, target: str
) -> None:
    """What is asked for is done, though nobody can be told, and the exit code says that (6.9)."""
    file = flow.write({"id": "a", "command": gate.command()})
    if command != "start -d":
        flow.ask("start", "-d", "--run-key=k", file)
        gate.await_arrival()
    words = f"{command} --run-key=k" + f" {file}" * (command == "start -d")
    answer = shell(flow, f"$flow {words} {target}; exit ${{PIPESTATUS[0]}}")
    assert answer.returncode == 2, answer
    assert "Traceback" not in answer.stderr
    assert (flow.status("k")["status"] == "CANCELLED") is (command == "cancel")
    gate.let_through()
    ended = flow.await_status("k", lambda run: run["finished_at"])
    assert ended["status"] == ("CANCELLED" if command == "cancel" else "SUCCEEDED")


@pytest.mark.parametrize(
    "command", ["status --run-key=k --format=table", "example", "--help", "--version"]
)
@pytest.mark.parametrize("target", [">&-", ">/dev/full", "| true"])
def test_lost_output(flow: "Flow", command: str, target: str) -> None:
    """A result that cannot be written is never exit code 0, and never a traceback."""
    if "k" in command:
        flow.start("k", flow.write(TRUE))
    answer = shell(flow, f"$flow {command} {target}; exit ${{PIPESTATUS[0]}}")
    assert "Traceback" not in answer.stderr
    assert "Exception ignored" not in answer.stderr
    if target == "| true":  # small enough for the pipe: nobody can tell whether it was read
        assert answer.returncode in {0, 2}
        assert answer.stderr == ""
    else:
        assert answer.returncode == 2
        assert "stdout" in json.loads(answer.stderr)["error"]


@pytest.mark.parametrize("most", [8, 9, 10])
def test_no_descriptors_left(flow: "Flow", most: int) -> None:
    """What went wrong before a result was there is not called a lost result (rule 6.9)."""
    flow.write(TRUE)
    answer = shell(flow, f"ulimit -n {most}; exec $flow --patience=0 start --run-key=k flow.json")
    assert (answer.returncode, answer.stdout) == (2, "")
    error = json.loads(answer.stderr.splitlines()[-1])["error"]
    assert "Too many open files" in error
    assert "was done" not in error


def test_descriptors_of_a_careless_caller(flow: "Flow", tmp_path: Path) -> None:
    """With all three closed, neither lock nor database becomes somebody's stdin or stdout."""
    look = f"ls -l /proc/$PPID/fd /proc/$$/fd >{tmp_path}/opened"
    flow.write({"id": "a", "command": ["sh", "-c", look]})
    assert shell(flow, "$flow start --run-key=k flow.json <&- >&- 2>&-").returncode == 2
    assert flow.status("k")["status"] == "SUCCEEDED"
    assert str(flow.home) not in (tmp_path / "opened").read_text(encoding="utf-8")


def test_closed_stdin(flow: "Flow", tmp_path: Path) -> None:
    """Nothing is ever asked: a closed stdin does not matter."""
    flow.write({"id": "a", "command": ["sh", "-c", f"readlink /proc/self/fd/0 >{tmp_path}/stdin"]})
    assert shell(flow, "$flow start --run-key=k flow.json <&-").returncode == 0
    assert (tmp_path / "stdin").read_text(encoding="utf-8") == "/dev/null\n"
