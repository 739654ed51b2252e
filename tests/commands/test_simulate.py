"""`simulate`: a flow is played through the engine, and nothing is run or recorded (rule 11.3)."""

import json
import re
from typing import Any

import pytest

from support.answers import outcomes, warnings
from support.flow import Flow

OK, NG, SKIP, CANCELLED = "SUCCEEDED", "FAILED", "SKIPPED", "CANCELLED"
TOUCH = ["sh", "-c", "echo > ran"]
STEPS: list[dict[str, Any]] = [
    {"id": "fetch", "command": TOUCH, "skip_exit_codes": [4]},
    {"id": "load", "command": TOUCH, "depends_on": ["fetch"], "retries": 1, "retry_delay_sec": 60},
    {"id": "report", "command": TOUCH, "depends_on": ["load"]},
    {"id": "alert", "command": TOUCH, "when": "load.failed"},
]


def test_nothing_is_run_or_recorded(flow: Flow) -> None:
    """No command, no database, no orchesjob: the home is not even made."""
    flow.environ["ORCHESJOB_BIN"] = "/nowhere"
    run = flow.ask("simulate", flow.write(*STEPS))
    assert outcomes(run) == {"fetch": OK, "load": OK, "report": OK, "alert": SKIP}
    assert not flow.home.exists()
    assert not (flow.folder / "ran").exists()


def test_json_is_that_of_status(flow: Flow) -> None:
    """The keys are those of `status` and one more; what only a real run has is null."""
    file = flow.write(*STEPS, params={"DAY": {"default": "7"}})
    simulated = flow.ask("simulate", file, "--fail=load", "--param=DAY=8", code=1)
    real = flow.start("k", file)
    assert simulated.pop("simulated") is True
    assert list(simulated) == list(real)
    assert [list(step) for step in simulated["steps"]] == [list(step) for step in real["steps"]]
    load = simulated["steps"][1]
    assert list(load["attempts"][0]) == list(real["steps"][0]["attempts"][0])
    assert (simulated["run_key"], simulated["runner"], simulated["orchesjob_home"]) == (None,) * 3
    assert (load["run_key"], load["orchesjob_status"]) == (None, None)
    assert simulated["params"] == {"DAY": "8"}
    assert simulated["error"] == "1 step failed: load"
    assert [past["started_at"] for past in load["attempts"]] == [1, 62]
    assert simulated["finished_at"] == 64


def test_names_of_steps(flow: Flow) -> None:
    """`A` means all copies and `A@VALUE` one; an unknown one is answered with what was meant."""
    steps = [{"foreach": {"X": ["x", "y"]}, "steps": [{"id": "a", "command": TOUCH}]}]
    file = flow.write(*steps, {"id": "end", "command": TOUCH, "when": "a.finished"})
    one = flow.ask("simulate", file, "--fail=a@x", code=1)
    assert outcomes(one) == {"a@x": NG, "a@y": OK, "end": OK}
    both = flow.ask("simulate", file, "--fail=a", code=1)
    assert outcomes(both) == {"a@x": NG, "a@y": NG, "end": OK}
    error = flow.refusal("simulate", file, "--cancel-at=edn")["error"]
    assert error == 'flow "f" has no step "edn"; did you mean "end"?'


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["--skip=load"], "step 'load' is never skipped once it runs: it has neither"),
        (["--skip=fetch", "--fail=fetch"], "step 'fetch' cannot both fail and be skipped"),
        (["--fail=often"], "step 'often' would be retried 2,001 times before it fails"),
        (["--cancel-at=load", "--cancel-at=fetch"], "is given 2 times; give one"),
        (["--param=DAY=7"], 'the flow has no parameter "DAY"'),
    ],
)
def test_refusals(flow: Flow, words: list[str], error: str) -> None:
    """What cannot happen in a run cannot be simulated."""
    often = {"id": "often", "command": TOUCH, "retries": 2001}
    assert error in flow.refusal("simulate", flow.write(*STEPS, often), *words)["error"]


def test_what_changes_nothing_is_said(flow: Flow) -> None:
    """A step that does not come to run can neither fail nor be cancelled."""
    file = flow.write(*STEPS)
    answer = flow.run("simulate", file, "--fail=alert", "--skip=fetch", "--cancel-at=report")
    assert outcomes(json.loads(answer.stdout)) == dict.fromkeys(
        ("fetch", "load", "report", "alert"), SKIP
    )
    assert warnings(answer.stderr) == [
        "orchesjob-flow: --fail alert has no effect: alert never ends by itself",
        "orchesjob-flow: --cancel-at report has no effect: report never begins",
    ]


def test_all_endings(flow: Flow) -> None:
    """Each has the options that show it; what is named is so in all of them; the exit code is 0."""
    file = flow.write(*STEPS)
    found = flow.ask("simulate", file, "--all", "--fail=load")
    assert (found["flow_id"], found["params"], found["simulated"]) == ("f", {}, True)
    assert (found["total"], found["complete"]) == (4, True)
    assert found["endings"][1] == {
        "status": NG,
        "options": ["--fail=fetch"],
        "steps": {"fetch": NG, "load": SKIP, "report": SKIP, "alert": SKIP},
    }
    for ending in found["endings"]:
        run = flow.ask("simulate", file, *ending["options"], code=int(ending["status"] != OK))
        assert (run["status"], outcomes(run)) == (ending["status"], ending["steps"])
    cancelled = flow.ask("simulate", file, "--all", "--cancel-at=report")["endings"]
    assert cancelled[0]["options"] == ["--cancel-at=report"]
    assert cancelled[0]["status"] == CANCELLED


def test_too_many_endings(flow: Flow) -> None:
    """Where there are too many to list, text and JSON say so."""
    many = flow.write(*({"id": f"s{number}", "command": TOUCH} for number in range(40)))
    shown = flow.run("simulate", many, "--all", "--format=table").stdout.splitlines()
    assert re.fullmatch("Endings: more than [0-9,]+", shown[1])
    found = flow.ask("simulate", many, "--all")
    assert (found["total"], found["complete"]) == (None, False)
    assert shown[-1].startswith("Shown are the 50 with the fewest steps")
