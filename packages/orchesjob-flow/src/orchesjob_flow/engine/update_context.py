"""The update in progress: one moment, and the decision that grows while an event is handled.

Also how long things may take: a step's `timeout_sec` and the grace time of an abort. How long a
call may go unanswered is in `calls`, the `timeout_sec` of the whole flow in `lifecycle`.
"""

from typing import Any

import attrs

from flow_store import Changes, FlowStatus, RunHeader, Step
from orchesjob_client import DEFAULT_GRACE_SEC
from orchesjob_flow.clock import Now
from orchesjob_flow.engine.messages import AttemptId, Effect, SetTimer, Timer, TimerDue
from orchesjob_flow.engine.state import AbortReason, CallKind, OpenAttempt, RunState, RunStep

SLACK_SEC = 5.0  # until a call that is ended has really ended
NO_NEXT_ATTEMPT: dict[str, Any] = {
    "next_attempt_at": None,
    "next_attempt_mono": None,
    "next_attempt_boot": None,
}


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

    def record_run(self, status: FlowStatus, error: str | None) -> None:
        """Change the run's status or error."""
        run = self.run
        run.status, run.error = status, error
        run.finished_at = self.wall_after(run.started_at) if status.is_terminal else None
        self.decision.changes.header = RunHeader(
            status, error, run.finished_at, run.deadline, run.finally_after
        )

    def wall_after(self, started_at: float | None) -> float:
        """Tell the time of an end: never before the beginning, whatever was done to the clock."""
        return max(self.now.wall, started_at or 0.0)

    def remaining_sec(self, at: float, mono: float, boot: str, at_most: float) -> float:
        """Tell how far off a recorded moment is: by the monotonic clock while that counts (5.10).

        Where it does not, it is no further off than `at_most`, whatever was done to the clock.
        """
        if boot == self.now.boot:
            return mono - self.now.mono
        return min(at - self.now.wall, at_most)

    def record_step(self, step: RunStep, **fields: Any) -> None:
        """Change a step's row."""
        step.row = step.row._replace(**fields)
        self.decision.changes.steps[step.row.position] = step.row

    def restore_step(self, step: RunStep, row: Step) -> None:
        """Put a step's row back to what it was before something that is taken back."""
        step.row = row
        self.decision.changes.steps[row.position] = row

    def record_attempt(self, attempt: OpenAttempt, **fields: Any) -> None:
        """Change an attempt's row; without fields, have it committed before what follows."""
        attempt.row = row = attempt.row._replace(**fields)
        self.decision.changes.attempts[row.position, row.number] = row

    def call(
        self, attempt: OpenAttempt, call: CallKind, effect: Effect, allow_sec: float = 0
    ) -> None:
        """Ask for an effect that is answered, and set a timer in case it is not.

        Whoever performs it ends a call of orchesjob that hangs; the timer is for what nobody can
        end. `allow_sec` is what this kind of call may take in addition to any other. The time of a
        call that needs a slot begins when it has one.
        """
        limits = self.run.limits
        attempt.call, attempt.call_since, attempt.call_until = call, self.now.mono, None
        attempt.call_limit_sec = limits.call_sec + allow_sec + SLACK_SEC + limits.patience_sec
        self.do(effect)
        if not call.needs_slot:
            self.limit_call(attempt)

    def limit_call(self, attempt: OpenAttempt) -> None:
        """Let the time of the call that is under way begin."""
        attempt.call_until = self.now.mono + attempt.call_limit_sec
        self.set_timer(attempt.call_limit_sec, Timer.OVERDUE, attempt.id)

    def set_timer(self, delay_sec: float, timer: Timer, attempt: AttemptId | None = None) -> None:
        """Ask for a `TimerDue` when `delay_sec` seconds are over."""
        self.do(SetTimer(self.now.mono + delay_sec, TimerDue(timer, attempt)))


def set_timeout(context: UpdateContext, step: RunStep, attempt: OpenAttempt) -> None:
    """Count `timeout_sec` from the moment at which the attempt was seen to run (rule 5.5)."""
    limit, since = step.spec.timeout_sec, attempt.row.running_mono
    if limit is not None and since is not None:
        context.set_timer(max(0.0, since + limit - context.now.mono), Timer.TIMEOUT, attempt.id)


def outlived_timeout(context: UpdateContext, step: RunStep) -> bool:
    """Whether what the last attempt has left alive has run for longer than the step may."""
    limit, since = step.spec.timeout_sec, step.last_running_mono
    return limit is not None and since is not None and context.now.mono - since >= limit


def grace_sec(run: RunState, reason: str | None) -> float:
    """Return how long a process may take to obey: what the request to cancel says, or the default.

    A dead start has no process that could obey, and so no time.
    """
    if reason == AbortReason.DEAD_START:
        return 0.0
    requested = None if run.cancel is None else run.cancel.grace_sec
    return DEFAULT_GRACE_SEC if requested is None else requested
