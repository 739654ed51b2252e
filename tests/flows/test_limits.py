"""`timeout_sec` of a flow and of a step, and `max_parallel` (rules 5.5 and 9.12)."""

from support.answers import errors, statuses
from support.flow import Flow
from support.gate import Gate
from support.orchesjob import FakeOrchesjob

QUICK = {"id": "quick", "command": ["true"]}
ALERT = {"id": "alert", "command": ["true"], "when": "!slow"}


def test_a_run_that_takes_too_long(flow: Flow, gate: Gate) -> None:
    """What runs is ended, nothing more begins, and all tell why; a `retry` has the time again."""
    slow = {"id": "slow", "command": gate.command(before="echo half way"), "depends_on": ["quick"]}
    flow_file = flow.write(QUICK, slow, ALERT, timeout_sec=600)
    flow.abandon(flow_file, gate)
    flow.change("UPDATE runs SET deadline_at = 0, deadline_mono = 0")
    told = flow.run("resume", "--run-key=k", "--progress=plain").stderr
    assert "orchesjob-flow: the run timed out after 600 s; ending what still runs" in told
    assert "slow CANCELLED" in told
    assert "slow | half way" in told
    run = flow.start("k", flow_file, code=1)
    assert (run["status"], run["error"]) == ("FAILED", "timed out after 600 s")
    assert errors(run) == [
        ("quick", "SUCCEEDED", None),
        ("slow", "CANCELLED", "flow timed out"),
        ("alert", "CANCELLED", "flow timed out"),
    ]
    job = flow.orchesjob.status("k:slow:1")
    assert job["status"] == "ABORTED"
    assert "flow timeout" in str(job)
    assert flow.orchesjob.run("status", "--run-key=k:alert:1").returncode == 3
    explained = flow.run("explain", "--run-key=k", "--format=table", "slow").stdout
    assert "flow timed out" in explained
    fixed = flow.write(QUICK, {**slow, "command": ["true"]}, ALERT, timeout_sec=600)
    run = flow.ask("retry", "--run-key=k", "--file", fixed)
    assert (run["status"], run["error"]) == ("SUCCEEDED", None)
    assert [step["run_key"] for step in run["steps"]] == ["k:quick:1", "k:slow:2", "k:alert:1"]


def test_finished_before_the_abort(flow: Flow, gate: Gate, fake_orchesjob: FakeOrchesjob) -> None:
    """A job that has ended by itself when it is to be aborted keeps its outcome (rule 5.5)."""
    fake_orchesjob.script([{"call": "abort", "fault": "finish"}])
    step = {"id": "a", "command": gate.command(), "timeout_sec": 0.1}
    run = flow.start("k", flow.write(step))
    assert (run["steps"][0]["status"], run["steps"][0]["error"]) == ("SUCCEEDED", None)


def test_one_at_a_time(flow: Flow, gate: Gate) -> None:
    """While one step runs, another that is ready waits; it begins when there is room (9.12)."""
    steps = [{"id": step_id, "command": gate.command()} for step_id in ("a", "b")]
    runner = flow.begin(flow.write(*steps, max_parallel=1), gate)
    assert statuses(flow.status("k")) == ["RUNNING", "PENDING"]
    assert not gate.has_arrival()
    gate.let_through()
    gate.await_arrival()
    assert flow.status("k")["steps"][0]["status"] == "SUCCEEDED"
    gate.let_through()
    assert runner.wait() == 0
