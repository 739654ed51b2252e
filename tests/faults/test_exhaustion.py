"""No memory, threads, descriptors or processes: patience, then a sentence that names the cause.

Rule 5.7.
"""

import json
import os
import secrets
import shlex
import shutil
import subprocess
import sys

import pytest

from support.files import write_program
from support.flow import Flow
from support.gate import Gate
from support.steps import AFTER, TRUE

STEP_KB = 8_000
MOST_STEPS = 60


def start_limited(
    flow: Flow, option: str, limit: int, key: str, file: str
) -> subprocess.CompletedProcess[str]:
    line = shlex.join([flow.program, "--patience=0", "start", f"--run-key={key}", file])
    return flow.run("-c", f"ulimit {option} {limit} && exec {line}", executable="/bin/bash")


def error_in(stderr: str) -> str:
    """Return the error; what measures coverage complains after it of what it lacks itself."""
    *_, line = (line for line in stderr.splitlines() if line.startswith("{"))
    error: str = json.loads(line)["error"]
    return error


def least_for_python() -> int:
    """Return the memory in KiB in which Python itself runs what little the program begins with."""
    for limit in range(STEP_KB, MOST_STEPS * STEP_KB, STEP_KB // 3):
        line = f"ulimit -v {limit} && exec {shlex.quote(sys.executable)} -c 'import json'"
        if not subprocess.run(
            ["/bin/bash", "-c", line], capture_output=True, check=False
        ).returncode:
            return limit
    raise AssertionError("Python does not run at all")


@pytest.mark.long  # at which limit what runs out first is a matter of the interpreter
def test_memory_from_the_beginning(flow: Flow) -> None:
    """With however little memory: the run, or one sentence; never a traceback or "internal"."""
    file = flow.write(TRUE)
    causes = set()
    limit = least_for_python()
    for number in range(MOST_STEPS):
        ended = start_limited(flow, "-v", limit, f"k{number}", file)
        if ended.returncode == 0:
            break
        assert (ended.returncode, ended.stdout) == (2, ""), (limit, ended)
        (error,) = ended.stderr.splitlines()
        causes.add(json.loads(error)["error"].partition(";")[0])
        limit += STEP_KB
    else:
        pytest.fail("it was never enough")
    assert any("not enough memory" in cause for cause in causes), causes
    assert any("gave up on run" in cause for cause in causes), causes
    assert any(": cannot start a thread: no more threads" in cause for cause in causes), causes
    assert not any("internal" in cause or "Error" in cause for cause in causes), causes


def test_descriptors_from_the_beginning(flow: Flow) -> None:
    """With however few descriptors: the run, or a sentence that names them, and no other remedy."""
    file = flow.write(TRUE)
    for limit in range(5, 64, 5):
        ended = start_limited(flow, "-n", limit, f"k{limit}", file)
        if ended.returncode == 0:
            break
        if ended.returncode == 1:
            continue  # it was too little for orchesjob
        assert (ended.returncode, ended.stdout) == (2, ""), (limit, ended)
        error = error_in(ended.stderr)
        assert "Too many open files" in error, (limit, error)
        assert "--db" not in error
        assert "was done" not in error
        assert "internal" not in error
    else:
        pytest.fail("it was never enough")


def await_line(stream: int, text: bytes) -> None:
    with os.fdopen(os.dup(stream), "rb", buffering=0) as file:
        while text not in (line := file.readline()):
            assert line


@pytest.fixture
def lone_user(flow: Flow) -> list[str]:
    """Return what runs a command as a user without other processes: a limit counts them all.

    The user has the folder of the test, and may enter those on the way to it. The bit lets the
    question for permissions (`access`) be answered so too.
    """
    setpriv = shutil.which("setpriv")
    if setpriv is None or os.geteuid() != 0:
        # As the user of the tests, the limit would meet whatever else that user runs.
        pytest.skip("needs root and setpriv to become a user who has no other processes")
    user = 2**31 + secrets.randbelow(2**20)
    os.chown(flow.folder, user, user)
    caps = "+dac_override,+dac_read_search"
    return [
        *(setpriv, f"--reuid={user}", f"--regid={user}", "--clear-groups"),
        *(f"--inh-caps={caps}", f"--ambient-caps={caps}", "--securebits=+no_setuid_fixup"),
    ]


def test_processes_from_the_beginning(flow: Flow, lone_user: list[str]) -> None:
    """With however few processes: the run, or a sentence that names what is lacking."""
    file = flow.write(TRUE)
    causes = set()
    for limit in range(1, 64, 4):
        key = f"k{limit}"
        words = ("--patience=0", "start", f"--run-key={key}", file)
        line = shlex.join([*lone_user, flow.program, *words])
        ended = flow.run("-c", f"ulimit -u {limit} && exec {line}", executable="/bin/bash")
        if ended.returncode == 0:
            break
        if ended.returncode == 1:  # it was too little for orchesjob
            assert "temporarily unavailable" not in ended.stdout, (limit, ended)
            continue
        assert (ended.returncode, ended.stdout) == (2, ""), (limit, ended)
        causes.add(error_in(ended.stderr).partition(key)[2])
    else:
        pytest.fail("it was never enough")
    assert causes
    for cause in causes:
        assert "no more threads are allowed" in cause or "temporarily unavailable" in cause, causes


def test_processes_in_mid_run(flow: Flow, gate: Gate, lone_user: list[str]) -> None:
    """Where no process can be begun for a while, a run waits for that, and goes on."""
    file = flow.write({"id": "a", "command": gate.command()}, AFTER)
    as_user = shlex.join([*lone_user, flow.program])
    flow.program = write_program(flow.folder / "as-user", f'#!/bin/sh\nexec {as_user} "$@"\n')
    runner = flow.begin(file, gate)
    limit = [*lone_user, "prlimit", f"--pid={runner.pid}"]
    subprocess.run([*limit, "--nproc=1:"], check=True)
    gate.let_through()
    await_line(runner.stderr.fileno(), b"Resource temporarily unavailable")
    subprocess.run([*limit, "--nproc=1000:"], check=True)
    assert runner.wait() == 0
    assert flow.status("k")["status"] == "SUCCEEDED"
