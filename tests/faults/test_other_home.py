"""Commands that meet another home than that of a run, or a wrong one (rules 4.8 and 6.13)."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from support.command import Command
from support.flow import Flow
from support.gate import Gate
from support.orchesjob import FakeOrchesjob
from support.steps import AFTER, TRUE


def executed(flow: Flow) -> int:
    """Count how often the step has begun: it writes a line each time."""
    return (flow.folder / "begun").read_text(encoding="utf-8").count("\n")


def abandon(flow: Flow, gate: Gate) -> str:
    """Start a run of one step that leaves a trace, and kill its runner; return the flow file."""
    command = ["sh", "-c", 'echo x >>begun; exec "$@"', "sh", *gate.command()]
    file = flow.write({"id": "a", "command": command, "retries": 1})
    flow.abandon(file, gate)
    return file


ADVANCING = (
    *("start -d k flow.json", "cancel k", "resume k", "resume k -d", "tick k"),
    "watch --advance k",
)


def test_a_takeover_with_another_home(flow: Flow, gate: Gate) -> None:
    """Attempt 1 stays alone: no command advances a run in another home; both are named (4.8)."""
    file = abandon(flow, gate)
    before = flow.status("k")
    other = flow.folder / "other"
    for line in ADVANCING:  # a relative path begins where the command is called
        finished = flow.run(*line.split(), env={**flow.environ, "ORCHESJOB_HOME": "other"})
        assert finished.returncode == 2
        error = json.loads(finished.stderr)["error"]
        assert f"ORCHESJOB_HOME names {other}" in error
        assert str(flow.orchesjob.home) in error
    assert flow.status("k") == before
    assert not other.exists()
    gate.let_through()
    assert flow.start("k", file)["status"] == "SUCCEEDED"
    assert executed(flow) == 1


def test_without_the_variable(flow: Flow, gate: Gate, fake_orchesjob: FakeOrchesjob) -> None:
    """Without the variable the recorded home is used, by a background runner too (rule 4.8)."""
    abandon(flow, gate)
    environ = {name: text for name, text in flow.environ.items() if name != "ORCHESJOB_HOME"}
    assert flow.run("resume", "-d", "--run-key=k", env=environ).returncode == 0
    gate.let_through()
    assert flow.ask("wait", "--run-key=k")["status"] == "SUCCEEDED"
    assert fake_orchesjob.begun() == ["k:a:1"]


def audit(flow: Flow) -> None:
    """Have `doctor` look at the run whose home is lost; it writes nothing (9.11)."""
    home = flow.orchesjob.home
    exists = home.exists()
    for words in (["doctor"], ["doctor", "--all"], ["doctor", "k"]):
        checks = flow.ask(*words, code=1)["checks"]
        problems = {one["check"]: one["message"] for one in checks if one["verdict"] == "problem"}
        assert problems.keys() == {"runners", "homes"}
        assert problems["runners"].endswith("continues it once its orchesjob home is back")
        assert "the jobs of 'k': restore it" in problems["homes"]
        assert "prune" not in problems["homes"]
        (history,) = [one["message"] for one in checks if one["check"] == "history"]
        assert history == f"orchesjob's home {home} has no jobs yet"
        assert (home.exists(), list(home.glob("*"))) == (exists, [])


def test_a_home_that_is_lost(flow: Flow, gate: Gate) -> None:
    """A run whose home is gone is not continued in a new one, unless a person says so (4.8)."""
    abandon(flow, gate)
    gate.let_through()
    flow.await_true(lambda: flow.orchesjob.status("k:a:1")["status"] == "SUCCEEDED")
    flow.orchesjob.home.rename(flow.folder / "lost")
    audit(flow)
    for command in ("cancel", "resume"):
        error = flow.refusal(command, "k")["error"]
        gone = f"{flow.orchesjob.home} is gone, and with it the jobs of run 'k'; restore it"
        assert gone in error
    assert not flow.orchesjob.home.exists()
    flow.orchesjob.home.mkdir()  # as the mount point of a disk that is not mounted
    audit(flow)
    error = flow.refusal("cancel", "--run-key=k")["error"]
    assert f"{flow.orchesjob.home} is another folder now than the one with the jobs" in error
    (made,) = re.findall("`(mkdir .*)` lets the run end", error)
    subprocess.run(["/bin/sh", "-c", made], check=True)
    assert flow.ask("cancel", "--run-key=k")["status"] == "CANCELLED"
    assert executed(flow) == 1


@pytest.mark.integration
def test_a_home_that_vanishes(real_flow: Flow, gate: Gate) -> None:
    """Its runner gives up and creates none; when it is back, the real outcome counts (5.7, 4.8)."""
    runner, home, file = begin(real_flow, gate)
    home.rename(real_flow.folder / "away")
    gate.let_through()
    stdout, stderr = runner.communicate()
    assert (runner.returncode, stdout) == (2, "")
    assert f"its home {home} is gone (put back" in json.loads(stderr.splitlines()[-1])["error"]
    left = real_flow.status("k")
    assert (left["status"], left["runner"], left["steps"][0]["status"]) == (
        "RUNNING",
        None,
        "RUNNING",
    )
    assert (
        f"{home} is gone, and with it the jobs of run 'k'"
        in (real_flow.refusal("resume", "--run-key=k")["error"])
    )
    assert not home.exists()
    (real_flow.folder / "away").rename(home)
    assert real_flow.start("k", file)["steps"][0]["attempt_no"] == 1
    assert executed(real_flow) == 1


@pytest.mark.integration
def test_another_folder_in_its_place(real_flow: Flow, gate: Gate) -> None:
    """What orchesjob says in another folder is not believed, by the next runner either (4.8)."""
    runner, home, file = begin(real_flow, gate)
    home.rename(real_flow.folder / "away")
    assert real_flow.orchesjob.run("status", "--run-key=k:a:1").returncode == 3  # creates one
    gate.let_through()
    _, stderr = runner.communicate()
    assert runner.returncode == 2
    assert f"its home {home} is another folder than before" in stderr.splitlines()[-1]
    for words in (["start", file], ["resume"], ["cancel"]):
        error = real_flow.refusal(*words, "--run-key=k")["error"]
        assert f"{home} is another folder now than the one with the jobs of run 'k'" in error
    shutil.rmtree(home)
    (real_flow.folder / "away").rename(home)
    assert real_flow.start("k", file)["steps"][0]["attempt_no"] == 1
    assert executed(real_flow) == 1


@pytest.mark.integration
def test_a_home_that_is_away_for_a_moment(real_flow: Flow, gate: Gate) -> None:
    """Within the patience, the runner waits for it, even in another place with a link (5.7)."""
    runner, home, _ = begin(real_flow, gate, patience="60")
    home.rename(real_flow.folder / "away")
    gate.let_through()
    assert f"its home {home} is gone" in runner.stderr.readline()
    home.symlink_to(real_flow.folder / "away")
    stdout, _ = runner.communicate()
    assert [step["attempt_no"] for step in json.loads(stdout)["steps"]] == [1, 1]
    assert executed(real_flow) == 1


def test_a_copy_of_its_home(flow: Flow, gate: Gate) -> None:
    """A copy that was restored in its place is the home: output of the run is in it (4.8)."""
    file = abandon(flow, gate)
    gate.let_through()
    flow.await_true(lambda: flow.orchesjob.status("k:a:1")["status"] == "SUCCEEDED")
    flow.orchesjob.home.rename(flow.folder / "away")
    shutil.copytree(flow.folder / "away", flow.orchesjob.home)
    assert flow.start("k", file)["steps"][0]["attempt_no"] == 1


def begin(flow: Flow, gate: Gate, *, patience: str = "0.3") -> tuple[Command, Path, str]:
    """Start a run of two steps whose first one waits; return its runner, home and flow file."""
    command = ["sh", "-c", 'echo x >>begun; exec "$@"', "sh", *gate.command()]
    file = flow.write({"id": "a", "command": command, "retries": 1}, AFTER)
    runner = flow.spawn(f"--patience={patience}", "start", "--run-key=k", file)
    gate.await_arrival()
    flow.await_job("k")
    return runner, Path(flow.status("k")["orchesjob_home"]), file


NO_FOLDER = "is not a folder; set ORCHESJOB_HOME to a folder that you can write to"
UNUSABLE = {
    "file": NO_FOLDER,
    "file/jobs": NO_FOLDER,
    "/proc/nope": "/proc/nope cannot be created: No such file or directory; set ORCHESJOB_HOME",
}


@pytest.mark.parametrize("flow_home", [True, False])
def test_an_unusable_home(flow: Flow, flow_home: bool) -> None:
    """It is refused before anything is recorded, and named by its own variable (rule 6.13)."""
    (flow.folder / "file").touch()
    if not flow_home:
        del flow.environ["ORCHESJOB_FLOW_HOME"]
    for name, said in UNUSABLE.items():
        flow.environ["ORCHESJOB_HOME"] = str(flow.folder / name)
        for words in (["start"], ["start", "-d"]):
            error = flow.refusal("--patience=3", *words, "--run-key=k", flow.write(TRUE))["error"]
            assert said in error
            assert "ORCHESJOB_FLOW_HOME" not in error
    assert not flow.home.exists()


ASKING = ("list", "status k", "cancel k", "resume --all", "doctor")


def test_a_missing_home_of_flows(flow: Flow) -> None:
    """A wrong home is not an empty one: its path is named, and it is not created (6.13)."""
    for line in ASKING:
        error = flow.refusal(*line.split())["error"]
        assert f"{flow.home} does not exist" in error
        assert "check ORCHESJOB_FLOW_HOME" in error
        assert not flow.home.exists()
    flow.home.mkdir()
    for line in ASKING:
        assert flow.refusal("--db=flow-home/x.sqlite3", *line.split())["error"] == (
            f"{flow.home / 'x.sqlite3'} does not exist, so no run is recorded there: check --db, "
            "which names it (`start` creates it)"
        )


def test_a_retry_with_another_home(flow: Flow) -> None:
    """A retry in another home is refused at once; `doctor` audits the own one (rule 4.8)."""
    run = flow.start("k", flow.write({"id": "a", "command": ["false"]}), code=1)
    environ = {**flow.environ, "ORCHESJOB_HOME": str(flow.folder / "other")}
    assert "other" in flow.refusal("retry", "--run-key=k", env=environ)["error"]
    assert flow.status("k") == run
    # A run that has ended is only reported, whatever the variable says.
    reported = flow.run("start", "--run-key=k", "flow.json", env=environ)
    assert (reported.returncode, json.loads(reported.stdout)) == (1, run)
    audited = flow.run("doctor", env=environ)
    assert "1 of 1 attempts match orchesjob's records" in audited.stdout
