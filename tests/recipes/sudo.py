"""Steps that run `sudo` or `su`: what runs as root then is neither left alone nor overlooked.

Each command runs in a namespace of mounts in which sudo trusts everybody, so the machine keeps its
own rules. The ordinary user may read what root may, because the installation may be root's.
"""

import os
import pwd
import shlex
import signal
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from support.files import write_program
from support.flow import Flow
from support.gate import Gate
from support.processes import await_exit, is_gone

from .machine import as_user, need

USER = pwd.getpwnam("nobody")
STUBBORN = "trap '' TERM HUP"


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder that other users can reach, unlike those of pytest."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


NESTED = {
    "sudo": 'sudo -n {homes} "$0" "$@"',
    "sudo in the background": 'sudo -n {homes} "$0" "$@" -d; sleep 600',
    "su -": """su - root -c '{homes} "$0" "$@"' -- "$0" "$@" """,
}


@pytest.mark.parametrize("way", NESTED)
def test_a_run_inside(real_flow: Flow, gate: Gate, way: str) -> None:
    """Where root makes cgroups, what an inner run runs is inside the outer attempt (rule 5.8a)."""
    homes = f"ORCHESJOB_HOME={real_flow.orchesjob.home} ORCHESJOB_FLOW_HOME={real_flow.home}"
    inner = real_flow.write({"id": "in", "command": gate.command()}, name="inner.json")
    words = [real_flow.program, "start", "--run-key=inner", inner]
    script = NESTED[way].format(homes=homes)
    step = {"id": "a", "command": ["sh", "-c", script, *words], "retries": 1}
    flow = trusted(real_flow)
    flow.detach(flow.write(step, name="outer.json"), gate, "outer")
    pid = flow.await_job("inner")["target_pid"]
    assert flow.status("inner")["parent"] == {"run_key": "outer", "step": "a", "attempt": 1}
    assert flow.ask("cancel", "--run-key=outer")["status"] == "CANCELLED"
    assert is_gone(pid)
    assert flow.status("inner")["status"] == "CANCELLED"


@pytest.fixture
def ordinary(real_flow: Flow) -> Flow:
    """The command, as a user whom sudo trusts, and who can make no cgroups."""
    os.chown(real_flow.folder, USER.pw_uid, USER.pw_gid)
    return trusted(real_flow, *as_user(USER))


def trusted(flow: Flow, *words: str) -> Flow:
    sudoers = flow.folder / "sudoers"
    sudoers.write_text("ALL ALL=(ALL:ALL) NOPASSWD: ALL\n", encoding="utf-8")
    sudoers.chmod(0o440)
    mount = shlex.join([need("mount"), "--bind", str(sudoers), "/etc/sudoers"])
    inside = f'{mount} && exec {shlex.join([*words, flow.program])} "$@"'
    start = shlex.join([need("unshare"), "--mount", "sh", "-c", inside, "sh"])
    flow.program = write_program(flow.folder / "trusted", f'#!/bin/sh\nexec {start} "$@"\n')
    return flow


class Stubborn:
    """A command of root's that obeys no TERM, and waits at the gate."""

    def __init__(self, flow: Flow, gate: Gate) -> None:
        self._gate = gate
        self._pids = flow.folder / "pids"
        self.command = gate.command(before=f"{STUBBORN}; echo $$ >>{self._pids}")

    def pid(self) -> int:
        return int(self._pids.read_text(encoding="ascii").split()[-1])

    def close(self) -> None:
        with suppress(FileNotFoundError):
            for pid in map(int, self._pids.read_text(encoding="ascii").split()):
                if not is_gone(pid):
                    os.kill(pid, signal.SIGKILL)


@pytest.fixture
def stubborn(ordinary: Flow, gate: Gate) -> Iterator[Stubborn]:
    """Such a command, which does not outlive the test."""
    stubborn = Stubborn(ordinary, gate)
    yield stubborn
    stubborn.close()


WAYS = {
    "sudo": ["sudo", "-n"],
    "behind a shell": ["sh", "-c", 'sudo -n "$@"; true', "sh"],
    "in another session": ["sudo", "-n", "setsid", "-w"],
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("runner_lives", [True, False])
def test_a_cancel_that_cannot_be_carried_out(
    ordinary: Flow, gate: Gate, stubborn: Stubborn, way: str, *, runner_lives: bool
) -> None:
    """`cancel` names what it may not end, and exits with 2; the next one finds it too (5.8)."""
    file = ordinary.write({"id": "a", "command": [*WAYS[way], *stubborn.command]})
    runner = ordinary.begin(file, gate)
    pid = stubborn.pid()
    if not runner_lives:
        runner.kill()
        runner.wait()
    error = ordinary.refusal("cancel", "--run-key=k", "--grace-seconds=0.1")["error"]
    assert f"pid {pid} (" in error
    assert "of uid 0" in error
    assert not is_gone(pid)
    assert ordinary.status("k")["status"] == "RUNNING"
    cancel = ordinary.spawn("cancel", "--run-key=k", "--grace-seconds=0.1")
    gate.let_through()
    await_exit(pid)
    stdout, _ = cancel.communicate()
    assert (cancel.returncode, '"status":"CANCELLED"' in stdout) == (0, True)


@pytest.mark.parametrize("way", WAYS)
def test_no_attempt_beside_it(ordinary: Flow, gate: Gate, stubborn: Stubborn, way: str) -> None:
    """After a timeout the next attempt waits for root's processes of the last one (5.5, 5.8)."""
    limits = {"retries": 1, "timeout_sec": 3600}
    file = ordinary.write({"id": "a", "command": [*WAYS[way], *stubborn.command], **limits})
    ordinary.abandon(file, gate)
    pid = stubborn.pid()
    ordinary.change("UPDATE attempts SET running_mono = running_mono - 7200")
    runner = ordinary.spawn("resume", "--run-key=k")

    def is_named(run: Any) -> bool:
        return f"cannot be ended: pid {pid} (" in (run["steps"][0]["error"] or "")

    ordinary.await_status("k", is_named)
    assert not gate.has_arrival()
    gate.let_through()
    gate.await_arrival()
    assert is_gone(pid)
    gate.let_through()
    runner.communicate()


def test_a_lost_job(ordinary: Flow, gate: Gate, stubborn: Stubborn) -> None:
    """Where orchesjob has lost the job, root's process is named, and awaited (rule 5.8)."""
    command = [*WAYS["sudo"], *stubborn.command]
    file = ordinary.write({"id": "a", "command": command, "retries": 1})
    runner = ordinary.spawn("start", "--run-key=k", file)
    gate.await_arrival()
    job = ordinary.await_job("k")
    os.kill(job["worker_pid"], signal.SIGKILL)

    def is_named(run: Any) -> bool:
        return f"still alive: pid {job['target_pid']} (" in (run["steps"][0]["error"] or "")

    ordinary.await_status("k", is_named)
    assert not gate.has_arrival()
    gate.let_through()
    gate.await_arrival()
    gate.let_through()
    runner.communicate()
    assert ordinary.status("k")["status"] == "SUCCEEDED"
