"""Any sequence of commands on one run, with its runner killed now and then, keeps the promises.

A few sequences by default; the test marked `long` tries many more.
"""

import contextlib
import os
import signal
from collections import Counter
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from support.answers import statuses
from support.flow import Flow
from support.gate import Gate
from support.orchesjob import FakeOrchesjob
from support.processes import await_exit

TERMINAL = {"SUCCEEDED", "FAILED", "CANCELLED", "SKIPPED"}
A_FEW = settings(
    max_examples=4,
    stateful_step_count=10,
    derandomize=True,
    database=None,
    phases=(Phase.generate,),  # no shrinking: real processes do not repeat themselves exactly
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
MANY = settings(A_FEW, max_examples=50, stateful_step_count=20, derandomize=False, print_blob=True)


class Commands(RuleBasedStateMachine):
    """One run, its last reported state, and the commands that may come next."""

    flow: ClassVar[Flow]
    orchesjob: ClassVar[FakeOrchesjob]
    runs: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        type(self).runs += 1
        self.key = f"run-{self.runs}"
        folder = self.flow.folder / self.key
        folder.mkdir()
        self.gate = Gate(folder)
        steps: list[dict[str, Any]] = [
            {"id": "a", "command": self.gate.command(), "strict": False},
            {"id": "b", "command": ["false"], "when": "a", "retries": 1, "strict": False},
            {"id": "c", "command": ["true"], "when": "!b"},
        ]
        self.file = self.flow.write(*steps, name=f"{self.key}.json")
        self.other_file = self.flow.write(*steps[:2], name=f"{self.key}-changed.json")
        self.said: dict[str, Any] | None = None
        self.begun_at_cancel: int | None = None

    @rule()
    def start(self) -> None:
        self.see(self.flow.ask("start", f"--run-key={self.key}", "-d", self.file))

    @precondition(lambda self: self.said is not None)
    @rule()
    def start_with_another_file(self) -> None:
        error = self.flow.refusal("start", f"--run-key={self.key}", self.other_file)
        assert "was started with another definition" in error["error"]

    @precondition(lambda self: self.said is not None)
    @rule()
    def status(self) -> None:
        self.see(self.flow.status(self.key))

    @precondition(lambda self: self.said is not None)
    @rule()
    def tick(self) -> None:
        """A tick does what can be done now, and refuses where a runner lives (rules 4.5, 6.8)."""
        ticked = self.flow.run("tick", f"--run-key={self.key}")
        assert ticked.returncode in (0, 2), ticked
        assert ticked.returncode == 0 or "is being advanced by" in ticked.stderr, ticked

    @precondition(lambda self: self.said is not None)
    @rule()
    def kill_the_runner(self) -> None:
        runner = self.flow.status(self.key)["runner"]
        if runner is not None and runner["pid"] is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(runner["pid"], signal.SIGKILL)
            await_exit(runner["pid"])

    @rule()
    def let_a_step_through(self) -> None:
        self.gate.let_through()

    @precondition(lambda self: self.said is not None)
    @rule()
    def cancel(self) -> None:
        """A cancel returns when the run has ended, whichever process advanced it (rule 6.7)."""
        self.see(self.flow.ask("cancel", f"--run-key={self.key}", "--grace-seconds=0"))
        assert self.said is not None
        assert self.said["status"] in TERMINAL
        self.begun_at_cancel = sum(self.begun().values())

    @invariant()
    def nothing_runs_twice(self) -> None:
        """No attempt begins twice, or beside another one, or after a cancel is done (4.2, 5.8)."""
        begun = self.begun()
        assert set(begun.values()) <= {1}, begun
        assert self.begun_at_cancel in (None, sum(begun.values()))
        alive: dict[str, str] = {}
        for event in self.events():
            step = event["key"].split(":")[1]
            if event["event"] == "end":
                alive.pop(step, None)
            else:
                assert step not in alive or event["key"] in alive[step], event
                alive[step] = event["key"]

    def see(self, run: dict[str, Any]) -> None:
        if self.said is not None:
            assert self.said["status"] not in TERMINAL or run["status"] == self.said["status"]
            for before, after in zip(self.said["steps"], run["steps"], strict=True):
                assert before["status"] not in TERMINAL or after == before
                assert after["attempt_no"] >= before["attempt_no"]
        self.said = run

    def events(self) -> list[dict[str, Any]]:
        prefix = f"{self.key}:"
        return [one for one in self.orchesjob.executions() if one["key"].startswith(prefix)]

    def begun(self) -> Counter[str]:
        return Counter(one["key"] for one in self.events() if one["event"] == "begin")

    def teardown(self) -> None:
        """In the end the run has the outcome that its file says, unless it was cancelled (4.3)."""
        self.gate.let_through(2)
        if self.said is not None:
            self.see(self.flow.ask("start", f"--run-key={self.key}", self.file, code=1))
            assert self.said is not None
            expected = ["SUCCEEDED", "FAILED", "SUCCEEDED"]
            assert statuses(self.said) == expected or self.said["status"] == "CANCELLED"
            self.nothing_runs_twice()
        self.gate.close()


@pytest.fixture
def commands(flow: Flow, fake_orchesjob: FakeOrchesjob) -> type[RuleBasedStateMachine]:
    """The machine, in one home for all its runs."""
    Commands.flow, Commands.orchesjob = flow, fake_orchesjob
    return Commands


def test_a_few(commands: type[RuleBasedStateMachine]) -> None:
    """`start`, `status`, `tick`, `cancel` and kills in any order break no promise (4.2 to 6.8)."""
    run_state_machine_as_test(commands, settings=A_FEW)


@pytest.mark.long
def test_many(commands: type[RuleBasedStateMachine]) -> None:
    """The same for many more and longer sequences, others each time (4.2 to 6.8)."""
    run_state_machine_as_test(commands, settings=MANY)
