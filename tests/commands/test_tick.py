"""`tick`: a run is advanced as far as it goes without waiting (rule 6.8)."""

from support.flow import Flow
from support.gate import Gate
from support.steps import AFTER


def test_tick(flow: Flow, gate: Gate) -> None:
    """`tick` advances a run as far as it goes without waiting, and exits with 0 (rule 6.8)."""
    file = flow.write({"id": "a", "command": gate.command()}, AFTER)
    first = flow.begin(file, gate)
    assert "is being advanced by process" in flow.refusal("tick", "--run-key=k")["error"]
    first.kill()
    first.wait()
    ticked = flow.ask("tick", "--run-key=k")
    assert (ticked["status"], ticked["steps"][0]["status"]) == ("RUNNING", "RUNNING")
    gate.let_through()
    flow.orchesjob.await_end("k:a:1")
    flow.ask("tick", "--run-key=k")
    flow.orchesjob.await_end("k:b:1")
    assert flow.ask("tick", "--run-key=k")["status"] == "SUCCEEDED"
