"""What is killed, and what resumes the run.

Each scenario plays one run. It kills one process at a point, or none where that is `NOWHERE`; then
the installed command resumes the run.
"""

import signal
from abc import ABC, abstractmethod
from typing import Any, ClassVar, cast

from support.flow import Flow
from support.gate import Gate
from support.orchesjob import FakeOrchesjob

from .crashing import NOWHERE, Crashes, Ending, silent_end


class Scenario(ABC):
    """A run, and the process that is killed while it is under way.

    Attributes:
        role: The role of that process, in the words of `launcher`.
        ending: How the run must end all the same.
    """

    role: ClassVar[str] = "parent"
    ending: ClassVar[Ending]

    def __init__(self, flow: Flow, gate: Gate, *, strict: bool) -> None:
        self.flow = flow
        self.gate = gate
        self.strict = strict
        self.crashes = Crashes(flow)
        self.file = flow.write(*self.steps(), **self.fields())

    @abstractmethod
    def steps(self) -> list[dict[str, Any]]:
        """Return the steps of the flow."""

    def fields(self) -> dict[str, Any]:
        return {}

    def step(self, step_id: str, *then: str, **fields: Any) -> dict[str, Any]:
        command = self.crashes.command(step_id, then)
        return {"id": step_id, "command": command, "strict": self.strict, **fields}

    @abstractmethod
    def play(self, at: str) -> Any:
        """Let a process die at a point, resume the run, and return it."""

    def points(self) -> list[str]:
        self.crashes.judge(self.play(NOWHERE), self.ending)
        return self.crashes.passed(self.role)

    def survive(self, point: str) -> None:
        """Kill at a point; the run must end as if nothing had been killed."""
        assert self.survive_if_reached(point), f"{point!r} was not reached"

    def survive_if_reached(self, point: str) -> bool:
        """Do that, and return whether the process was killed: it may not have come to that point.

        How often it looks at something is a matter of time; either way the run must end alike.
        """
        try:
            run = self.play(point)
            self.crashes.judge(run, self.ending)
        except BaseException as error:
            error.add_note(f"{type(self).__name__}: killed at {point!r}")
            raise
        return self.crashes.passed(self.role)[-1] == point


class Start(Scenario):
    """A foreground `start` dies, and another one resumes the run."""

    words: ClassVar[tuple[str, ...]] = ("start",)
    ending = Ending("FAILED", [("a", "FAILED", 2), ("b", "SUCCEEDED", 1)], ["a", "a", "b"])

    def steps(self) -> list[dict[str, Any]]:
        """Return a step that fails twice, late enough to be watched, and one that follows."""
        return [
            self.step("a", "sh", "-c", "sleep 0.1; exit 1", retries=1),
            self.step("b", "sleep", "0.1", when="!a"),
        ]

    def play(self, at: str) -> Any:
        """Kill `start`; start again."""
        silent_end(self.crashes.launch(*self.words, "--run-key=k", self.file, at=at))
        return self.flow.start("k", self.file, code=1)


class StartDetached(Start):
    """A `start -d` dies before it has answered; its child may live on."""

    words = ("start", "-d")


class Background(StartDetached):
    """The background process of `start -d` dies."""

    role = "child"


class LateCall(Start):
    """A runner dies, and its call of orchesjob takes effect later than its successor could ask."""

    def play(self, at: str) -> Any:
        late = {"call": "start", "nth": 1, "when": "before", "fault": "hang", "sec": 1}
        cast(FakeOrchesjob, self.flow.orchesjob).script([late])
        return super().play(at)


class Resume(Start):
    """A runner dies, its successor dies as well, and a third one resumes the run.

    Attributes:
        first: The point at which the first one dies.
    """

    first: ClassVar[str]

    def play(self, at: str) -> Any:
        """Kill two runners in a row; start a third time."""
        first = self.crashes.launch("start", "--run-key=k", self.file, at=self.first)
        assert silent_end(first) == -signal.SIGKILL
        return super().play(at)


class ResumeInCall(Resume):
    """The first runner dies while its first `orchesjob start` is under way."""

    first = "parent after spawn 1"


class ResumeBeforeCall(Resume):
    """The first runner dies when its first attempt is recorded, and orchesjob not yet called."""

    first = "parent after commit 2"


class Gated(Scenario):
    """A `start` dies while gates are asked, or between a gate and its command."""

    ending = Ending(
        "SUCCEEDED", [("a", "SUCCEEDED", 3), ("b", "SKIPPED", 1)], ["a?", "a?", "a", "b?"]
    )

    def steps(self) -> list[dict[str, Any]]:
        """Return a step whose gate fails and then says yes, and one whose gate says no."""
        return [
            self.step(
                "a",
                "true",
                only_if=self.asks("a?", 'test "$ORCHESJOB_FLOW_ATTEMPT" = 2 || exit 9'),
                retries=1,
            ),
            self.step("b", "true", only_if=self.asks("b?", "exit 1"), when="a"),
        ]

    def asks(self, name: str, then: str) -> list[str]:
        return self.crashes.command(name, ["sh", "-c", f"sleep 0.1; {then}"])

    def play(self, at: str) -> Any:
        """Kill `start`; start again."""
        silent_end(self.crashes.launch("start", "--run-key=k", self.file, at=at))
        return self.flow.start("k", self.file)


class Cancel(Scenario):
    """`cancel` dies on a run without a runner; the next command ends the run."""

    ending = Ending("CANCELLED", [("a", "CANCELLED", 1), ("b", "CANCELLED", 0)], ["a"])

    def steps(self) -> list[dict[str, Any]]:
        return [self.step("a", *self.gate.command()), self.step("b", "true", when="!a")]

    def play(self, at: str) -> Any:
        """Kill `cancel`; if it has recorded the request, `start` is what carries it out."""
        runner = self.flow.spawn("start", "--run-key=k", self.file)
        self.gate.await_arrival()
        self.flow.await_job("k")
        runner.kill()
        silent_end(runner)
        silent_end(self.crashes.launch("cancel", "--run-key=k", at=at))
        if self.flow.status("k")["cancel_requested_at"] is None:
            return self.flow.ask("cancel", "--run-key=k")
        return self.flow.start("k", self.file, code=1)


class Settle(Scenario):
    """`settle` dies; if it has recorded the decision, `resume` continues the run (12.3)."""

    ending = Ending(
        "SUCCEEDED",
        [("a", "SUCCEEDED", 1), ("b", "SUCCEEDED", 1), ("c", "SUCCEEDED", 2)],
        ["a", "b", "c", "c"],
    )

    def steps(self) -> list[dict[str, Any]]:
        return [self.step("a", "false"), self.step("b", "sleep", "0.1", when="a")]

    def fields(self) -> dict[str, Any]:
        return {"finally": [self.step("c", "true")]}

    def play(self, at: str) -> Any:
        """Kill `settle`; settle again, or resume the run."""
        self.flow.start("k", self.file, code=1)
        words = ("settle", "k", "a", "--as=succeeded", "--reason=done by hand")
        silent_end(self.crashes.launch(*words, at=at))
        (step, *_) = self.flow.status("k")["steps"]
        assert step["status"] == ("SUCCEEDED" if step["settlements"] else "FAILED")
        return self.flow.ask("resume", "k") if step["settlements"] else self.flow.ask(*words)


class CancelledRunner(Cancel):
    """A runner dies at whatever it does for a `cancel` that waits for it."""

    def play(self, at: str) -> Any:
        """Kill the runner; `cancel` takes its place."""
        runner = self.crashes.launch("start", "--run-key=k", self.file, at=at)
        self.gate.await_arrival()
        self.flow.await_job("k")
        self._before_cancel = len(self.crashes.passed(self.role))
        run = self.flow.ask("cancel", "--run-key=k")
        silent_end(runner)
        return run

    def points(self) -> list[str]:
        return super().points()[self._before_cancel :]


class TidiedUp(CancelledRunner):
    """A runner dies while it ends a run, or while it runs the `finally` of that run."""

    ending = Ending(
        "CANCELLED",
        [("a", "CANCELLED", 1), ("b", "CANCELLED", 0), ("c", "SUCCEEDED", 2), ("d", "SKIPPED", 0)],
        ["a", "c", "c"],
    )

    def fields(self) -> dict[str, Any]:
        """Add a step that is tried twice, each time late enough, and one that is skipped."""
        told = 'sleep 0.1; test "$ORCHESJOB_FLOW_OUTCOME$ORCHESJOB_FLOW_ATTEMPT" = CANCELLED2'
        tidy = self.step("c", "sh", "-c", told, retries=1)
        return {"finally": [tidy, self.step("d", "true", when="c && !b.cancelled")]}


SCENARIOS = (
    Start,
    StartDetached,
    Background,
    ResumeInCall,
    ResumeBeforeCall,
    Gated,
    Settle,
    Cancel,
    CancelledRunner,
    TidiedUp,
)
