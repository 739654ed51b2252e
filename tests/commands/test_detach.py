"""`start -d`: the background runner, from outside."""

import fcntl
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from support.flow import Flow
from support.gate import Gate
from support.orchesjob import FakeOrchesjob
from support.processes import await_exit, descriptors
from support.steps import TRUE


def detach(flow: Flow, file: str, key: str = "k") -> Any:
    return flow.ask("start", f"--run-key={key}", "-d", file)


def test_answer(flow: Flow, gate: Gate, fake_orchesjob: FakeOrchesjob) -> None:
    """`-d` prints the state, the child's PID and its logs; the child holds the lock (rule 6.3).

    A second one reports the runner there is, or none when the run has ended (4.5).
    """
    file = flow.write({"id": "a", "command": gate.command()})
    answer = detach(flow, file)
    assert list(answer)[-5:] == ["runner", "detached", "pid", "stdout_log", "stderr_log"]
    assert answer["detached"] is True
    assert answer["runner"] == {"pid": answer["pid"], "alive": True}
    logs = flow.home / "logs"
    assert answer["stdout_log"] == str(logs / "orchesjob-flow-k.stdout.log")
    assert answer["stderr_log"] == str(logs / "orchesjob-flow-k.stderr.log")
    gate.await_arrival()
    again = detach(flow, file)
    assert (again["pid"], again["runner"]) == (answer["pid"], answer["runner"])
    assert flow.status("k")["runner"] == answer["runner"]
    gate.let_through()
    await_exit(answer["pid"])
    ended = detach(flow, file)
    assert (ended["status"], ended["pid"], ended["runner"]) == ("SUCCEEDED", None, None)
    assert ended["detached"] is True
    assert len([call for call in fake_orchesjob.calls() if call["call"] == "start"]) == 1
    assert Path(answer["stdout_log"]).read_text(encoding="utf-8").count("\n") == 1
    assert Path(answer["stderr_log"]).read_text(encoding="utf-8") == ""


def test_nothing_of_the_caller_is_kept(flow: Flow, gate: Gate) -> None:
    """The caller's output is closed once `start -d` returns, so that SSH does not hang (6.3)."""
    with (flow.folder / "private").open("w") as private:
        os.set_inheritable(private.fileno(), True)
        child = flow.spawn(
            "start",
            "--run-key=k",
            "-d",
            flow.write({"id": "a", "command": gate.command()}),
            stdin=private,
            close_fds=False,
        )
        child.communicate()  # returns only if nobody holds the pipes any more
    gate.await_arrival()
    run = flow.status("k")
    runner = descriptors(run["runner"]["pid"])
    assert runner[0] == "/dev/null"
    logs = flow.home / "logs"
    assert runner[1] == str(logs / "orchesjob-flow-k.stdout.log")
    assert runner[2] == str(logs / "orchesjob-flow-k.stderr.log")
    assert str(flow.folder / "private") not in runner.values()
    pid = run["runner"]["pid"]
    assert os.getsid(pid) == pid
    assert Path(f"/proc/{pid}/cwd").readlink() == Path("/")


@pytest.mark.integration
def test_what_a_step_has_open(real_flow: Flow) -> None:
    """A step has no stdin, its two logs, and no lock or pipe of the runner."""
    file = real_flow.write({"id": "a", "command": ["sleep", "60"]})
    runner = detach(real_flow, file)["pid"]
    job = real_flow.await_job("k")
    assert descriptors(job["target_pid"]) == {
        0: "/dev/null",
        1: job["stdout_file"],
        2: job["stderr_file"],
    }
    for path in descriptors(job["worker_pid"]).values():
        assert not path.startswith(str(real_flow.home))
    with (real_flow.home / "locks" / "k.calls").open() as calls:
        os.kill(runner, signal.SIGKILL)
        fcntl.flock(calls, fcntl.LOCK_EX)  # free as soon as the runner is gone


def test_terminated(flow: Flow, gate: Gate) -> None:
    """A background runner outlives its terminal; one that is terminated says so in its log."""
    file = flow.write({"id": "a", "command": gate.command()})
    first = detach(flow, file)
    gate.await_arrival()
    os.kill(first["pid"], signal.SIGHUP)
    os.kill(first["pid"], signal.SIGTERM)
    await_exit(first["pid"])
    assert "interrupted by SIGTERM" in Path(first["stderr_log"]).read_text(encoding="utf-8")
    left = flow.status("k")
    assert (left["status"], left["steps"][0]["status"]) == ("RUNNING", "RUNNING")
    assert left["runner"] is None
    second = detach(flow, file)
    assert second["pid"] != first["pid"]
    gate.let_through()
    await_exit(second["pid"])
    assert flow.status("k")["status"] == "SUCCEEDED"


def test_child_that_cannot_start(flow: Flow) -> None:
    """If the background runner ends before it is ready, the caller is told why (rule 6.9)."""
    flow.home.mkdir(mode=0o700)
    (flow.home / "logs").mkdir(mode=0o700)
    (flow.home / "logs" / "orchesjob-flow-k.stdout.log").symlink_to("/dev/null")
    error = flow.refusal("start", "--run-key=k", "-d", flow.write(TRUE))["error"]
    assert "is a symbolic link" in error
    assert flow.status("k")["runner"] is None
