"""Calling orchesjob-flow so that it dies at a named point, and judging how the run has ended."""

import shlex
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from support.command import Command
from support.flow import Flow
from support.gate import Gate
from support.processes import await_exit

LAUNCHER = Path(__file__).with_name("launcher.py")
NOWHERE = ""


class Ending(NamedTuple):
    """How a run must end, whatever was killed on the way.

    Attributes:
        status: The run's.
        steps: Step ids, each with its status and how many attempts began.
        executed: The step ids, one for each execution of the step's command.
    """

    status: str
    steps: Sequence[tuple[str, str, int]]
    executed: Sequence[str]


class Crashes:
    """A run that is disturbed, in a flow home that is new and its own."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self._executions = flow.folder / "executions"
        self._points = flow.folder / "points"

    def command(self, step_id: str, then: Sequence[str]) -> list[str]:
        record = f"echo {step_id} >>{shlex.quote(str(self._executions))}"
        return ["sh", "-c", f'{record}; exec "$@"', "sh", *then]

    def launch(self, *words: str, at: str) -> Command:
        """Call orchesjob-flow with these words; it dies at the point `at`, if it comes there."""
        self._points.write_text("", encoding="utf-8")
        return Command(
            [sys.executable, LAUNCHER, *words],
            cwd=self.flow.folder,
            env={**self.flow.environ, "CRASH_POINTS": str(self._points), "CRASH_AT": at},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def passed(self, role: str) -> list[str]:
        points = self._points.read_text(encoding="utf-8").splitlines()
        return [point for point in points if point.startswith(role)]

    def judge(self, run: Any, ending: Ending) -> None:
        """The run has ended as it must, and has left nothing behind but intact files."""
        steps = [(step["id"], step["status"], step["attempt_no"]) for step in run["steps"]]
        executed = Counter(self._executions.read_text(encoding="utf-8").split())
        assert (run["status"], steps) == (ending.status, ending.steps)
        assert executed == Counter(ending.executed)
        while left := self.flow.orchesjob.processes():
            for process in left:
                await_exit(process.pid)
        with self.flow.open_database() as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert database.execute("PRAGMA foreign_key_check").fetchall() == []
        for path in (self.flow.home / "logs").iterdir():
            assert "Traceback" not in path.read_text(encoding="utf-8")


def silent_end(child: Command) -> int:
    """Wait for a call to end, which must not be by a traceback; return its exit code."""
    _, stderr = child.communicate()
    assert "Traceback" not in stderr, stderr
    return child.returncode


@contextmanager
def another_place(flow: Flow, name: str) -> Iterator[tuple[Flow, Gate]]:
    """Make a command and an orchesjob like these, with a gate, a folder and homes of their own."""
    folder = flow.folder / name
    folder.mkdir()
    orchesjob = type(flow.orchesjob)(flow.orchesjob.path, folder)
    with closing(Gate(folder)) as other_gate, closing(Flow(orchesjob, folder)) as other:
        try:
            yield other, other_gate
        finally:
            orchesjob.end_all()
