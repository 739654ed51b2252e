"""Parameters of a flow, from the command line to a process (rule 10.2)."""

import json
from pathlib import Path
from typing import Any

import pytest

from support.flow import Flow
from support.gate import Gate

DAY = {"pattern": "[0-9-]{10}", "description": "the day"}
PARAMS = {"DAY": DAY, "SHOP": "berlin"}
SHOW = {"id": "show", "command": ["printf", "%s\n", "${{ DAY }}", "<${{ SHOP }}>"]}
PRINT = {"id": "print", "command": ["printenv", "DAY", "SHOP"], "when": "show"}


def lines(step: Any) -> list[str]:
    path = Path(step["orchesjob_status"]["stdout_file"])
    return path.read_text(encoding="utf-8").splitlines()


def write(flow: Flow, *steps: Any, **fields: Any) -> str:
    return flow.write(*(steps or (SHOW, PRINT)), **{"params": PARAMS, **fields})


@pytest.mark.integration
def test_values_reach_words_and_variables(real_flow: Flow) -> None:
    """As they are given, over the runner's environment and files of variables (rule 10.2)."""
    (real_flow.folder / "x.env").write_text("SHOP=file\nOTHER=file\n")
    real_flow.environ["DAY"] = "outside"
    step = {"id": "a", "command": ["printenv", "DAY", "SHOP", "OTHER"], "env_file": "x.env"}
    shop = "a b; $HOME ${{ DAY }} ü"  # never split, and never read again
    words = ("start", "--run-key=k", "--param=DAY=2026-05-07", f"--param=SHOP={shop}")
    run = real_flow.ask(*words, write(real_flow, SHOW, PRINT, step, env_file="x.env"))
    assert run["params"] == {"DAY": "2026-05-07", "SHOP": shop}
    assert lines(run["steps"][0]) == ["2026-05-07", f"<{shop}>"]
    assert lines(run["steps"][1]) == ["2026-05-07", shop]
    assert lines(run["steps"][2]) == ["2026-05-07", shop, "file"]


def test_nothing_is_recorded(flow: Flow) -> None:
    """All that is wrong is said at once, as `validate --param` says it too (10.2 and 9.1)."""
    file = write(flow)
    words = ("--param=SHIP=x", "--param=SHOP=a\nb")
    error = flow.refusal("start", "--run-key=k", *words, file)
    assert error["error"].splitlines() == [
        f'{file}: the flow has no parameter "SHIP"; did you mean "SHOP"?',
        f"{file}: params.DAY: has no value (the day); give it one with --param DAY=VALUE",
    ]
    assert not flow.home.exists()
    assert flow.ask("validate", *words, file, code=2)["files"][0]["problems"] == error["problems"]
    assert flow.ask("validate", file)["files"][0]["valid"] is True


def test_values_are_part_of_the_run(flow: Flow, gate: Gate) -> None:
    """`start` repeats with the same values, whatever is declared by now (rules 4.3 and 4.4)."""
    file = write(flow, {**SHOW, "id": "a", "command": gate.command()}, {**PRINT, "when": "a"})
    words = ("start", "--run-key=k", "--param=DAY=2026-05-07")
    runner = flow.spawn(*words, file)
    gate.await_arrival()
    runner.kill()
    runner.wait()
    refusal = flow.refusal("start", "--run-key=k", "--param=DAY=2026-05-08", file)
    (difference,) = refusal["differences"]
    assert difference == 'params.DAY was "2026-05-07" and is now "2026-05-08"'
    steps = json.loads(Path(file).read_text(encoding="utf-8"))["steps"]
    file = write(flow, *steps, params={"DAY": {}, "SHOP": {"enum": ["berlin"]}})
    gate.let_through()
    run = flow.ask(*words, "--param=SHOP=berlin", file)
    assert (run["status"], lines(run["steps"][1])) == ("SUCCEEDED", ["2026-05-07", "berlin"])


def test_what_is_shown(flow: Flow) -> None:
    """`status`, its table, `list` and `graph` show the values; nothing in them does harm (10.2)."""
    shop = "x\x1b[2J" + "y" * 100
    flow.ask("start", "--run-key=k", "--param=DAY=2026-05-07", f"--param=SHOP={shop}", write(flow))
    assert flow.status("k")["params"] == {"DAY": "2026-05-07", "SHOP": shop}
    (listed,) = flow.ask("list", "--format=json")["runs"]
    assert listed["params"] == {"DAY": "2026-05-07", "SHOP": shop}
    table = flow.run("status", "--run-key=k", "--format=table").stdout
    (shown,) = (line for line in table.splitlines() if line.startswith("Params:"))
    assert shown.startswith("Params: DAY=2026-05-07  SHOP=x\\x1b[2Jyyy")
    assert len(shown) < 100
    flow.start("none", flow.write({"id": "a", "command": ["true"]}))
    assert flow.status("none")["params"] == {}
    assert "Params:" not in flow.run("status", "--run-key=none", "--format=table").stdout


FAIL = {"id": "fail", "command": ["sh", "-c", "test $SHOP = paris"], "when": "show"}


def test_a_retry_keeps_the_values(flow: Flow) -> None:
    """But for those of its `--param`; with a new file too (rules 9.7 and 10.2)."""
    file = write(flow, {**SHOW, "command": ["echo", "${{ DAY }}"]}, FAIL)
    flow.ask("start", "--run-key=k", "--param=DAY=2026-05-07", file, code=1)
    assert flow.ask("retry", "--run-key=k", code=1)["params"]["DAY"] == "2026-05-07"
    error = flow.refusal("retry", "--run-key=k", "--param=DAY=x")["error"]
    assert error == 'flow "f": params.DAY: must match "[0-9-]{10}" as a whole, got "x"'
    refused = flow.refusal("retry", "--run-key=k", "--env=SHOP=x")["error"]
    assert "params.SHOP: is a parameter" in refused
    run = flow.ask("retry", "--run-key=k", "--file", file, "--param=SHOP=rome", code=1)
    assert run["params"] == {"DAY": "2026-05-07", "SHOP": "rome"}
    run = flow.ask("retry", "--run-key=k", "--param=SHOP=paris")
    assert run["params"] == {"DAY": "2026-05-07", "SHOP": "paris"}
    assert flow.status("k")["params"] == run["params"]
    assert [step["attempt_no"] for step in run["steps"]] == [1, 4]
    flow.ask("retry", "--run-key=k", "--step=show", "--param=DAY=2026-06-08")


def test_a_group_for_each_value(flow: Flow) -> None:
    """The name of a group is filled for each run, and for its retry (rules 10.2 and 10.7)."""
    group = {"group": "${{ SHOP }} at ${{ RUN_KEY }}"}
    file = write(flow, {**SHOW, "command": ["true"]}, concurrency=group)
    run = flow.ask("start", "--run-key=k", "--param=DAY=2026-05-07", file)
    assert run["group"] == "berlin at k"
    run = flow.ask("retry", "--run-key=k", "--step=show", "--param=SHOP=paris")
    assert run["group"] == "paris at k"
    long = f"--param=SHOP={'x' * 250}"
    error = flow.refusal("start", "--run-key=l", "--param=DAY=2026-05-07", long, file)["error"]
    assert "concurrency.group: must have at most 255 characters" in error


def test_a_gate_has_the_values(flow: Flow) -> None:
    """In its words and as variables; an empty program is refused (rules 10.2 and 10.8)."""
    gate = ["sh", "-c", 'test "$0" = "$SHOP"', "${{ SHOP }}"]
    file = write(flow, {**SHOW, "command": ["true"], "only_if": gate})
    run = flow.ask("start", "--run-key=k", "--param=DAY=2026-05-07", file)
    assert run["steps"][0]["status"] == "SUCCEEDED"
    file = write(flow, {**SHOW, "command": ["true"], "only_if": ["${{ SHOP }}"]}, name="g.json")
    words = ("start", "--run-key=l", "--param=DAY=2026-05-07", "--param=SHOP=")
    assert "only_if names no program" in flow.refusal(*words, file)["error"]


def test_a_damaged_record(flow: Flow) -> None:
    """It is named, and is no internal error (rule 6.9)."""
    flow.ask("start", "--run-key=k", "--param=DAY=2026-05-07", write(flow))
    for damage in ("'['", """'{"A": 1}'""", "'[]'"):
        flow.change(f"UPDATE runs SET params = {damage}")  # noqa: S608 - one of these
        for command in (["status", "--run-key=k"], ["list", "--format=json"]):
            assert "internal" not in flow.refusal(*command)["error"]
