"""Who else may write where: homes and databases, by mode, kind and umask (rules 6.1, 6.13).

What belongs to other users is in `tests/recipes/users.py`, which needs root.
"""

import json
import os
import re
import subprocess

import pytest

from support.flow import Flow
from support.gate import Gate
from support.kept import Kept
from support.orchesjob import FakeOrchesjob
from support.steps import TRUE

FAILING = {"id": "a", "command": ["sh", "-c", "echo broken; exit 1"]}
PLACES = {
    "flow home": "flow-home",
    "flow database": "flow-home/orchesjob-flow.sqlite3",
    "orchesjob home": "orchesjob-home",
    "orchesjob database": "orchesjob-home/orchesjob.db",
}
CHMOD, MKDIR = "chmod", "mkdir"
FOLDER_MODES = {0o755: None, 0o775: CHMOD, 0o1777: MKDIR}
"""A folder with the sticky bit is meant to be shared, and keeps its mode."""
FILE_MODES = {0o644: None, 0o664: CHMOD}
MODES = [
    *(
        (f"{what} home", mode, by)
        for what in ("flow", "orchesjob")
        for mode, by in FOLDER_MODES.items()
    ),
    *(
        (f"{what} database", mode, by)
        for what in ("flow", "orchesjob")
        for mode, by in FILE_MODES.items()
    ),
]


@pytest.fixture(scope="module")
def kept(shared_flow: Flow) -> Kept:
    """The run of `ended`, which has really run."""
    shared_flow.start("k", shared_flow.write(FAILING), code=1)
    (shared_flow.orchesjob.home / "orchesjob.db").touch(mode=0o600)  # the fake's has another name
    return Kept(shared_flow)


@pytest.fixture
def ended(kept: Kept) -> Flow:
    """A run `k` of one step, which has failed."""
    return kept.put_back()


def repair_of(error: str) -> str:
    (line,) = re.findall("`(.*?)`", error)
    return str(line)


@pytest.mark.parametrize(("place", "mode", "by"), MODES)
def test_modes(ended: Flow, place: str, mode: int, by: str | None) -> None:
    """What others can write is refused, and nothing is recorded; the advised command repairs it."""
    path = ended.folder / PLACES[place]
    path.chmod(mode)
    words = ("start", "new", ended.write(TRUE))
    if by is not None:
        error = ended.refusal(*words)["error"]
        assert f"{path} can be written by others" in error
        line = repair_of(error)
        assert line.startswith(by)
        assert ended.run("status", "new").returncode == 2
        subprocess.run(["/bin/sh", "-c", line], check=True)
        if by == MKDIR:
            variable = "ORCHESJOB_FLOW_HOME" if "flow" in place else "ORCHESJOB_HOME"
            assert f"in it, which {variable} can name" in error
            ended.environ[variable] = str(path / "orchesjob")
    assert ended.ask(*words)["status"] == "SUCCEEDED"


JOBS = 2
"""The exit code of a command that uses the orchesjob home, if others can write to it."""
COMMANDS = {
    "start new FILE": JOBS,
    "start new -d FILE": JOBS,
    "start new --jobs own FILE": 1,
    "start k FILE": 1,
    "run FILE": JOBS,
    "status k": 0,
    "list": 0,
    "explain k": 0,
    "graph -k k": 0,
    "stats": 0,
    "metrics": 0,
    "wait k": 1,
    "watch k": 1,
    "logs k": JOBS,
    "report k -o page.html": JOBS,
    "retry k": JOBS,
    "settle k a --as skipped --reason x": JOBS,
    "resume k": 1,
    "cancel k": 0,
    "prune k": JOBS,
    "prune k --dry-run": 0,
    "doctor": 1,
}


@pytest.mark.parametrize("command", COMMANDS)
def test_commands(ended: Flow, command: str) -> None:
    """A flow home is refused by every command, an orchesjob home by every one that uses it."""
    file = ended.write(FAILING)
    words = [file if word == "FILE" else word for word in command.split()]
    (ended.folder / PLACES["orchesjob database"]).chmod(0o666)
    answer = ended.run(*words)
    assert answer.returncode == COMMANDS[command], answer
    is_said = "orchesjob.db can be written by others" in answer.stdout + answer.stderr
    assert is_said == (COMMANDS[command] == JOBS or command == "doctor"), answer
    ended.home.chmod(0o777)
    answer = ended.run(*words)
    assert answer.returncode == (1 if command == "doctor" else 2), answer
    assert f"{ended.home} can be written by others" in answer.stdout + answer.stderr


def test_commands_without_homes(ended: Flow) -> None:
    """A command that uses no home does not look at it."""
    file = ended.write(FAILING)
    for home in (ended.home, ended.orchesjob.home):
        home.chmod(0o777)
    for words in (["validate", file], ["simulate", file], ["graph", file], ["example"]):
        assert ended.run(*words).returncode == 0


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (0o775, None),
        (0o1777, None),
        (0o777, "can be written by others; `chmod o-w "),
    ],
)
@pytest.mark.parametrize("variable", ["ORCHESJOB_HOME", "ORCHESJOB_FLOW_HOME"])
def test_folders_above(flow: Flow, variable: str, mode: int, expected: str | None) -> None:
    """Whoever can replace a folder above a home can replace the home (rule 6.13)."""
    above = flow.folder / "above"
    above.mkdir()
    above.chmod(mode)
    flow.environ[variable] = str(above / "between" / "home")
    words = ("start", "k", flow.write(TRUE))
    if expected is not None:
        error = flow.refusal(*words)["error"]
        assert f"{above} {expected}" in error
        subprocess.run(["/bin/sh", "-c", repair_of(error)], check=True)
    assert flow.ask(*words)["status"] == "SUCCEEDED"


@pytest.mark.parametrize("variable", ["ORCHESJOB_HOME", "ORCHESJOB_FLOW_HOME"])
def test_a_folder_beside_the_target_of_a_link(flow: Flow, variable: str) -> None:
    """After a link, `..` is the folder that holds its target."""
    above = flow.folder / "above"
    (above / "target").mkdir(parents=True)
    above.chmod(0o777)
    (flow.folder / "link").symlink_to(above / "target")
    flow.environ[variable] = f"{flow.folder}/link/../home"
    error = flow.refusal("start", "k", flow.write(TRUE))["error"]
    assert f"{above} can be written by others" in error
    assert not (above / "home").exists()


@pytest.mark.parametrize("place", ["flow database", "orchesjob database"])
def test_a_database_elsewhere(ended: Flow, place: str) -> None:
    """A link to a database is as safe as the folder to which it leads."""
    path, other = ended.folder / PLACES[place], ended.folder / place.replace(" ", "-")
    other.mkdir()
    path.rename(other / path.name)
    path.symlink_to(other / path.name)
    assert ended.start("first", ended.write(TRUE))["status"] == "SUCCEEDED"
    other.chmod(0o777)
    error = ended.refusal("start", "second", ended.write(TRUE))["error"]
    assert f"{other} can be written by others" in error


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("flow database", "-wal"),
        ("flow database", "-shm"),
        ("flow database", "-journal"),
        ("orchesjob database", "-wal"),
    ],
)
def test_beside_a_database(ended: Flow, place: str, name: str) -> None:
    """What SQLite reads beside a database decides as much as the database."""
    path = ended.folder / f"{PLACES[place]}{name}"
    path.touch()
    path.chmod(0o666)
    error = ended.refusal("start", "new", ended.write(TRUE))["error"]
    assert f"{path} can be written by others" in error


@pytest.mark.parametrize("place", ["flow database", "orchesjob database"])
def test_a_pipe_beside_a_database(ended: Flow, place: str) -> None:
    """What SQLite would wait for is named at once, also by a command that only reads."""
    path = ended.folder / f"{PLACES[place]}-journal"
    os.mkfifo(path)
    words = ("status", "k") if place == "flow database" else ("logs", "k")
    for command in (("start", "new", ended.write(TRUE)), words):
        assert f"{path} is not a regular file; move it away" in ended.refusal(*command)["error"]


def test_the_folder_of_output(ended: Flow) -> None:
    """Whoever can write where orchesjob writes can have it write elsewhere (rule 6.13)."""
    logs = ended.orchesjob.home / "logs"
    logs.chmod(0o777)
    for command in (("start", "new", ended.write(TRUE)), ("logs", "k")):
        error = ended.refusal(*command)["error"]
        assert f"{logs} can be written by others; `chmod go-w {logs}` repairs it" in error


@pytest.mark.parametrize("umask", [0o000, 0o777])
def test_umasks(flow: Flow, umask: int) -> None:
    """Missing homes are made for their owner only, whatever the umask, and work at once."""
    del flow.environ["ORCHESJOB_FLOW_HOME"]
    for number, name in enumerate(("ORCHESJOB_HOME", "ORCHESJOB_FLOW_HOME")):
        flow.environ[name] = str(flow.folder / "new" / f"{number}" / "home")
    for key in ("first", "second"):
        answer = flow.run("start", key, flow.write(TRUE), umask=umask)
        assert answer.returncode == 0, answer
    folders = [flow.folder / "new", *(flow.folder / "new").rglob("*/")]
    assert {folder.stat().st_mode & 0o777 for folder in folders} == {0o700}


def test_a_home_that_becomes_unsafe(flow: Flow, fake_orchesjob: FakeOrchesjob, gate: Gate) -> None:
    """A live runner does not believe what others could have written; and gives up (5.7)."""
    runner = flow.spawn(
        "--patience=0.5", "start", "k", flow.write({"id": "a", "command": gate.command()})
    )
    gate.await_arrival()
    flow.await_job("k")
    flow.orchesjob.home.chmod(0o777)
    gate.let_through()
    _, stderr = runner.communicate()
    error = json.loads(stderr.splitlines()[-1])["error"]
    assert runner.returncode == 2
    assert f"{flow.orchesjob.home} can be written by others" in error
    assert "can be written by others" in flow.refusal("resume", "k")["error"]
    flow.orchesjob.home.chmod(0o700)
    assert flow.ask("resume", "k")["status"] == "SUCCEEDED"
    assert fake_orchesjob.begun() == ["k:a:1"]


def test_output_that_others_could_have_written(ended: Flow) -> None:
    """`--follow` says why it shows nothing; an overview names the run and shows all others."""
    ended.orchesjob.home.chmod(0o777)
    answer = ended.run("watch", "k", "--follow")
    assert answer.stderr.count("what the steps print is not shown") == 1
    assert "broken" not in answer.stderr
    answer = ended.run("overview", "-o", "www")
    assert answer.returncode == 0
    assert "run 'k' has no report: orchesjob's home" in answer.stderr
