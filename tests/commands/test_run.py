"""`run`: a flow file is run once, under a fresh key, which is shown first (rule 6.12)."""

import json
import re
import signal
import time
from pathlib import Path

import pytest

from support.flow import Flow
from support.gate import Gate
from support.processes import await_exit
from support.steps import TRUE

SHOWN = re.compile(r"orchesjob-flow: the run key is (.+)\n")


def test_fresh_key(flow: Flow) -> None:
    """Each call is a run of its own, named by its flow, the local time, and a random mark."""
    file = flow.write(TRUE)
    keys = []
    for _ in range(2):
        answer = flow.run("run", file)
        shown = SHOWN.fullmatch(answer.stderr)
        assert shown is not None, answer
        run = json.loads(answer.stdout)
        assert (answer.returncode, run["run_key"], run["status"]) == (0, shown[1], "SUCCEEDED")
        named = re.fullmatch(r"f-(\d{8}T\d{6})-[a-z0-9]{4}", shown[1])
        assert named is not None
        begun = time.mktime(time.strptime(named[1], "%Y%m%dT%H%M%S"))
        assert begun <= run["started_at"]
        keys.append(shown[1])
    assert len(set(keys)) == 2


def test_in_the_background(flow: Flow) -> None:
    """With `-d` the key is shown too; the options are those of `start`, and a pipe is read once."""
    text = Path(flow.write(TRUE, params={"DAY": "1"})).read_text(encoding="utf-8")
    with (flow.folder / "flow.json").open(encoding="utf-8") as stdin:
        assert stdin.read() == text
        stdin.seek(0)
        words = ["run", "-d", "--param", "DAY=2", "--env=A=B", "--jobs=own", "-"]
        answer = flow.run(*words, stdin=stdin)
    run = json.loads(answer.stdout)
    assert answer.stderr == f"orchesjob-flow: the run key is {run['run_key']}\n"
    assert run["detached"] is True
    await_exit(run["pid"])
    assert flow.status(run["run_key"])["params"] == {"DAY": "2"}


@pytest.mark.parametrize(
    ("flow_id", "beginning"),
    [
        ("語" * 255, "語" * 234),
        ("nightly import/2", "nightly import/2"),
        ("-x", "-x"),
        ("a\u200db", "a_b"),
    ],
)
def test_any_flow_id(flow: Flow, flow_id: str, beginning: str) -> None:
    """However a flow is called, its key is a run key (rule 4.1)."""
    key = flow.ask("run", flow.write(TRUE, flow_id=flow_id))["run_key"]
    assert key[: -len("-20260507T230000-abcd")] == beginning
    assert flow.status(key)["flow_id"] == flow_id


def test_nothing_is_named_for_a_wrong_file(flow: Flow) -> None:
    """What is wrong with a flow file is said before there is a key."""
    assert flow.refusal("run", flow.write({"id": "a"}))["problems"]
    assert not flow.home.exists()


def test_interrupted(flow: Flow, gate: Gate) -> None:
    """To repeat `run` would be another run; so an interrupted one names its key (rule 6.9)."""
    runner = flow.spawn("run", flow.write({"id": "a", "command": gate.command()}))
    gate.await_arrival()
    runner.send_signal(signal.SIGINT)
    _, stderr = runner.communicate()
    first, last = stderr.splitlines()
    shown = SHOWN.fullmatch(f"{first}\n")
    assert shown is not None
    words = json.loads(last)
    assert words["resume"] == f"orchesjob-flow resume {shown[1]}"
    assert words["cancel"] == f"orchesjob-flow cancel {shown[1]}"
    gate.let_through()
    assert flow.ask("resume", shown[1])["status"] == "SUCCEEDED"
