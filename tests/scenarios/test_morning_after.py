"""A step failed at night; in the morning it is found, fixed and retried."""

import pytest

from support.answers import outcomes
from support.flow import Flow

from .recording import begun, recording

pytestmark = pytest.mark.integration


def test_the_morning_after(real_flow: Flow) -> None:
    """The run, the step and its output are found; a retry with a fixed file keeps both attempts."""
    fetch = {"id": "fetch", "command": recording(real_flow, "echo 120 orders")}
    load = {"id": "load", "when": "fetch"}
    report = {"id": "report", "when": "load", "command": recording(real_flow, "true")}
    wrong = recording(real_flow, "echo loading; echo 'no table order' >&2; exit 3")
    real_flow.start("fine", real_flow.write(fetch))
    real_flow.start("night", real_flow.write(fetch, {**load, "command": wrong}, report), code=1)

    (run,) = real_flow.ask("list", "--status=FAILED")["runs"]
    assert (run["run_key"], run["error"]) == ("night", "1 step failed: load")
    _, shown = real_flow.run_on_terminal("list", "--status", "failed")
    assert ["night" in line for line in shown.splitlines()[2:]] == [True]
    assert outcomes(real_flow.status("night"))["load"] == "FAILED"
    _, shown = real_flow.run_on_terminal("explain", "--run-key=night")
    assert "load FAILED: exit code 3;" in shown
    assert "report SKIPPED: load FAILED, so `load` is false" in shown
    assert real_flow.run("logs", "--run-key=night", "load").stdout == "loading\nno table order\n"

    fixed = real_flow.write(
        fetch, {**load, "command": recording(real_flow, "echo loaded")}, report, name="fixed.json"
    )
    real_flow.ask("retry", "--run-key=night", "--file", fixed)
    run = real_flow.status("night")
    assert outcomes(run) == dict.fromkeys(("fetch", "load", "report"), "SUCCEEDED")
    attempts = run["steps"][1]["attempts"]
    assert [(one["run_key"], one["status"], one["error"]) for one in attempts] == [
        ("night:load:1", "FAILED", "exit code 3"),
        ("night:load:2", "SUCCEEDED", None),
    ]
    assert begun(real_flow)[1:] == ["fetch", "load", "load", "report"]
    first = real_flow.run("logs", "--run-key=night", "load", "--attempt=1", "--stream=stderr")
    assert first.stdout == "no table order\n"
    assert real_flow.ask("list", "--status=FAILED")["runs"] == []
