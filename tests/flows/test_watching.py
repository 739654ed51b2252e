"""How the end of a job is noticed, and how often orchesjob is asked (rule 6.2)."""

import json
import sys
from pathlib import Path

import pytest

from support.files import write_program
from support.flow import Flow
from support.gate import Gate
from support.marks import LONG_IF_REAL
from support.orchesjob import FakeOrchesjob
from support.processes import is_gone

STEPS = 6
WITHOUT_PIDFDS = f"""\
#!{sys.executable}
import os, signal, sys
del os.pidfd_open, signal.pidfd_send_signal  # as on a system that has none
from orchesjob_flow.__main__ import main
sys.exit(main())
"""


def test_one_call_for_a_short_step(flow: Flow, fake_orchesjob: FakeOrchesjob) -> None:
    """If the answer of `start` is already terminal, there is no second call."""
    fake_orchesjob.script([{"call": "worker", "when": "spawned", "fault": "finish"}])
    flow.start("k", flow.write(*({"id": f"s{n}", "command": ["true"]} for n in range(STEPS))))
    assert [call["call"] for call in fake_orchesjob.calls()] == ["start"] * STEPS


def test_two_calls_for_a_long_step(flow: Flow, gate: Gate, fake_orchesjob: FakeOrchesjob) -> None:
    """A long job is started, watched, and asked for once when its worker has gone."""
    runner = flow.begin(flow.write({"id": "a", "command": gate.command()}), gate)
    gate.let_through()
    assert runner.wait() == 0
    assert [call["call"] for call in fake_orchesjob.calls()] == ["start", "status"]


def test_ended_before_it_could_be_watched(flow: Flow, fake_orchesjob: FakeOrchesjob) -> None:
    """A job that has ended by the time it is to be watched is asked about at once (rule 6.2)."""
    rule = {"call": "start", "fault": "answer", "set": {"status": "RUNNING"}}
    fake_orchesjob.script([{**rule, "when": "answer"}])
    slow = flow.write({"id": "a", "command": ["true"]})
    step = flow.start("k", slow)["steps"][0]
    assert (step["status"], step["orchesjob_status"]["status"]) == ("SUCCEEDED", "SUCCEEDED")


@pytest.mark.parametrize("outcome", ["SUCCEEDED", "CANCELLED"])
@LONG_IF_REAL
def test_without_pidfds(each_flow: Flow, gate: Gate, tmp_path: Path, outcome: str) -> None:
    """Without pidfds jobs are polled, with the same outcomes (rule 6.2)."""
    each_flow.program = write_program(tmp_path / "orchesjob-flow", WITHOUT_PIDFDS)
    file = each_flow.write({"id": "a", "command": gate.command()}, {"id": "b", "command": ["true"]})
    start = each_flow.spawn("--poll-interval=0.1", "start", "--run-key=k", file)
    gate.await_arrival()
    job = each_flow.await_job("k")
    if outcome == "SUCCEEDED":
        gate.let_through()
    else:
        assert each_flow.ask("cancel", "--run-key=k")["status"] == outcome
    assert json.loads(start.communicate()[0])["status"] == outcome
    assert is_gone(job["target_pid"])
