"""An orchesjob that fails, lies, dies or disappears: it decides nothing that it does not know."""

import json
import os
import shutil
import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import FakeOrchesjob, Flow, Gate

TRUE = {"id": "a", "command": ["true"]}
Rule = dict[str, Any]


def warnings(stderr: str) -> list[str]:
    lines = stderr.splitlines()
    assert all(line.startswith("orchesjob-flow: ") for line in lines)
    return lines


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param({"fault": "locked"}, id="locked"),
        pytest.param({"fault": "die"}, id="killed"),
    ],
)
def test_first_status_fails(
    flow: "Flow", gate: "Gate", fake_orchesjob: "FakeOrchesjob", rule: Rule
) -> None:
    """A status that fails is asked again, costs no retry, and is a line on stderr (rule 5.7)."""
    fake_orchesjob.script([{"call": "status", "key": "k:a:1", "nth": 1, **rule}])
    runner = flow.spawn("start", "--run-key=k", flow.write({"id": "a", "command": gate.command()}))
    gate.await_arrival()
    flow.await_job("k")
    gate.let_through()
    stdout, stderr = runner.communicate(timeout=60)
    assert runner.returncode == 0
    step = json.loads(stdout)["steps"][0]
    assert (step["status"], step["attempt_no"], step["error"]) == ("SUCCEEDED", 1, None)
    assert fake_orchesjob.begun() == ["k:a:1"]
    assert [call["call"] for call in fake_orchesjob.calls()] == ["start", "status", "status"]
    assert len(warnings(stderr)) == 1


@pytest.mark.parametrize(
    ("when", "fault", "strict"),
    [
        ("before", {"fault": "locked"}, False),
        ("before", {"fault": "die"}, False),
        ("spawned", {"fault": "die"}, False),
        ("answer", {"fault": "die"}, False),
        ("answer", {"fault": "answer", "text": "Killed"}, False),
        ("answer", {"fault": "answer", "text": "Killed"}, True),
    ],
)
def test_lost_answer_of_start(
    flow: "Flow", fake_orchesjob: "FakeOrchesjob", when: str, fault: Rule, *, strict: bool
) -> None:
    """Whether a start that did not answer has started is found out, never guessed (promise 1)."""
    fake_orchesjob.script([{"call": "start", "nth": 1, "when": when, **fault}])
    run = flow.start("k", flow.write({**TRUE, "strict": strict}))
    assert (run["steps"][0]["status"], run["steps"][0]["attempt_no"]) == ("SUCCEEDED", 1)
    assert fake_orchesjob.begun() == ["k:a:1"]


@pytest.mark.parametrize("strict", [True, False])
def test_dead_start(flow: "Flow", fake_orchesjob: "FakeOrchesjob", *, strict: bool) -> None:
    """A start that died before its worker uses up a number, but no retry (rule 4.2)."""
    fake_orchesjob.script([{"call": "start", "nth": 1, "when": "recorded", "fault": "die"}])
    run = flow.start("k", flow.write({**TRUE, "strict": strict}))
    step = run["steps"][0]
    assert (step["status"], step["attempt_no"], step["max_retries"]) == ("SUCCEEDED", 2, 0)
    assert step["run_key"] == "k:a:2"
    assert fake_orchesjob.begun() == ["k:a:2"]


def test_refused_start(flow: "Flow", fake_orchesjob: "FakeOrchesjob") -> None:
    """A call that can never work fails the attempt, at once (rule 5.7)."""
    refusal = "usage: orchesjob\norchesjob start: error: argument --strict: not today\n"
    rule = {"call": "start", "fault": "exit", "code": 2, "stderr": refusal}
    fake_orchesjob.script([rule])
    run = flow.start("k", flow.write({**TRUE, "retries": 1}), code=1)
    step = run["steps"][0]
    assert (step["status"], step["attempt_no"]) == ("FAILED", 2)
    assert "could not be started" in step["error"]
    assert "not today" in step["error"]


def test_too_long_a_command(each_flow: "Flow") -> None:
    """An argument list too long for the system fails its step alone (rule 5.7)."""
    long = {"id": "a", "command": ["true", *["x" * 100_000] * 30]}
    after = {"id": "b", "command": ["true"], "when": "!a"}
    run = each_flow.start("k", each_flow.write(long, after), code=1)
    assert [step["status"] for step in run["steps"]] == ["FAILED", "SUCCEEDED"]
    assert "could not be started" in run["steps"][0]["error"]


def test_orchesjob_vanishes(flow: "Flow", gate: "Gate", fake_orchesjob: "FakeOrchesjob") -> None:
    """Without orchesjob the runner gives up, names the cause, and leaves all as it is (5.7)."""
    orchesjob = flow.folder / "orchesjob-of-today"
    shutil.copy2(fake_orchesjob.path, orchesjob)
    flow.environ["ORCHESJOB_BIN"] = str(orchesjob)
    after = {"id": "b", "command": ["true"], "when": "a"}
    file = flow.write({"id": "a", "command": gate.command()}, after)
    runner = flow.spawn("--patience=0.3", "start", "--run-key=k", file)
    gate.await_arrival()
    flow.await_job("k")
    orchesjob.rename(flow.folder / "away")
    gate.let_through()
    stdout, stderr = runner.communicate(timeout=60)
    assert (runner.returncode, stdout) == (2, "")
    error = json.loads(stderr.splitlines()[-1])["error"]
    assert str(orchesjob) in error
    assert "`start` with the same key goes on" in error
    left = flow.status("k")
    assert (left["status"], left["runner"]) == ("RUNNING", None)
    assert [step["status"] for step in left["steps"]] == ["RUNNING", "PENDING"]
    (flow.folder / "away").rename(orchesjob)
    assert flow.start("k", file)["status"] == "SUCCEEDED"
    assert fake_orchesjob.begun() == ["k:a:1", "k:b:1"]


def test_status_that_always_fails(
    flow: "Flow", gate: "Gate", fake_orchesjob: "FakeOrchesjob"
) -> None:
    """Asked in vain until the patience is over; a later `start` finds the real outcome (5.7)."""
    fake_orchesjob.script([{"call": "status", "fault": "locked"}])
    file = flow.write({"id": "a", "command": gate.command("exit 7")})
    runner = flow.spawn("--patience=0.3", "start", "--run-key=k", file)
    gate.await_arrival()
    flow.await_job("k")
    gate.let_through()
    _, stderr = runner.communicate(timeout=60)
    assert runner.returncode == 2
    assert "database is locked" in json.loads(stderr.splitlines()[-1])["error"]
    assert flow.status("k")["steps"][0]["status"] == "RUNNING"
    fake_orchesjob.script([])
    step = flow.start("k", file, code=1)["steps"][0]
    assert (step["status"], step["error"], step["attempt_no"]) == ("FAILED", "exit code 7", 1)


def test_lost_without_retries(flow: "Flow", gate: "Gate") -> None:
    """A lost job's outcome is unknown: the step has failed, and says so (rule 5.3)."""
    flow.spawn("start", "--run-key=k", flow.write({"id": "a", "command": gate.command()}))
    gate.await_arrival()
    os.kill(flow.await_job("k")["worker_pid"], signal.SIGKILL)
    run = flow.await_status("k", lambda run: run["finished_at"] is not None)
    step = run["steps"][0]
    assert (step["status"], step["orchesjob_status"]["status"]) == ("FAILED", "LOST")
    assert step["error"].startswith("outcome unknown: ")


def test_foreign_command(each_flow: "Flow") -> None:
    """A job under our key that is not ours is no outcome, nor is it touched (rule 5.9)."""
    each_flow.orchesjob.start("k:a:1", "true", strict=True)
    each_flow.orchesjob.await_end("k:a:1")
    file = each_flow.write({"id": "a", "command": ["echo", "ours"], "retries": 3})
    step = each_flow.start("k", file, code=1)["steps"][0]
    assert (step["status"], step["attempt_no"]) == ("FAILED", 1)
    assert "another command" in step["error"]
    assert "['true']" in step["error"]
    assert "['echo', 'ours']" in step["error"]
    assert each_flow.orchesjob.status("k:a:1")["command"] == ["true"]


def test_unknown_status(flow: "Flow", gate: "Gate", fake_orchesjob: "FakeOrchesjob") -> None:
    """A status that we do not know is taken for running, and reported once (rule 5.3)."""
    fake_orchesjob.script([{"call": "start", "fault": "answer", "set": {"status": "PAUSED"}}])
    runner = flow.spawn("start", "--run-key=k", flow.write({"id": "a", "command": gate.command()}))
    gate.await_arrival()
    assert flow.await_job("k")["status"] == "PAUSED"
    assert flow.status("k")["steps"][0]["status"] == "RUNNING"
    gate.let_through()
    _, stderr = runner.communicate(timeout=60)
    assert runner.returncode == 0
    assert len(warnings(stderr)) == 1
    assert "unknown status, taken for running: PAUSED" in stderr


def test_forgotten_job(flow: "Flow", gate: "Gate", fake_orchesjob: "FakeOrchesjob") -> None:
    """A job that orchesjob has forgotten is never started again under its key (promise 1)."""
    fake_orchesjob.script([{"call": "status", "key": "k:a:1", "fault": "forget"}])
    runner = flow.spawn("start", "--run-key=k", flow.write({"id": "a", "command": gate.command()}))
    gate.await_arrival()
    flow.await_job("k")
    gate.let_through()
    stdout, _ = runner.communicate(timeout=60)
    assert runner.returncode == 1
    step = json.loads(stdout)["steps"][0]
    assert step["error"] == "outcome unknown: orchesjob no longer knows the job"
    assert fake_orchesjob.begun() == ["k:a:1"]


def test_timeout(each_flow: "Flow") -> None:
    """An attempt that takes too long is aborted, has failed, and is retried (rule 5.5)."""
    slow = {"id": "a", "command": ["sleep", "600"], "timeout_sec": 0.2, "retries": 1}
    step = each_flow.start("k", each_flow.write(slow), code=1)["steps"][0]
    assert (step["status"], step["attempt_no"]) == ("FAILED", 2)
    assert step["error"] == "timed out after 0.2 s"
    assert step["orchesjob_status"]["status"] == "ABORTED"
    assert each_flow.orchesjob.status("k:a:1")["status"] == "ABORTED"


def test_finished_before_the_abort(
    flow: "Flow", gate: "Gate", fake_orchesjob: "FakeOrchesjob"
) -> None:
    """A job that has ended by itself when it is to be aborted keeps its outcome (rule 5.5)."""
    fake_orchesjob.script([{"call": "abort", "fault": "finish"}])
    step = {"id": "a", "command": gate.command(), "timeout_sec": 0.1}
    run = flow.start("k", flow.write(step))
    assert (run["steps"][0]["status"], run["steps"][0]["error"]) == ("SUCCEEDED", None)


def test_retry(flow: "Flow", fake_orchesjob: "FakeOrchesjob", tmp_path: Path) -> None:
    """A failed attempt with retries left waits for its delay under the next key (rule 5.4)."""
    once = f"test -e {tmp_path}/second || {{ touch {tmp_path}/second; exit 9; }}"
    step = {"id": "a", "command": ["sh", "-c", once], "retries": 1, "retry_delay_sec": 1}
    runner = flow.spawn("start", "--run-key=k", flow.write(step))
    flow.await_true((tmp_path / "second").exists)
    run = flow.await_status("k", lambda run: run["steps"][0]["status"] == "DELAYED")
    waiting = run["steps"][0]
    assert (waiting["run_key"], waiting["attempt_no"]) == ("k:a:2", 1)
    assert waiting["error"] == "exit code 9"
    assert 0 < waiting["next_attempt_at"] - waiting["started_at"] < 30
    assert runner.wait(60) == 0
    first, second = (event for event in fake_orchesjob.executions() if event["event"] == "begin")
    assert second["monotonic"] - first["monotonic"] >= 1


def test_database_removed(flow: "Flow", gate: "Gate", fake_orchesjob: "FakeOrchesjob") -> None:
    """A runner whose database was removed stops before it does anything else (4.7, 5.7)."""
    after = {"id": "b", "command": ["true"], "when": "a"}
    file = flow.write({"id": "a", "command": gate.command()}, after)
    runner = flow.spawn("start", "--run-key=k", file)
    gate.await_arrival()
    flow.await_job("k")
    for path in flow.home.glob("*.sqlite3*"):
        path.unlink()
    gate.let_through()
    _, stderr = runner.communicate(timeout=60)
    assert runner.returncode == 2
    assert "the flow database was removed" in json.loads(stderr)["error"]
    assert fake_orchesjob.begun() == ["k:a:1"]
    assert flow.start("k", file)["status"] == "SUCCEEDED"
    assert fake_orchesjob.begun() == ["k:a:1", "k:b:1"]


def test_flow_database_locked_at_the_beginning(flow: "Flow") -> None:
    """A database that another program holds is waited for, as long as the patience lasts (5.7)."""
    flow.start("first", flow.write({"id": "a", "command": ["true"]}))
    both = {"k": ("start",), "l": ("start", "-d")}
    with closing(sqlite3.connect(flow.database, autocommit=True)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        patient = [flow.spawn(*both[key], f"--run-key={key}", "flow.json") for key in both]
        hasty = [
            flow.refusal("--patience=0", *both[key], f"--run-key={key}", "flow.json")
            for key in both
        ]
        assert all("another process holds it" in refusal["error"] for refusal in hasty)
        # Each has waited for as long as SQLite itself waits; so the patient wait for longer.
        assert [start.poll() for start in patient] == [None, None]
        holder.execute("ROLLBACK")
    assert [start.wait(60) for start in patient] == [0, 0]
    for key in both:
        flow.await_status(key, lambda run: run["status"] == "SUCCEEDED")


def test_what_a_failure_leaves_is_ended_in_time(flow: "Flow") -> None:
    """A left-over process keeps a retry waiting no longer than `timeout_sec` (rules 5.5, 5.8)."""
    leave = "setsid sleep 600 & exit 1"
    step = {"id": "a", "command": ["sh", "-c", leave], "retries": 1, "timeout_sec": 1}
    run = flow.start("k", flow.write(step), code=1)
    assert (run["steps"][0]["attempt_no"], run["steps"][0]["error"]) == (2, "exit code 1")
