"""Calls of orchesjob that fail: refused, killed, impossible, or locked out (rule 5.7)."""

import json
import resource
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from support.answers import outcomes, statuses
from support.deadlines import EVENT_SEC
from support.flow import Flow
from support.gate import Gate
from support.marks import LONG_IF_REAL
from support.orchesjob import FakeOrchesjob, Orchesjob
from support.processes import await_exit, descriptors
from support.steps import AFTER, TRUE

EVERY_THIRD = """\
exec 9>>"$0.count"
flock 9
echo >&9
turn=$(($(wc -l <"$0.count") % 3))
exec 9>&-
[ $turn != 0 ] || refuse "$@"
"""
REFUSALS = {
    "before it has acted": "refuse() { echo 'database is locked' >&2; exit 1; }",
    "after it has acted": 'refuse() { "$ORCHESJOB" "$@" >"$0.out"; echo "disk full" >&2; exit 1; }',
}
LOCKED_SEC = 12.0  # orchesjob itself waits ten seconds


def test_refused_start(flow: Flow, fake_orchesjob: FakeOrchesjob) -> None:
    """A call that can never work fails the attempt at once (rule 5.7)."""
    refusal = "usage: orchesjob\norchesjob start: error: argument --strict: not today\n"
    rule = {"call": "start", "fault": "exit", "code": 2, "stderr": refusal}
    fake_orchesjob.script([rule])
    run = flow.start("k", flow.write({**TRUE, "retries": 1}), code=1)
    step = run["steps"][0]
    assert (step["status"], step["attempt_no"]) == ("FAILED", 2)
    assert "could not be started" in step["error"]
    assert "not today" in step["error"]


def test_too_long_a_command(flow: Flow) -> None:
    """An argument list too long for the system fails its step alone (rule 5.7)."""
    long = {"id": "a", "command": ["true", *["x" * 100_000] * 30]}
    after = {"id": "b", "command": ["true"], "when": "!a"}
    run = flow.start("k", flow.write(long, after), code=1)
    assert statuses(run) == ["FAILED", "SUCCEEDED"]
    assert "could not be started" in run["steps"][0]["error"]


def test_orchesjob_vanishes(flow: Flow, gate: Gate, fake_orchesjob: FakeOrchesjob) -> None:
    """Without orchesjob the runner gives up, names the cause, and the run is resumable (5.7)."""
    orchesjob = flow.folder / "orchesjob-of-today"
    orchesjob.symlink_to(fake_orchesjob.path)
    flow.environ["ORCHESJOB_BIN"] = str(orchesjob)
    file = flow.write({"id": "a", "command": gate.command()}, AFTER)
    runner = flow.spawn("--patience=0.3", "start", "--run-key=k", file)
    gate.await_arrival()
    flow.await_job("k")
    orchesjob.rename(flow.folder / "away")
    gate.let_through()
    stdout, stderr = runner.communicate()
    assert (runner.returncode, stdout) == (2, "")
    error = json.loads(stderr.splitlines()[-1])["error"]
    assert str(orchesjob) in error
    assert "`start` with the same run key continues the run" in error
    left = flow.status("k")
    assert (left["status"], left["runner"]) == ("RUNNING", None)
    assert statuses(left) == ["RUNNING", "PENDING"]
    (flow.folder / "away").rename(orchesjob)
    assert flow.start("k", file)["status"] == "SUCCEEDED"
    assert fake_orchesjob.begun() == ["k:a:1", "k:b:1"]


@pytest.mark.parametrize("refusal", REFUSALS)
@LONG_IF_REAL
def test_every_third_call_is_refused(each_flow: Flow, tmp_path: Path, refusal: str) -> None:
    """If orchesjob often fails, the run ends as usual, and each attempt has run once (5.7)."""
    each_flow.wrap_orchesjob(REFUSALS[refusal], EVERY_THIRD)
    log = tmp_path / "log"

    def step(name: str, then: str = "", **fields: Any) -> dict[str, Any]:
        return {"id": name, "command": ["sh", "-c", f"echo {name} >>{log}; {then}"], **fields}

    file = each_flow.write(
        step("a"),
        step("b", "exit 1", when="a", retries=2),
        step("c", f"test $(grep -c c {log}) = 2", when="a", retries=1, strict=False),
        step("d", when="!b && c"),
        step("e", when="b || d"),
    )
    finished = each_flow.run("start", "--run-key=k", file)
    assert outcomes(json.loads(finished.stdout)) == {
        **dict.fromkeys("acde", "SUCCEEDED"),
        "b": "FAILED",
    }
    assert Counter(log.read_text(encoding="utf-8").split()) == Counter("abbbccde")
    assert "trying again" in finished.stderr


@LONG_IF_REAL
def test_replaced_while_a_step_runs(each_flow: Flow, gate: Gate) -> None:
    """An orchesjob that is missing for a moment, and then replaced, is not a failure (5.7)."""
    path = each_flow.wrap_orchesjob()
    file = each_flow.write({"id": "a", "command": gate.command()}, AFTER)
    runner = each_flow.begin(file, gate)
    path.unlink()
    gate.let_through()
    assert f"{path}: No such file or directory" in runner.stderr.readline()
    each_flow.wrap_orchesjob("# another version")
    stdout, _ = runner.communicate()
    assert runner.returncode == 0
    assert [step["attempt_no"] for step in json.loads(stdout)["steps"]] == [1, 1]


def test_replaced_while_it_is_opened(flow: Flow) -> None:
    """An interpreter that cannot open orchesjob is not a refusal by orchesjob (rule 5.7)."""
    lacking = "{ echo \"python3: can't open file 'orchesjob'\" >&2; touch $0.back; exit 2; }"
    flow.wrap_orchesjob(f"[ -e $0.back ] || {lacking}")
    step = flow.start("k", flow.write({"id": "a", "command": ["true"]}))["steps"][0]
    assert (step["status"], step["attempt_no"]) == ("SUCCEEDED", 1)


def test_no_descriptors_left(flow: Flow, gate: Gate, fake_orchesjob: FakeOrchesjob) -> None:
    """A runner that cannot open anything waits until it can, and decides nothing (rule 5.7)."""
    runner = flow.begin(flow.write({"id": "a", "command": gate.command()}), gate)
    flow.await_true(lambda: "anon_inode:[pidfd]" in descriptors(runner.pid).values())
    soft, hard = resource.prlimit(runner.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(runner.pid, resource.RLIMIT_NOFILE, (3, hard))
    gate.let_through()
    assert "Too many open files" in runner.stderr.readline()
    resource.prlimit(runner.pid, resource.RLIMIT_NOFILE, (soft, hard))
    stdout, _ = runner.communicate()
    step = json.loads(stdout)["steps"][0]
    assert (step["status"], step["attempt_no"]) == ("SUCCEEDED", 1)
    assert fake_orchesjob.begun() == ["k:a:1"]


@contextmanager
def locked(orchesjob: Orchesjob) -> Iterator[None]:
    began = time.monotonic()
    database = orchesjob.home / "orchesjob.db"
    with closing(sqlite3.connect(database, timeout=EVENT_SEC, autocommit=True)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        yield
        # What is tested is the length of the lock: that orchesjob's own wait for it runs out.
        time.sleep(max(0.0, began + LOCKED_SEC - time.monotonic()))
        holder.execute("ROLLBACK")


@pytest.mark.integration
@pytest.mark.long
@pytest.mark.parametrize("orchesjob", ["real"], indirect=True)
def test_locked_database(each_flow: Flow, gate: Gate, tmp_path: Path) -> None:
    """A locked database decides nothing; runners retry until their patience is over (5.3, 5.7)."""
    (tmp_path / "other").mkdir()
    with closing(Gate(tmp_path / "other")) as unwritten_gate:
        log = tmp_path / "log"
        begin = {"id": "a", "command": ["sh", "-c", f"echo a >>{log}"], "start_timeout_sec": 0}
        begins = each_flow.write(begin, name="begins.json")
        taken_over = each_flow.write({"id": "a", "command": gate.command()}, name="taken.json")
        first = each_flow.spawn("start", "--run-key=taken", taken_over)
        gate.await_arrival()
        each_flow.await_job("taken")
        first.kill()
        unwritten = each_flow.spawn(
            "start",
            "--run-key=unwritten",
            each_flow.write({"id": "a", "command": unwritten_gate.command()}),
        )
        unwritten_gate.await_arrival()
        worker = each_flow.await_job("unwritten")["worker_pid"]
        with locked(each_flow.orchesjob):
            unwritten_gate.let_through()
            patient = [
                each_flow.spawn("start", "--run-key=taken", taken_over),
                each_flow.spawn("start", "--run-key=begins", begins),
            ]
            impatient = each_flow.run("--patience=0.5", "start", "--run-key=impatient", begins)
            assert impatient.returncode == 2
            error = json.loads(impatient.stderr.splitlines()[-1])["error"]
            assert "gave up on run 'impatient': impatient:a:1: orchesjob " in error
            for runner in patient:
                assert "database is locked; trying again" in runner.stderr.readline()
            await_exit(worker)
        gate.let_through()
        for runner in patient:
            stdout, _ = runner.communicate()
            assert outcome(stdout) == ("SUCCEEDED", 1, None)
        status, attempts, error = outcome(unwritten.communicate()[0])
        assert (status, attempts) == ("FAILED", 1)
        assert error == "outcome unknown: orchesjob lost the job (its worker vanished)"
        assert each_flow.start("impatient", begins)["status"] == "SUCCEEDED"
        assert log.read_text(encoding="utf-8") == "a\n" * 2


def outcome(stdout: str) -> tuple[str, int, Any]:
    (step,) = json.loads(stdout)["steps"]
    return step["status"], step["attempt_no"], step["error"]
