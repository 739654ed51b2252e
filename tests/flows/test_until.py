"""`--until`: a run of some steps and what they wait for (rule 6.14)."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from support.answers import outcomes
from support.flow import Flow
from support.orchesjob import FakeOrchesjob

FETCH = {"id": "fetch", "command": ["true"]}
LOAD = {"id": "load", "command": ["test", "-e", "there"], "when": "fetch"}
CHECK = {"id": "check", "command": ["true"]}
PUBLISH = {"id": "publish", "command": ["true"], "when": "load && check"}
FINALLY = [
    {"id": "alert", "command": ["true"], "when": "any(failed)"},
    {"id": "tidy", "command": ["true"]},
]
WHY = "left out by --until"


def write(flow: Flow, *steps: Mapping[str, Any], name: str = "flow.json") -> str:
    return flow.write(*(steps or (FETCH, LOAD, CHECK, PUBLISH)), name=name, **{"finally": FINALLY})


def test_what_runs(flow: Flow, fake_orchesjob: FakeOrchesjob) -> None:
    """The named step runs, what it waits for, and `finally`; everything else is SKIPPED at once."""
    file = write(flow)
    Path(flow.folder, "there").touch()
    run = flow.ask("start", "k", "--until", "load", file)
    assert outcomes(run) == {
        "fetch": "SUCCEEDED",
        "load": "SUCCEEDED",
        "check": "SKIPPED",
        "publish": "SKIPPED",
        "alert": "SKIPPED",
        "tidy": "SUCCEEDED",
    }
    assert (run["status"], run["until"]) == ("SUCCEEDED", ["load"])
    why = {step["id"]: step["reason"] for step in run["steps"]}
    assert why["check"] == why["publish"] == WHY
    assert why["alert"].startswith("its condition was false")
    assert fake_orchesjob.begun() == ["k:fetch:1", "k:load:1", "k:tidy:1"]
    assert "\nUntil: load\n" in flow.run("status", "k", "--format=table").stdout
    assert flow.run("explain", "k", "check", "--format=table").stdout == f"check SKIPPED: {WHY}\n"
    (explained,) = flow.ask("explain", "k", "publish")["steps"]
    assert (explained["reason"], explained["condition"]) == (WHY, None)
    assert WHY in flow.run("report", "k", "--format", "markdown").stdout
    assert "SKIPPED" in flow.run("graph", "--run-key=k", "--format=mermaid").stdout


def test_it_is_another_run_without_it(flow: Flow) -> None:
    """The option belongs to the run: `start` must repeat it, and `resume` knows it."""
    file = write(flow)
    flow.ask("start", "k", "--until", "fetch", file)
    error = flow.refusal("start", "k", file)
    assert error["differences"] == ['--until was "fetch" and is now not set']
    assert flow.ask("start", "k", "--until", "fetch", file)["status"] == "SUCCEEDED"
    assert flow.ask("run", "--until", "check", "--until", "fetch", file)["until"] == [
        "check",
        "fetch",
    ]


def test_a_retry(flow: Flow, fake_orchesjob: FakeOrchesjob) -> None:
    """What was left out stays so, also in an edited flow, whose new steps are left out too."""
    file = write(flow)
    flow.ask("start", "k", "--until", "load", file, code=1)
    error = flow.refusal("retry", "k", "--step", "publish")
    assert error["error"] == (
        "run 'k' was started with `--until load`, which leaves out publish; start a run with "
        "another key, without `--until`"
    )
    assert (
        "leaves out publish;"
        in flow.refusal("retry", "k", "--step=load", "--step=publish")["error"]
    )
    Path(flow.folder, "there").touch()
    new = {"id": "new", "command": ["true"], "when": "check"}
    edited = write(
        flow, FETCH, {**LOAD, "when": "fetch && check"}, CHECK, PUBLISH, new, name="e.json"
    )
    run = flow.ask("retry", "k", f"--file={edited}")
    ended = outcomes(run)
    assert (ended["load"], ended["check"]) == ("SUCCEEDED", "SUCCEEDED"), "load waits for check now"
    assert (ended["publish"], ended["new"]) == ("SKIPPED", "SKIPPED")
    assert run["until"] == ["load"]
    assert "k:publish:1" not in fake_orchesjob.begun()
    error = flow.refusal(
        "retry", "k", "--step=fetch", f"--file={write(flow, FETCH, name='s.json')}"
    )
    assert 'has no step "load"' in error["error"]


def test_a_copy(flow: Flow) -> None:
    """The name of a repeated step means all copies; one copy can be named by its id."""
    block = {"foreach": {"SHOP": ["berlin", "rome"]}, "max_parallel": 1, "steps": [CHECK, PUBLISH]}
    block["steps"] = [{"id": "load", "command": ["true"]}, {**CHECK, "when": "load"}]
    file = flow.write(FETCH, block)
    run = flow.ask("run", "--until", "check@rome", file)
    assert {name for name, status in outcomes(run).items() if status == "SUCCEEDED"} == {
        "load@rome",
        "check@rome",
    }
    run = flow.ask("run", "--until", "load", file)
    assert {name for name, status in outcomes(run).items() if status == "SUCCEEDED"} == {
        "load@berlin",
        "load@rome",
    }


def test_simulated(flow: Flow) -> None:
    """`simulate` leaves out the same steps, and lists only the endings that are left."""
    file = write(flow)
    played = flow.ask("simulate", "--until=load", file)
    assert (played["until"], outcomes(played)["publish"]) == (["load"], "SKIPPED")
    endings = flow.ask("simulate", "--until=fetch", "--all", file)
    assert endings["complete"]
    assert {ending["steps"]["load"] for ending in endings["endings"]} == {"SKIPPED"}
    answer = flow.run("simulate", "--until=fetch", "--fail=load", file)
    assert "--fail load has no effect" in answer.stderr
    json.loads(answer.stdout)
