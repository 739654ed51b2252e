"""An orchesjob whose rows are wrong: jobs lost, forgotten, stillborn, or with strangers' PIDs."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import FakeOrchesjob, Flow, Gate

LONG_IF_REAL = pytest.mark.parametrize(
    "orchesjob",
    ["fake", pytest.param("real", marks=[pytest.mark.integration, pytest.mark.long])],
    indirect=True,
)
Strangers = list[subprocess.Popen[bytes]]
RESTARTED = "outcome unknown: the machine or container was restarted while it"


@pytest.fixture
def strangers() -> Iterator[Strangers]:
    """Processes that belong to nobody's run, each the leader of a group of its own."""
    words = ["sleep", "600"]
    started = [subprocess.Popen(words, start_new_session=True) for _ in range(2)]
    yield started
    for process in started:
        process.kill()
        process.wait()


def kill_job(flow: "Flow", job: Any) -> None:
    """Have worker and command die."""
    os.kill(job["worker_pid"], signal.SIGKILL)
    os.killpg(job["target_pid"], signal.SIGKILL)
    flow.orchesjob.await_exit(job["target_pid"])


def plant_strangers(flow: "Flow", key: str, job: Any, strangers: Strangers) -> None:
    """Have worker and command die, and others live under the PIDs in their row."""
    worker, target = strangers
    flow.orchesjob.plant(key, worker_pid=worker.pid, target_pid=target.pid)
    kill_job(flow, job)


def assert_spared(strangers: Strangers) -> None:
    """Make sure that nobody has sent them a signal, of which the first would have ended them."""
    assert [process.poll() for process in strangers] == [None, None]


def rewrite_attempts(flow: "Flow", change: str) -> None:
    """Change what the flow database holds of the attempts."""
    with closing(sqlite3.connect(flow.database, timeout=30, autocommit=True)) as database:
        assert database.execute(f"UPDATE attempts SET {change}").rowcount == 1  # noqa: S608


def abandoned(flow: "Flow", gate: "Gate", file: str) -> Any:
    """Start a run, kill its runner while the first step runs, and return that step's job."""
    runner = flow.spawn("start", "--run-key=k", file)
    gate.await_arrival()
    job = flow.await_job("k")
    runner.kill()
    runner.wait()
    return job


@LONG_IF_REAL
def test_retry_beside_strangers(each_flow: "Flow", gate: "Gate", strangers: Strangers) -> None:
    """Who merely has the PIDs of a dead job is neither waited for nor signalled (rule 5.8)."""
    file = each_flow.write({"id": "a", "command": gate.command(), "retries": 1})
    runner = each_flow.spawn("--poll-interval=0.1", "start", "--run-key=k", file)
    gate.await_arrival()
    job = each_flow.await_job("k")
    plant_strangers(each_flow, "k:a:1", job, strangers)
    gate.await_arrival()
    waiting = each_flow.status("k")["steps"][0]
    assert (waiting["attempt_no"], waiting["status"]) == (2, "RUNNING")
    gate.let_through()
    assert runner.wait(60) == 0
    assert_spared(strangers)


@LONG_IF_REAL
def test_timeout_beside_strangers(each_flow: "Flow", gate: "Gate", strangers: Strangers) -> None:
    """A timeout that is to be carried out aborts no job whose PIDs are another's (5.5, 5.8)."""
    file = each_flow.write({"id": "a", "command": gate.command(), "timeout_sec": 600})
    plant_strangers(each_flow, "k:a:1", abandoned(each_flow, gate, file), strangers)
    rewrite_attempts(each_flow, "abort_reason = 'timeout'")
    step = each_flow.ask("--poll-interval=0.1", "start", "--run-key=k", file, code=1)["steps"][0]
    assert (step["status"], step["error"]) == ("FAILED", "timed out after 600 s")
    assert_spared(strangers)


def test_cancel_beside_strangers(each_flow: "Flow", gate: "Gate", strangers: Strangers) -> None:
    """A cancel aborts no job whose PIDs are another's by now (rules 5.6, 5.8)."""
    file = each_flow.write({"id": "a", "command": gate.command()})
    plant_strangers(each_flow, "k:a:1", abandoned(each_flow, gate, file), strangers)
    assert each_flow.ask("--poll-interval=0.1", "cancel", "--run-key=k")["status"] == "CANCELLED"
    assert_spared(strangers)


@pytest.mark.parametrize(
    ("words", "outcome"),
    [
        (("start", "--run-key=k", "flow.json"), (1, "FAILED", f"{RESTARTED} ran")),
        (("cancel", "--run-key=k"), (0, "CANCELLED", "flow cancelled")),
    ],
)
def test_restarted_machine(  # noqa: PLR0913 - the fixtures and the table
    flow: "Flow",
    gate: "Gate",
    fake_orchesjob: "FakeOrchesjob",
    strangers: Strangers,
    *,
    words: tuple[str, ...],
    outcome: tuple[int, str, str],
) -> None:
    """What ran before the machine was restarted is lost, and no PID of it means anything (5.8)."""
    file = flow.write({"id": "a", "command": gate.command()})
    plant_strangers(flow, "k:a:1", abandoned(flow, gate, file), strangers)
    rewrite_attempts(flow, "boot_id = 'an earlier one'")
    code, status, error = outcome
    run = flow.ask(*words, code=code)
    assert (run["status"], run["steps"][0]["error"]) == (status, error)
    assert "abort" not in [call["call"] for call in fake_orchesjob.calls()]
    assert_spared(strangers)


def test_forgotten_by_a_restart(
    flow: "Flow", gate: "Gate", fake_orchesjob: "FakeOrchesjob"
) -> None:
    """An attempt that may have begun before a restart is never begun again under its key (5.7)."""
    fake_orchesjob.script([{"call": "start", "nth": 1, "when": "spawned", "fault": "hang"}])
    file = flow.write({"id": "a", "command": gate.command()})
    runner = flow.spawn("start", "--run-key=k", file)
    gate.await_arrival()
    runner.kill()
    (start,) = fake_orchesjob.calls()
    os.kill(start["pid"], signal.SIGKILL)
    fake_orchesjob.script([{"call": "status", "fault": "forget"}])
    rewrite_attempts(flow, "boot_id = 'an earlier one'")
    step = flow.start("k", file, code=1)["steps"][0]
    assert step["error"] == f"{RESTARTED} was being started"
    assert fake_orchesjob.begun() == ["k:a:1"]


def lose_the_home(flow: "Flow", job: Any) -> None:
    """Remove all that orchesjob knows, and its worker."""
    shutil.rmtree(flow.orchesjob.home)
    os.kill(job["worker_pid"], signal.SIGKILL)


def lose_the_worker(_: "Flow", job: Any) -> None:
    """Leave a command without its worker."""
    os.kill(job["worker_pid"], signal.SIGKILL)


@pytest.mark.parametrize("lose", [lose_the_home, lose_the_worker])
@LONG_IF_REAL
def test_survivor(each_flow: "Flow", gate: "Gate", lose: Callable[["Flow", Any], None]) -> None:
    """No attempt begins beside what is left of a lost one, which the error names (rule 5.8)."""
    file = each_flow.write({"id": "a", "command": gate.command(), "retries": 1})
    runner = each_flow.spawn("start", "--run-key=k", file)
    gate.await_arrival()
    job = each_flow.await_job("k")
    lose(each_flow, job)
    run = each_flow.await_status("k", lambda run: run["steps"][0]["status"] == "DELAYED")
    step = run["steps"][0]
    assert f"pid {job['target_pid']}" in step["error"]
    assert (step["run_key"], step["attempt_no"]) == ("k:a:2", 1)
    assert not gate.has_arrival()
    gate.let_through()  # the survivor ends
    gate.await_arrival()  # and only then the second attempt begins
    assert not Path(f"/proc/{job['target_pid']}/exe").exists()
    gate.let_through()
    assert runner.wait(60) == 0


@LONG_IF_REAL
def test_lost_and_alive(each_flow: "Flow", gate: "Gate") -> None:
    """A job that is called LOST while all of it lives is waited for like any survivor (5.8)."""
    file = each_flow.write({"id": "a", "command": gate.command(), "retries": 1})
    job = abandoned(each_flow, gate, file)
    each_flow.orchesjob.plant("k:a:1", status="LOST")
    runner = each_flow.spawn("start", "--run-key=k", file)
    run = each_flow.await_status("k", lambda run: run["steps"][0]["status"] == "DELAYED")
    for name in ("worker_pid", "target_pid"):
        assert f"pid {job[name]}" in run["steps"][0]["error"]
    assert not gate.has_arrival()
    gate.let_through(2)  # the survivor, and then the second attempt
    assert json.loads(runner.communicate(timeout=60)[0])["steps"][0]["attempt_no"] == 2


@LONG_IF_REAL
def test_stillborn(each_flow: "Flow", gate: "Gate") -> None:
    """A job that is STARTING, without any process, never begins: its retry is free (rule 4.2)."""
    file = each_flow.write({"id": "a", "command": gate.command()})
    job = abandoned(each_flow, gate, file)
    each_flow.orchesjob.plant("k:a:1", status="STARTING", worker_pid=None, target_pid=None)
    kill_job(each_flow, job)
    gate.let_through()
    step = each_flow.start("k", file)["steps"][0]
    assert (step["status"], step["attempt_no"], step["max_retries"]) == ("SUCCEEDED", 2, 0)
    assert each_flow.orchesjob.status("k:a:1")["status"] == "ABORTED"


def test_stillborn_for_ever(flow: "Flow", fake_orchesjob: "FakeOrchesjob") -> None:
    """If every start dies the runner says so and gives up; no retry is used (rules 4.2, 5.7)."""
    fake_orchesjob.script([{"call": "start", "when": "recorded", "fault": "die"}])
    file = flow.write({"id": "a", "command": ["true"], "retries": 1})
    gave_up = flow.run("start", "--run-key=k", file)
    assert gave_up.returncode == 2
    assert "starts in a row died" in json.loads(gave_up.stderr.splitlines()[-1])["error"]
    assert flow.status("k")["status"] == "RUNNING"
    fake_orchesjob.script([])
    step = flow.start("k", file)["steps"][0]
    assert (step["status"], step["max_retries"]) == ("SUCCEEDED", 1)
    assert fake_orchesjob.begun() == [step["run_key"]]


@pytest.mark.parametrize("runner_lives", [True, False])
@LONG_IF_REAL
def test_cancel_beside_a_foreign_job(
    each_flow: "Flow", gate: "Gate", tmp_path: Path, *, runner_lives: bool
) -> None:
    """A job under our key that is not ours is left alone by a cancel as well (rule 5.9)."""
    theirs = type(each_flow)(each_flow.orchesjob, tmp_path)
    theirs.environ["ORCHESJOB_FLOW_HOME"] = str(tmp_path / "their-home")
    command = ["sleep", "600"]
    their_file = theirs.write({"id": "a", "command": command}, name="theirs.json")
    theirs.ask("start", "-d", "--run-key=k", their_file)
    job = theirs.await_job("k")
    ours = each_flow.write({"id": "a", "command": ["true"]}, {"id": "b", "command": gate.command()})
    runner = each_flow.spawn("start", "--run-key=k", ours)
    gate.await_arrival()
    run = each_flow.await_status("k", lambda run: run["steps"][0]["status"] == "FAILED")
    assert "another command" in run["steps"][0]["error"]
    if not runner_lives:
        runner.kill()
        runner.wait()
    assert each_flow.ask("cancel", "--run-key=k")["status"] == "CANCELLED"
    assert theirs.status("k")["status"] == "RUNNING"
    assert each_flow.orchesjob.status("k:a:1")["status"] == "RUNNING"
    assert Path(f"/proc/{job['target_pid']}/exe").exists()
