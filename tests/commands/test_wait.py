"""`wait`, and the exit code of `status --exit-status`: for scripts that ask later (rule 9.9)."""

import json

from support.flow import Flow
from support.gate import Gate

NOT_YET = 8


def test_ended_run(flow: Flow) -> None:
    """A run that has ended is not waited for; the exit code is its outcome."""
    run = flow.start("k", flow.write({"id": "a", "command": ["false"]}), code=1)
    assert flow.ask("wait", "--run-key=k", code=1) == run
    assert flow.ask("status", "--run-key=k", "--exit-status", code=1) == run


def test_until_the_end(flow: Flow, gate: Gate) -> None:
    """`wait` waits for a run under way, whichever process advances it, or until the time is up."""
    flow.detach(flow.write({"id": "a", "command": gate.command()}), gate)
    waiting = flow.spawn("wait", "--run-key=k")
    assert flow.ask("status", "--run-key=k", "--exit-status", code=NOT_YET)["status"] == "RUNNING"
    assert flow.ask("wait", "--run-key=k", "--timeout=0", code=NOT_YET)["status"] == "RUNNING"
    assert flow.ask("wait", "--run-key=k", "--timeout=0.2", code=NOT_YET)["runner"]
    gate.let_through()
    stdout, stderr = waiting.communicate()
    assert (waiting.returncode, stderr) == (0, "")
    assert json.loads(stdout)["status"] == "SUCCEEDED"


def test_no_runner(flow: Flow, gate: Gate) -> None:
    """`wait` waits for a run without a runner too, as it may get one; stderr says so at once.

    A run that is removed meanwhile was there: the key is not wrong.
    """
    file = flow.write({"id": "a", "command": gate.command()})
    flow.abandon(file, gate)
    waiting = flow.spawn("wait", "--run-key=k")
    assert "no process advances run 'k'" in waiting.stderr.readline()
    gate.let_through()
    flow.ask("resume", "--run-key=k")
    assert waiting.wait() == 0
    flow.change("UPDATE runs SET status = 'RUNNING', finished_at = NULL")
    waiting = flow.spawn("wait", "--run-key=k")
    assert "no process advances run 'k'" in waiting.stderr.readline()
    flow.change("DELETE FROM runs WHERE run_key = 'k'")
    error = json.loads(waiting.communicate()[1])["error"]
    assert (waiting.returncode, error) == (
        2,
        "run 'k' was removed meanwhile, by `prune` or with its database",
    )
    gate.let_through()
