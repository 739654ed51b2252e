"""Jobs that orchesjob loses, forgets or never begins, and what is left of them (4.2, 5.8)."""

import json
import os
import shutil
import signal
from collections.abc import Callable
from typing import Any

import pytest

from support.flow import Flow
from support.gate import Gate
from support.marks import LONG_IF_REAL
from support.orchesjob import FakeOrchesjob
from support.processes import is_gone, kill_job
from support.steps import TRUE


@pytest.mark.parametrize("strict", [True, False])
def test_dead_start(flow: Flow, fake_orchesjob: FakeOrchesjob, *, strict: bool) -> None:
    """A start that died before its worker uses up a number, but no retry (rule 4.2)."""
    fake_orchesjob.script([{"call": "start", "nth": 1, "when": "recorded", "fault": "die"}])
    run = flow.start("k", flow.write({**TRUE, "strict": strict}))
    step = run["steps"][0]
    assert (step["status"], step["attempt_no"], step["max_retries"]) == ("SUCCEEDED", 2, 0)
    assert step["run_key"] == "k:a:2"
    assert fake_orchesjob.begun() == ["k:a:2"]


def test_what_a_failure_leaves_is_ended_in_time(flow: Flow) -> None:
    """A left-over process delays a retry no longer than `timeout_sec` (rules 5.5, 5.8)."""
    leave = "setsid sleep 600 & exit 1"
    step = {"id": "a", "command": ["sh", "-c", leave], "retries": 1, "timeout_sec": 1}
    run = flow.start("k", flow.write(step), code=1)
    assert (run["steps"][0]["attempt_no"], run["steps"][0]["error"]) == (2, "exit code 1")


def lose_the_jobs(flow: Flow, job: Any) -> None:
    for path in flow.orchesjob.home.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    os.kill(job["worker_pid"], signal.SIGKILL)


def lose_the_worker(_: Flow, job: Any) -> None:
    os.kill(job["worker_pid"], signal.SIGKILL)


def await_loss(flow: Flow, job: Any) -> Any:
    """Wait until the first step says that its job is lost and alive; return the step."""
    alive = f"but attempt 1 is still alive: pid {job['target_pid']} (sh -c"
    run = flow.await_status("k", lambda run: alive in (run["steps"][0]["error"] or ""))
    assert (run["status"], run["steps"][0]["status"]) == ("RUNNING", "RUNNING")
    return run["steps"][0]


@pytest.mark.parametrize("lose", [lose_the_jobs, lose_the_worker])
@LONG_IF_REAL
def test_survivor(each_flow: Flow, gate: Gate, lose: Callable[[Flow, Any], None]) -> None:
    """No attempt begins while a process of a lost one lives, which the error names (rule 5.8)."""
    file = each_flow.write({"id": "a", "command": gate.command(), "retries": 1})
    runner = each_flow.begin(file, gate)
    job = each_flow.await_job("k")
    lose(each_flow, job)
    assert await_loss(each_flow, job)["attempt_no"] == 1
    assert not gate.has_arrival()
    gate.let_through()  # the survivor ends
    gate.await_arrival()  # and only then the second attempt begins
    assert is_gone(job["target_pid"])
    gate.let_through()
    assert runner.wait() == 0


WAITING = {"id": "b", "command": ["true"], "when": "a.finished"}


@LONG_IF_REAL
def test_what_waits_for_a_lost_job(each_flow: Flow, gate: Gate) -> None:
    """Without retries too: nothing that waits for a lost step begins beside it (rule 5.8)."""
    file = each_flow.write({"id": "a", "command": gate.command()}, WAITING)
    job = each_flow.abandon(file, gate)
    os.kill(job["worker_pid"], signal.SIGKILL)
    runner = each_flow.spawn("start", "--run-key=k", file)
    step = await_loss(each_flow, job)
    assert step["reason"] == step["error"]
    first, second = each_flow.ask("explain", "--run-key=k", "--format=json")["steps"]
    assert first["reason"] == step["error"]
    assert second["reason"].startswith("waits for a RUNNING")
    runner.kill()
    runner.wait()
    runner = each_flow.spawn("start", "--run-key=k", file)
    each_flow.await_status("k", lambda run: run["runner"] is not None)
    assert await_loss(each_flow, job) == step
    gate.let_through()
    first, second = json.loads(runner.communicate()[0])["steps"]
    assert (first["status"], second["status"]) == ("FAILED", "SUCCEEDED")
    assert first["error"].startswith("outcome unknown: ")
    assert second["started_at"] >= first["finished_at"]


AN_HOUR_AGO = {
    "cancel": "",
    "timeout": "UPDATE attempts SET running_mono = running_mono - 3600",
    "flow timeout": "UPDATE runs SET deadline_mono = deadline_mono - 3600",
}


@pytest.mark.parametrize("how", AN_HOUR_AGO)
@LONG_IF_REAL
def test_a_lost_job_is_ended(each_flow: Flow, gate: Gate, how: str) -> None:
    """What is alive of a lost attempt is ended by `cancel` and by both time limits (5.5, 5.6)."""
    limit: dict[str, Any] = {"timeout_sec": 3600}
    step = {"id": "a", "command": gate.command(), **(limit if how == "timeout" else {})}
    file = each_flow.write(step, WAITING, **(limit if how == "flow timeout" else {}))
    job = each_flow.abandon(file, gate)
    os.kill(job["worker_pid"], signal.SIGKILL)
    if AN_HOUR_AGO[how]:
        each_flow.change(AN_HOUR_AGO[how])
    runner = each_flow.spawn("start", "--run-key=k", file)
    if how == "cancel":
        await_loss(each_flow, job)
        each_flow.ask("cancel", "--run-key=k")
    assert runner.wait() == 1
    assert is_gone(job["target_pid"])
    run = each_flow.status("k")
    assert [step["status"] for step in run["steps"]] == {
        "cancel": ["CANCELLED", "CANCELLED"],
        "timeout": ["FAILED", "SUCCEEDED"],
        "flow timeout": ["CANCELLED", "CANCELLED"],
    }[how]


@LONG_IF_REAL
def test_start_without_processes(each_flow: Flow, gate: Gate) -> None:
    """A job that is STARTING without any process never began: its retry is free (rule 4.2)."""
    file = each_flow.write({"id": "a", "command": gate.command()})
    job = each_flow.abandon(file, gate)
    each_flow.orchesjob.plant("k:a:1", status="STARTING", worker_pid=None, target_pid=None)
    kill_job(job)
    gate.let_through()
    step = each_flow.start("k", file)["steps"][0]
    assert (step["status"], step["attempt_no"], step["max_retries"]) == ("SUCCEEDED", 2, 0)
    assert each_flow.orchesjob.status("k:a:1")["status"] == "ABORTED"


def test_every_start_dies(flow: Flow, fake_orchesjob: FakeOrchesjob) -> None:
    """If every start dies, the runner says so and gives up; no retry is used (rules 4.2, 5.7)."""
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


def test_forgotten_job(flow: Flow, gate: Gate, fake_orchesjob: FakeOrchesjob) -> None:
    """A job that orchesjob has forgotten is never started again under its key (promise 1)."""
    fake_orchesjob.script([{"call": "status", "key": "k:a:1", "fault": "forget"}])
    runner = flow.begin(flow.write({"id": "a", "command": gate.command()}), gate)
    gate.let_through()
    stdout, _ = runner.communicate()
    assert runner.returncode == 1
    step = json.loads(stdout)["steps"][0]
    assert step["error"] == "outcome unknown: orchesjob no longer knows the job"
    assert fake_orchesjob.begun() == ["k:a:1"]
