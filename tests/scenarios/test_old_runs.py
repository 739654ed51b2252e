"""Last month's runs are removed, and nothing else."""

import pytest

from support.answers import run_keys
from support.flow import Flow
from support.gate import Gate

from .recording import recording

pytestmark = pytest.mark.integration

DAY = 86400


def test_old_runs_are_removed(real_flow: Flow, gate: Gate) -> None:
    """Old runs are removed with logs and locks; recent and running ones stay (9.10)."""
    file = real_flow.write({"id": "a", "command": recording(real_flow, "true")})
    for key in ("march", "april", "may"):
        real_flow.ask("start", "-d", f"--run-key={key}", file)
        real_flow.ask("wait", f"--run-key={key}")
        real_flow.await_status(key, lambda run: run["runner"] is None)
    waiting = real_flow.write({"id": "a", "command": gate.command()}, name="waiting.json")
    real_flow.ask("start", "-d", "--run-key=live", waiting)
    gate.await_arrival()
    aged = "UPDATE runs SET started_at = started_at - ?, finished_at = finished_at - ?"
    for key, days in (("april", 31), ("march", 62), ("live", 40)):
        values = (days * DAY, days * DAY, key)
        real_flow.change(f"{aged} WHERE run_key = ?", *values)

    prune = ("prune", "--older-than", "30d")
    code, shown = real_flow.run_on_terminal(*prune, "--dry-run", "--format=table")
    assert (code, [line.split()[0] for line in shown.splitlines()]) == (0, ["april", "march", "2"])
    assert len(run_keys(real_flow.ask("list"))) == 4
    assert run_keys(real_flow.ask(*prune), "removed") == ["april", "march"]
    assert set(run_keys(real_flow.ask("list"))) == {"may", "live"}
    left = {
        path.name
        for folder in ("locks", "logs")
        for path in (real_flow.home / folder).iterdir()
        if path.suffix not in (".queue", ".slot")  # those of all runs
    }
    assert left == {
        *("may.lock", "may.calls", "live.lock", "live.calls"),
        *(f"orchesjob-flow-{k}.{s}.log" for k in ("may", "live") for s in ("stdout", "stderr")),
    }
    assert run_keys(real_flow.ask(*prune), "removed") == []
    gate.let_through()
    assert real_flow.ask("wait", "--run-key=live")["status"] == "SUCCEEDED"
    assert real_flow.ask("doctor")["sound"]
