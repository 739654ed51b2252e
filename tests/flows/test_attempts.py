"""Attempts of a step: retries, and `timeout_sec` of a step (rules 5.4 and 5.5)."""

from pathlib import Path

from support.flow import Flow
from support.gate import Gate
from support.orchesjob import FakeOrchesjob


def test_finished_before_the_abort(flow: Flow, gate: Gate, fake_orchesjob: FakeOrchesjob) -> None:
    """A job that has ended by itself when it is to be aborted keeps its outcome (rule 5.5)."""
    fake_orchesjob.script([{"call": "abort", "fault": "finish"}])
    step = {"id": "a", "command": gate.command(), "timeout_sec": 0.1}
    run = flow.start("k", flow.write(step))
    assert (run["steps"][0]["status"], run["steps"][0]["error"]) == ("SUCCEEDED", None)


def test_retry(flow: Flow, fake_orchesjob: FakeOrchesjob, tmp_path: Path) -> None:
    """A failed attempt with retries left waits for its delay under the next key (rule 5.4)."""
    once = f"test -e {tmp_path}/second || {{ touch {tmp_path}/second; exit 9; }}"
    step = {"id": "a", "command": ["sh", "-c", once], "retries": 1, "retry_delay_sec": 1}
    runner = flow.spawn("start", "--run-key=k", flow.write(step))
    flow.await_true((tmp_path / "second").exists)
    run = flow.await_status("k", lambda run: run["steps"][0]["status"] == "DELAYED")
    waiting = run["steps"][0]
    assert (waiting["run_key"], waiting["attempt_no"]) == ("k:a:2", 1)
    assert waiting["error"] == "exit code 9"
    assert 0 < waiting["next_attempt_at"] - waiting["started_at"] < 30
    assert runner.wait() == 0
    first, second = (event for event in fake_orchesjob.executions() if event["event"] == "begin")
    assert second["monotonic"] - first["monotonic"] >= 1
