"""Run keys: any printable text, for every command (rules 4.1 and 6.12)."""

import json
from pathlib import Path

import pytest

from support.flow import Flow
from support.gate import Gate
from support.orchesjob import FakeOrchesjob
from support.processes import await_exit

KEYS = ["--all", "a/b", "a_b", "..", "scheduled__2026-05-07T00:00:00+00:00", "語" * 255]


def test_run_keys(flow: Flow, fake_orchesjob: FakeOrchesjob) -> None:
    """A run key is any printable text; each has files of its own, in the home's folders (4.1)."""
    file = flow.write({"id": "a", "command": ["true"]})
    runs = [flow.ask("start", "-d", f"--run-key={key}", file) for key in KEYS]
    for run in runs:
        await_exit(run["pid"])
        finished = flow.status(run["run_key"])
        assert (finished["run_key"], finished["status"]) == (run["run_key"], "SUCCEEDED")
    logs = {Path(run["stdout_log"]) for run in runs} | {Path(run["stderr_log"]) for run in runs}
    assert set((flow.home / "logs").iterdir()) == logs
    assert len(logs) == 2 * len(KEYS)
    locks = [path for path in (flow.home / "locks").iterdir() if path.suffix in (".lock", ".calls")]
    assert len(locks) == 2 * len(KEYS)
    begun = [call["key"] for call in fake_orchesjob.calls() if call["call"] == "start"]
    assert sorted(begun) == sorted(f"{key}:a:1" for key in KEYS)


@pytest.fixture(scope="module")
def two(shared_flow: Flow) -> Flow:
    """Two runs, `a` and `b`, which no test changes."""
    shared_flow.start("a", shared_flow.write({"id": "a", "command": ["true"]}))
    shared_flow.start("b", "flow.json")
    return shared_flow


def test_named_in_short(two: Flow) -> None:
    """The key is the first argument, or the value of an option, or the newest run (rule 6.12)."""
    for words in (["a"], ["-k", "a"], ["--", "a"], ["a", "--format=json"], ["--exit-status", "a"]):
        assert two.ask("status", *words) == two.status("a")
    for words in (["-"], ["-k", "-"], ["--run-key=-"]):
        answer = two.run("status", *words)
        assert json.loads(answer.stdout) == two.status("b")
        assert answer.stderr == "orchesjob-flow: the newest run is b\n"
    assert two.run("logs", "a", "a").returncode == 0
    assert two.run("logs", "-k", "a", "a").returncode == 0
    assert two.ask("start", "a", "flow.json") == two.status("a")


def test_no_newest_run(flow: Flow) -> None:
    """A database without a run has no newest one, and says so, whether or not it is there."""
    flow.home.mkdir(mode=0o700)
    assert str(flow.database) in flow.refusal("status", "-")["error"]
    flow.start("k", flow.write({"id": "a", "command": ["true"]}))
    assert flow.ask("prune", "--older-than=0s")["removed"]
    assert "no run is recorded" in flow.refusal("watch", "-")["error"]


def test_any_run_key_for_any_command(flow: Flow, gate: Gate) -> None:
    """Every command accepts any run key, in one word with its option or in two (rule 4.1)."""
    file, key = flow.write({"id": "a", "command": gate.command()}), "--help"
    assert flow.ask("start", "-d", "--run-key", key, file)["run_key"] == key
    gate.await_arrival()
    assert flow.ask("status", "--run-key", key)["run_key"] == key
    assert flow.ask("cancel", "--run-key", key)["status"] == "CANCELLED"
    watch = flow.run("watch", "--run-key", key)
    assert (watch.returncode, f"Run: {key}\n" in watch.stdout) == (1, True), watch
