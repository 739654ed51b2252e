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


@pytest.mark.parametrize(("target", "code"), [(">/dev/full", 2), ("| true", 141)])
def test_lost_output_of_start(flow: Flow, target: str, code: int) -> None:
    """It does not stop a run, and the exit code tells of it; a reader may go in silence (6.9)."""
    flow.write(TRUE, {"id": "b", "command": ["true"], "when": "a"})
    answer = shell(flow, f"$flow start --run-key=k flow.json {target}; exit ${{PIPESTATUS[0]}}")
    assert (answer.returncode, answer.stderr == "") == (code, code == 141)
    assert "Traceback" not in answer.stderr
    assert flow.status("k")["status"] == "SUCCEEDED"


@pytest.mark.parametrize(
    ("command", "target"),
    [("cancel", ">/dev/full"), ("start -d", ">&-"), ("watch", ">&-"), ("watch", "| true")],
)
def test_lost_output_of_what_was_done(flow: Flow, gate: Gate, command: str, target: str) -> None:
    """A command is carried out although its result cannot be written; 2, or 141 (rule 6.9)."""
    file = flow.write({"id": "a", "command": gate.command()})
    if command != "start -d":
        flow.detach(file, gate)
    words = f"{command} --run-key=k" + f" {file}" * (command == "start -d")
    answer = shell(flow, f"$flow {words} {target}; exit ${{PIPESTATUS[0]}}")
    assert answer.returncode == (141 if target == "| true" else 2), answer
    assert "Traceback" not in answer.stderr
    assert (flow.status("k")["status"] == "CANCELLED") is (command == "cancel")
    gate.let_through()
    ended = flow.await_status("k", lambda run: run["finished_at"])
    assert ended["status"] == ("CANCELLED" if command == "cancel" else "SUCCEEDED")


def test_lost_output(flow: Flow) -> None:
    """A result that cannot be written is never exit code 0, and never a traceback (rule 6.9)."""
    flow.start("k", flow.write(TRUE))
    for command in ("status --run-key=k --format=table", "list", "--help"):
        for target in (">&-", ">/dev/full"):
            answer = shell(flow, f"$flow {command} {target}")
            assert answer.returncode == 2
            assert "stdout" in answer.stderr
            assert "Traceback" not in answer.stderr
            assert "Exception ignored" not in answer.stderr
        gone = "exec 3> >(:); wait $!"  # a pipe whose reader has ended
        answer = shell(flow, f"{gone}; $flow {command} >&3; exit $?")
        assert (answer.returncode, answer.stderr) == (141, "")  # as SIGPIPE ends others


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
