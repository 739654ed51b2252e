"""Odd surroundings: a clock that jumps, strange paths, no environment, no terminal."""

import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import FakeOrchesjob, Flow, Gate

TRUE = {"id": "a", "command": ["true"]}
JUMPING = """
import os, time
honest = time.time
def jumped():
    with open(os.environ["CLOCK_IS_FAST_BY"]) as file:
        return honest() + float(file.read())
time.time = jumped
"""


@pytest.mark.parametrize("seconds", [7200, -7200])
def test_wall_clock_jumps(
    flow: "Flow", gate: "Gate", fake_orchesjob: "FakeOrchesjob", tmp_path: Path, seconds: int
) -> None:
    """A jump of the clock neither fires a timeout nor stalls or hurries a retry (rule 5.10)."""
    (tmp_path / "sitecustomize.py").write_text(JUMPING, encoding="utf-8")
    clock = tmp_path / "clock"
    clock.write_text("0", encoding="utf-8")
    flow.environ |= {"PYTHONPATH": str(tmp_path), "CLOCK_IS_FAST_BY": str(clock)}
    slow = {"id": "a", "command": gate.command(), "timeout_sec": 3600}
    once = f"test -e {tmp_path}/once || {{ touch {tmp_path}/once; exit 1; }}"
    again = {"id": "b", "command": ["sh", "-c", once], "retries": 1, "retry_delay_sec": 1}
    runner = flow.spawn("start", "--run-key=k", flow.write(slow, again))
    gate.await_arrival()

    def is_at(status: str) -> Callable[[Any], bool]:
        return lambda run: bool(run["steps"][1]["status"] == status)

    flow.await_status("k", is_at("DELAYED"))
    clock.write_text(str(seconds), encoding="utf-8")
    run = flow.await_status("k", is_at("SUCCEEDED"))
    assert run["steps"][0]["status"] == "RUNNING"
    gate.let_through()
    assert runner.wait(60) == 0
    first, second = (
        event["monotonic"]
        for event in fake_orchesjob.executions()
        if event["event"] == "begin" and ":b:" in event["key"]
    )
    assert second - first >= 1


@pytest.mark.parametrize("name", ["a \n\x1b[31m\u202e?x#y%20'\"$HOME", "caf\udce9"])
def test_any_path(flow: "Flow", name: str) -> None:
    """A home may lie on any path, whatever that means to a terminal, a shell or a URI (6.1)."""
    home = flow.folder / name / "flow"
    flow.environ["ORCHESJOB_FLOW_HOME"] = str(home)
    started = flow.ask("start", "-d", "--run-key=k", flow.write(TRUE))
    assert Path(started["stdout_log"]).parent == home / "logs"
    assert flow.await_status("k", lambda run: not run["runner"])["status"] == "SUCCEEDED"
    assert (home / "orchesjob-flow.sqlite3").stat().st_size > 0
    error = flow.run("status", "--run-key=unknown").stderr
    assert all(character.isprintable() for character in error.rstrip("\n"))


def test_removed_directory_of_a_run(flow: "Flow", gate: "Gate") -> None:
    """A step whose directory is gone runs nowhere else: it fails and says so (rule 4.6)."""
    place = flow.folder / "place"
    place.mkdir()
    after = {"id": "b", "command": ["true"], "when": "a", "retries": 1}
    file = flow.write({"id": "a", "command": gate.command()}, after)
    runner = flow.spawn("start", "--run-key=k", file, cwd=place)
    gate.await_arrival()
    place.rmdir()
    gate.let_through()
    assert runner.wait(60) == 1
    step = flow.status("k")["steps"][1]
    assert (step["status"], step["attempt_no"]) == ("FAILED", 2)
    assert f"the directory {place} cannot be entered: No such file" in step["error"]


def test_relative_places(flow: "Flow", fake_orchesjob: "FakeOrchesjob") -> None:
    """The background runner finds what the caller named from its own directory (rule 6.3)."""
    (flow.folder / "bin").mkdir()
    (flow.folder / "bin" / "orchesjob").symlink_to(fake_orchesjob.path)
    flow.environ |= {"ORCHESJOB_HOME": "orchesjob-home", "ORCHESJOB_BIN": "bin/orchesjob"}
    for key, options in (("k", []), ("l", ["--orchesjob-bin=bin/orchesjob"])):
        flow.ask(*options, "start", "-d", f"--run-key={key}", flow.write(TRUE))
        assert flow.await_status(key, lambda run: not run["runner"])["status"] == "SUCCEEDED"
        assert fake_orchesjob.status(f"{key}:a:1")["status"] == "SUCCEEDED"


def test_no_environment(flow: "Flow", fake_orchesjob: "FakeOrchesjob") -> None:
    """Without a single variable the home is that of the user, as the system knows it (6.1)."""
    error = flow.refusal("status", "--run-key=no such run", env={})["error"]
    user = Path(pwd.getpwuid(os.getuid()).pw_dir)
    assert str(user / ".local/share/orchesjob-flow/orchesjob-flow.sqlite3") in error
    homes = {name: flow.environ[name] for name in ("ORCHESJOB_HOME", "ORCHESJOB_FLOW_HOME")}
    file = flow.write({"id": "a", "command": [sys.executable, "-c", ""]})
    words = (f"--orchesjob-bin={fake_orchesjob.path}", "start", "--run-key=k", file)
    assert flow.run(*words, env=homes).returncode == 0


def test_nobody(flow: "Flow") -> None:
    """A user without a home is told to name one (rule 6.1)."""
    unshare = shutil.which("unshare")
    words = ("-U", "--map-user=54321")
    if unshare is None or subprocess.run([unshare, *words, "true"], check=False).returncode != 0:
        # A container may refuse it, and no other way leads to a user whom the system does not know.
        pytest.skip("needs permission to be another user")
    call = (*words, flow.program, "status", "--run-key=k")
    error = flow.refusal(*call, executable=unshare, env={})["error"]
    assert "HOME is not set and the user has none; name another place with --db" in error


def test_no_terminal(flow: "Flow") -> None:
    """Nothing needs a terminal, not even drawing in place (rule 6.6)."""
    flow.start("k", flow.write(TRUE))
    del flow.environ["TERM"]
    watch = flow.run("watch", "--run-key=k", "--mode=screen", start_new_session=True)
    assert (watch.returncode, watch.stderr) == (0, "")
    assert "a     OK SUCCEEDED" in watch.stdout
