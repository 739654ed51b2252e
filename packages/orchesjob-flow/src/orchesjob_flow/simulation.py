"""A simulated run, and all ways in which a run can end (rule 11.3).

A flow runs through the real engine, in virtual time. The scenario says how each step ends, and with
which exit code. The world answers what the engine asks for: each command takes a moment and then
ends as the scenario says; nothing is lost, late or left alive. The loop does what the runner's loop
does, without a store, a clock or a machine. A run of a group runs as if the group were free (rule
10.7).

To find the endings, the flow is simulated again and again. When a step ends by itself, its other
outcomes are noted and simulated later, those with the fewest failures and skips first. So no rule
about runs is repeated here. Where there are too many endings to simulate, all that is known is that
there are more.
"""

import heapq
import math
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple, Self

import attrs

from flow_spec import FlowSpec, StepSpec, shown_product
from flow_store import (
    Attempt,
    CancelRequest,
    GroupPlace,
    PastAttempt,
    Run,
    RunStatus,
    Step,
    StepStatus,
)
from orchesjob_client import JobReport, JobStatus, Watch
from orchesjob_flow.clock import Now
from orchesjob_flow.engine import messages, update
from orchesjob_flow.engine.state import Limits, RunState
from orchesjob_flow.errors import ImpossibleScenario

MOST_RETRIES = 2_000
"""The limit for all failing steps: before each attempt the engine looks at all earlier ones."""
NOTHING_PRODUCED = (
    "produces no files that could be missing: write produces: in the flow file, or let the step "
    "fail"
)
NEVER_SKIPPED = (
    "is never skipped once it runs: it has neither skip_exit_codes nor only_if; its condition "
    "alone can skip it, by how other steps end"
)
NO_TIME_LIMIT = (
    "has no time limit that could expire: set its timeout_sec or that of the flow, or let the step "
    "fail"
)
NOT_SPAWNED = -1
"""What orchesjob reports as the exit code of a command that could not be started."""
CODES: Mapping[StepStatus, Sequence[int]] = {
    StepStatus.SUCCEEDED: range(256),
    StepStatus.FAILED: (*range(1, 256), 0, NOT_SPAWNED),
}
"""The exit codes to try in turn; a command that cannot be started has none."""
COMMAND_SEC = 1.0
ENDLESS = math.inf
WORKER_PID, TARGET_PID = 2, 3
"""No code looks for these processes."""
SIMULATED_BOOT = "a simulation"
"""The boot id of virtual times; no machine has it."""
MOST_ENDINGS = 1_000
MOST_WORK = 10_000
"""The limit of all simulated runs together: a second or two."""

type Choose = Callable[[StepSpec], StepStatus]
type Due = Iterator[tuple[float, messages.Event]]


class Scenario(NamedTuple):
    """How the named steps end, and which steps are running when a cancel is requested.

    `lasting` has the seconds that the commands of steps take, unless they take a moment; the
    command of a step that has `ENDLESS` ends when a time limit expires. The steps in `unwritten`
    fail because of files that their commands have not written.
    """

    outcomes: Mapping[str, StepStatus] = {}
    cancel_at: frozenset[str] = frozenset()
    lasting: Mapping[str, float] = {}
    unwritten: frozenset[str] = frozenset()

    @classmethod
    def of(  # noqa: PLR0913 - what a scenario may be given
        cls,
        flow: FlowSpec,
        *,
        fail: Iterable[str] = (),
        skip: Iterable[str] = (),
        cancel_at: str | None = None,
        timeout_at: str | None = None,
        unwritten: Iterable[str] = (),
    ) -> Self:
        """Find the named steps of a flow; the name of all copies means each (rule 10.3).

        Raises:
            UnknownStepError: There is no such step; the error suggests a name.
            ImpossibleScenario: A step is named both to fail and to be skipped, only its condition
                can skip it, it produces nothing, its command would never end, or its retries would
                take too long.
        """
        silent = _steps_named(flow, unwritten)
        failed, skipped = _steps_named(flow, fail) | silent, _steps_named(flow, skip)
        for step_id in failed.keys() & skipped.keys():
            problem = "cannot both fail and be skipped: give --fail or --skip"
            raise ImpossibleScenario(step_id, problem)
        for spec in skipped.values():
            if not spec.may_skip_itself:
                raise ImpossibleScenario(spec.id, NEVER_SKIPPED, spec.id)
        for spec in silent.values():
            if not spec.produces:
                raise ImpossibleScenario(spec.id, NOTHING_PRODUCED, spec.id)
        endless = _steps_named(flow, () if timeout_at is None else (timeout_at,))
        for spec in endless.values():
            is_limited = flow.timeout_sec is not None and spec.id not in flow.finally_ids
            if spec.timeout_sec is None and not is_limited:
                raise ImpossibleScenario(spec.id, NO_TIME_LIMIT, "timeout_at")
        refuse_retries([*failed.values(), *endless.values()])
        ends = dict.fromkeys(failed, StepStatus.FAILED) | dict.fromkeys(skipped, StepStatus.SKIPPED)
        cancelled = () if cancel_at is None else (cancel_at,)
        lasting = dict.fromkeys(endless, ENDLESS)
        return cls(ends, frozenset(_steps_named(flow, cancelled)), lasting, frozenset(silent))

    def outcome_of(self, spec: StepSpec) -> StepStatus:
        """Return the outcome of a step that runs."""
        return self.outcomes.get(spec.id, StepStatus.SUCCEEDED)


def _steps_named(flow: FlowSpec, names: Iterable[str]) -> dict[str, StepSpec]:
    return {step.id: step for name in names for step in flow.named(name)}


def refuse_retries(steps: Iterable[StepSpec]) -> None:
    """Refuse more retries than can be simulated in a few seconds."""
    failing = list(steps)
    if sum(step.retries for step in failing) > MOST_RETRIES:
        most = max(failing, key=lambda step: step.retries)
        problem = (
            f"would be retried {most.retries:,} times before it fails, and at most "
            f"{MOST_RETRIES:,} retries in all are simulated; lower them to see this"
        )
        raise ImpossibleScenario(most.id, problem)


def exit_code(spec: StepSpec, outcome: StepStatus, *, is_gate: bool) -> int:
    """Return the exit code of an attempt that gives its step this outcome.

    The gate skips the step only if no exit code of the command can.
    """
    if is_gate:
        return int(outcome is StepStatus.SKIPPED and not spec.skip_exit_codes)
    if outcome is StepStatus.SKIPPED:
        return spec.skip_exit_codes[0]
    return next(code for code in CODES[outcome] if spec.outcome_of(code) == outcome)


A_JOB = JobReport(
    job_id="",
    job_key="",
    status=JobStatus.RUNNING.value,
    command=(),
    exit_code=None,
    worker_pid=WORKER_PID,
    target_pid=TARGET_PID,
    existing=False,
    payload="{}",
    stdout_file=None,
    stderr_file=None,
    started_at=None,
    finished_at=None,
    abort_reason=None,
)
"""A running job as orchesjob reports it."""


class Job(NamedTuple):
    """A started command as orchesjob reports it, and when it ends."""

    report: JobReport
    ends_at: float
    is_gate: bool


@attrs.define(slots=False)
class World:
    """The simulated machine on which the steps of a flow run.

    `choose` is called once for each step that ends by itself. The cancel is requested when the
    first step of `cancel_at` has begun.
    """

    flow: FlowSpec
    choose: Choose
    cancel_at: Collection[str] = ()
    lasting: Mapping[str, float] = attrs.Factory(dict)
    unwritten: Collection[str] = ()
    outcomes: dict[str, StepStatus] = attrs.Factory(dict)
    """The outcomes of the steps that ended by themselves."""
    cancelled_at: float | None = None
    _jobs: dict[messages.AttemptId, Job] = attrs.Factory(dict)

    @cached_property
    def command_sec(self) -> float:
        """How long a command takes: so short that only delays can reach the flow's timeout."""
        limit = self.flow.timeout_sec
        if limit is None:
            return COMMAND_SEC
        attempts = sum(step.retries + 1 + bool(step.only_if) for step in self.flow.steps)
        return min(COMMAND_SEC, limit / (10 * max(attempts, 1)))

    def perform(self, effect: messages.Effect, now: Now) -> Due:
        """Yield the events that an effect causes, and when (see `engine.messages`).

        No call waits for a slot, so none is called off. No call fails, so no runner gives up.
        """
        at = now.mono
        match effect:
            case messages.StartJob():
                yield from self._start(effect, at)
            case messages.NoteFiles(attempt):
                yield at, messages.FilesNoted(attempt, "{}")
            case messages.CheckFiles(attempt):
                spec = self._spec(attempt)
                flaw = f"has not written {shown_product(spec.produces[0])}"
                is_silent = spec.id in self.unwritten
                yield at, messages.FilesChecked(attempt, flaw if is_silent else None)
            case messages.WatchJob(attempt):
                yield at, messages.WatchAnswered(attempt, Watch.WATCHING)
                yield self._jobs[attempt].ends_at, messages.JobExited(attempt)
            case messages.AskStatus(attempt):
                yield at, messages.CallBegan(attempt)
                yield at, messages.StatusAnswered(attempt, self._ended(attempt))
            case messages.AbortJob(attempt):
                aborted = self._jobs[attempt].report._replace(
                    status=JobStatus.ABORTED.value, abort_reason=effect.reason
                )
                yield at, messages.CallBegan(attempt)
                yield at, messages.AbortAnswered(attempt, aborted)
            case messages.LookForSurvivors(attempt) | messages.EndSurvivors(attempt):
                yield at, messages.SurvivorsSeen(attempt, ())
            case messages.SetTimer(due, event):
                yield due, event

    def _start(self, effect: messages.StartJob, at: float) -> Due:
        spec = self._spec(effect.attempt)
        limit = spec.timeout_sec
        is_gate = bool(spec.only_if) and effect.attempt.number == 1  # which never fails here
        lasts = self.command_sec if is_gate else self.lasting.get(spec.id, self.command_sec)
        if limit is not None and lasts != ENDLESS:
            lasts = min(lasts, limit / 2)
        key = effect.attempt_key
        report = A_JOB._replace(job_id=key, job_key=key, command=tuple(effect.command))
        self._jobs[effect.attempt] = Job(report, at + lasts, is_gate)
        yield at, messages.CallBegan(effect.attempt)
        yield at, messages.StartAnswered(effect.attempt, report)
        if self.cancelled_at is None and spec.id in self.cancel_at:
            self.cancelled_at = at
            yield at, messages.CancelSeen(CancelRequest(at, None))

    def _ended(self, attempt: messages.AttemptId) -> JobReport:
        """Report how a job ended."""
        spec, job = self._spec(attempt), self._jobs[attempt]
        if spec.id not in self.outcomes:
            self.outcomes[spec.id] = self.choose(spec)
        is_silent = spec.id in self.unwritten
        outcome = StepStatus.SUCCEEDED if is_silent else self.outcomes[spec.id]
        code = exit_code(spec, outcome, is_gate=job.is_gate)
        status = JobStatus.FAILED if code else JobStatus.SUCCEEDED
        target = None if code == NOT_SPAWNED else job.report.target_pid
        return job.report._replace(status=status.value, exit_code=code, target_pid=target)

    def _spec(self, attempt: messages.AttemptId) -> StepSpec:
        return self.flow.all_steps[attempt.position]


class Played(NamedTuple):
    """A run as it would be recorded, its times in seconds since its beginning.

    `outcomes` has the steps that ended by themselves. `cancelled_at` is when the cancel was
    requested, or None.
    """

    run: Run
    outcomes: dict[str, StepStatus]
    cancelled_at: float | None


def play(flow: FlowSpec, scenario: Scenario) -> Played:
    """Simulate a run of a flow to its end."""
    run = unbegun(flow)
    world = World(
        flow, scenario.outcome_of, scenario.cancel_at, scenario.lasting, scenario.unwritten
    )
    state, attempts = play_in(world, run)
    group = None if flow.group is None else GroupPlace(flow.group, 1)
    whole = recorded_at_end(run, state, attempts)._replace(group=group)
    return Played(whole, world.outcomes, world.cancelled_at)


def first_starts(run: Run) -> dict[int, float]:
    """Return when the first attempt at each step begins, by the step's position."""
    return {past.position: past.started_at for past in run.history if past.number == 1}


def play_in(world: World, run: Run) -> tuple[RunState, dict[tuple[int, int], Attempt]]:
    """Simulate a run that has not begun; return its state at the end, with all attempts."""
    everything = len(run.steps) + 1  # calls take no time, so they need no limit
    state = RunState.load(world.flow, run, Limits(starts=everything))
    attempts: dict[tuple[int, int], Attempt] = {}
    coming: list[tuple[float, int, messages.Event]] = [(0.0, 0, messages.RunnerStarted())]
    count = 1
    while not state.status.is_terminal:
        at, _, event = heapq.heappop(coming)
        now = Now(at, at, SIMULATED_BOOT)
        decision = update(state, event, now)
        attempts |= decision.changes.attempts
        for effect in decision.effects:
            for due, answer in world.perform(effect, now):
                heapq.heappush(coming, (due, count, answer))
                count += 1
    return state, attempts


def unbegun(flow: FlowSpec) -> Run:
    """Return the run of a flow as `start` records it, without what only a real run has."""
    return Run(
        run_key=flow.flow_id,
        flow_id=flow.flow_id,
        definition=flow.to_json(),
        directory="",
        status=RunStatus.PENDING,
        error=None,
        started_at=0.0,
        finished_at=None,
        deadline=None,
        revision=0,
        cancel=None,
        steps=tuple(
            Step.waiting(position, step.id, step.retries)
            for position, step in enumerate(flow.all_steps)
        ),
        attempts={},
        params=dict(flow.values) or None,
        flow_dir="",
        orchesjob_home="",
    )


def recorded_at_end(run: Run, state: RunState, attempts: dict[tuple[int, int], Attempt]) -> Run:
    """Return a run as it is recorded at its end."""
    past = [attempts[place] for place in sorted(attempts)]
    return run._replace(
        status=state.status,
        error=state.error,
        finished_at=state.finished_at,
        cancel=state.cancel,
        finally_after=state.finally_after,
        steps=tuple(step.row for step in state.steps),
        attempts={attempt.position: attempt for attempt in past},
        history=tuple(
            PastAttempt(
                attempt.position,
                attempt.number,
                attempt.status,
                attempt.started_at,
                attempt.finished_at,
                attempt.error,
                is_gate=attempt.is_gate,
            )
            for attempt in past
        ),
    )


class Ending(NamedTuple):
    """How a run and its steps end, and the outcomes of steps that cause it."""

    status: RunStatus
    steps: Mapping[str, StepStatus]
    by_themselves: Mapping[str, StepStatus]


class Endings(NamedTuple):
    """Different endings of a flow, and whether they are all of them."""

    found: Sequence[Ending]
    is_complete: bool


class Branch(NamedTuple):
    """Outcomes to simulate; those of the first `final` steps to end are final."""

    changed: Mapping[str, StepStatus]
    final: int


def endings_of(flow: FlowSpec, scenario: Scenario) -> Endings:
    """Find the endings of a flow; the scenario fixes the outcomes of some steps.

    Raises:
        ImpossibleScenario: Simulating all retries would take too long.
    """
    if flow.timeout_sec is None:
        flow = without_retries(flow)
    refuse_retries(flow.all_steps)
    run = unbegun(flow)
    branches = deque([Branch({}, 0)])
    found: dict[tuple[StepStatus, ...], Ending] = {}
    left = max(MOST_WORK // work_of(flow), 1)
    while branches and left and len(found) < MOST_ENDINGS:
        branch, left = branches.popleft(), left - 1
        wanted = Scenario({**branch.changed, **scenario.outcomes}, scenario.cancel_at)
        world = World(flow, wanted.outcome_of, scenario.cancel_at)
        state, _ = play_in(world, run)
        steps = {step.spec.id: step.row.status for step in state.steps}
        changed = {name: one for name, one in world.outcomes.items() if one != "SUCCEEDED"}
        found.setdefault(tuple(steps.values()), Ending(state.status, steps, changed))
        free = [flow.step(name) for name in world.outcomes if name not in scenario.outcomes]
        for place, spec in enumerate(free[branch.final :], start=branch.final + 1):
            others = [StepStatus.FAILED, *([StepStatus.SKIPPED] if spec.may_skip_itself else [])]
            branches += [Branch({**branch.changed, spec.id: one}, place) for one in others]
    return Endings([*found.values()], not branches)


def without_retries(flow: FlowSpec) -> FlowSpec:
    """Return a flow without retries; without a timeout of the flow it has the same endings.

    Its steps only run for a shorter time.
    """
    return attrs.evolve(
        flow,
        steps=tuple(attrs.evolve(step, retries=0) for step in flow.steps),
        finally_=tuple(attrs.evolve(step, retries=0) for step in flow.finally_),
    )


def work_of(flow: FlowSpec) -> int:
    """Return the work of simulating a flow once; each step is told which steps failed before."""
    attempts = sum(step.retries + 1 for step in flow.all_steps)
    return attempts + attempts**2 // 1_000
