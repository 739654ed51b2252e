"""Bad input: exit code 2, one JSON object on stderr, nothing on stdout, nothing recorded.

`Flow.refusal` asserts all of that but the last.
"""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from flow_store import FlowStore
from support.flow import Flow

STEP = "- {id: a, command: ['true']}\n"
FLOW = f"flow_id: f\nsteps:\n{STEP}"


FLOW_FILES = [
    (b"\x00\x01\xff\xfe\x80", "UTF-8"),
    (b"", "empty"),
    (b"steps: [", "flow.yaml:1:9: not valid YAML"),
    (f"{FLOW}flow_id: g\n".encode(), "duplicate key, first given on line 1"),
    (f"{FLOW}- {{id: b, command: [x], when: c}}".encode(), 'unknown step "c"'),
]


def test_flow_files(flow: Flow) -> None:
    """A wrong flow file is refused with each problem and its place, and nothing is created."""
    for content, expected in FLOW_FILES:
        (flow.folder / "flow.yaml").write_bytes(content)
        error = flow.refusal("start", "--run-key=k", "flow.yaml")["error"]
        assert expected in error
        assert "flow.yaml" in error
    assert not flow.home.exists()
    assert not flow.orchesjob.home.exists()


BAD_KEYS = {
    "": "the run key is empty;",
    "k" * 256: "the run key has 256 characters;",
    "a\u202eb": "the run key holds '\\u202e' as character 2;",
    "\udcff": "the run key holds '\\udcff' as character 1;",
}


def test_run_keys(flow: Flow) -> None:
    """An invalid run key is refused, and the error says what a valid one is (rule 4.1)."""
    file = flow.write({"id": "a", "command": ["true"]})
    for key, expected in BAD_KEYS.items():
        error = flow.refusal("start", f"--run-key={key}", file)["error"]
        assert expected in error
        assert "1 to 255 characters without control characters" in error
    assert not flow.home.exists()


def test_unknown_run_key(flow: Flow) -> None:
    """An unknown run is not found, and nothing is created (rule 6.1)."""
    flow.home.mkdir(mode=0o700)
    for command in ("status", "watch", "wait", "cancel", "tick"):
        error = flow.refusal(command, "--run-key=k")["error"]
        assert error.startswith(f"no run 'k' in {flow.database}: ")
    assert not list(flow.home.iterdir())


def test_removed_directory(flow: Flow) -> None:
    """Steps need a directory to run in: that of `start` must exist (rule 4.6)."""
    gone = flow.folder / "gone"
    gone.mkdir()
    file = flow.write({"id": "a", "command": ["true"]})
    line = f"rmdir {gone}; exec {flow.program} start --run-key=k {file}"
    error = flow.refusal("-c", line, executable="/bin/bash", cwd=gone)["error"]
    assert "the current directory has been removed" in error
    assert not flow.home.exists()


def newer(path: Path) -> None:
    FlowStore.open(path).close()
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 999")
    database.close()


def foreign(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE songs (title)")
    database.close()


def text(path: Path) -> None:
    path.write_text("not a database, but a letter\n" * 50, encoding="utf-8")


def damaged(path: Path) -> None:
    with FlowStore.open(path) as store:
        store.create(
            run_key="k",
            flow_id="f",
            definition="{}",
            directory="/",
            flow_dir="/",
            orchesjob_home="/srv/jobs",
            started_at=1.0,
            steps=[("a", 0)],
        )
        store.checkpoint()
    content = path.read_bytes()
    path.write_bytes(content[:4096] + bytes(255 - byte for byte in content[4096:]))


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        pytest.param(Path.mkdir, "is a folder; name a file, such as ", id="folder"),
        pytest.param(
            text, "is not a flow database: it is not an SQLite file; check the path", id="text"
        ),
        pytest.param(foreign, "is not a flow database: another program's data", id="foreign"),
        pytest.param(damaged, "is broken: database disk image is malformed;", id="damaged"),
        pytest.param(newer, "999", id="newer"),
    ],
)
def test_databases(flow: Flow, make: Callable[[Path], None], expected: str) -> None:
    """A database that is not ours, or newer, is refused by name and not touched (rule 6.1)."""
    path = flow.folder / "some.db"
    make(path)
    file = flow.write({"id": "a", "command": ["true"]})
    before = path.read_bytes() if path.is_file() else [*path.iterdir()]
    for words in (["start", "-d", "k", file], ["status", "k"], ["cancel", "k"]):
        error = flow.refusal("--db=some.db", *words)["error"]
        assert str(path) in error
        assert expected in error
        assert (path.read_bytes() if path.is_file() else [*path.iterdir()]) == before


@pytest.mark.parametrize("report", ["[]", "{}"])
def test_a_damaged_report(flow: Flow, report: str) -> None:
    """A report of orchesjob that is damaged in the database is an error that names its attempt."""
    flow.start("k", flow.write({"id": "a", "command": ["true"]}))
    with closing(sqlite3.connect(flow.database, autocommit=True)) as database:
        database.execute("UPDATE attempts SET job = ?", (report,))
    expected = "the orchesjob report recorded for attempt 1 of step 'a' of run 'k' is damaged: "
    found = [check["message"] for check in flow.ask("doctor", code=1)["checks"]]
    assert any(message.startswith(expected) for message in found)
    if report != "{}":  # commands that only show a report show what there is of it
        assert flow.refusal("logs", "--run-key=k", "a")["error"].startswith(expected)
        assert flow.refusal("status", "--run-key=k")["error"].startswith(expected)


def test_a_step_that_was_renamed_by_hand(flow: Flow) -> None:
    """What the records contradict is named, and `stats` counts the other runs (rule 6.9)."""
    flow.start("k", flow.write({"id": "a", "command": ["false"]}), code=1)
    flow.change("UPDATE steps SET step_id = 'zz'")
    for words in (["explain", "k"], ["report", "k"], ["graph", "-k", "k"], ["retry", "k"]):
        assert "step 'zz' is recorded, but is not in it" in flow.refusal(*words)["error"]
    flow.change("UPDATE runs SET status = 'RUNNING'")
    assert "step 'zz' is recorded, but is not in it" in flow.refusal("resume", "k")["error"]
    assert flow.run("stats").returncode == 0


def test_the_database_of_the_other_program(flow: Flow) -> None:
    """orchesjob-flow 0.1.0.dev0 has a database of that name: it is kept, and so can both be."""
    flow.home.mkdir(mode=0o700)
    foreign(flow.database)
    error = flow.refusal("list")["error"]
    assert f"{flow.database} is not a flow database: another program's data are in it" in error
    assert "name another folder with ORCHESJOB_FLOW_HOME" in error
