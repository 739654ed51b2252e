"""The door of the engine: which rule answers which event.

`update` is deterministic and reaches nothing but the run that it is given: its rows in memory go
one commit ahead of the store's, and the decision says what that commit must hold.
"""

from collections.abc import Callable
from typing import Any

from flow_store import FlowStatus
from orchesjob_flow.clock import Now
from orchesjob_flow.engine import attempts, calls, lifecycle, steps
from orchesjob_flow.engine.messages import (
    AbortAnswered,
    AttemptId,
    CallBegan,
    CallUnanswered,
    CancelSeen,
    Event,
    JobExited,
    QueueSeen,
    RunnerStarted,
    RunningAnswered,
    StartAnswered,
    StartCalledOff,
    StartPrevented,
    StatusAnswered,
    SurvivorsSeen,
    Timer,
    TimerDue,
    WatchAnswered,
)
from orchesjob_flow.engine.state import AbortReason, CallKind, OpenAttempt, RunState, RunStep
from orchesjob_flow.engine.update_context import Decision, UpdateContext


def update(run: RunState, event: Event, now: Now, decision: Decision | None = None) -> Decision:
    """Say what an event means: what to record, and then what to do.

    With `decision` the answer is added to an earlier one that is not committed yet. An event that
    comes after the run's end, or about an attempt that is closed, changes nothing.
    """
    context = UpdateContext(run, now, Decision() if decision is None else decision)
    if run.status.is_terminal:
        return context.decision
    HANDLERS[type(event)](context, event)
    go_on(context)
    return context.decision


def go_on(context: UpdateContext) -> None:
    """Decide what can be decided now; once more when the steps of `finally` begin (rule 10.1)."""
    run = context.run
    if run.is_waiting:
        if run.cancel is not None:
            lifecycle.end_before_beginning(context)
        return
    before = run.finally_after
    if run.ending is None:
        steps.decide_steps(context)
        start_ready_steps(context)
    if run.ending is not None or run.open_steps == 0:
        lifecycle.end(context)
    if run.finally_after is not before:
        go_on(context)


def start_ready_steps(context: UpdateContext) -> None:
    """Start as many steps as there is room for."""
    run = context.run
    while run.ready and not run.gave_up and run.has_room:
        step = run.ready.popleft()
        step.queued = False
        attempts.begin_attempt(context, step)


def runner_started(context: UpdateContext, _event: RunnerStarted) -> None:
    """Resume every open attempt, the wait for the deadline, and a cancel that is unfinished.

    A run of a group waits for its turn (rule 10.7).
    """
    if context.run.status is FlowStatus.PENDING and not context.run.is_waiting:
        lifecycle.begin_run(context)
    for attempt in context.run.open_attempts():
        calls.ask_status(context, attempt)
    if context.run.cancel is not None:
        lifecycle.obey_cancel(context, context.run.cancel)
    else:
        lifecycle.await_deadline(context)


def start_answered(context: UpdateContext, event: StartAnswered) -> None:
    """Judge the job that a start answered with."""
    step, attempt = complete_call(context, event.attempt, CallKind.START)
    if attempt is not None:
        attempts.reported(context, step, attempt, event.report)


def start_prevented(context: UpdateContext, event: StartPrevented) -> None:
    """Fail the attempt: nothing of it has run."""
    step, attempt = complete_call(context, event.attempt, CallKind.START)
    if attempt is not None:
        attempts.could_not_start(context, step, attempt, event.reason)


def status_answered(context: UpdateContext, event: StatusAnswered) -> None:
    """Judge the job that a status answered with, or act on its absence."""
    step, attempt = complete_call(context, event.attempt, CallKind.STATUS)
    if attempt is None:
        return
    if event.report is None:
        attempts.status_unknown(context, step, attempt)
    else:
        attempts.reported(context, step, attempt, event.report)


def abort_answered(context: UpdateContext, event: AbortAnswered) -> None:
    """Judge the aborted job, or ask what became of one that had ended before."""
    step, attempt = complete_call(context, event.attempt, CallKind.ABORT)
    if attempt is None:
        return
    if event.report is None:
        calls.ask_status(context, attempt)
    else:
        attempts.reported(context, step, attempt, event.report)


def call_began(context: UpdateContext, event: CallBegan) -> None:
    """Let the time of the call begin."""
    if event.attempt is None:
        calls.poll_began(context)
        return
    _, attempt = find(context, event.attempt)
    if attempt is not None:
        calls.call_began(context, attempt)


def start_called_off(context: UpdateContext, event: StartCalledOff) -> None:
    """Close an attempt that never began and that is to be ended."""
    _, attempt = complete_call(context, event.attempt, CallKind.START)
    if attempt is not None:
        calls.end_remains(context, attempt)


def call_unanswered(context: UpdateContext, event: CallUnanswered) -> None:
    """Try again later, or give up."""
    if event.attempt is None:
        calls.poll_unanswered(context, event.error)
        return
    step, attempt = find(context, event.attempt)
    if attempt is not None and attempt.call is not None:
        attempts.call_unanswered(context, step, attempt, event.error)


def watch_answered(context: UpdateContext, event: WatchAnswered) -> None:
    """Wait for the job's end, or poll for it."""
    _, attempt = complete_call(context, event.attempt, CallKind.WATCH)
    if attempt is not None:
        attempts.watched(context, attempt, event.watch)


def job_exited(context: UpdateContext, event: JobExited) -> None:
    """Ask how the job ended, or look what is left of one that is lost."""
    _, attempt = find(context, event.attempt)
    if attempt is not None:
        attempts.job_exited(context, attempt)


def running_answered(context: UpdateContext, event: RunningAnswered) -> None:
    """Ask for the outcome of every polled job that runs no more."""
    calls.polled(context, event)


def survivors_seen(context: UpdateContext, event: SurvivorsSeen) -> None:
    """Act on a search: for the run's end, before a retry, before a birth, after a loss or abort."""
    if event.attempt is None:
        lifecycle.swept(context, event.survivors)
        return
    step, attempt = find(context, event.attempt)
    if attempt is None:
        steps.survivors_seen(context, step, event.survivors)
    elif attempt.call is CallKind.LOOK:
        calls.answered(context, attempt)
        attempts.looked(context, step, attempt, event.survivors)
    elif attempt.call is CallKind.END:
        calls.answered(context, attempt)
        attempts.remains_seen(context, step, attempt, event.survivors)


def timer_due(context: UpdateContext, event: TimerDue) -> None:
    """Do what the timer was set for, if it still has a meaning."""
    if event.timer is Timer.POLL:
        calls.poll(context)
    elif event.timer is Timer.SWEEP:
        context.run.sweeping = False
    elif event.timer is Timer.DEADLINE:
        lifecycle.begin_timeout(context)
    elif event.attempt is not None:
        attempt_timer_due(context, event.timer, event.attempt)


def attempt_timer_due(context: UpdateContext, timer: Timer, attempt_id: AttemptId) -> None:
    """Do what an attempt's timer was set for, if that attempt is still the step's latest."""
    step, attempt = find(context, attempt_id)
    if step.row.attempt_no != attempt_id.number:
        return
    if attempt is None:
        if timer in (Timer.RETRY, Timer.SURVIVORS) and not step.row.status.is_terminal:
            steps.look_for_survivors(context, step)
        return
    match timer:
        case Timer.TIMEOUT:
            attempts.request_abort(context, attempt, AbortReason.TIMEOUT)
        case Timer.ASK_STATUS if context.now.mono >= attempt.ask_at:
            calls.ask_status(context, attempt)
        case Timer.REMAINS if attempt.call is None:
            calls.look_again(context, attempt)
        case Timer.OVERDUE:
            calls.call_overdue(context, attempt)


def cancel_seen(context: UpdateContext, event: CancelSeen) -> None:
    """Begin to cancel, once, and perhaps to end the steps of `finally` too, once (rule 10.1)."""
    run, now_at = context.run, event.request.now_at
    if run.cancel is None or (now_at is not None and not run.is_to_end_now):
        lifecycle.obey_cancel(context, event.request)


def find(context: UpdateContext, attempt: AttemptId) -> tuple[RunStep, OpenAttempt | None]:
    """Find the step of an event, and its attempt unless that is closed by now."""
    return context.run.steps[attempt.position], context.run.open_attempt(attempt)


def complete_call(
    context: UpdateContext, attempt_id: AttemptId, call: CallKind
) -> tuple[RunStep, OpenAttempt | None]:
    """Find the step and attempt of an answer, and note that the call has come back.

    An answer to a call that is not under way is stale; it finds no attempt.
    """
    step, attempt = find(context, attempt_id)
    if attempt is None or attempt.call is not call:
        return step, None
    calls.answered(context, attempt)
    return step, attempt


HANDLERS: dict[type, Callable[[UpdateContext, Any], None]] = {
    RunnerStarted: runner_started,
    StartAnswered: start_answered,
    StartPrevented: start_prevented,
    StatusAnswered: status_answered,
    AbortAnswered: abort_answered,
    CallBegan: call_began,
    StartCalledOff: start_called_off,
    RunningAnswered: running_answered,
    CallUnanswered: call_unanswered,
    WatchAnswered: watch_answered,
    JobExited: job_exited,
    SurvivorsSeen: survivors_seen,
    TimerDue: timer_due,
    QueueSeen: lifecycle.queue_seen,
    CancelSeen: cancel_seen,
}
