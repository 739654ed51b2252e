"""A step that starts a run of its own: what ends the step ends that too (rule 5.8a)."""

import json
import os
import shlex
import signal
from typing import Any

import pytest

from orchesjob_client import usable_cgroup_folder
from support.flow import Flow
from support.gate import Gate
from support.marks import LONG_IF_REAL
from support.processes import is_gone, kill_job

WAYS = {
    "foreground": "exec {start}",
    "background": "{detached} && exec {wait}",
    "left behind": "{detached}",
}
PARENT = {"run_key": "outer", "step": "a", "attempt": 1}


def write_nested(flow: Flow, gate: Gate, way: str, **fields: Any) -> str:
    """Write a flow whose first step starts a run of a step at the gate; return its path."""
    inner = flow.write({"id": "in", "command": gate.command()}, name="inner.json")
    words = {
        "start": [flow.program, "start", "--run-key=inner", inner],
        "detached": [flow.program, "start", "-d", "--run-key=inner", inner],
        "wait": [flow.program, "wait", "--run-key=inner"],
    }
    script = WAYS[way].format_map({name: shlex.join(some) for name, some in words.items()})
    outer = {"id": "a", "command": ["sh", "-c", script], **fields}
    after = {"id": "b", "command": ["sleep", "600"], "depends_on": ["a"]}
    return flow.write(outer, *([after] if way == "left behind" else []), name="outer.json")


def start_nested(flow: Flow, gate: Gate, way: str, **fields: Any) -> tuple[Any, Any]:
    """Start such a run in the background; return the inner one and its job when that runs."""
    file = write_nested(flow, gate, way, **fields)
    flow.detach(file, gate, "outer")
    job = flow.await_job("inner")
    return flow.status("inner"), job


@pytest.mark.parametrize("way", WAYS)
def test_cancelled_together(flow: Flow, gate: Gate, way: str) -> None:
    """A cancel of the outer run ends the inner one, its runner and its steps (rule 5.6)."""
    inner, job = start_nested(flow, gate, way)
    assert inner["parent"] == PARENT
    assert flow.status("outer")["parent"] is None
    if way == "left behind":
        flow.await_status("outer", lambda run: run["steps"][1]["status"] == "RUNNING")
    listed = {run["run_key"]: run["parent"] for run in flow.ask("list")["runs"]}
    assert listed == {"outer": None, "inner": PARENT}
    assert flow.ask("cancel", "--run-key=outer")["status"] == "CANCELLED"
    run = flow.status("inner")
    assert (run["status"], run["steps"][0]["status"]) == ("CANCELLED", "CANCELLED")
    assert is_gone(job["target_pid"])
    flow.await_true(lambda: is_gone(inner["runner"]["pid"]))
    assert flow.status("outer")["runner"] is None


CLEARED = 'env -i PATH="$PATH" ORCHESJOB_HOME="$ORCHESJOB_HOME"'
SAME_HOME = f'{CLEARED} ORCHESJOB_FLOW_HOME="$ORCHESJOB_FLOW_HOME"'
HIDDEN_WAYS = {
    "env -i": f"exec {SAME_HOME} {{start}}",
    "env -i, another home": f"exec {CLEARED} ORCHESJOB_FLOW_HOME={{folder}}/other {{start}}",
    "env -i, a daemon": f"({SAME_HOME} setsid {{start}} >out 2>&1 &); sleep 600",
}


@pytest.mark.integration
@pytest.mark.parametrize("way", HIDDEN_WAYS)
def test_without_its_environment(real_flow: Flow, gate: Gate, way: str) -> None:
    """A cancel ends what an inner run runs although its starter has shed the mark (rule 5.8a)."""
    try:
        usable_cgroup_folder()
    except OSError:
        pytest.skip("needs rights to make cgroups")
    inner = real_flow.write({"id": "in", "command": gate.command()}, name="inner.json")
    start = [real_flow.program, "start", "--run-key=inner", inner]
    script = HIDDEN_WAYS[way].format(start=shlex.join(start), folder=real_flow.folder)
    outer = real_flow.write({"id": "a", "command": ["sh", "-c", script]}, name="outer.json")
    real_flow.detach(outer, gate, "outer")
    is_same_home = "another" not in way
    if not is_same_home:
        real_flow.environ["ORCHESJOB_FLOW_HOME"] = str(real_flow.folder / "other")
    pid = real_flow.await_job("inner")["target_pid"]
    real_flow.environ["ORCHESJOB_FLOW_HOME"] = str(real_flow.home)
    assert real_flow.ask("cancel", "--run-key=outer")["status"] == "CANCELLED"
    assert is_gone(pid)
    if is_same_home:
        run = real_flow.status("inner")
        assert (run["status"], run["parent"]) == ("CANCELLED", PARENT)


@LONG_IF_REAL
def test_a_retry_waits_for_the_inner_run(each_flow: Flow, gate: Gate) -> None:
    """While a step of the inner run is alive the outer step is not retried (rule 5.8)."""
    inner, job = start_nested(each_flow, gate, "foreground", retries=1)
    os.kill(inner["runner"]["pid"], signal.SIGKILL)
    alive = f"pid {job['target_pid']} ("
    step = each_flow.await_status("outer", lambda run: alive in (run["steps"][0]["error"] or ""))[
        "steps"
    ][0]
    assert (step["status"], step["attempt_no"]) == ("DELAYED", 1)
    gate.let_through()
    assert each_flow.ask("wait", "--run-key=outer")["status"] == "SUCCEEDED"
    inner = each_flow.status("inner")
    assert (inner["status"], inner["steps"][0]["attempt_no"]) == ("SUCCEEDED", 1)
    assert inner["parent"] == {**PARENT, "attempt": 2}


@LONG_IF_REAL
def test_a_timeout_ends_the_inner_run(each_flow: Flow, gate: Gate) -> None:
    """A timeout of the outer step ends the runner and the steps of the inner run, and no more."""
    inner, job = start_nested(each_flow, gate, "background", timeout_sec=3600)
    each_flow.await_status("outer", lambda run: run["steps"][0]["orchesjob_status"])
    outer = each_flow.status("outer")["runner"]["pid"]
    os.kill(outer, signal.SIGKILL)
    each_flow.await_true(lambda: each_flow.status("outer")["runner"] is None)
    each_flow.change("UPDATE attempts SET running_mono = running_mono - 7200")
    run = each_flow.ask("resume", "--run-key=outer", code=1)
    assert run["steps"][0]["error"] == "timed out after 3600 s"
    pids = (job["target_pid"], job["worker_pid"], inner["runner"]["pid"])
    each_flow.await_true(lambda: all(map(is_gone, pids)))
    assert each_flow.status("inner")["status"] == "RUNNING"
    finished = each_flow.run("resume", "--all")
    assert [one["run_key"] for one in json.loads(finished.stdout)["resumed"]] == ["inner"]
    assert "'inner' is cancelled: the step that started it has ended" in finished.stderr
    run = each_flow.ask("wait", "--run-key=inner", code=1)
    assert (run["status"], run["steps"][0]["status"]) == ("FAILED", "FAILED")  # none left to stop


def advice(flow: Flow) -> str:
    checks = json.loads(flow.run("doctor").stdout)["checks"]
    return "; ".join(one["message"] for one in checks if one["check"] == "runners")


def test_after_a_reboot(flow: Flow, gate: Gate) -> None:
    """An inner run is left to the next attempt, which may take it over; then it ends (5.8a, 9.8).

    `prune` can remove it after that.
    """
    words = [flow.program, "run", flow.write({"id": "in", "command": gate.command()})]
    outer = flow.write({"id": "a", "command": words, "retries": 1}, name="outer.json")
    runner = flow.spawn("start", "--run-key=outer", outer)
    gate.await_arrival()
    (inner,) = (run["run_key"] for run in flow.ask("list")["runs"] if run["parent"])
    jobs = [flow.await_job("outer"), flow.await_job(inner)]
    runner.kill()
    runner.wait()
    for job in jobs:
        kill_job(job)
    flow.await_true(lambda: flow.status(inner)["runner"] is None)
    flow.restart_machine()
    answer = flow.ask("resume", "--all")
    assert [one["run_key"] for one in answer["resumed"]] == ["outer"]
    assert answer["left"] == [{"run_key": inner, "parent": PARENT}]
    assert f"run '{inner}' is left to the next attempt" in advice(flow)
    gate.await_arrival()
    gate.let_through()
    assert flow.ask("wait", "--run-key=outer")["status"] == "SUCCEEDED"
    assert "has ended: `orchesjob-flow resume --all` cancels it" in advice(flow)
    assert [one["run_key"] for one in flow.ask("resume", "--all")["resumed"]] == [inner]
    lost = flow.ask("wait", f"--run-key={inner}", code=1)
    assert lost["status"] == "FAILED"
    assert flow.ask("prune", "--older-than=0s")["removed"]
    assert flow.ask("list")["runs"] == []


def test_a_run_beside_it_goes_on(flow: Flow, gate: Gate) -> None:
    """A run that a step merely resumes is none of the step's, and outlives it (rule 5.8a)."""
    inner = flow.write({"id": "in", "command": gate.command()}, name="inner.json")
    flow.abandon(inner, gate, key="inner")
    resume = [flow.program, "resume", "-d", "--run-key=inner"]
    resumed = flow.folder / "resumed"
    script = f"{shlex.join(resume)} && touch {shlex.quote(str(resumed))}; sleep 600"
    step = {"id": "a", "command": ["sh", "-c", script]}
    flow.ask("start", "-d", "--run-key=outer", flow.write(step, name="outer.json"))
    flow.await_true(resumed.exists)  # `resume` leaves its child behind before it returns
    assert flow.ask("cancel", "--run-key=outer")["status"] == "CANCELLED"
    run = flow.status("inner")
    assert (run["status"], run["parent"]) == ("RUNNING", None)
    assert run["runner"] is not None
    gate.let_through()
    assert flow.ask("wait", "--run-key=inner")["status"] == "SUCCEEDED"
