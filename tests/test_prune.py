"""`prune`: last month's runs are tidied away, and nothing else (rule 9.10)."""

import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import FakeOrchesjob, Flow, Gate

DAY = 86400
TRUE = {"id": "a", "command": ["true"]}


def make_older(flow: "Flow", key: str, days: float) -> None:
    """Let a run have ended so many days ago."""
    with closing(sqlite3.connect(flow.database, autocommit=True)) as database:
        at = time.time() - days * DAY
        database.execute("UPDATE runs SET finished_at = ? WHERE run_key = ?", (at, key))


@pytest.fixture
def some(flow: "Flow") -> "Flow":
    """Runs of `f` that ended 40, 20 and 0 days ago, and one of `g` that failed 40 days ago."""
    flow.write(TRUE, name="f.json")
    flow.write({"id": "a", "command": ["false"]}, name="g.json", flow_id="g")
    for key, file, days in (("f40", "f", 40), ("g40", "g", 40), ("f20", "f", 20), ("f0", "f", 0)):
        flow.start(key, f"{file}.json", code=int(file == "g"))
        make_older(flow, key, days)
    return flow


def keys(answer: Any, name: str = "runs") -> list[str]:
    return [run["run_key"] for run in answer[name]]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--older-than", "30d"], ["g40", "f40"]),
        (["--older-than=1w"], ["f20", "g40", "f40"]),
        (["--older-than=0s"], ["f0", "f20", "g40", "f40"]),
        (["--older-than=960h", "--flow-id=g"], ["g40"]),
        (["--older-than=30d", "--keep=1"], ["f40"]),
        (["--older-than=1s", "--keep=2"], ["f40"]),
        (["--older-than=100d"], []),
    ],
)
def test_choice(some: "Flow", words: list[str], expected: list[str]) -> None:
    """What ended long enough ago goes, but for the newest of each flow that are kept."""
    all_keys = keys(some.ask("list"))
    foreseen = some.ask("prune", *words, "--dry-run")
    assert (foreseen["dry_run"], keys(foreseen, "removed")) == (True, expected)
    assert keys(some.ask("list")) == all_keys
    assert keys(some.ask("prune", *words), "removed") == expected
    assert keys(some.ask("list")) == [key for key in all_keys if key not in expected]


def test_nothing_is_left(flow: "Flow") -> None:
    """Steps, attempts, logs and locks go with their run."""
    flow.ask("start", "-d", "--run-key=k", flow.write(TRUE))
    flow.ask("wait", "--run-key=k")
    flow.await_status("k", lambda run: run["runner"] is None)
    flow.start("other", "flow.json")
    assert keys(flow.ask("prune", "--older-than=0s", "--keep=1"), "removed") == ["k"]
    left = {path.name for path in flow.home.glob("*/*")}
    assert left == {"other.lock", "other.calls"}
    with closing(sqlite3.connect(flow.database)) as database:
        counts = "SELECT count(*) FROM runs", "SELECT count(*) FROM steps"
        for count in (*counts, "SELECT count(*) FROM attempts"):
            assert database.execute(count).fetchone() == (1,)
    assert "no run 'k'" in flow.refusal("status", "--run-key=k")["error"]


def test_what_has_not_ended(flow: "Flow", gate: "Gate") -> None:
    """A run that has not ended is never removed, with a runner or without."""
    runner = flow.spawn("start", "--run-key=k", flow.write({"id": "a", "command": gate.command()}))
    gate.await_arrival()
    flow.await_job("k")
    assert flow.ask("prune", "--older-than=0s")["removed"] == []
    runner.kill()
    runner.wait()
    assert flow.ask("prune", "--older-than=0s")["removed"] == []
    gate.let_through()
    assert flow.ask("resume", "--run-key=k")["status"] == "SUCCEEDED"


def test_the_key_again(flow: "Flow", fake_orchesjob: "FakeOrchesjob") -> None:
    """Orchesjob's memory stays: the same key finds its strict outcomes there again (rule 4.7)."""
    flow.start("k", flow.write(TRUE))
    flow.ask("prune", "--older-than=0s")
    assert flow.start("k", "flow.json")["status"] == "SUCCEEDED"
    assert len(fake_orchesjob.executions()) == 2  # one beginning, one end


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "--older-than"),
        (["--older-than=30"], "such as 30d"),
        (["--older-than=-1d"], "such as 30d"),
        (["--older-than=1y"], "such as 30d"),
        (["--older-than=1d", "--keep=-1"], "--keep"),
    ],
)
def test_mistakes(some: "Flow", words: list[str], expected: str) -> None:
    """Without an age, or with one that is none, nothing is removed."""
    assert expected in some.refusal("prune", *words)["error"]
    assert len(keys(some.ask("list"))) == 4


def test_for_eyes(some: "Flow") -> None:
    """The text names what went and counts it."""
    shown = some.run("prune", "--older-than=30d", "--format=table").stdout.splitlines()
    assert [line.split()[0] for line in shown] == ["g40", "f40", "2"]
    assert shown[-1] == "2 runs removed"


def test_no_database(flow: "Flow") -> None:
    """Where there is no database there is nothing to remove, and none is made."""
    assert flow.ask("prune", "--older-than=1d") == {"dry_run": False, "removed": []}
    assert not flow.home.exists()
