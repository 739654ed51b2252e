"""What the process of a step sees: variables and directory (rules 9.12 and 9.13)."""

import json
from pathlib import Path
from typing import Any

import pytest

from support.flow import Flow
from support.gate import Gate

PRINT = ["python3", "-c", "import json, os; print(json.dumps([os.getcwd(), dict(os.environ)]))"]


def seen(step: Any) -> tuple[str, dict[str, str]]:
    """Read the directory and the environment that the last attempt of a step has printed."""
    text = Path(step["orchesjob_status"]["stdout_file"]).read_text(encoding="utf-8")
    directory, environ = json.loads(text)
    return directory, environ


def ours(step: Any) -> dict[str, str]:
    environ = seen(step)[1]
    names = ("RUN_KEY", "ID", "STEP", "ATTEMPT", "FAILED_STEPS")
    return {name: environ[f"ORCHESJOB_FLOW_{name}"] for name in names}


def test_working_dir(flow: Flow) -> None:
    """A step's `working_dir` replaces the flow's; both are taken from where `start` ran (9.12)."""
    elsewhere = flow.folder / "elsewhere"
    for path in (flow.folder / "day", flow.folder / "day" / "in", elsewhere):
        path.mkdir()
    file = flow.write(
        {"id": "a", "command": PRINT},
        {"id": "b", "command": PRINT, "working_dir": "day/in"},
        {"id": "c", "command": PRINT, "working_dir": str(elsewhere)},
        {"id": "d", "command": PRINT, "working_dir": "."},
        working_dir="day",
    )
    steps = flow.start("k", file)["steps"]
    where = [Path(seen(step)[0]).relative_to(flow.folder.resolve()) for step in steps]
    assert [str(path) for path in where] == ["day", "day/in", "elsewhere", "."]


def test_what_a_step_is_told(flow: Flow) -> None:
    """Run key, flow, step, attempt, and the ids that had FAILED by then, in order (rule 9.13)."""
    once = ["sh", "-c", "test $ORCHESJOB_FLOW_ATTEMPT = 2 && exec " + " ".join(map(repr, PRINT))]
    file = flow.write(
        {"id": "c", "command": ["false"]},
        {"id": "b", "command": ["false"]},
        {"id": "a", "command": once, "retries": 1},
        {"id": "alert", "command": PRINT, "when": "c.failed && b.failed && a"},
        flow_id="night shift",
    )
    *_, a, alert = flow.start("k 1", file, code=1)["steps"]
    told = {"RUN_KEY": "k 1", "ID": "night shift"}
    assert ours(a).items() >= (told | {"STEP": "a", "ATTEMPT": "2"}).items()
    assert ours(alert) == told | {"STEP": "alert", "ATTEMPT": "1", "FAILED_STEPS": "c b"}


def test_nothing_has_failed(flow: Flow) -> None:
    """`FAILED_STEPS` is set and empty if no step failed, in a nested flow too (rule 9.13)."""
    flow.environ |= {"ORCHESJOB_FLOW_FAILED_STEPS": "x", "ORCHESJOB_FLOW_STEP": "outer"}
    (step,) = flow.start("k", flow.write({"id": "a", "command": PRINT}))["steps"]
    assert (ours(step)["FAILED_STEPS"], ours(step)["STEP"]) == ("", "a")


@pytest.mark.parametrize("detached", [False, True])
def test_variables_of_one_run(flow: Flow, detached: bool) -> None:
    """`start --env` lies over the flow's `env`, under a step's; the first = splits (9.12)."""
    file = flow.write(
        {"id": "a", "command": PRINT},
        {"id": "b", "command": PRINT, "env": {"DAY": "step"}},
        env={"DAY": "flow", "SHOP": "flow"},
    )
    words = ["--run-key=k", "--env", "DAY=a=b", "--env=NEW=", file]
    flow.ask("start", *(["-d"] if detached else []), *words)
    run = flow.ask("wait", "--run-key=k")
    a, b = (seen(step)[1] for step in run["steps"])
    assert (a["DAY"], a["SHOP"], a["NEW"], b["DAY"]) == ("a=b", "flow", "", "step")


def test_they_are_part_of_the_run(flow: Flow) -> None:
    """The same `start` reports the run; with other variables it is another definition (4.4)."""
    file = flow.write({"id": "a", "command": ["true"]}, env={"A": "1"})
    flow.ask("start", "--run-key=k", "--env=B=hush", file)
    assert (
        flow.ask("start", "--run-key=k", "--env=B=hush", "--env=A=1", file)["status"] == "SUCCEEDED"
    )
    for words, sentence in [
        ([], "env.B is no longer set"),
        (["--env=B=other"], "env.B has a different value"),
        (["--env=B=hush", "--env=C=1"], "env.C was not set and is now"),
    ]:
        error = flow.refusal("start", "--run-key=k", *words, file)["error"]
        assert f"started with another definition: {sentence};" in error
        assert "hush" not in error


def test_surrogates(flow: Flow) -> None:
    """A value that is no text is refused, and nothing is recorded (rules 9.12 and 10.2)."""
    file = flow.write({"id": "a", "command": ["true"]}, params={"B": ""})
    for option, complaint in (
        ("--env=A=\udcff", "the variable 'A' must not contain the surrogate"),
        ("--param=B=\udcff", "the surrogate U+DCFF"),
    ):
        assert complaint in flow.refusal("start", "k", option, file)["error"]
    assert not flow.home.exists()


def test_removed_directory_of_a_run(flow: Flow, gate: Gate) -> None:
    """A step whose directory is missing fails and says so; it runs nowhere else (rule 4.6)."""
    place = flow.folder / "place"
    place.mkdir()
    after = {"id": "b", "command": ["true"], "when": "a", "retries": 1}
    file = flow.write({"id": "a", "command": gate.command()}, after)
    runner = flow.spawn("start", "--run-key=k", file, cwd=place)
    gate.await_arrival()
    place.rmdir()
    gate.let_through()
    assert runner.wait() == 1
    step = flow.status("k")["steps"][1]
    assert (step["status"], step["attempt_no"]) == ("FAILED", 2)
    assert f"the directory {place} cannot be entered: No such file" in step["error"]


def test_a_retry_with_other_variables(flow: Flow) -> None:
    """`retry --env` changes the recorded flow, with and without `--file` (rules 9.7 and 9.12)."""
    script = ["sh", "-c", 'test "$GOOD" = yes && exec ' + " ".join(map(repr, PRINT))]
    file = flow.write({"id": "a", "command": script}, env={"OLD": "1"})
    flow.start("k", file, code=1)
    (step,) = flow.ask("retry", "--run-key=k", "--env=GOOD=yes")["steps"]
    assert (seen(step)[1]["OLD"], ours(step)["ATTEMPT"]) == ("1", "2")
    words = ["--step=a", "--file", flow.write({"id": "a", "command": script})]
    (step,) = flow.ask("retry", "--run-key=k", *words, "--env=GOOD=yes")["steps"]
    assert "OLD" not in seen(step)[1]
    flow.ask("retry", "--run-key=k", *words, code=1)
