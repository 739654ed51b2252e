"""The flow's `timeout_sec`: a run that takes too long is ended, and has failed (rule 9.12)."""

import pytest

from support.answers import errors
from support.flow import Flow
from support.gate import Gate

QUICK = {"id": "quick", "command": ["true"]}
ALERT = {"id": "alert", "command": ["true"], "when": "!slow"}


def slow(command: list[str]) -> dict[str, object]:
    return {"id": "slow", "command": command, "depends_on": ["quick"]}


def lose_runner_until_deadline(flow: Flow, gate: Gate, flow_file: str) -> None:
    """Start a run, kill its runner when a step has come to the gate, and let its time be over."""
    runner = flow.spawn("start", "--run-key=k", flow_file)
    gate.await_arrival()
    runner.kill()
    runner.wait()
    flow.change("UPDATE runs SET deadline_at = 0, deadline_mono = 0")


@pytest.mark.integration
def test_a_run_that_takes_too_long(real_flow: Flow, gate: Gate) -> None:
    """What runs is ended, nothing more begins, the run is FAILED and says why; exit 1."""
    flow_file = real_flow.write(QUICK, slow(gate.command()), ALERT, timeout_sec=600)
    lose_runner_until_deadline(real_flow, gate, flow_file)
    run = real_flow.start("k", flow_file, code=1)
    assert (run["status"], run["error"]) == ("FAILED", "timed out after 600 s")
    assert errors(run) == [
        ("quick", "SUCCEEDED", None),
        ("slow", "CANCELLED", "flow timed out"),
        ("alert", "CANCELLED", "flow timed out"),
    ]
    job = real_flow.orchesjob.status("k:slow:1")
    assert job["status"] == "ABORTED"
    assert "flow timeout" in str(job)
    assert real_flow.orchesjob.run("status", "--run-key=k:alert:1").returncode == 3
    assert real_flow.start("k", flow_file, code=1) == run


def test_a_retry_has_the_whole_time_again(flow: Flow, gate: Gate) -> None:
    """The time of a run that is reopened counts from there: its old deadline is forgotten."""
    flow_file = flow.write(QUICK, slow(gate.command()), ALERT, timeout_sec=600)
    lose_runner_until_deadline(flow, gate, flow_file)
    flow.start("k", flow_file, code=1)
    run = flow.ask(
        "retry", "--run-key=k", "--file", flow.write(QUICK, slow(["true"]), ALERT, timeout_sec=600)
    )
    assert (run["status"], run["error"]) == ("SUCCEEDED", None)
    assert [step["run_key"] for step in run["steps"]] == ["k:quick:1", "k:slow:2", "k:alert:1"]


def test_it_is_told(flow: Flow, gate: Gate) -> None:
    """Stderr and `explain` report the timeout, and stderr shows the last lines printed (9.14)."""
    noisy = {"id": "slow", "command": gate.command(before="echo half way")}
    lose_runner_until_deadline(flow, gate, flow.write(noisy, timeout_sec=600))
    told = flow.run("resume", "--run-key=k", "--progress=plain").stderr
    assert "orchesjob-flow: the run timed out after 600 s; ending what still runs" in told
    assert "slow CANCELLED" in told
    assert "slow | half way" in told
    explained = flow.run("explain", "--run-key=k", "--format=table", "slow").stdout
    assert "flow timed out" in explained
