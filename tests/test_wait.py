"""`wait`, and the exit code of `status --exit-status`: for scripts that ask later (rule 9.9)."""

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Flow, Gate

NOT_YET = 8


@pytest.mark.parametrize(("command", "code"), [("true", 0), ("false", 1)])
def test_ended_run(flow: "Flow", command: str, code: int) -> None:
    """A run that has ended is not waited for; the exit code is its outcome."""
    run = flow.start("k", flow.write({"id": "a", "command": [command]}), code=code)
    assert flow.ask("wait", "--run-key=k", code=code) == run
    assert flow.ask("status", "--run-key=k", "--exit-status", code=code) == run


def test_until_the_end(flow: "Flow", gate: "Gate") -> None:
    """A run under way is waited for, whoever advances it."""
    flow.ask("start", "-d", "--run-key=k", flow.write({"id": "a", "command": gate.command()}))
    gate.await_arrival()
    waiting = flow.spawn("wait", "--run-key=k")
    assert flow.ask("status", "--run-key=k", "--exit-status", code=NOT_YET)["status"] == "RUNNING"
    gate.let_through()
    stdout, stderr = waiting.communicate(timeout=60)
    assert (waiting.returncode, stderr) == (0, "")
    assert json.loads(stdout)["status"] == "SUCCEEDED"


def test_timeout(flow: "Flow", gate: "Gate") -> None:
    """When the time is over, the run is printed as it stands, and the exit code is 8."""
    flow.ask("start", "-d", "--run-key=k", flow.write({"id": "a", "command": gate.command()}))
    gate.await_arrival()
    assert flow.ask("wait", "--run-key=k", "--timeout=0", code=NOT_YET)["status"] == "RUNNING"
    assert flow.ask("wait", "--run-key=k", "--timeout=0.2", code=NOT_YET)["runner"]
    gate.let_through()
    assert flow.ask("wait", "--run-key=k")["status"] == "SUCCEEDED"


def test_nobody_advances_it(flow: "Flow", gate: "Gate") -> None:
    """A run without a runner is waited for too, for it may get one; stderr says so at once."""
    file = flow.write({"id": "a", "command": gate.command()})
    runner = flow.spawn("start", "--run-key=k", file)
    gate.await_arrival()
    flow.await_job("k")
    runner.kill()
    runner.wait()
    waiting = flow.spawn("wait", "--run-key=k")
    assert waiting.stderr is not None
    assert "nobody advances run 'k'" in waiting.stderr.readline()
    gate.let_through()
    flow.ask("resume", "--run-key=k")
    assert waiting.wait(60) == 0


def test_unknown_run(flow: "Flow") -> None:
    """A run that is not recorded is not waited for."""
    assert "no run 'k'" in flow.refusal("wait", "--run-key=k")["error"]
