"""The kernel kills the runner, or refuses it something, at every single system call that matters.

Only the main thread is hit, which commits and locks; not its other threads, orchesjob or the steps.
Slow, and needs `strace` and the permission to use it: the session `storm` runs it.
"""

import json
import os
import re
import shutil
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import pytest

from support.deadlines import CALL_SEC
from support.flow import Flow
from support.gate import Gate

from .crashing import Ending, another_place
from .scenarios import Scenario

STRACE = shutil.which("strace") or ""
AT_ONCE = 2 * (os.cpu_count() or 1)

pytestmark = pytest.mark.skipif(not STRACE, reason="there is no strace")


class Injection(NamedTuple):
    """What strace does at a system call: at the N-th, or with `lasting` from the N-th on."""

    system_call: str
    what: str
    lasting: bool = False

    def at(self, number: int) -> str:
        return f"{self.system_call}:{self.what}:when={number}{'+' * self.lasting}"


class Traced(Scenario):
    """A foreground `start` under strace of a step that fails twice; then another `start`."""

    ending = Ending("FAILED", [("a", "FAILED", 2)], ["a", "a"])
    patience_sec = 60.0
    """A fault that happens once is never the last, however busy the machine is."""

    @property
    def words(self) -> list[str]:
        patience = f"--patience={self.patience_sec}"
        return [self.flow.program, patience, "start", "--run-key=k", self.file]

    def steps(self) -> list[dict[str, Any]]:
        """Return the step, which takes long enough to be watched."""
        return [self.step("a", "sh", "-c", "sleep 0.1; exit 1", retries=1)]

    def trace(self, *options: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
        """Call `start` under strace; return how it ended, and the lines of the trace."""
        trace = self.flow.folder / "trace"
        call = subprocess.run(
            [STRACE, "-o", str(trace), "-s", "1000", *options, *self.words],
            cwd=self.flow.folder,
            env=self.flow.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=CALL_SEC,
        )
        assert "Traceback" not in call.stderr
        return call, trace.read_text(encoding="utf-8", errors="replace").splitlines()

    def count(self, system_call: str) -> int:
        call, lines = self.trace("-e", f"trace={system_call}")
        assert call.returncode == 1
        return sum(line.startswith(f"{system_call}(") for line in lines)

    def play(self, at: str) -> Any:
        """Inject something into `start`, and start again; a lasting fault soon tires it out."""
        is_lasting = at.endswith("+")
        if is_lasting:
            self.patience_sec = 0.5
        call, lines = self.trace("-e", f"trace={at.partition(':')[0]}", "-e", f"inject={at}")
        if "signal=KILL" in at:
            # How often a lock is tried depends on the machine: the last points may not be reached.
            made = sum(line.startswith(at.partition(":")[0]) for line in lines)
            assert call.returncode == -signal.SIGKILL or made < int(at.rpartition("=")[2])
        else:
            assert any(line.endswith("(INJECTED)") for line in lines)
            self.check_answer(call, may_give_up=is_lasting)
        return self.flow.start("k", self.file, code=1)

    def check_answer(self, call: subprocess.CompletedProcess[str], *, may_give_up: bool) -> None:
        """It told the outcome in spite of all, or gave up and said why in one JSON object."""
        if may_give_up and call.returncode == 2:
            assert json.loads(call.stderr.splitlines()[-1])["error"]
        else:
            assert call.returncode == 1
            assert json.loads(call.stdout)["status"] == "FAILED"

    def survive(self, point: str) -> None:
        """Inject there; the run must end as if nothing had been injected."""
        try:
            self.crashes.judge(self.play(point), self.ending)
        except BaseException as error:
            error.add_note(f"inject={point}")
            raise


INJECTIONS = (
    *(Injection(call, "signal=KILL") for call in ("mkdir", "flock", "ftruncate", "unlink")),
    *(Injection(call, "signal=KILL") for call in ("pwrite64", "fdatasync")),
    *(Injection(call, "error=EIO") for call in ("pwrite64", "fdatasync", "ftruncate")),
    Injection("pwrite64", "error=ENOSPC", lasting=True),
    Injection("fdatasync", "error=EIO", lasting=True),
)


@pytest.mark.parametrize("injection", INJECTIONS, ids=lambda one: one.at(1).removesuffix(":when=1"))
def test_every_system_call(flow: Flow, gate: Gate, injection: Injection) -> None:
    """Killed at any of them, or refused it, the run ends alike, nothing twice (4.5, 5.7, 6.9)."""

    def survive(number: int) -> None:
        with another_place(flow, f"at-{number}") as place:
            Traced(*place, strict=False).survive(injection.at(number))

    calls = Traced(flow, gate, strict=False).count(injection.system_call)
    assert calls
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(survive, range(1, calls + 1)))


def test_write_ahead(flow: Flow, gate: Gate) -> None:
    """What is recorded of an attempt is on the disk before orchesjob is called for it (4.5)."""
    traced = Traced(flow, gate, strict=False)
    _, lines = traced.trace("-f", "-e", "trace=execve,write,pwrite64,fdatasync")
    runner = lines[0].split()[0]
    unwritten, starts = True, 0
    for line in lines:
        pid, call = line.split(maxsplit=1)
        if pid == runner and call.startswith(("pwrite64(", "fdatasync(")):
            unwritten = call.startswith("pwrite64(")
        elif re.match(r'execve\(.*"start", "--run-key=k:a:', call):
            starts += 1
            assert not unwritten
    assert starts == 2
