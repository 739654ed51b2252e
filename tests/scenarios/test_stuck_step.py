"""A step does not start, and somebody asks why."""

import pytest

from support.answers import outcomes
from support.flow import Flow
from support.gate import Gate

pytestmark = pytest.mark.integration


def test_why_it_has_not_started(real_flow: Flow, gate: Gate) -> None:
    """The answer names what the step waits for, then that no process advances the run (9.4)."""
    file = real_flow.write(
        {"id": "download", "command": gate.command()},
        {"id": "check", "command": ["true"]},
        {"id": "import", "command": ["true"], "when": "download && check"},
    )
    runner = real_flow.spawn("start", "--run-key=k", file)
    gate.await_arrival()
    real_flow.await_status("k", lambda run: outcomes(run)["check"] == "SUCCEEDED")

    _, said = real_flow.run_on_terminal("explain", "--run-key=k", "import", size=(200, 24))
    answer, *_ = said.splitlines()
    assert answer == (
        "import PENDING: waits for download RUNNING; `download && check` is undecided: "
        "`download` is undecided (download RUNNING), `check` is true (check SUCCEEDED)"
    )
    explained = real_flow.ask("explain", "--run-key=k", "import")
    (step,) = explained["steps"]
    assert (step["id"], step["status"]) == ("import", "PENDING")
    assert {one["id"]: one["status"] for one in step["waits_for"]} == {
        "download": "RUNNING",
        "check": "SUCCEEDED",
    }
    assert step["condition"]["value"] is None
    assert [part["value"] for part in step["condition"]["children"]] == [None, True]

    assert real_flow.await_job("k")
    runner.kill()
    runner.wait()
    gate.let_through()
    _, said = real_flow.run_on_terminal("explain", "--run-key=k", "import", size=(200, 24))
    assert "No process advances this run, nothing recorded since" in said
    assert "`orchesjob-flow resume k` continues it" in " ".join(said.split())
    assert real_flow.ask("explain", "--run-key=k", "import")["runner"] is None
    real_flow.ask("resume", "--run-key=k")
    _, said = real_flow.run_on_terminal("explain", "--run-key=k", "import", size=(200, 24))
    assert said.startswith(
        "import SUCCEEDED: attempt 1 succeeded; download SUCCEEDED, check SUCCEEDED, "
        "so `download && check` is true"
    )
