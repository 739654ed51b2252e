"""Jobs under our keys and processes under our PIDs that are not ours (rules 5.8 and 5.9)."""

from pathlib import Path

import pytest

from support.flow import Flow
from support.gate import Gate
from support.marks import LONG_IF_REAL
from support.unrelated import UnrelatedProcesses


def test_foreign_command(flow: Flow) -> None:
    """A job of somebody else under our key is not an outcome, and is not touched (rule 5.9)."""
    flow.orchesjob.start("k:a:1", "true", strict=True)
    flow.orchesjob.await_end("k:a:1")
    file = flow.write({"id": "a", "command": ["echo", "ours"], "retries": 3})
    step = flow.start("k", file, code=1)["steps"][0]
    assert (step["status"], step["attempt_no"]) == ("FAILED", 1)
    assert "another command" in step["error"]
    assert "['true']" in step["error"]
    assert "['echo', 'ours']" in step["error"]
    assert flow.orchesjob.status("k:a:1")["command"] == ["true"]


@LONG_IF_REAL
def test_retry_beside_unrelated_processes(
    each_flow: Flow, gate: Gate, unrelated: UnrelatedProcesses
) -> None:
    """Processes that merely have the PIDs of a dead job are neither awaited nor signalled (5.8)."""
    file = each_flow.write({"id": "a", "command": gate.command(), "retries": 1})
    runner = each_flow.spawn("--poll-interval=0.1", "start", "--run-key=k", file)
    gate.await_arrival()
    job = each_flow.await_job("k")
    unrelated.replace(each_flow.orchesjob, "k:a:1", job)
    gate.await_arrival()
    waiting = each_flow.status("k")["steps"][0]
    assert (waiting["attempt_no"], waiting["status"]) == (2, "RUNNING")
    gate.let_through()
    assert runner.wait() == 0
    unrelated.assert_spared()


def test_cancel_beside_unrelated_processes(
    flow: Flow, gate: Gate, unrelated: UnrelatedProcesses
) -> None:
    """A cancel aborts no job whose PIDs belong to other processes by now (rules 5.6, 5.8)."""
    file = flow.write({"id": "a", "command": gate.command()})
    unrelated.replace(flow.orchesjob, "k:a:1", flow.abandon(file, gate))
    assert flow.ask("--poll-interval=0.1", "cancel", "--run-key=k")["status"] == "FAILED"
    unrelated.assert_spared()


@pytest.mark.parametrize("runner_lives", [True, False])
@LONG_IF_REAL
def test_cancel_beside_a_foreign_job(
    each_flow: Flow, gate: Gate, tmp_path: Path, *, runner_lives: bool
) -> None:
    """A cancel does not touch a job of somebody else under our key (rule 5.9)."""
    theirs = Flow(each_flow.orchesjob, tmp_path)
    theirs.environ["ORCHESJOB_FLOW_HOME"] = str(tmp_path / "their-home")
    command = ["sleep", "600"]
    their_file = theirs.write({"id": "a", "command": command}, name="theirs.json")
    theirs.ask("start", "-d", "--run-key=k", their_file)
    job = theirs.await_job("k")
    ours = each_flow.write({"id": "a", "command": ["true"]}, {"id": "b", "command": gate.command()})
    runner = each_flow.spawn("start", "--run-key=k", ours)
    gate.await_arrival()
    run = each_flow.await_status("k", lambda run: run["steps"][0]["status"] == "FAILED")
    assert "another command" in run["steps"][0]["error"]
    if not runner_lives:
        runner.kill()
        runner.wait()
    assert each_flow.ask("cancel", "--run-key=k")["status"] == "CANCELLED"
    assert theirs.status("k")["status"] == "RUNNING"
    assert each_flow.orchesjob.status("k:a:1")["status"] == "RUNNING"
    assert Path(f"/proc/{job['target_pid']}/exe").exists()


@LONG_IF_REAL
def test_timeout_beside_unrelated_processes(
    each_flow: Flow, gate: Gate, unrelated: UnrelatedProcesses
) -> None:
    """A timeout aborts no job whose PIDs belong to other processes by now (5.5, 5.8)."""
    file = each_flow.write({"id": "a", "command": gate.command(), "timeout_sec": 600})
    unrelated.replace(each_flow.orchesjob, "k:a:1", each_flow.abandon(file, gate))
    each_flow.change("UPDATE attempts SET abort_reason = 'timeout'")
    step = each_flow.ask("--poll-interval=0.1", "start", "--run-key=k", file, code=1)["steps"][0]
    assert (step["status"], step["error"]) == ("FAILED", "timed out after 600 s")
    unrelated.assert_spared()
