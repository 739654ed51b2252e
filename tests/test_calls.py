"""How often orchesjob is asked: once for a short step, twice for a long one."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import FakeOrchesjob, Flow, Gate

STEPS = 6


def test_one_call_for_a_short_step(flow: "Flow", fake_orchesjob: "FakeOrchesjob") -> None:
    """A start that answers with the job's end is all that is asked for."""
    fake_orchesjob.script([{"call": "worker", "when": "spawned", "fault": "finish"}])
    flow.start("k", flow.write(*({"id": f"s{n}", "command": ["true"]} for n in range(STEPS))))
    assert [call["call"] for call in fake_orchesjob.calls()] == ["start"] * STEPS


def test_two_calls_for_a_long_step(
    flow: "Flow", gate: "Gate", fake_orchesjob: "FakeOrchesjob"
) -> None:
    """A job that runs on is started, watched, and asked for once when its worker has gone."""
    runner = flow.spawn("start", "--run-key=k", flow.write({"id": "a", "command": gate.command()}))
    gate.await_arrival()
    flow.await_job("k")
    gate.let_through()
    assert runner.wait(60) == 0
    assert [call["call"] for call in fake_orchesjob.calls()] == ["start", "status"]
