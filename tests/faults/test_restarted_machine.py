"""What ran, or was being started, when the machine was restarted (rules 5.7 and 5.8)."""

import os
import shutil
import signal
import subprocess

import pytest

from support.flow import Flow
from support.gate import Gate
from support.orchesjob import FakeOrchesjob
from support.steps import TRUE
from support.unrelated import UnrelatedProcesses

RESTARTED = "outcome unknown: the machine or container was restarted while it"


@pytest.mark.parametrize(
    ("words", "outcome"),
    [
        (("start", "--run-key=k", "flow.json"), (1, "FAILED", f"{RESTARTED} ran")),
        (("cancel", "--run-key=k"), (0, "FAILED", f"{RESTARTED} ran")),
    ],
)
def test_restarted_machine(  # noqa: PLR0913 - the fixtures and the table
    flow: Flow,
    gate: Gate,
    fake_orchesjob: FakeOrchesjob,
    unrelated: UnrelatedProcesses,
    *,
    words: tuple[str, ...],
    outcome: tuple[int, str, str],
) -> None:
    """What ran before the machine was restarted is lost, and no PID of it means anything (5.8)."""
    file = flow.write({"id": "a", "command": gate.command()})
    unrelated.replace(flow.orchesjob, "k:a:1", flow.abandon(file, gate))
    flow.restart_machine()
    code, status, error = outcome
    run = flow.ask(*words, code=code)
    assert (run["status"], run["steps"][0]["error"]) == (status, error)
    assert "abort" not in [call["call"] for call in fake_orchesjob.calls()]
    unrelated.assert_spared()


def test_forgotten_by_a_restart(flow: Flow, gate: Gate, fake_orchesjob: FakeOrchesjob) -> None:
    """An attempt that may have begun before a restart is never begun again under its key (5.7)."""
    fake_orchesjob.script([{"call": "start", "nth": 1, "when": "spawned", "fault": "hang"}])
    file = flow.write({"id": "a", "command": gate.command()})
    runner = flow.spawn("start", "--run-key=k", file)
    gate.await_arrival()
    flow.await_true(lambda: fake_orchesjob.begun() == ["k:a:1"])
    runner.kill()
    (start,) = fake_orchesjob.calls()
    os.kill(start["pid"], signal.SIGKILL)
    flow.orchesjob.end_all()
    fake_orchesjob.script([{"call": "status", "fault": "forget"}])
    flow.restart_machine()
    step = flow.start("k", file, code=1)["steps"][0]
    assert step["error"] == f"{RESTARTED} was being started"
    assert fake_orchesjob.begun() == ["k:a:1"]


def trace(flow: Flow, calls: str, *words: str) -> list[str]:
    strace, log = shutil.which("strace"), flow.folder / "trace"
    if strace is None or subprocess.run([strace, "-o", log, "true"], check=False).returncode != 0:
        # A container may refuse it; the setting itself is tested in flow-store.
        pytest.skip("needs strace, and permission to trace")
    options = ("-f", "--seccomp-bpf", "-s", "8192", "-o", str(log), "-e", f"trace={calls}")
    assert flow.run(*options, flow.program, *words, executable=strace).returncode == 0
    return log.read_text(encoding="utf-8", errors="replace").splitlines()


def test_on_disk_before_it_begins(flow: Flow) -> None:
    """That an attempt is starting is on disk before orchesjob is called (rule 5.7)."""
    words = ("start", "--run-key=k", flow.write(TRUE))
    calls = trace(flow, "pwrite64,fdatasync,fsync,execve,write", *words)
    starts = next(n for n, call in enumerate(calls) if '"start", "--run-key=k:a:1"' in call)
    written = max(n for n in range(starts) if "pwrite64(" in calls[n] and "STARTING" in calls[n])
    assert any("sync(" in call for call in calls[written:starts])
