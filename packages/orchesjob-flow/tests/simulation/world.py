"""The world in which a run is driven: real engine, real loop, real store; all else simulated.

What must hold in every run (`invariants`) is checked here at every commit, every effect, every
question, every wait and every beginning of a command, so that no test has to ask for it.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Self, cast

from flow_spec import FlowSpec, OnConflict, StepSpec
from flow_store import (
    Attempt,
    CancelRequest,
    FlowStore,
    Joining,
    Person,
    Reopening,
    Run,
    Step,
    StepStatus,
    attempt_key,
)
from orchesjob_flow.clock import Now
from orchesjob_flow.engine.messages import AttemptId, CallUnanswered, Effect, Event
from orchesjob_flow.engine.reopening import Settling, plan_retry, plan_settle
from orchesjob_flow.engine.state import Limits, RunState
from orchesjob_flow.errors import GaveUp
from orchesjob_flow.home.locks import Lock
from orchesjob_flow.runner.loop import Inbox, Runner, Stop

from . import invariants
from .facts import Broken, Commit, Decisions
from .jobs import Execution, Job, Plan, SimulatedOrchesjob
from .machine import Machine
from .performing import Calls
from .ports import ObservedStore, VirtualInbox

LONGEST_RUN_SEC = 20_000.0
MOST_POINTS_AT_ONCE = 2_000


class Crash(BaseException):
    """The runner is killed, as by SIGKILL: nothing of it is left but what is committed."""


class PowerCut(Crash):
    """The machine is restarted, and every process is gone."""


class World:
    """One run in virtual time. `machine`, `jobs` and `calls` are there to be disturbed."""

    def __init__(  # noqa: PLR0915 - all that a test may look at
        self, store: FlowStore, path: Path, *, run_key: str = "k", seed: int = 0
    ) -> None:
        self.machine = Machine(seed)
        self.jobs = SimulatedOrchesjob(self.machine, self._begins)
        self.run_key = run_key
        self.limits = Limits(starts=2)
        self.warnings: list[str] = []
        self.history: list[Run] = []
        """The run as it was recorded, and as it stood after each commit."""
        self.recorded: dict[tuple[int, int], Attempt] = {}
        """All attempts as they stood after the last commit."""
        self.closed: dict[tuple[int, int], Now] = {}
        """When it was decided that each attempt has ended."""
        self.to_be_ended: dict[tuple[int, int], Now] = {}
        """When it was first decided that each attempt is to be ended."""
        self.attempts_at_cancel: frozenset[tuple[int, int]] | None = None
        """The attempts that had begun when a cancel was recorded."""
        self.attempts_at_now: frozenset[tuple[int, int]] | None = None
        """Those that had when the end of `finally` was asked for too."""
        self.decisions = Decisions()
        """When each step was decided, and when it has ended."""
        self.kept: frozenset[int] = frozenset()
        """The positions of the steps that kept their outcome when the run was opened again."""
        self.keeps_an_early_end = False
        """Whether one of them is CANCELLED, as a `settle` leaves it (12.3)."""
        self.began: Now | None = None
        """When a runner first took the run up."""
        self.questions: dict[str, tuple[float, int]] = {}
        """For a key: since when there is no news about its job, and the questions since."""
        self.log: list[tuple[float, str, object]] = []
        """What has happened when, in short."""
        self.store_locked_until = 0.0
        """Until when (monotonic) another process keeps the database locked."""
        self.at_point: dict[int, Callable[[], None]] = {}
        """What happens at the points of the run, numbered from 1: see `point`."""
        self.points = 0
        self._points_at_once = 0
        self._last_point = 0.0
        self.on_point: Callable[[], None] = lambda: None
        """Is called at every point."""
        self.on_wait: Callable[[], None] = lambda: None
        """Is called before a runner waits."""
        self.on_look: Callable[[], None] = lambda: None
        """Is called after each of the two reads by which a runner looks for a cancel."""
        self.flow = FlowSpec("flow", ())
        self.until: tuple[str, ...] = ()
        """The steps for which the run is made; none: for all."""
        self.specs: dict[str, StepSpec] = {}
        self.driver = 0
        """The runner that has taken the run over last, numbered from 1."""
        self.seen_revision: dict[int, int] = {}
        """The revision that each runner has loaded or made last."""
        self.deadline = 0.0
        """When (monotonic) the run must have ended."""
        self.has_runner: Callable[[str], bool] = lambda _: False
        """Whether a runner drives another run."""
        self.end: Callable[[str], bool] = lambda _: False
        """Gives another run, which is to end, a runner."""
        self.disorder: Random | None = None
        """Says which events come out of order, and which come twice; None: all in order, once."""
        self._store = store
        self._lock_path = path.with_name(f"{run_key}.lock")
        self._lock: Lock | None = None
        self._reader = FlowStore.open(path)
        self._read: tuple[int, Run] | None = None
        """The run that was read last, and the version of the data that it was read from."""
        self.inbox = VirtualInbox(self.machine)
        """That of the runner that was made last."""
        self.calls = Calls(self.jobs, self.key_of, lambda: self.limits.call_sec)
        self.calls.on_question = self._asked
        self.calls.on_answer = self._answered
        self.jobs.on_write = self._news

    # What a test says of the world.

    def record(self, *steps: StepSpec, **fields: Any) -> None:
        """Record a run of these steps, as `start` does; in a group it waits for its turn."""
        self.record_flow(FlowSpec("flow", steps, **fields).with_copies())

    def record_flow(self, flow: FlowSpec) -> None:
        self.flow = flow.with_until(self.until).with_waits()
        self.specs = {step.id: step for step in self.flow.all_steps}
        self._store.create(
            run_key=self.run_key,
            flow_id="flow",
            definition=self.flow.to_json(),
            directory="/srv",
            flow_dir="/srv",
            orchesjob_home="/srv/jobs",
            started_at=self.machine.wall,
            steps=[(step.id, step.retries) for step in self.flow.all_steps],
            joining=self.joining,
        )
        self.history.append(self.run())

    @property
    def joining(self) -> Joining | None:
        """How the run joins its group: it waits there, and may ask those before it to end."""
        group = self.flow.concurrency
        if group is None or self.flow.group is None:
            return None
        replaces = group.on_conflict is OnConflict.REPLACE
        return Joining(self.flow.group, replaces_at=self.machine.wall if replaces else None)

    def plan(self, attempt: str, **facts: object) -> None:
        """Say what the command of `step:number` does when it is executed."""
        self.jobs.plans[f"{self.run_key}:{attempt}"] = Plan(**facts)  # type: ignore[arg-type]

    def request_cancel(self, grace_sec: float | None = None, *, now: bool = False) -> None:
        """Record that the run is to be cancelled, as another process does."""
        self.note("cancel now" if now else "cancel", grace_sec)
        request = self._reader.request_cancel(
            self.run_key, requested_at=self.machine.wall, grace_sec=grace_sec, now=now
        )
        self.cancel_is_recorded(request)

    def cancel_is_recorded(self, request: CancelRequest | None) -> None:
        """Note that a request to cancel the run is recorded, by whom ever."""
        self._read = None  # a version tells only what other connections have committed
        if self.attempts_at_cancel is None and request is not None:
            self.attempts_at_cancel = frozenset(self.recorded)
        if self.attempts_at_now is None and request is not None and request.now_at is not None:
            self.attempts_at_now = frozenset(self.recorded)

    def retry(self, *steps: str) -> None:
        """Reopen the run, which has ended, as the command `retry` does."""
        self.note("retry", " ".join(steps))
        run = self.run()
        reopening = plan_retry(run, self.flow, steps=steps)
        self._store.reopen(self.run_key, reopening, revision=run.revision, joining=self.joining)
        self._reopened(run, reopening)

    def settle(self, step: str, status: StepStatus) -> None:
        """Decide how a step of the run, which has ended, has ended, as the command does (12.3)."""
        self.note("settle", f"{step} as {status}")
        run, attempts = self.run(), self.attempts()
        settling = Settling(status, "by hand", Person("ann", 1), self.machine.wall)
        reopening = plan_settle(run, self.flow, step, settling)
        self._store.reopen(self.run_key, reopening, revision=run.revision, joining=self.joining)
        settled = [one.position for one in reopening.settled]
        self.decisions.settle(settled, len(self.history))
        self._reopened(run, reopening)
        invariants.check(invariants.AFTER_A_SETTLEMENT, self, run, settled, attempts)

    def _reopened(self, before: Run, reopening: Reopening) -> None:
        self._read = None  # a version tells only what other connections have committed
        self.decisions.forget(before.steps[position] for position in reopening.resets)
        self.attempts_at_cancel = self.attempts_at_now = self.began = None
        self.history.append(self.run())
        kept = [step for step in self.history[-1].steps if step.status.is_terminal]
        self.kept = frozenset(step.position for step in kept)
        self.keeps_an_early_end = any(step.status is StepStatus.CANCELLED for step in kept)

    def restart_machine(self, clock_error: float = 0.0) -> None:
        """Let the machine restart, and come up with its clock wrong by so many seconds."""
        self.note("restart", None)
        self.jobs.restart()
        self.machine.restart()
        self.machine.jump_wall_clock(clock_error)
        self.calls.forget()
        raise PowerCut

    def crash(self) -> None:
        self.note("crash", None)
        raise Crash

    def stop_runner(self, signum: int) -> None:
        self.inbox.events.append(Stop(signum))

    # Driving.

    def drive(self, until: float | None = None) -> Run:
        """Drive the run to its end, with a new runner after each crash."""
        while True:
            try:
                self.drive_once(until)
                return self.run()
            except Crash:
                self.calls.abandon()

    def drive_once(self, until: float | None = None) -> None:
        """Let one runner drive the run, and look whether it may if it gives up, and says so."""
        runner, inbox, number = self.new_runner(), self.inbox, self.driver
        try:
            runner.drive(until=until)
        except GaveUp as error:
            if runner.run.gave_up:
                invariants.check((invariants.patience_was_over,), self, inbox)
            invariants.check((invariants.a_run_says_that_it_was_given_up,), self, number, error)
            raise

    def new_runner(self) -> Runner:
        """Put a runner together, as soon as no call of the last one is under way."""
        self.calls.wait_for_all()
        self.driver += 1
        self.note("runner", self.driver)
        self._take_lock()
        self.deadline = self.machine.mono + LONGEST_RUN_SEC
        self.questions.clear()
        run = self.run()
        self.seen_revision[self.driver] = run.revision
        store = ObservedStore(
            self._store,
            now=self.machine.now,
            is_unavailable=lambda: self.store_is_locked,
            before=self.point,
            after=partial(self._committed, self.driver),
            on_look=self._looked,
        )
        self.inbox = inbox = VirtualInbox(self.machine, lambda: self._waits(runner, inbox, store))
        inbox.disorder = self.disorder
        runner = Runner(
            RunState.load(self.flow, run, self.limits),
            cast(FlowStore, store),
            run,
            cast(Inbox, inbox),
            now=self.machine.now,
            perform=partial(self._perform, self.driver, inbox),
            warn=self.warnings.append,
            has_runner=self.has_runner,
            end=self.end,
        )
        return runner

    def _take_lock(self) -> None:
        """Take the run's lock, which the last runner lost when it died."""
        if self._lock is not None:
            self._lock.close()
        self._lock = Lock.take(self._lock_path, wait_sec=0)
        assert self._lock is not None

    def come_second(self) -> None:
        self.note("second start", None)
        lock = Lock.take(self._lock_path, wait_sec=0)
        invariants.check((invariants.one_runner_at_a_time,), self, lock)

    def drive_beside(self, seconds: float) -> None:
        """Drive the run in spite of a runner that is stopped: somebody has removed its lock."""
        self.note("runner is stopped", self.driver)
        self._lock_path.unlink()
        self.drive_once(self.machine.mono + seconds)

    @property
    def store_is_locked(self) -> bool:
        """Whether nothing can be written to the database just now."""
        return self.machine.mono < self.store_locked_until

    def run(self) -> Run:
        """Read the run as any other process does, anew if somebody has committed meanwhile."""
        version = self._reader.data_version()
        if self._read is None or self._read[0] != version:
            run = self._reader.load(self.run_key)
            assert run is not None
            self._read = version, run
        return self._read[1]

    def step(self, step_id: str) -> Step:
        return next(step for step in self.run().steps if step.step_id == step_id)

    def statuses(self) -> dict[str, str]:
        return {step.step_id: step.status.value for step in self.run().steps}

    def executions(self, step_id: str = "") -> list[Execution]:
        prefix = f"{self.run_key}:{step_id}"
        return [found for found in self.jobs.executions if found.key.startswith(prefix)]

    def attempts(self) -> tuple[Attempt, ...]:
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

    def key_of(self, attempt: AttemptId) -> str:
        return attempt_key(self.run_key, self.flow.all_steps[attempt.position].id, attempt.number)

    # What happens in it, and what must hold then.

    def note(self, what: str, about: object) -> None:
        self.log.append((self.machine.mono, what, about))

    def point(self) -> None:
        """Pass a point: before and after a commit, before an effect, before waiting."""
        self.points += 1
        self._points_at_once += 1
        if self.machine.mono != self._last_point:
            self._last_point, self._points_at_once = self.machine.mono, 1
        if self._points_at_once > MOST_POINTS_AT_ONCE:
            raise Broken("the_run_ends", "it has come to a point without end")
        if self.points in self.at_point:
            self.at_point[self.points]()
        self.on_point()

    def _begins(self, execution: Execution) -> None:
        self.note("begins", execution.key)
        invariants.check(invariants.AT_A_BEGINNING, self, execution)

    def _perform(self, runner: int, inbox: VirtualInbox, effect: Effect) -> None:
        """Perform what a runner asks for, if it lives to see it."""
        self.point()
        self.note("effect", effect)
        invariants.check(invariants.BEFORE_AN_EFFECT, self, runner, effect)
        self.calls.perform(effect, inbox)

    def _committed(self, runner: int, decided: Now) -> None:
        before, attempts_before = self.history[-1], self.recorded
        self.recorded = {(found.position, found.number): found for found in self.attempts()}
        after = self.run()
        if self.began is None and after.status is not before.status:
            self.began = decided
        commit = Commit(before, after, attempts_before, self.recorded, decided, runner)
        self.note("commit", commit)
        self.decisions.add(commit, place=len(self.history))
        for key, attempt in self.recorded.items():
            if attempt.abort_reason is not None:
                self.to_be_ended.setdefault(key, decided)
        invariants.check(invariants.AFTER_A_COMMIT, self, commit)
        self.closed.update(((one.position, one.number), decided) for one in commit.newly_closed)
        self.history.append(after)
        self.seen_revision[runner] = after.revision
        self.point()

    def _looked(self) -> None:
        self.on_look()

    def _waits(self, runner: Runner, inbox: VirtualInbox, store: ObservedStore) -> None:
        self.point()
        self.on_wait()
        if store.decided is None:
            invariants.check(invariants.BEFORE_A_WAIT, self, runner, inbox)

    def _answered(self, event: Event) -> None:
        self.note("event", event)
        if isinstance(event, CallUnanswered):
            self._news("" if event.attempt is None else self.key_of(event.attempt))

    def _asked(self, key: str) -> None:
        since, count = self.questions.get(key, (self.machine.mono, 0))
        self.questions[key] = since, count + 1
        invariants.check(invariants.AFTER_A_QUESTION, self, key)

    def _news(self, key: str) -> None:
        self.questions.pop(key, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._lock is not None:
            self._lock.close()
        self._reader.close()
