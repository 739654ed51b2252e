"""Homes, databases and cgroups of other users: as an ordinary user, and as root (rules 6.1, 6.13).

What one user alone can try is in `tests/faults/test_exposed_places.py`.
"""

import os
import pwd
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.flow import Flow
from support.gate import Gate
from support.processes import is_gone
from support.steps import TRUE

from .machine import as_user

ROOT, USER, PEER = (pwd.getpwnam(name) for name in ("root", "nobody", "daemon"))
PLACES = {
    "flow home": "flow-home",
    "flow database": "flow-home/orchesjob-flow.sqlite3",
    "orchesjob home": "orchesjob-home",
    "orchesjob database": "orchesjob-home/orchesjob.db",
}
MODES = {"home": (0o700, 0o755, 0o775, 0o777, 0o1777), "database": (0o600, 0o644, 0o664, 0o666)}
ROWS = [
    (place, mode, owner)
    for place in PLACES
    for mode in MODES[place.split()[1]]
    for owner in (ROOT, USER, PEER)
]


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder that other users can reach, unlike those of pytest."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def call(flow: Flow, user: pwd.struct_passwd, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*as_user(user), flow.program, *words],
        cwd=flow.folder,
        env=flow.environ,
        capture_output=True,
        text=True,
        check=False,
    )


def give(folder: Path, user: pwd.struct_passwd) -> None:
    for path in (folder, *folder.rglob("*")):
        os.chown(path, user.pw_uid, user.pw_gid)


@pytest.mark.parametrize("caller", [ROOT, USER], ids=["root", "user"])
def test_owners_and_modes(real_flow: Flow, caller: pwd.struct_passwd) -> None:
    """Each place with each owner and mode is used, or refused with its path, and unchanged."""
    give(real_flow.folder, caller)
    file = real_flow.write(TRUE)
    assert call(real_flow, caller, "start", "first", file).returncode == 0
    for number, (place, mode, owner) in enumerate(ROWS):
        path = real_flow.folder / PLACES[place]
        before = path.stat()
        os.chown(path, owner.pw_uid, owner.pw_gid)
        path.chmod(mode)
        trusted = (caller,) if place == "flow home" else (caller, ROOT)
        is_safe = owner in trusted and not mode & 0o022
        # What root has made for itself alone is safe, and an ordinary user cannot write to it.
        is_usable = is_safe and (caller is ROOT or owner is caller)
        answer = call(real_flow, caller, "--patience=0", "start", f"k{number}", file)
        assert answer.returncode == (0 if is_usable else 2), (place, oct(mode), owner, answer)
        assert is_safe or str(path) in answer.stderr, (place, oct(mode), owner, answer)
        os.chown(path, before.st_uid, before.st_gid)
        path.chmod(before.st_mode & 0o7777)
        recorded = call(real_flow, caller, "status", f"k{number}").returncode == 0
        assert recorded or not is_usable


@pytest.mark.parametrize("caller", [ROOT, USER], ids=["root", "user"])
def test_the_home_of_a_peer(real_flow: Flow, caller: pwd.struct_passwd) -> None:
    """A peer's database can neither make a run green nor change what runs."""
    jobs = real_flow.orchesjob.home
    give(real_flow.folder, PEER)
    real_flow.folder.chmod(0o755)
    file = real_flow.write({"id": "a", "command": ["touch", str(real_flow.folder / "done")]})
    assert call(real_flow, PEER, "start", "k", file).returncode == 0
    os.chown(real_flow.folder, 0, 0)
    real_flow.environ["ORCHESJOB_FLOW_HOME"] = str(real_flow.folder / f"own-{caller.pw_name}")
    Path(real_flow.environ["ORCHESJOB_FLOW_HOME"]).mkdir(mode=0o700)
    give(Path(real_flow.environ["ORCHESJOB_FLOW_HOME"]), caller)
    answer = call(real_flow, caller, "start", "k", file)
    assert answer.returncode == 2
    assert f"{jobs} belongs to another user, {PEER.pw_name}" in answer.stderr
    assert "name a folder of your own with ORCHESJOB_HOME" in answer.stderr
    if caller is ROOT:
        real_flow.environ["ORCHESJOB_FLOW_HOME"] = str(real_flow.home)
        for command in ("status", "list", "logs", "retry"):
            words = (command,) if command == "list" else (command, "k")
            assert "belongs to another user" in call(real_flow, ROOT, *words).stderr
        owners = {path.stat().st_uid for path in real_flow.home.rglob("*")}
        assert owners == {PEER.pw_uid}


@pytest.mark.parametrize("caller", [ROOT, USER], ids=["root", "user"])
@pytest.mark.parametrize("place", ["flow database", "orchesjob database"])
def test_a_journal_of_a_peer(real_flow: Flow, caller: pwd.struct_passwd, place: str) -> None:
    """SQLite would replay what a peer has left beside a database; it is refused by name."""
    give(real_flow.folder, caller)
    file = real_flow.write(TRUE)
    assert call(real_flow, caller, "start", "first", file).returncode == 0
    journal = real_flow.folder / f"{PLACES[place]}-journal"
    journal.write_bytes(b"")
    os.chown(journal, PEER.pw_uid, PEER.pw_gid)
    answer = call(real_flow, caller, "start", "second", file)
    assert answer.returncode == 2
    assert f"{journal} belongs to another user, {PEER.pw_name}; move it away" in answer.stderr


@pytest.mark.parametrize("variable", ["ORCHESJOB_HOME", "ORCHESJOB_FLOW_HOME"])
def test_a_link_of_a_peer(real_flow: Flow, variable: str) -> None:
    """A link that a peer can turn elsewhere leads to no home, and a report follows none."""
    link = real_flow.folder / "link"
    link.symlink_to(real_flow.folder)
    os.chown(link, PEER.pw_uid, PEER.pw_gid, follow_symlinks=False)
    file = real_flow.write(TRUE)
    real_flow.start("k", file)
    assert (
        "it is a link of another user" in real_flow.refusal("report", "k", "-o", str(link))["error"]
    )
    real_flow.environ[variable] = str(link / "home")
    error = real_flow.refusal("start", "k2", file)["error"]
    assert f"{link} belongs to another user, {PEER.pw_name}" in error


def test_a_run_directory_of_a_peer(real_flow: Flow) -> None:
    """Commands would run what a peer has put where the steps keep their files."""
    real_flow.start("k", real_flow.write(TRUE))
    planted = real_flow.home / "runs" / "k2.run"
    planted.mkdir()
    os.chown(planted, PEER.pw_uid, PEER.pw_gid)
    error = real_flow.refusal("start", "k2", real_flow.write(TRUE))["error"]
    assert f"{planted} belongs to another user" in error


def test_a_cgroup_of_a_peer(real_flow: Flow, gate: Gate) -> None:
    """A cgroup counts only if this user has made it: others are left alone."""
    from orchesjob_client import mark, usable_cgroup_folder

    own = mark(str(real_flow.orchesjob.home), "k:a:1")
    folder = usable_cgroup_folder() / f"orchesjob-flow-{own}"
    folder.mkdir()
    os.chown(folder, PEER.pw_uid, PEER.pw_gid)
    bystander = subprocess.Popen([*as_user(PEER), "sleep", "600"])
    try:
        (folder / "cgroup.procs").write_text(str(bystander.pid), encoding="ascii")
        runner = real_flow.spawn(
            "start", "k", real_flow.write({"id": "a", "command": gate.command()})
        )
        gate.await_arrival()
        real_flow.await_job("k")
        assert real_flow.ask("cancel", "k", "--grace-seconds=0.1")["status"] == "CANCELLED"
        runner.communicate()
        assert not is_gone(bystander.pid)
        real_flow.ask("retry", "k", "--step", "a", "-d")
        gate.await_arrival()
        real_flow.ask("cancel", "k", "--grace-seconds=0.1")
        assert not is_gone(bystander.pid)
    finally:
        bystander.kill()
        bystander.wait()
        folder.rmdir()
