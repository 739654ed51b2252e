"""`max_parallel`: how many steps of a run are executed at once (rule 9.12)."""

from support.answers import statuses
from support.flow import Flow
from support.gate import Gate


def test_one_at_a_time(flow: Flow, gate: Gate) -> None:
    """While one step runs, another that is ready waits; it begins when there is room."""
    steps = [{"id": step_id, "command": gate.command()} for step_id in ("a", "b")]
    runner = flow.spawn("start", "--run-key=k", flow.write(*steps, max_parallel=1))
    gate.await_arrival()
    flow.await_job("k")
    assert statuses(flow.status("k")) == ["RUNNING", "PENDING"]
    assert not gate.has_arrival()
    gate.let_through()
    gate.await_arrival()
    assert flow.status("k")["steps"][0]["status"] == "SUCCEEDED"
    gate.let_through()
    assert runner.wait() == 0
