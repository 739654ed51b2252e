"""The state of an update: what the engine knows of a run, and the decision that grows.

The committed rows (`flow_store`) survive the process. The next runner works out the rest again:
calls in flight, watched processes, and what `plan` says may start.
"""

import json
from bisect import insort
from collections import deque
from collections.abc import Iterator, Mapping
from enum import StrEnum
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Any

import attrs

from flow_spec import EnvFile, FlowSpec, OnConflict, StepEnds, StepSpec
from flow_store import (
    Attempt,
    AttemptStatus,
    CancelRequest,
    Changes,
    Deadline,
    GroupPlace,
    Outcome,
    Run,
    RunHeader,
    RunStatus,
    Step,
    StepStatus,
    attempt_key,
)
from orchesjob_client import DEFAULT_GRACE_SEC, JobReport, Process, Watch
from orchesjob_flow.clock import Now
from orchesjob_flow.engine.messages import AttemptId, Effect, SetTimer, Timer, TimerDue
from orchesjob_flow.engine.plan import (
    CopyLanes,
    active_steps,
    fate_of_row,
    plan_of,
)

if TYPE_CHECKING:
    from flow_conditions import Name

SHORTEST_CALL_SEC = 5.0  # what any call may take on a busy machine, however short the patience is
LONGEST_CALL_SEC = 15.0  # orchesjob itself waits up to 10 s for its database
SLACK_SEC = 5.0  # until a call that is ended has really ended
FILES_SEC = 30.0  # what looking at the files of an attempt may take (rule 10.10)
NO_NEXT_ATTEMPT: dict[str, Any] = {
    "next_attempt_at": None,
    "next_attempt_mono": None,
    "next_attempt_boot": None,
}


@attrs.frozen
class Limits:
    """The bounds within which a runner works.

    `starts` is how many calls of `orchesjob start` may run at once. `patience_sec` is how long a
    call may stay unanswered, retries included. `poll_interval_sec` is the time between two polls.
    """

    starts: int = 2
    patience_sec: float = 60.0
    poll_interval_sec: float = 5.0

    @property
    def call_sec(self) -> float:
        """How long a call of orchesjob may take by itself before it is ended and made again.

        A quarter of the patience, within bounds: orchesjob may work although one call hangs
        (rule 5.7).
        """
        return min(max(SHORTEST_CALL_SEC, self.patience_sec / 4), LONGEST_CALL_SEC)


class AbortReason(StrEnum):
    """Why an attempt is to be ended: recorded with the attempt, and given to orchesjob.

    A later one of these replaces an earlier one.
    """

    DEAD_START = "dead start"
    TIMEOUT = "timeout"
    FLOW_TIMEOUT = "flow timeout"
    CANCEL = "cancel"

    def outranks(self, other: str | None) -> bool:
        """Whether this reason replaces the other one, if there is one."""
        ranks = list(AbortReason)
        return other is None or ranks.index(self) > ranks.index(AbortReason(other))


class CallKind(StrEnum):
    """The call for an attempt that has not been answered yet."""

    NOTE = "the look at the files before its start"
    START = "orchesjob start"
    STATUS = "orchesjob status"
    ABORT = "orchesjob abort"
    WATCH = "the watcher"
    CHECK = "the look at what it has written"
    LOOK = "the search for its processes"
    END = "the ending of its processes"

    @property
    def is_part_of_start(self) -> bool:
        """Whether it counts among the starts that may be in progress at once."""
        return self in (CallKind.NOTE, CallKind.START)

    @property
    def is_of_files(self) -> bool:
        """Whether it looks at files, for which nobody can say how long that takes."""
        return self in (CallKind.NOTE, CallKind.CHECK)

    @property
    def tells_begin(self) -> bool:
        """Whether a `CallBegan` says when it begins: when it has its slot, or after the commit."""
        return self.is_of_files or self in (CallKind.START, CallKind.STATUS, CallKind.ABORT)


@attrs.define
class Backoff:
    """Calls in a row that gave no answer: since when, and how long to wait before the next."""

    since: float
    delay_sec: float


@attrs.define
class Loss:
    """An attempt whose end orchesjob has not seen: see `attempts`."""

    why: str
    error: str
    """The attempt's error, once no process of it is alive."""
    looked_at: float | None = None
    """When processes of it were last seen, in seconds of the monotonic clock."""
    exited: bool = False
    """The process to be watched has exited."""
    being_ended: bool = False
    """Processes of it were alive when it was to be ended."""


@attrs.define(eq=False)
class OpenAttempt:
    """An attempt that has begun and whose outcome is not known yet."""

    step: "RunStep" = attrs.field(repr=False)
    row: Attempt
    attempt_key: str
    before: Step | None = None
    """The step's row before this attempt was begun, until orchesjob has answered."""
    call: CallKind | None = None
    call_since: float = 0.0
    """When the call began, or, while it waits for a call slot, since when it waits."""
    call_limit_sec: float = 0.0
    """How long the call may take once it has begun."""
    call_until: float | None = None
    """The time limit of the call; None while it waits for a call slot."""
    job: JobReport | None = None
    """The last answer of orchesjob to this runner."""
    watch: Watch | None = None
    worker_gone: bool = False
    contradictions: int = 0
    """How often orchesjob called the job running although its worker was gone."""
    questions: int = 0
    """How often the job was asked about again without being awaited: see `calls`."""
    ask_at: float = 0.0
    """When to ask again, if that is planned; timers set for an earlier moment do nothing."""
    backoff: Backoff | None = None
    loss: Loss | None = None
    processes_recorded: bool = False
    """Whether its processes were looked for and recorded, so that it may be aborted (rule 5.8)."""
    without: tuple[EnvFile, ...] = ()
    """The files of variables that cannot be read, and without which it runs (rule 10.4)."""

    @property
    def id(self) -> AttemptId:
        """Name the attempt."""
        return AttemptId(self.row.position, self.row.number)

    @property
    def is_seen_alive(self) -> bool:
        """Whether its worker is watched, lives, and may run on."""
        watched = self.watch is Watch.WATCHING and not self.worker_gone
        return watched and self.row.abort_reason is None

    @property
    def is_polled(self) -> bool:
        """Whether its job runs and cannot be watched."""
        return self.watch is Watch.UNSUPPORTED and self.loss is None


@attrs.define(eq=False)
class RunStep:
    """A step of the run: what should happen, what has happened, and the open attempt."""

    spec: StepSpec
    row: Step
    attempt: OpenAttempt | None = None
    queued: bool = False
    """Whether it is among the steps that may start."""
    looking: bool = False
    """Whether survivors are being searched for before the next attempt."""
    latest: Attempt | None = None
    """The row of the latest attempt that was closed, or that this runner has found open."""
    dead_starts: int = 0
    """Starts in a row that orchesjob never carried out."""
    foreign_numbers: set[int] = attrs.Factory(set)
    """The numbers of the attempts whose keys belong to foreign jobs."""
    has_passed_gate: bool = False
    """Whether its gate has let it run since it was last decided; only the command may follow."""
    keeps_slot: bool = False
    """Whether its gate has let it run and its command has not begun: see `RunState.keep_slot`."""
    is_settled: bool = False
    """Whether a person has decided its outcome (rule 12.3)."""

    @property
    def asks_gate(self) -> bool:
        """Whether its next attempt asks the gate (rule 10.8)."""
        return bool(self.spec.only_if) and not self.has_passed_gate


@attrs.define(eq=False)
class RunState:
    """A run as its runner sees it."""

    run_key: str
    flow: FlowSpec
    steps: list[RunStep]
    limits: Limits
    status: RunStatus
    error: str | None
    started_at: float
    finished_at: float | None
    deadline: Deadline | None
    cancel: CancelRequest | None
    finally_after: Outcome | None
    """How the steps have ended, once `finally` has begun (rule 10.1)."""
    plan: TopologicalSorter[str]
    by_id: Mapping[str, RunStep]
    lanes: CopyLanes
    """The lanes of the copies whose blocks have a `max_parallel` (rule 10.3)."""
    left_out: frozenset[str] = frozenset()
    """The ids of the steps that `--until` leaves out (rule 6.14)."""
    ends: StepEnds[StepStatus] | None = None
    """How steps have ended, once a condition asks."""
    group: GroupPlace | None = None
    """Its place in its group, of which only one run may be active at a time (rule 10.7)."""
    reported_holder: str | None = None
    """The run that holds the group, once a warning has named it."""
    ready: deque[RunStep] = attrs.Factory(deque)
    """Steps that may start, in the order in which they became ready."""
    open_steps: int = 0
    """How many of the active steps are not terminal."""
    order: Mapping[str, int] = attrs.Factory(dict)
    """The places of the steps in the file, by their ids."""
    failed: list[tuple[int, str]] = attrs.Factory(list)
    """The places and the ids of the steps that are FAILED, in the order of the file."""
    starting: int = 0
    """How many calls of `orchesjob start`, and looks at files before one, are in progress."""
    attempting: int = 0
    """How many attempts are open, plus the slots that are kept for one."""
    polling: bool = False
    poll_backoff: Backoff | None = None
    polled_since: float = 0.0
    """When the last poll began, or, while it waits for a call slot, since when it waits."""
    timeout_begun: bool = False
    """Whether an earlier runner has begun to end the run because it timed out."""
    timed_out: bool = False
    """Whether the run is being ended because it timed out."""
    ending_survivors: bool = False
    """Whether survivors of the run that is being ended are being searched for."""
    gave_up: bool = False

    @classmethod
    def load(cls, flow: FlowSpec, run: Run, limits: Limits) -> "RunState":
        """Take over what the store knows of a run."""
        specs = {spec.id: spec for spec in flow.all_steps}
        order = {step_id: place for place, step_id in enumerate(specs)}
        steps = [
            RunStep(specs[row.step_id], row, is_settled=row.position in run.settled)
            for row in run.steps
        ]
        for step in steps:
            attempt = run.attempts.get(step.row.position)
            if attempt is not None:
                step.latest = attempt
                step.has_passed_gate = has_passed_gate(step.row, attempt)
                step.keeps_slot = keeps_slot(step, attempt)
                if attempt.status.is_open:
                    key = attempt_key(run.run_key, step.spec.id, attempt.number)
                    step.attempt = OpenAttempt(step, attempt, key)
        by_position = {step.row.position: step for step in steps}
        for past in run.history:
            if past.is_foreign:
                by_position[past.position].foreign_numbers.add(past.number)
        active = active_steps(flow, run.finally_after)
        by_id = {step.spec.id: step for step in steps}
        return cls(
            run_key=run.run_key,
            flow=flow,
            steps=steps,
            limits=limits,
            status=run.status,
            error=run.error,
            started_at=run.started_at,
            finished_at=run.finished_at,
            deadline=run.deadline,
            cancel=run.cancel,
            finally_after=run.finally_after,
            plan=plan_of(flow, run.finally_after),
            by_id=by_id,
            group=run.group,
            left_out=frozenset(flow.left_out),
            lanes=CopyLanes.of(flow, run),
            open_steps=sum(not by_id[spec.id].row.status.is_terminal for spec in active),
            order=order,
            failed=sorted(
                (order[step.spec.id], step.spec.id)
                for step in steps
                if step.row.status is StepStatus.FAILED
            ),
            attempting=sum(step.attempt is not None or step.keeps_slot for step in steps),
            timeout_begun=any(was_ended_with_run(row, run.attempts) for row in run.steps),
        )

    @property
    def is_waiting(self) -> bool:
        """Whether it waits in the queue of its group, and nothing of it may run (rule 10.7)."""
        return self.status is RunStatus.PENDING and self.group is not None

    @property
    def replaces(self) -> bool:
        """Whether it has asked the runs ahead of it in its group to end (rule 10.7)."""
        group = self.flow.concurrency
        return group is not None and group.on_conflict is OnConflict.REPLACE

    @property
    def ending(self) -> AbortReason | None:
        """Why the active steps are ended early, if they are; a cancel outranks a timeout.

        The steps of `finally` are ended only on request, and have no deadline (rule 10.1).
        """
        if self.finally_after is not None:
            return AbortReason.CANCEL if self.is_to_end_now else None
        if self.cancel is not None:
            return AbortReason.CANCEL
        return AbortReason.FLOW_TIMEOUT if self.timed_out else None

    @property
    def is_to_end_now(self) -> bool:
        """Whether a cancel asks for the end of the steps of `finally` too (rule 10.1)."""
        return self.cancel is not None and self.cancel.now_at is not None

    @property
    def awaits_cancel(self) -> bool:
        """Whether a further request to cancel can still change something."""
        return self.cancel is None or (bool(self.flow.finally_) and not self.is_to_end_now)

    @property
    def active_steps(self) -> Iterator[RunStep]:
        """The steps that can run now: `steps`, and after their end `finally`."""
        return (self.by_id[spec.id] for spec in active_steps(self.flow, self.finally_after))

    @property
    def decisive_steps(self) -> Iterator[RunStep]:
        """The steps whose outcomes decide the outcome of the run so far (rule 5.1)."""
        specs = self.flow.steps if self.finally_after is None else self.flow.all_steps
        return (self.by_id[spec.id] for spec in specs)

    def begin_finally(self, outcome: Outcome) -> None:
        """Make the steps of `finally` the active ones; all others have ended (rule 10.1)."""
        self.finally_after = outcome
        self.ends = None
        self.plan = plan_of(self.flow, outcome)
        self.lanes = CopyLanes()
        self.open_steps = sum(not step.row.status.is_terminal for step in self.active_steps)

    @property
    def ending_error(self) -> str:
        """The error of a step that has not ended by itself when the run is ended early."""
        return "flow timed out" if self.ending is AbortReason.FLOW_TIMEOUT else "flow cancelled"

    @property
    def failed_step_ids(self) -> Iterator[str]:
        """The ids of the steps that are FAILED, in the order of the file."""
        return (step_id for _, step_id in self.failed)

    def note_failure(self, step_id: str) -> None:
        """Note that a step is FAILED, once."""
        insort(self.failed, (self.order[step_id], step_id))

    @property
    def has_room(self) -> bool:
        """Whether the next attempt may begin: by what starts, and by `max_parallel` (9.12)."""
        most = self.flow.max_parallel
        has_slot = bool(self.ready) and self.ready[0].keeps_slot
        may_attempt = most is None or self.attempting < most or has_slot
        return self.starting < self.limits.starts and may_attempt

    def begin(self, step: RunStep, attempt: OpenAttempt) -> None:
        """Let a step have an open attempt, in the slot that is kept for it if there is one."""
        self.release_slot(step)
        step.attempt = attempt
        self.attempting += 1

    def close(self, step: RunStep) -> None:
        """Let a step have no open attempt any more."""
        step.attempt = None
        self.attempting -= 1

    def keep_slot(self, step: RunStep) -> None:
        """Keep the slot in which the gate of this step was asked from other steps.

        The gate's answer is about this moment, so the command does not wait for others (rule 10.8).
        """
        step.keeps_slot = True
        self.attempting += 1

    def release_slot(self, step: RunStep) -> None:
        """Release the slot that is kept for a step, if there is one."""
        self.attempting -= step.keeps_slot
        step.keeps_slot = False

    def holds(self, operand: "Name") -> bool | None:
        """Tell whether an operand of a condition is true, once its steps have ended."""
        return self._known_ends.value(operand)

    def outcome_for(self, spec: StepSpec) -> str | None:
        """Return the outcome that a step of `finally` is told (rules 3.9 and 10.1)."""
        return self._known_ends.run_status if spec.asks_run else self.finally_after

    @property
    def _known_ends(self) -> StepEnds[StepStatus]:
        if self.ends is None:
            self.ends = StepEnds(self.flow, self._fate_of, self.finally_after)
        return self.ends

    def _fate_of(self, step_id: str) -> tuple[StepStatus, bool] | None:
        step = self.by_id[step_id]
        return fate_of_row(step.row, is_settled=step.is_settled)

    def enqueue(self, step: RunStep) -> None:
        """Put a step into the queue, once; at its front if a slot is kept for it."""
        if step.queued:
            return
        step.queued = True
        if step.keeps_slot:
            self.ready.appendleft(step)
        else:
            self.ready.append(step)

    def newly_decidable(self) -> Iterator[RunStep]:
        """Yield the steps whose dependencies have all ended since the last call."""
        while names := self.plan.get_ready():
            for name in names:
                step = self.by_id.get(name)
                if step is None or step.row.status.is_terminal:  # None: all copies of a step
                    self.plan.done(name)
                else:
                    yield step

    def open_attempt(self, attempt: AttemptId) -> OpenAttempt | None:
        """Return an open attempt, or None if it has been closed."""
        found = self.steps[attempt.position].attempt
        return found if found is not None and found.row.number == attempt.number else None

    def open_attempts(self) -> Iterator[OpenAttempt]:
        """Yield the attempts whose outcome is not known yet."""
        return (step.attempt for step in self.steps if step.attempt is not None)


def has_passed_gate(row: Step, latest: Attempt) -> bool:
    """Tell from the latest attempt whether a step's gate has let it run (rule 10.8).

    An attempt at the command proves that. A `retry` asks the gate again.
    """
    passed = latest.status is AttemptStatus.SUCCEEDED or not latest.is_gate
    return row.has_begun and passed


def keeps_slot(step: RunStep, latest: Attempt) -> bool:
    """Tell from the latest attempt whether a step is between its gate and its command."""
    return step.has_passed_gate and latest.is_gate and not step.row.status.is_terminal


def was_ended_with_run(row: Step, attempts: Mapping[int, Attempt]) -> bool:
    """Tell whether a step is being ended because the time of its run is over."""
    if row.status is not StepStatus.RUNNING or row.position not in attempts:
        return False
    return attempts[row.position].abort_reason == AbortReason.FLOW_TIMEOUT


@attrs.define
class Decision:
    """What to record, in one commit, and what to do after it."""

    changes: Changes = attrs.Factory(Changes)
    effects: list[Effect] = attrs.Factory(list)


@attrs.define
class UpdateContext:
    """The run, the moment, and the decision so far."""

    run: RunState
    now: Now
    decision: Decision

    def do(self, effect: Effect) -> None:
        """Ask for an effect."""
        self.decision.effects.append(effect)

    def record_run(self, status: RunStatus, error: str | None) -> None:
        """Change the run's status or error."""
        run = self.run
        run.status, run.error = status, error
        run.finished_at = self.wall_after(run.started_at) if status.is_terminal else None
        self.decision.changes.header = RunHeader(
            status, error, run.finished_at, run.deadline, run.finally_after
        )

    def wall_after(self, started_at: float | None) -> float:
        """Return the time of an end: never before the beginning, even if the clock was set back."""
        return max(self.now.wall, started_at or 0.0)

    def remaining_sec(self, at: float, mono: float, boot: str, at_most: float) -> float:
        """Return the seconds until a recorded moment, on the monotonic clock (rule 5.10).

        After a restart the wall clock decides, with `at_most` as the limit if it was set back.
        """
        if boot == self.now.boot:
            return mono - self.now.mono
        return min(at - self.now.wall, at_most)

    def record_step(self, step: RunStep, **fields: Any) -> None:
        """Change a step's row."""
        step.row = step.row._replace(**fields)
        self.decision.changes.steps[step.row.position] = step.row

    def record_attempt(self, attempt: OpenAttempt, **fields: Any) -> None:
        """Change an attempt's row; without fields, commit it before the effects that follow."""
        attempt.row = row = attempt.row._replace(**fields)
        self.decision.changes.attempts[row.position, row.number] = row

    def call(
        self, attempt: OpenAttempt, call: CallKind, effect: Effect, allow_sec: float = 0
    ) -> None:
        """Ask for an effect that is answered, and set a timer in case it is not.

        The client ends a call of orchesjob that hangs; the timer is for a call that cannot be
        ended. `allow_sec` is the additional time for this kind of call.
        """
        limits = self.run.limits
        attempt.call, attempt.call_since, attempt.call_until = call, self.now.mono, None
        attempt.call_limit_sec = limits.call_sec + allow_sec + SLACK_SEC + limits.patience_sec
        if call.is_of_files:
            attempt.call_limit_sec = FILES_SEC
        if call.is_part_of_start:
            self.run.starting += 1
        self.do(effect)
        if not call.tells_begin:
            self.limit_call(attempt)

    def limit_call(self, attempt: OpenAttempt) -> None:
        """Start the time limit of the call in progress."""
        attempt.call_until = self.now.mono + attempt.call_limit_sec
        self.set_timer(attempt.call_limit_sec, Timer.OVERDUE, attempt.id)

    def set_timer(self, delay_sec: float, timer: Timer, attempt: AttemptId | None = None) -> None:
        """Ask for a `TimerDue` when `delay_sec` seconds are over."""
        self.do(SetTimer(self.now.mono + delay_sec, TimerDue(timer, attempt)))


def set_timeout(context: UpdateContext, attempt: OpenAttempt) -> None:
    """Count `timeout_sec` from the moment at which the attempt was seen to run (rule 5.5)."""
    limit, since = attempt.step.spec.timeout_sec, attempt.row.running_mono
    if limit is not None and since is not None:
        context.set_timer(max(0.0, since + limit - context.now.mono), Timer.TIMEOUT, attempt.id)


def outlived_timeout(context: UpdateContext, step: RunStep) -> bool:
    """Whether survivors of the last attempt have run for longer than `timeout_sec`."""
    limit, since = step.spec.timeout_sec, step.latest and step.latest.running_mono
    return limit is not None and since is not None and context.now.mono - since >= limit


def known_processes(context: UpdateContext, latest: Attempt | None) -> tuple[Process, ...]:
    """Return the processes of an attempt that were found while their parents lived (rule 5.8)."""
    if latest is None or latest.kin is None or latest.boot_id != context.now.boot:
        return ()
    return tuple(Process(*found) for found in json.loads(latest.kin))


def grace_sec(run: RunState, reason: str | None) -> float:
    """Return how long a process may take to obey: what the request to cancel says, or the default.

    A dead start has no process that could obey, and so no time.
    """
    if reason == AbortReason.DEAD_START:
        return 0.0
    requested = None if run.cancel is None else run.cancel.grace_sec
    return DEFAULT_GRACE_SEC if requested is None else requested
