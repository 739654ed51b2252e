"""What the engine knows of a run while it drives it: the committed rows, and what is under way.

The rows (`flow_store`) survive the process; the rest - calls in flight, what is watched, the plan
of what waits for what - is worked out again by the next runner. Nothing here decides anything.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from graphlib import TopologicalSorter

import attrs

from flow_conditions import Name
from flow_spec import FlowSpec, StepSpec
from flow_store import (
    Attempt,
    AttemptStatus,
    CancelRequest,
    Deadline,
    FlowStatus,
    GroupPlace,
    Outcome,
    Run,
    Step,
    StepStatus,
)
from orchesjob_flow.attempt_key import attempt_key
from orchesjob_flow.engine.copy_places import CopyPlaces
from orchesjob_flow.engine.events import AttemptId
from orchesjob_flow.engine.limits import Limits
from orchesjob_flow.engine.open_attempt import AbortReason, OpenAttempt, Trouble
from orchesjob_flow.engine.operands import is_true, is_true_of_copies
from orchesjob_flow.engine.plan import pair_up, plan_of, steps_under_way


@attrs.define(eq=False)
class RunStep:
    """A step of the run: what should happen, what has happened, and the open attempt."""

    spec: StepSpec
    row: Step
    attempt: OpenAttempt | None = None
    queued: bool = False
    """It is among the steps that may start."""
    looking: bool = False
    """A search for survivors is under way, before the next attempt."""
    last_running_mono: float | None = None
    """Since when the last attempt ran, for the time limit of its survivors."""
    dead_starts: int = 0
    """Starts in a row that orchesjob never carried out."""
    foreign_numbers: set[int] = attrs.Factory(set)
    """Attempts under whose keys somebody else's job lies."""
    has_passed_gate: bool = False
    """Its gate has let it run since it was decided last; what may follow is the command alone."""
    keeps_place: bool = False
    """Its gate has just let it run, and its command has not begun: see `RunState.keep_place`."""

    @property
    def asks_gate(self) -> bool:
        """Whether its next attempt is one at the gate (rule 10.8)."""
        return bool(self.spec.only_if) and not self.has_passed_gate


@attrs.define(eq=False)
class RunState:
    """A run as its runner sees it."""

    run_key: str
    flow: FlowSpec
    steps: list[RunStep]
    limits: Limits
    status: FlowStatus
    error: str | None
    started_at: float
    finished_at: float | None
    deadline: Deadline | None
    cancel: CancelRequest | None
    finally_after: Outcome | None
    """How the steps have ended, once those of `finally` are what is under way (rule 10.1)."""
    plan: TopologicalSorter[str]
    by_id: Mapping[str, RunStep]
    places: CopyPlaces
    """The places of the copies whose blocks have a `max_parallel` (rule 10.3)."""
    outcomes: dict[str, frozenset[StepStatus]] = attrs.Factory(dict)
    """How all copies of a step have ended, by the name that means them (rule 10.3)."""
    group: GroupPlace | None = None
    """Its place in the group of which no other run may be under way meanwhile (rule 10.7)."""
    told_holder: str | None = None
    """The run that holds the group, as far as that was told to whoever watches the runner."""
    ready: deque[RunStep] = attrs.Factory(deque)
    """Steps that may start, in the order in which they became ready."""
    open_steps: int = 0
    """Steps that are not terminal, of those that are under way."""
    failed: set[int] = attrs.Factory(set)
    """The positions of the steps that are FAILED."""
    starting: int = 0
    """Calls of `orchesjob start` under way."""
    attempting: int = 0
    """Attempts whose outcome is not known yet, and places that are kept for one."""
    polling: bool = False
    poll_trouble: Trouble | None = None
    polled_since: float = 0.0
    """When the last poll began, or, as long as it waits for a place, since when it does."""
    timeout_begun: bool = False
    """An earlier runner has begun to end the run because its time was over."""
    timed_out: bool = False
    """The run is being ended because its time is over."""
    sweeping: bool = False
    """The search for the survivors of a run that is being ended is under way."""
    gave_up: bool = False

    @classmethod
    def load(cls, flow: FlowSpec, run: Run, limits: Limits) -> "RunState":
        """Take over what the store knows of a run."""
        steps = [RunStep(spec, row) for spec, row in pair_up(flow, run)]
        for step in steps:
            attempt = run.attempts.get(step.row.position)
            if attempt is not None:
                step.last_running_mono = attempt.running_mono
                step.has_passed_gate = has_passed_gate(step.row, attempt)
                step.keeps_place = keeps_place(step, attempt)
                if attempt.status.is_open:
                    key = attempt_key(run.run_key, step.spec.id, attempt.number)
                    step.attempt = OpenAttempt(attempt, key)
        by_position = {step.row.position: step for step in steps}
        for past in run.history:
            if past.is_foreign:
                by_position[past.position].foreign_numbers.add(past.number)
        under_way = steps_under_way(flow, run.finally_after)
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
            places=CopyPlaces.of(flow, run),
            open_steps=sum(not by_id[spec.id].row.status.is_terminal for spec in under_way),
            failed={s.row.position for s in steps if s.row.status is StepStatus.FAILED},
            attempting=sum(step.attempt is not None or step.keeps_place for step in steps),
            timeout_begun=any(was_ended_with_run(row, run.attempts) for row in run.steps),
        )

    @property
    def is_waiting(self) -> bool:
        """Whether it waits for its turn in its group, and nothing of it may run (rule 10.7)."""
        return self.status is FlowStatus.PENDING and self.group is not None

    @property
    def ending(self) -> AbortReason | None:
        """Why what is under way is ended early, if it is; a cancel outranks a timeout.

        The steps of `finally` are ended only if that is asked for, and have no deadline (10.1).
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
    def minds_cancels(self) -> bool:
        """Whether a request to cancel that may come can still mean something new."""
        return self.cancel is None or (bool(self.flow.finally_) and not self.is_to_end_now)

    @property
    def under_way(self) -> Iterator[RunStep]:
        """The steps of which the run consists now: `steps`, and after their end `finally`."""
        return (self.by_id[spec.id] for spec in steps_under_way(self.flow, self.finally_after))

    @property
    def ended_with(self) -> Iterator[RunStep]:
        """The steps whose outcomes make that of the run, as far as it has come (rule 5.1)."""
        specs = self.flow.steps if self.finally_after is None else self.flow.all_steps
        return (self.by_id[spec.id] for spec in specs)

    def begin_finally(self, outcome: Outcome) -> None:
        """Let the steps of `finally` be what is under way; all others have ended (rule 10.1)."""
        self.finally_after = outcome
        self.plan = plan_of(self.flow, outcome)
        self.places = CopyPlaces()
        self.open_steps = sum(not step.row.status.is_terminal for step in self.under_way)

    @property
    def ending_error(self) -> str:
        """The error of a step that has not ended by itself when the run is ended early."""
        return "flow timed out" if self.ending is AbortReason.FLOW_TIMEOUT else "flow cancelled"

    @property
    def failed_step_ids(self) -> Iterator[str]:
        """The ids of the steps that are FAILED, in the order of the file."""
        specs = self.flow.all_steps if self.failed else ()
        return (spec.id for spec in specs if self.by_id[spec.id].row.position in self.failed)

    @property
    def has_room(self) -> bool:
        """Whether the next attempt may begin: by what starts, and by `max_parallel` (9.12)."""
        most = self.flow.max_parallel
        has_place = bool(self.ready) and self.ready[0].keeps_place
        may_attempt = most is None or self.attempting < most or has_place
        return self.starting < self.limits.starts and may_attempt

    def begin(self, step: RunStep, attempt: OpenAttempt) -> None:
        """Let a step have an open attempt, in the place that is kept for it if there is one."""
        self.give_up_place(step)
        step.attempt = attempt
        self.attempting += 1

    def close(self, step: RunStep) -> None:
        """Let a step have no open attempt any more."""
        step.attempt = None
        self.attempting -= 1

    def keep_place(self, step: RunStep) -> None:
        """Let no other step take the place in which the gate of this one was asked.

        What the gate has answered is true of now, so its command does not wait for others (10.8).
        """
        step.keeps_place = True
        self.attempting += 1

    def give_up_place(self, step: RunStep) -> None:
        """Let others have the place that is kept for a step, if one is."""
        self.attempting -= step.keeps_place
        step.keeps_place = False

    def holds(self, operand: Name) -> bool | None:
        """Tell whether an operand of a condition is true, once all that it waits for has ended.

        Ten thousand steps may ask about the same ten thousand copies: these are looked at once.
        """
        name, predicate = operand.name, operand.predicate
        if name in self.by_id:
            return is_true(predicate, self.by_id[name].row.status)
        if name not in self.outcomes:
            copies = self.flow.copies[name]
            self.outcomes[name] = frozenset(self.by_id[copy].row.status for copy in copies)
        return is_true_of_copies(predicate, self.outcomes[name])

    def enqueue(self, step: RunStep) -> None:
        """Let a step start as soon as there is room, once; at once if a place is kept for it."""
        if step.queued:
            return
        step.queued = True
        if step.keeps_place:
            self.ready.appendleft(step)
        else:
            self.ready.append(step)

    def newly_decidable(self) -> Iterator[RunStep]:
        """Yield the steps whose waits have all come to an end since the last time."""
        while names := self.plan.get_ready():
            for name in names:
                step = self.by_id.get(name)
                if step is None or step.row.status.is_terminal:  # None: all copies of a step
                    self.plan.done(name)
                else:
                    yield step

    def open_attempt(self, attempt: AttemptId) -> OpenAttempt | None:
        """Find an attempt, or None if it is closed by now."""
        found = self.steps[attempt.position].attempt
        return found if found is not None and found.row.number == attempt.number else None

    def open_attempts(self) -> Iterator[OpenAttempt]:
        """Yield the attempts whose outcome is not known yet."""
        return (step.attempt for step in self.steps if step.attempt is not None)


def has_passed_gate(row: Step, latest: Attempt) -> bool:
    """Tell from the latest attempt whether a step's gate has let it run (rule 10.8).

    Where that is one at the command, it has. A `retry` has the gate asked again.
    """
    passed = latest.status is AttemptStatus.SUCCEEDED or not latest.is_gate
    return row.has_begun and passed


def keeps_place(step: RunStep, latest: Attempt) -> bool:
    """Tell from the latest attempt whether a step is between its gate and its command."""
    return step.has_passed_gate and latest.is_gate and not step.row.status.is_terminal


def was_ended_with_run(row: Step, attempts: Mapping[int, Attempt]) -> bool:
    """Tell whether a step is being ended because the time of its run is over."""
    if row.status is not StepStatus.RUNNING or row.position not in attempts:
        return False
    return attempts[row.position].abort_reason == AbortReason.FLOW_TIMEOUT
