"""The commands of docs/how-to/ssh.md over a real sshd: found, and not ended with the connection."""

import json
import os
import re
import shlex
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from support.command import Command
from support.deadlines import EVENT_SEC
from support.flow import Flow
from support.gate import Gate
from support.orchesjob import MARK
from support.processes import await_exit, is_gone

from .machine import documented, need


class Sshd:
    """An sshd on a port of its own that knows one key, and the client for it."""

    def __init__(self, flow: Flow) -> None:
        self.folder = flow.folder / "sshd"
        self.folder.mkdir(mode=0o700)
        for name in ("host", "me"):
            words = ["-q", "-t", "ed25519", "-N", "", "-f", str(self.folder / name)]
            subprocess.run([need("ssh-keygen"), *words], check=True, timeout=EVENT_SEC)
        (self.folder / "me.pub").rename(self.folder / "authorized_keys")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        options = {
            "Port": self.port,
            "ListenAddress": "127.0.0.1",
            "HostKey": self.folder / "host",
            "AuthorizedKeysFile": self.folder / "authorized_keys",
            "StrictModes": "no",  # the folder of a test is below one that all may write to
            "PidFile": "none",
            # What the test's own processes are found by; a real login would set neither.
            "SetEnv": f"{MARK}={flow.environ[MARK]} HOME={flow.folder}",
        }
        words = [word for name, text in options.items() for word in ("-o", f"{name}={text}")]
        Path("/run/sshd").mkdir(exist_ok=True)  # where it separates its privileges
        self._process = subprocess.Popen(
            [need("sshd"), "-D", "-e", "-f", "none", *words],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stderr is not None
        while "listening" not in (line := self._process.stderr.readline()):
            assert line, "sshd has not begun"

    def words(self, command: str, *options: str) -> list[str]:
        """Return the call that runs a command over a connection, with a login's short PATH."""
        words = ["-q", "-i", str(self.folder / "me"), "-p", str(self.port), *options]
        known = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
        return [need("ssh"), "-F", "none", *words, *known, "127.0.0.1", command]

    def spawn(self, command: str, *options: str) -> Command:
        return Command(
            self.words(command, *options),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def close(self) -> None:
        self._process.terminate()
        self._process.communicate()


@pytest.fixture
def sshd(real_flow: Flow) -> Iterator[Sshd]:
    """An sshd in whose user's home the program is installed as pipx and uv do it."""
    bin_folder = real_flow.folder / ".local" / "bin"
    bin_folder.mkdir(parents=True)
    (bin_folder / "orchesjob-flow").symlink_to(real_flow.program)
    with closing(Sshd(real_flow)) as sshd:
        yield sshd


def remote(flow: Flow, *words: str) -> str:
    lines = documented("ssh.md", "bash")
    (prefix,) = re.findall(r"^flow='(.*)'$", lines, re.MULTILINE)
    assert prefix.endswith(" ~/.local/bin/orchesjob-flow")
    home = shlex.quote(str(flow.orchesjob.home))
    return f"{prefix.replace('/var/lib/orchesjob', home)} {shlex.join(words)}"


def test_the_program_is_found(sshd: Sshd, real_flow: Flow, gate: Gate) -> None:
    """`start -d` returns at once, and the run survives the end of its connection (6.3)."""
    file = real_flow.write({"id": "load", "command": gate.command()})
    start = remote(real_flow, "start", "--run-key=k", "-d", file)
    for _ in range(2):  # a broken connection is a reason to call it again
        started = sshd.spawn(start).completed()
        assert (started.returncode, started.stderr) == (0, "")
        assert json.loads(started.stdout)["detached"]
    gate.await_arrival()
    gate.let_through()
    waited = sshd.spawn(remote(real_flow, "wait", "--run-key=k")).completed()
    assert (waited.returncode, waited.stderr) == (0, "")
    (step,) = json.loads(waited.stdout)["steps"]
    assert (step["status"], len(step["attempts"])) == ("SUCCEEDED", 1)


def test_the_connection_is_cut(sshd: Sshd, real_flow: Flow, gate: Gate) -> None:
    """A run whose foreground `start` loses its terminal is resumed by the next one (4.3)."""
    file = real_flow.write({"id": "load", "command": gate.command()})
    start = remote(real_flow, "start", "--run-key=k", file)
    first = sshd.spawn(start, "-tt")
    gate.await_arrival()
    look = remote(real_flow, "status", "--run-key=k")
    runner = json.loads(sshd.spawn(look).completed().stdout)["runner"]["pid"]
    first.kill()
    first.communicate()
    await_exit(runner)
    second = sshd.spawn(start)
    gate.let_through()
    stdout, stderr = second.communicate()
    (step,) = json.loads(stdout)["steps"]
    assert (second.returncode, stderr) == (0, "")
    assert (step["status"], len(step["attempts"])) == ("SUCCEEDED", 1)


@pytest.mark.parametrize(("options", "survives"), [([], True), (["-tt"], False)])
def test_a_step_on_another_machine(
    sshd: Sshd, real_flow: Flow, gate: Gate, options: list[str], *, survives: bool
) -> None:
    """A cancel ends `ssh` only; what runs there ends if it has a terminal and obeys SIGHUP."""
    pid = real_flow.folder / "pid"
    command = shlex.join(gate.command(before=f"echo $$ >{pid}"))
    file = real_flow.write({"id": "load", "command": sshd.words(command, *options)})
    real_flow.detach(file, gate)
    there = int(pid.read_text(encoding="ascii"))
    assert real_flow.ask("cancel", "--run-key=k")["status"] == "CANCELLED"
    if survives:
        assert not is_gone(there)
        gate.let_through()
    await_exit(there)


def test_a_run_on_another_machine(sshd: Sshd, real_flow: Flow, gate: Gate) -> None:
    """A retry waits for the run that the last attempt has left there; `finally` cancels it."""
    there = real_flow.write({"id": "in", "command": gate.command()}, name="there.json")
    start = remote(real_flow, "start", "--run-key=k-load", there)
    cancel = remote(real_flow, "cancel", "--run-key=k-load")
    look = sshd.words(remote(real_flow, "status", "--run-key=k-load"))
    stop = {"id": "stop", "when": "any(cancelled)", "command": sshd.words(cancel)}
    fields: dict[str, Any] = {"finally": [stop]}
    step = {"id": "load", "command": sshd.words(start), "retries": 1}
    file = real_flow.write(step, **fields)
    real_flow.detach(file, gate)
    first = real_flow.await_job("k")
    os.kill(first["target_pid"], signal.SIGKILL)  # the connection is cut
    real_flow.await_status("k", lambda run: run["steps"][0]["attempt_no"] == 2)
    assert real_flow.ask("cancel", "--run-key=k")["status"] == "CANCELLED"
    run = json.loads(Command(look, stdout=subprocess.PIPE, text=True).completed().stdout)
    assert (run["status"], len(run["steps"][0]["attempts"])) == ("CANCELLED", 1)
    assert not gate.has_arrival()
