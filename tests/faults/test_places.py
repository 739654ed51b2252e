"""Homes and users that are out of the ordinary (rules 6.1 and 6.3)."""

import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.flow import Flow
from support.orchesjob import FakeOrchesjob
from support.steps import TRUE


@pytest.mark.parametrize("name", ["a \n\x1b[31m\u202e?x#y%20'\"$HOME", "caf\udce9"])
def test_any_path(flow: Flow, name: str) -> None:
    """A home may have any path, with characters special to terminals, shells and URIs (6.1)."""
    home = flow.folder / name / "flow"
    flow.environ["ORCHESJOB_FLOW_HOME"] = str(home)
    started = flow.ask("start", "-d", "--run-key=k", flow.write(TRUE))
    assert Path(started["stdout_log"]).parent == home / "logs"
    assert flow.await_status("k", lambda run: not run["runner"])["status"] == "SUCCEEDED"
    assert (home / "orchesjob-flow.sqlite3").stat().st_size > 0
    error = flow.run("status", "--run-key=unknown").stderr
    assert all(character.isprintable() for character in error.rstrip("\n"))


def test_relative_places(flow: Flow, fake_orchesjob: FakeOrchesjob) -> None:
    """The background runner resolves relative paths in the caller's directory (rule 6.3)."""
    (flow.folder / "bin").mkdir()
    (flow.folder / "bin" / "orchesjob").symlink_to(fake_orchesjob.path)
    flow.environ |= {"ORCHESJOB_HOME": "orchesjob-home", "ORCHESJOB_BIN": "bin/orchesjob"}
    for key, options in (("k", []), ("l", ["--orchesjob-bin=bin/orchesjob"])):
        flow.ask(*options, "start", "-d", f"--run-key={key}", flow.write(TRUE))
        assert flow.await_status(key, lambda run: not run["runner"])["status"] == "SUCCEEDED"
        assert fake_orchesjob.status(f"{key}:a:1")["status"] == "SUCCEEDED"


def test_no_environment(flow: Flow, fake_orchesjob: FakeOrchesjob) -> None:
    """With an empty environment the home is the one that the system records for the user (6.1)."""
    error = flow.refusal("status", "--run-key=no such run", env={})["error"]
    user = Path(pwd.getpwuid(os.getuid()).pw_dir)
    assert str(user / ".local/share/orchesjob-flow/orchesjob-flow.sqlite3") in error
    homes = {name: flow.environ[name] for name in ("ORCHESJOB_HOME", "ORCHESJOB_FLOW_HOME")}
    file = flow.write({"id": "a", "command": [sys.executable, "-c", ""]})
    words = (f"--orchesjob-bin={fake_orchesjob.path}", "start", "--run-key=k", file)
    assert flow.run(*words, env=homes).returncode == 0


def test_unknown_user(flow: Flow) -> None:
    """A user without a home is told to name one (rule 6.1)."""
    unshare = shutil.which("unshare")
    words = ("-U", "--map-user=54321")
    if unshare is None or subprocess.run([unshare, *words, "true"], check=False).returncode != 0:
        # A container may refuse it, and no other way leads to a user whom the system does not know.
        pytest.skip("needs permission to be another user")
    call = (*words, flow.program, "status", "--run-key=k")
    error = flow.refusal(*call, executable=unshare, env={})["error"]
    assert "HOME is not set and the user has none; name another place with --db" in error
