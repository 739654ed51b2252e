"""Output that nobody reads, and streams that are closed or cannot be opened (rule 6.9)."""

import shlex
import subprocess
from pathlib import Path

import pytest

from support.deadlines import CALL_SEC
from support.flow import Flow
from support.gate import Gate
from support.steps import TRUE


def shell(flow: Flow, line: str) -> subprocess.CompletedProcess[str]:
    """Run a line of bash in which $flow is the command."""
    return subprocess.run(
        ["/bin/bash", "-c", f"flow={shlex.quote(flow.program)}; {line}"],
        cwd=flow.folder,
        env=flow.environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=CALL_SEC,
    )


@pytest.mark.parametrize(
    "line",
    [
        "$flow start --run-key=k flow.json >/dev/full",
        "$flow start --run-key=k flow.json >&- 2>&- <&-",
    ],
)
def test_lost_output_of_start(flow: Flow, line: str) -> None:
    """A closed stdout does not stop a run; the exit code says that the result was lost (6.9)."""
    flow.write(TRUE, {"id": "b", "command": ["true"], "when": "a"})
    answer = shell(flow, line)
    assert "Traceback" not in answer.stderr
    assert answer.returncode == 2, answer
    assert flow.status("k")["status"] == "SUCCEEDED"


def test_unread_output_of_start(flow: Flow) -> None:
    """A reader of stdout that goes away stops no run, and is no error: 141, in silence (6.9)."""
    flow.write(TRUE, {"id": "b", "command": ["true"], "when": "a"})
    answer = shell(flow, "$flow start --run-key=k flow.json | true; exit ${PIPESTATUS[0]}")
    assert (answer.returncode, answer.stderr) == (141, "")
    assert flow.status("k")["status"] == "SUCCEEDED"


@pytest.mark.parametrize("command", ["list", "--help"])
def test_unread_output(flow: Flow, command: str) -> None:
    """Where the reader of stdout has gone, a command ends as SIGPIPE ends others (rule 6.9)."""
    flow.start("k", flow.write(TRUE))
    gone = "exec 3> >(:); wait $!"  # a pipe whose reader has ended
    answer = shell(flow, f"{gone}; $flow {command} >&3; exit $?")
    assert (answer.returncode, answer.stderr) == (141, "")


@pytest.mark.parametrize(
    ("command", "target"),
    [("cancel", ">/dev/full"), ("start -d", ">&-"), ("watch", ">&-"), ("watch", "| true")],
)
def test_lost_output_of_what_was_done(flow: Flow, gate: Gate, command: str, target: str) -> None:
    """A command is carried out although its result cannot be written; 2, or 141 (rule 6.9)."""
    file = flow.write({"id": "a", "command": gate.command()})
    if command != "start -d":
        flow.ask("start", "-d", "--run-key=k", file)
        gate.await_arrival()
    words = f"{command} --run-key=k" + f" {file}" * (command == "start -d")
    answer = shell(flow, f"$flow {words} {target}; exit ${{PIPESTATUS[0]}}")
    assert answer.returncode == (141 if target == "| true" else 2), answer
    assert "Traceback" not in answer.stderr
    assert (flow.status("k")["status"] == "CANCELLED") is (command == "cancel")
    gate.let_through()
    ended = flow.await_status("k", lambda run: run["finished_at"])
    assert ended["status"] == ("CANCELLED" if command == "cancel" else "SUCCEEDED")


@pytest.mark.parametrize("command", ["status --run-key=k --format=table", "--help"])
@pytest.mark.parametrize("target", [">&-", ">/dev/full", "| true"])
def test_lost_output(flow: Flow, command: str, target: str) -> None:
    """A result that cannot be written is never exit code 0, and never a traceback."""
    if "k" in command:
        flow.start("k", flow.write(TRUE))
    answer = shell(flow, f"$flow {command} {target}; exit ${{PIPESTATUS[0]}}")
    assert "Traceback" not in answer.stderr
    assert "Exception ignored" not in answer.stderr
    if target == "| true":  # small enough for the pipe: nobody can tell whether it was read
        assert answer.returncode in {0, 141}
        assert answer.stderr == ""
    else:
        assert answer.returncode == 2
        assert "stdout" in answer.stderr


def test_descriptors_of_a_careless_caller(flow: Flow, tmp_path: Path) -> None:
    """With all three closed, neither lock nor database becomes somebody's stdin or stdout."""
    look = f"ls -l /proc/$PPID/fd /proc/$$/fd >{tmp_path}/opened"
    flow.write({"id": "a", "command": ["sh", "-c", look]})
    assert shell(flow, "$flow start --run-key=k flow.json <&- >&- 2>&-").returncode == 2
    assert flow.status("k")["status"] == "SUCCEEDED"
    assert str(flow.home) not in (tmp_path / "opened").read_text(encoding="utf-8")


def test_closed_stdin(flow: Flow, tmp_path: Path) -> None:
    """A closed stdin does not matter, as nothing is read from it."""
    flow.write({"id": "a", "command": ["sh", "-c", f"readlink /proc/self/fd/0 >{tmp_path}/stdin"]})
    assert shell(flow, "$flow start --run-key=k flow.json <&-").returncode == 0
    assert (tmp_path / "stdin").read_text(encoding="utf-8") == "/dev/null\n"
