"""`cancel`: nothing starts any more, what runs is ended, and only then is it said."""

import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flow_store import FlowStore

if TYPE_CHECKING:
    from conftest import FakeOrchesjob, Flow, Gate

FOLLOW_UP = {"id": "b", "command": ["true"], "when": "!a"}
DONE = {"id": "z", "command": ["true"]}


def begun(fake: "FakeOrchesjob") -> list[str]:
    return [event["key"] for event in fake.executions() if event["event"] == "begin"]


def summary(run: Any) -> list[tuple[str, str, str | None]]:
    return [(step["id"], step["status"], step["error"]) for step in run["steps"]]


def is_gone(pid: int) -> bool:
    """Whether a process is dead, be it reaped or not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except FileNotFoundError:
        return True
    return stat.rpartition(b")")[2].split()[0] == b"Z"


def test_live_runner(each_flow: "Flow", gate: "Gate") -> None:
    """`cancel` ends what runs and what waits, keeps what has ended, and exits 0 (rule 5.6)."""
    file = each_flow.write({"id": "a", "command": gate.command(), "when": "z"}, FOLLOW_UP, DONE)
    runner = each_flow.spawn("start", "--run-key=k", file)
    gate.await_arrival()
    run = each_flow.ask("cancel", "--run-key=k")
    assert (run["status"], run["error"]) == ("CANCELLED", None)
    assert summary(run) == [
        ("a", "CANCELLED", "flow cancelled"),
        ("b", "CANCELLED", "flow cancelled"),
        ("z", "SUCCEEDED", None),
    ]
    assert run["steps"][0]["orchesjob_status"]["status"] == "ABORTED"
    job = each_flow.orchesjob.status("k:a:1")
    assert is_gone(job["target_pid"])
    assert job["status"] == "ABORTED"
    assert runner.wait(60) == 1
    assert each_flow.orchesjob.run("status", "--run-key=k:b:1").returncode == 3
    assert each_flow.status("k") == run


def test_dead_runner(flow: "Flow", gate: "Gate", fake_orchesjob: "FakeOrchesjob") -> None:
    """Where no runner lives, `cancel` does it all itself (rule 6.7)."""
    file = flow.write({"id": "a", "command": gate.command()}, FOLLOW_UP)
    runner = flow.spawn("start", "--run-key=k", file)
    gate.await_arrival()
    runner.kill()
    run = flow.ask("cancel", "--run-key=k")
    assert (run["status"], run["runner"]) == ("CANCELLED", None)
    assert run["steps"][0]["orchesjob_status"]["status"] == "ABORTED"
    assert is_gone(fake_orchesjob.status("k:a:1")["target_pid"])
    assert begun(fake_orchesjob) == ["k:a:1"]
    assert flow.start("k", file, code=1) == run


def test_background_runner(flow: "Flow", gate: "Gate", fake_orchesjob: "FakeOrchesjob") -> None:
    """The background runner ends with its run; the follow-up of `!a` never starts (rule 5.6)."""
    file = flow.write({"id": "a", "command": gate.command()}, FOLLOW_UP)
    pid = flow.ask("start", "-d", "--run-key=k", file)["pid"]
    gate.await_arrival()
    assert flow.ask("cancel", "--run-key=k")["status"] == "CANCELLED"
    fake_orchesjob.await_exit(pid)
    assert begun(fake_orchesjob) == ["k:a:1"]


def test_three_at_once(flow: "Flow", gate: "Gate", fake_orchesjob: "FakeOrchesjob") -> None:
    """Any number of cancels at once all exit 0 with the same run, and abort once."""
    file = flow.write({"id": "a", "command": gate.command()})
    runner = flow.spawn("start", "--run-key=k", file)
    gate.await_arrival()
    runner.kill()
    cancels = [flow.spawn("cancel", "--run-key=k") for _ in range(3)]
    answers = [cancel.communicate(timeout=60) for cancel in cancels]
    assert [cancel.returncode for cancel in cancels] == [0, 0, 0]
    assert answers[0] == answers[1] == answers[2]
    assert len([call for call in fake_orchesjob.calls() if call["call"] == "abort"]) == 1


def test_terminal_run(flow: "Flow", fake_orchesjob: "FakeOrchesjob") -> None:
    """A run that has ended stays as it is; `cancel` prints it and exits 0 (rule 6.7)."""
    for key, command in (("good", "true"), ("bad", "false")):
        file = flow.write({"id": "a", "command": [command]})
        finished = flow.run("start", f"--run-key={key}", file)
        calls = fake_orchesjob.calls()
        again = flow.run("cancel", f"--run-key={key}")
        assert (again.returncode, again.stdout, again.stderr) == (0, finished.stdout, "")
        assert fake_orchesjob.calls() == calls


def test_grace(each_flow: "Flow", gate: "Gate", tmp_path: Path) -> None:
    """A step may tidy up within its grace; one that will not hear is killed after it."""
    tidy = gate.command("exit 0", before=f"trap 'echo tidied >{tmp_path}/tidied; exit 3' TERM")
    deaf = gate.command("exit 0", before="trap '' TERM")
    for key, command, grace in (("tidy", tidy, "30"), ("deaf", deaf, "0.2")):
        file = each_flow.write({"id": "a", "command": command})
        runner = each_flow.spawn("start", f"--run-key={key}", file)
        gate.await_arrival()
        run = each_flow.ask("cancel", f"--run-key={key}", f"--grace-seconds={grace}")
        assert run["status"] == "CANCELLED"
        assert is_gone(each_flow.orchesjob.status(f"{key}:a:1")["target_pid"])
        assert runner.wait(60) == 1
    assert (tmp_path / "tidied").read_text(encoding="utf-8") == "tidied\n"


def test_escaped_process(flow: "Flow", gate: "Gate", tmp_path: Path) -> None:
    """CANCELLED means that nothing of the run is alive, in whatever session it is (rule 6.7)."""
    pid = tmp_path / "pid"
    escape = f"setsid sh -c 'echo $$ >{pid}; exec sleep 600' & until [ -s {pid} ]; do :; done"
    flow.spawn(
        "start", "--run-key=k", flow.write({"id": "a", "command": gate.command(before=escape)})
    )
    gate.await_arrival()
    assert flow.ask("cancel", "--run-key=k", "--grace-seconds=0")["status"] == "CANCELLED"
    assert is_gone(int(pid.read_text(encoding="utf-8")))


def test_start_in_flight(flow: "Flow", fake_orchesjob: "FakeOrchesjob", tmp_path: Path) -> None:
    """A start that is under way is waited for, and then aborted (rule 5.6)."""
    fake_orchesjob.script([{"call": "start", "when": "spawned", "fault": "hang", "sec": 1}])
    command = ["sh", "-c", f"echo begun >{tmp_path}/begun; exec sleep 600"]
    runner = flow.spawn("start", "--run-key=k", flow.write({"id": "a", "command": command}))
    flow.await_true((tmp_path / "begun").exists)
    run = flow.ask("cancel", "--run-key=k")
    assert summary(run) == [("a", "CANCELLED", "flow cancelled")]
    assert is_gone(fake_orchesjob.status("k:a:1")["target_pid"])
    assert runner.wait(60) == 1


def test_killed_half_way(flow: "Flow", gate: "Gate", fake_orchesjob: "FakeOrchesjob") -> None:
    """The request outlives whoever made it: the next `start` completes the cancel."""
    fake_orchesjob.script([{"call": "abort", "when": "recorded", "fault": "hang", "sec": 1}])
    file = flow.write({"id": "a", "command": gate.command()}, FOLLOW_UP)
    runner = flow.spawn("start", "--run-key=k", file)
    gate.await_arrival()
    runner.kill()
    cancel = flow.spawn("cancel", "--run-key=k")
    flow.await_true(lambda: [call for call in fake_orchesjob.calls() if call["call"] == "abort"])
    cancel.kill()
    run = flow.start("k", file, code=1)
    assert run["status"] == "CANCELLED"
    assert is_gone(fake_orchesjob.status("k:a:1")["target_pid"])
    assert begun(fake_orchesjob) == ["k:a:1"]


def test_lost_job(flow: "Flow", gate: "Gate", fake_orchesjob: "FakeOrchesjob") -> None:
    """`cancel` ends what orchesjob has lost sight of, too (rule 5.8)."""
    file = flow.write({"id": "a", "command": gate.command(), "retries": 1})
    flow.spawn("start", "--run-key=k", file)
    gate.await_arrival()
    job = flow.await_job("k")
    os.kill(job["worker_pid"], signal.SIGKILL)
    flow.await_status("k", lambda run: run["steps"][0]["status"] == "DELAYED")
    assert flow.ask("cancel", "--run-key=k")["status"] == "CANCELLED"
    assert is_gone(job["target_pid"])
    assert begun(fake_orchesjob) == ["k:a:1"]


def test_cancel_from_a_step(flow: "Flow") -> None:
    """A step may cancel its own run: it is ended like any other."""
    command = ["sh", "-c", f"{flow.program} cancel --run-key=k & exec sleep 600"]
    finished = flow.run("start", "--run-key=k", flow.write({"id": "a", "command": command}))
    assert finished.returncode == 1
    assert flow.status("k")["status"] == "CANCELLED"


def test_stopped_runner(flow: "Flow", gate: "Gate") -> None:
    """A runner that was stopped meanwhile sees the request before it starts anything else."""
    file = flow.write({"id": "a", "command": gate.command()}, {**FOLLOW_UP, "when": "a"})
    runner = flow.spawn("start", "--run-key=k", file)
    gate.await_arrival()
    runner.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, runner.pid, os.WSTOPPED | os.WNOWAIT)
    # The request is recorded before the lock is tried for, and only the request writes here.
    wal = Path(f"{flow.database}-wal")
    before = wal.stat().st_mtime_ns
    cancel = flow.spawn("cancel", "--run-key=k", stderr=subprocess.DEVNULL)
    flow.await_true(lambda: wal.stat().st_mtime_ns != before)
    gate.let_through()
    flow.orchesjob.await_end("k:a:1")
    runner.send_signal(signal.SIGCONT)
    assert cancel.wait(60) == 0
    steps = flow.status("k")["steps"]
    assert steps[1]["status"] == "CANCELLED"
    assert steps[1]["attempt_no"] == 0


def test_a_request_is_seen(flow: "Flow", gate: "Gate") -> None:
    """A request that is not carried out yet is shown, with what to do about it (rule 6.7)."""
    runner = flow.spawn("start", "--run-key=k", flow.write({"id": "a", "command": gate.command()}))
    gate.await_arrival()
    runner.kill()
    runner.wait()
    with FlowStore.open(flow.database) as store:
        store.request_cancel("k", requested_at=1.0, grace_sec=None)
    assert flow.status("k")["cancel_requested_at"] == 1.0
    table = flow.run("status", "--run-key=k", "--format=table").stdout
    assert "\nCancel: requested " in table
    assert "`orchesjob-flow cancel` with the same run key goes on" in table
    assert flow.ask("cancel", "--run-key=k")["status"] == "CANCELLED"
