"""The world in which a run is driven: real engine, real loop, real store; all else simulated.

What must hold in every run is checked here, at every commit and at every beginning of a command,
so that no test has to ask for it.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Self, cast

from flow_spec import FlowSpec, StepSpec
from flow_store import Attempt, AttemptStatus, FlowStatus, FlowStore, Run, Step
from orchesjob_flow.engine.effects import Effect
from orchesjob_flow.engine.events import AttemptId
from orchesjob_flow.engine.run import Limits, RunState
from orchesjob_flow.runner import Inbox, Runner, Stop

from .jobs import Execution, Job, Plan, SimulatedOrchesjob
from .machine import Machine
from .performing import Calls
from .ports import ObservedStore, VirtualInbox

LONGEST_RUN_SEC = 20_000.0


class Crash(BaseException):
    """The runner is killed, as by SIGKILL: nothing of it is left but what is committed."""


class World:
    """One run in virtual time. `machine`, `jobs` and `calls` are there to be disturbed."""

    def __init__(self, store: FlowStore, path: Path, *, run_key: str = "k", seed: int = 0) -> None:
        self.machine = Machine(seed)
        self.jobs = SimulatedOrchesjob(self.machine, self._begins)
        self.run_key = run_key
        self.limits = Limits(starts=2)
        self.warnings: list[str] = []
        self.history: list[Run] = []
        """The run as it was recorded, and as it stood after each commit."""
        self.store_locked_until = 0.0
        """Until when (monotonic) another process keeps the database locked."""
        self.at_point: dict[int, Callable[[], None]] = {}
        """What happens at the points of the run, numbered from 1: see `point`."""
        self.points = 0
        self.flow = FlowSpec("flow", ())
        self._store = store
        self._reader = FlowStore.open(path)
        self._inbox = VirtualInbox(self.machine, self.point)
        self.calls = Calls(self.jobs, self._inbox.events.append, self.key_of)
        self._attempts_at_cancel: frozenset[tuple[int, int]] | None = None

    def __repr__(self) -> str:
        """Name the run, for a failed test."""
        return f"<the world of {self.run_key}>"

    # What a test says of the world.

    def record(self, *steps: StepSpec) -> None:
        """Record a run of these steps, as `start` does."""
        self.flow = FlowSpec("flow", steps)
        self._store.create(
            run_key=self.run_key,
            flow_id="flow",
            definition=self.flow.to_json(),
            directory="/srv",
            started_at=self.machine.wall,
            steps=[(step.id, step.retries) for step in steps],
        )
        self.history.append(self.run())

    def plan(self, attempt: str, **facts: object) -> None:
        """Say what the command of `step:number` does when it is executed."""
        self.jobs.plans[f"{self.run_key}:{attempt}"] = Plan(**facts)  # type: ignore[arg-type]

    def request_cancel(self, grace_sec: float | None = None) -> None:
        """Record that the run is to be cancelled, as another process does."""
        self._reader.request_cancel(
            self.run_key, requested_at=self.machine.wall, grace_sec=grace_sec
        )
        if self._attempts_at_cancel is None:
            self._attempts_at_cancel = frozenset(self._recorded())

    def restart_machine(self) -> None:
        """Cut the power, and boot again; the runner is gone too."""
        self.jobs.restart()
        self.machine.restart()
        self.calls.forget()
        raise Crash

    def crash(self) -> None:
        """Kill the runner."""
        raise Crash

    def stop_runner(self, signum: int) -> None:
        """Let a signal reach the runner."""
        self._inbox.events.append(Stop(signum))

    # Driving.

    def drive(self, until: float | None = None) -> Run:
        """Drive the run to its end, with a new runner after each crash."""
        while True:
            try:
                self.new_runner().drive(until=until)
                return self.run()
            except Crash:
                self.calls.abandon()

    def new_runner(self) -> Runner:
        """Put a runner together, as soon as no call of the last one is under way."""
        self._inbox.deadline = self.machine.mono + LONGEST_RUN_SEC
        self.calls.wait_for_all()
        self._inbox.events.clear()
        run = self.run()
        store = ObservedStore(
            self._store,
            is_unavailable=lambda: self.machine.mono < self.store_locked_until,
            before=self.point,
            after=self._committed,
        )
        return Runner(
            RunState.load(self.flow, run, self.limits),
            cast(FlowStore, store),
            run.revision,
            cast(Inbox, self._inbox),
            now=self.machine.now,
            perform=self.perform,
            warn=self.warnings.append,
        )

    def run(self) -> Run:
        """Read the run as any other process does."""
        run = self._reader.load(self.run_key)
        assert run is not None
        return run

    def step(self, step_id: str) -> Step:
        """Read a step."""
        return next(step for step in self.run().steps if step.step_id == step_id)

    def statuses(self) -> dict[str, str]:
        """Read the statuses of all steps."""
        return {step.step_id: step.status.value for step in self.run().steps}

    def executions(self, step_id: str = "") -> list[Execution]:
        """List what really ran, of one step or of all."""
        prefix = f"{self.run_key}:{step_id}"
        return [found for found in self.jobs.ledger if found.key.startswith(prefix)]

    def attempts(self) -> tuple[Attempt, ...]:
        """Read all attempts of all steps."""
        return self._reader.attempts(self.run_key)

    def states_of(self, step_id: str) -> list[tuple[str, str | None]]:
        """List the different states, with their errors, that a step was seen in."""
        seen: list[tuple[str, str | None]] = []
        for run in self.history:
            step = next(step for step in run.steps if step.step_id == step_id)
            if not seen or seen[-1] != (step.status.value, step.error):
                seen.append((step.status.value, step.error))
        return seen

    def job(self, attempt: str) -> Job:
        """Return orchesjob's latest row of `step:number`."""
        job = self.jobs.latest(f"{self.run_key}:{attempt}")
        assert job is not None
        return job

    def perform(self, effect: Effect) -> None:
        """Perform what the runner asks for, if it lives to see it."""
        self.point()
        self.calls.perform(effect)

    def key_of(self, attempt: AttemptId) -> str:
        """Name an attempt as orchesjob knows it (rule 4.2)."""
        return f"{self.run_key}:{self.flow.steps[attempt.position].id}:{attempt.number}"

    # What must hold in every world.

    def point(self) -> None:
        """Pass a point: before and after a commit, before an effect, before waiting."""
        self.points += 1
        if self.points in self.at_point:
            self.at_point[self.points]()

    def _begins(self, execution: Execution) -> None:
        """An attempt is committed before it begins, and never runs beside its predecessor."""
        step_id, number = execution.key.removeprefix(f"{self.run_key}:").rsplit(":", 1)
        attempt = (self.step(step_id).position, int(number))
        assert attempt in self._recorded(), f"{execution.key} begins without a record"
        assert self._recorded()[attempt].is_open, f"{execution.key} begins after its end"
        for other in self.executions(f"{step_id}:"):
            assert other.end is not None, f"{execution.key} runs beside {other.key}"

    def _committed(self) -> None:
        """Nothing terminal changes, nothing starts after a cancel, and a run ends as a whole."""
        run = self.run()
        for before, after in zip(self.history[-1].steps, run.steps, strict=True):
            assert not before.status.is_terminal or before == after
            assert after.attempt_no >= before.attempt_no
        if self._attempts_at_cancel is not None:
            assert self._recorded().keys() == self._attempts_at_cancel, "started after the cancel"
        ended = all(step.status.is_terminal for step in run.steps)
        assert ended or not run.status.is_terminal
        assert run.status.is_terminal or not ended or run.cancel is not None
        if run.status is FlowStatus.CANCELLED:
            self._nothing_runs(run)
        self.history.append(run)
        self.point()

    def _nothing_runs(self, run: Run) -> None:
        for step in run.steps:
            keys = [f"{run.run_key}:{step.step_id}:{n + 1}" for n in range(step.attempt_no)]
            assert step.status == "SUCCEEDED" or not self.jobs.processes(keys)

    def _recorded(self) -> dict[tuple[int, int], AttemptStatus]:
        return {(found.position, found.number): found.status for found in self.attempts()}

    def __enter__(self) -> Self:
        """Return the world; leaving the block lets go of the store."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of the store."""
        self._reader.close()
