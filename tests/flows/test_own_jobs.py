"""A run may have a home of orchesjob for itself: what ran before costs it nothing (rule 4.8)."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from support.flow import Flow
from support.gate import Gate
from support.steps import TRUE

OWN = "--jobs=own"
HOMES = {"id": "a", "command": ["sh", "-c", 'echo "$ORCHESJOB_HOME $ORCHESJOB_FLOW_HOME"']}


def own(flow: Flow, name: str = "k") -> Path:
    return (flow.home / "jobs" / f"{name}.jobs").resolve()


def start_own(flow: Flow, file: str, key: str = "k", *, code: int = 0) -> object:
    return flow.ask("start", f"--run-key={key}", OWN, file, code=code)


@pytest.mark.integration
def test_nothing_of_it_is_elsewhere(real_flow: Flow) -> None:
    """Its jobs, their output and their history are in its own home, which is its owner's alone."""
    start_own(real_flow, real_flow.write(HOMES))
    assert real_flow.status("k")["orchesjob_home"] == str(own(real_flow))
    assert own(real_flow).stat().st_mode & 0o777 == 0o700
    assert own(real_flow).parent.stat().st_mode & 0o777 == 0o700
    assert real_flow.run("logs", "--run-key=k", "a").stdout == (
        f"{own(real_flow)} {real_flow.home}\n"
    )
    assert real_flow.orchesjob.run("status", "--run-key=k:a:1").returncode == 3
    assert real_flow.ask("doctor")["sound"]


def test_a_flow_home_that_was_moved(flow: Flow, gate: Gate) -> None:
    """The move is named, whatever ORCHESJOB_HOME names, and a link in the old place helps (4.8)."""
    start_own(flow, flow.write({"id": "a", "command": ["false"]}), "done", code=1)
    file = flow.write({"id": "a", "command": gate.command()})
    flow.environ["ORCHESJOB_FLOW_JOBS"] = "own"
    flow.abandon(file, gate)
    del flow.environ["ORCHESJOB_FLOW_JOBS"]
    before, moved = flow.home, flow.folder / "moved"
    before.rename(moved)
    flow.environ["ORCHESJOB_FLOW_HOME"] = str(moved)
    for words in (["retry", "done"], ["resume", "k"], ["cancel", "k"]):
        for variable in (str(flow.folder / "other"), str(moved / "jobs" / "k.jobs")):
            environ = {**flow.environ, "ORCHESJOB_HOME": variable}
            error = flow.refusal(*words, env=environ)["error"]
            assert f"was in the flow home {before}, which was moved to {moved} with the" in error
            assert "ORCHESJOB_HOME" not in error
    checks = flow.ask("doctor", code=1)["checks"]
    homes = {one["message"] for one in checks if one["check"] == "homes"}
    assert {"prune" in message for message in homes if "'k'" in message} == {False}
    assert flow.run("prune", "--older-than=0s").returncode == 0
    assert [path.name for path in (moved / "jobs").iterdir()] == ["k.jobs"]
    assert not before.exists()
    (link,) = re.findall("`(ln -s .*)` leaves", flow.refusal("resume", "k")["error"])
    subprocess.run(["/bin/sh", "-c", link], check=True)
    gate.let_through()
    assert flow.ask("resume", "k")["status"] == "SUCCEEDED"
    assert flow.ask("prune", "--older-than=0s")["removed"][0]["jobs"] == 1
    assert not list((moved / "jobs").iterdir())


def test_a_retry(flow: Flow) -> None:
    """Whatever is done with the run later is done in its home, whatever the variable names."""
    step = {"id": "a", "command": ["sh", "-c", "test -e there"]}
    start_own(flow, flow.write(step), code=1)
    (flow.folder / "there").touch()
    flow.environ["ORCHESJOB_HOME"] = str(flow.folder / "elsewhere")
    assert flow.ask("retry", "--run-key=k")["status"] == "SUCCEEDED"
    assert flow.status("k")["orchesjob_home"] == str(own(flow))
    assert not (flow.folder / "elsewhere").exists()


def test_the_variable(flow: Flow) -> None:
    """`ORCHESJOB_FLOW_JOBS` says it for all runs, and the option for one (rule 4.8)."""
    flow.environ["ORCHESJOB_FLOW_JOBS"] = "own"
    file = flow.write(TRUE)
    assert flow.start("k", file)["orchesjob_home"] == str(own(flow))
    shared = flow.ask("start", "--run-key=s", "--jobs=shared", file)["orchesjob_home"]
    assert shared == str(flow.orchesjob.home)
    flow.environ["ORCHESJOB_FLOW_JOBS"] = "mine"
    assert "'mine' is not one of shared, own" in flow.refusal("start", "--run-key=x", file)["error"]


@pytest.mark.parametrize("named", [True, False])
def test_a_run_inside(flow: Flow, named: bool) -> None:
    """A nested run is recorded beside the outer one, and goes with none but its own record."""
    if not named:  # the flow home is then that of orchesjob
        del flow.environ["ORCHESJOB_FLOW_HOME"]
        flow.home = flow.orchesjob.home
    inner = flow.write(HOMES, name="inner.json", flow_id="inner")
    command = [flow.program, "start", "--run-key=inner", inner]
    start_own(flow, flow.write({"id": "n", "command": command}))
    run = flow.status("inner")
    assert run["parent"]["run_key"] == "k"
    assert run["orchesjob_home"] == str(own(flow, "inner"))
    flow.ask("prune", "--older-than=0s", "--flow-id=f")
    assert flow.run("logs", "--run-key=inner", "a").stdout == f"{own(flow, 'inner')} {flow.home}\n"


@pytest.mark.parametrize(("words", "is_left"), [([], False), (["--keep-output"], True)])
def test_prune(flow: Flow, words: list[str], is_left: bool) -> None:
    """`prune` removes one folder, without a call of orchesjob, and says what was in it (9.10)."""
    start_own(flow, flow.write({"id": "a", "command": ["echo", "12345"]}), key="a/b")
    place = own(flow, "a%2Fb")
    flow.environ["ORCHESJOB_BIN"] = "/nonexistent/orchesjob"
    (removed,) = flow.ask("prune", "--older-than=0s", *words)["removed"]
    assert (removed["jobs"], removed["output_bytes"]) == ((0, 0) if is_left else (1, 6))
    assert place.exists() is is_left


def test_a_link_in_its_place(flow: Flow) -> None:
    """No command follows a link in place of the home: the run stays, and the link is named (6.13).

    `doctor` names it too.
    """
    file = flow.write({"id": "a", "command": ["false"]})
    start_own(flow, file, code=1)
    place = own(flow)
    elsewhere = flow.folder / "elsewhere"
    place.rename(elsewhere)
    place.symlink_to(elsewhere)
    before = sorted(elsewhere.rglob("*"))
    commands = ["status", "logs", "report", "explain", "retry", "resume", "cancel", "wait"]
    for words in [*([command, "k"] for command in commands), ["start", "--run-key=k", OWN, file]]:
        assert str(place) in flow.refusal(*words)["error"]
    answer = flow.run("prune", "--older-than=0s")
    assert answer.returncode == 2
    assert str(place) in answer.stderr
    (problem,) = [
        check for check in flow.ask("doctor", code=1)["checks"] if check["verdict"] == "problem"
    ]
    assert str(place) in problem["message"]
    assert sorted(elsewhere.rglob("*")) == before


def test_a_home_that_is_not_utf_8(flow: Flow) -> None:
    """A home that orchesjob could not name is refused, and nothing is recorded (rule 6.13)."""
    home = os.fsencode(flow.folder / "flow-") + b"\xff"
    flow.environ["ORCHESJOB_FLOW_HOME"] = os.fsdecode(home)
    start = ["--patience=3", "start", "-d", "--run-key=k", OWN]
    error = flow.refusal(*start, flow.write(TRUE))["error"]
    assert "has a name that is not UTF-8, which orchesjob cannot use" in error
    assert "check ORCHESJOB_FLOW_HOME, which names this flow home" in error
    assert not os.path.exists(home)  # noqa: PTH110 - bytes


def test_homes_that_others_can_write(flow: Flow) -> None:
    """The folder of all such homes is nobody else's, and `doctor` says so if it is (rule 6.13)."""
    start_own(flow, flow.write(TRUE))
    (flow.home / "jobs").chmod(0o770)
    said = f"{flow.home / 'jobs'} can be written by others"
    for words in (["start", "--run-key=l", OWN, flow.write(TRUE)], ["retry", "k", "--step=a"]):
        assert said in flow.refusal(*words)["error"]
    (problem,) = [
        check for check in flow.ask("doctor", code=1)["checks"] if check["verdict"] == "problem"
    ]
    assert said in problem["message"]


def test_a_link_that_was_there_first(flow: Flow) -> None:
    """A new run does not take a link for its home, and is not recorded."""
    start_own(flow, flow.write(TRUE), "first")
    place = own(flow)
    place.symlink_to(flow.folder)
    words = ["start", "--run-key=k", OWN, flow.write(TRUE)]
    assert f"{place} is not a folder" in flow.refusal(*words)["error"]
    assert [run["run_key"] for run in flow.ask("list")["runs"]] == ["first"]
