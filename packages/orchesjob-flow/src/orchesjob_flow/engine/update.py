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
from orchesjob_flow.engine.state import AbortReason, Call, OpenAttempt, RunState, RunStep
from orchesjob_flow.engine.update_context import Decision, Turn


def update(run: RunState, event: Event, now: Now, decision: Decision | None = None) -> Decision:
    """Say what an event means: what to record, and then what to do.

    With `decision` the answer is added to an earlier one that is not committed yet. An event that
    comes after the run's end, or about an attempt that is closed, changes nothing.
    """
    turn = Turn(run, now, Decision() if decision is None else decision)
    if run.status.is_terminal:
        return turn.decision
    HANDLERS[type(event)](turn, event)
    go_on(turn)
    return turn.decision


def go_on(turn: Turn) -> None:
    """Decide what can be decided now; once more when the steps of `finally` begin (rule 10.1)."""
    run = turn.run
    if run.is_waiting:
        if run.cancel is not None:
            lifecycle.end_before_beginning(turn)
        return
    before = run.finally_after
    if run.ending is None:
        steps.decide_steps(turn)
        start_ready_steps(turn)
    if run.ending is not None or run.open_steps == 0:
        lifecycle.end(turn)
    if run.finally_after is not before:
        go_on(turn)


def start_ready_steps(turn: Turn) -> None:
    """Start as many steps as there is room for."""
    run = turn.run
    while run.ready and not run.gave_up and run.has_room:
        step = run.ready.popleft()
        step.queued = False
        attempts.begin_attempt(turn, step)


def runner_started(turn: Turn, _event: RunnerStarted) -> None:
    """Resume every open attempt, the wait for the deadline, and a cancel that is unfinished.

    A run of a group waits for its turn (rule 10.7).
    """
    if turn.run.status is FlowStatus.PENDING and not turn.run.is_waiting:
        lifecycle.begin_run(turn)
    for attempt in turn.run.open_attempts():
        calls.ask_status(turn, attempt)
    if turn.run.cancel is not None:
        lifecycle.obey_cancel(turn, turn.run.cancel)
    else:
        lifecycle.await_deadline(turn)


def start_answered(turn: Turn, event: StartAnswered) -> None:
    """Judge the job that a start answered with."""
    step, attempt = settle_call(turn, event.attempt, Call.START)
    if attempt is not None:
        attempts.reported(turn, step, attempt, event.report)


def start_prevented(turn: Turn, event: StartPrevented) -> None:
    """Fail the attempt: nothing of it has run."""
    step, attempt = settle_call(turn, event.attempt, Call.START)
    if attempt is not None:
        attempts.could_not_start(turn, step, attempt, event.reason)


def status_answered(turn: Turn, event: StatusAnswered) -> None:
    """Judge the job that a status answered with, or act on its absence."""
    step, attempt = settle_call(turn, event.attempt, Call.STATUS)
    if attempt is None:
        return
    if event.report is None:
        attempts.status_unknown(turn, step, attempt)
    else:
        attempts.reported(turn, step, attempt, event.report)


def abort_answered(turn: Turn, event: AbortAnswered) -> None:
    """Judge the aborted job, or ask what became of one that had ended before."""
    step, attempt = settle_call(turn, event.attempt, Call.ABORT)
    if attempt is None:
        return
    if event.report is None:
        calls.ask_status(turn, attempt)
    else:
        attempts.reported(turn, step, attempt, event.report)


def call_began(turn: Turn, event: CallBegan) -> None:
    """Let the time of the call begin."""
    if event.attempt is None:
        calls.poll_began(turn)
        return
    _, attempt = find(turn, event.attempt)
    if attempt is not None:
        calls.call_began(turn, attempt)


def start_called_off(turn: Turn, event: StartCalledOff) -> None:
    """Close an attempt that never began and that is to be ended."""
    _, attempt = settle_call(turn, event.attempt, Call.START)
    if attempt is not None:
        calls.end_remains(turn, attempt)


def call_unanswered(turn: Turn, event: CallUnanswered) -> None:
    """Try again later, or give up."""
    if event.attempt is None:
        calls.poll_unanswered(turn, event.error)
        return
    step, attempt = find(turn, event.attempt)
    if attempt is not None and attempt.call is not None:
        attempts.call_unanswered(turn, step, attempt, event.error)


def watch_answered(turn: Turn, event: WatchAnswered) -> None:
    """Wait for the job's end, or poll for it."""
    _, attempt = settle_call(turn, event.attempt, Call.WATCH)
    if attempt is not None:
        attempts.watched(turn, attempt, event.watch)


def job_exited(turn: Turn, event: JobExited) -> None:
    """Ask how the job ended, or look what is left of one that is lost."""
    _, attempt = find(turn, event.attempt)
    if attempt is not None:
        attempts.job_exited(turn, attempt)


def running_answered(turn: Turn, event: RunningAnswered) -> None:
    """Ask for the outcome of every polled job that runs no more."""
    calls.polled(turn, event)


def survivors_seen(turn: Turn, event: SurvivorsSeen) -> None:
    """Act on a search: for the run's end, before a retry, before a birth, after a loss or abort."""
    if event.attempt is None:
        lifecycle.swept(turn, event.survivors)
        return
    step, attempt = find(turn, event.attempt)
    if attempt is None:
        steps.survivors_seen(turn, step, event.survivors)
    elif attempt.call is Call.LOOK:
        calls.answered(turn, attempt)
        attempts.looked(turn, step, attempt, event.survivors)
    elif attempt.call is Call.END:
        calls.answered(turn, attempt)
        attempts.remains_seen(turn, step, attempt, event.survivors)


def timer_due(turn: Turn, event: TimerDue) -> None:
    """Do what the timer was set for, if it still has a meaning."""
    if event.timer is Timer.POLL:
        calls.poll(turn)
    elif event.timer is Timer.SWEEP:
        turn.run.sweeping = False
    elif event.timer is Timer.DEADLINE:
        lifecycle.begin_timeout(turn)
    elif event.attempt is not None:
        attempt_timer_due(turn, event.timer, event.attempt)


def attempt_timer_due(turn: Turn, timer: Timer, attempt_id: AttemptId) -> None:
    """Do what an attempt's timer was set for, if that attempt is still the step's latest."""
    step, attempt = find(turn, attempt_id)
    if step.row.attempt_no != attempt_id.number:
        return
    if attempt is None:
        if timer in (Timer.RETRY, Timer.SURVIVORS) and not step.row.status.is_terminal:
            steps.look_for_survivors(turn, step)
        return
    match timer:
        case Timer.TIMEOUT:
            attempts.request_abort(turn, attempt, AbortReason.TIMEOUT)
        case Timer.ASK_STATUS if turn.now.mono >= attempt.ask_at:
            calls.ask_status(turn, attempt)
        case Timer.REMAINS if attempt.call is None:
            calls.look_again(turn, attempt)
        case Timer.OVERDUE:
            calls.call_overdue(turn, attempt)


def cancel_seen(turn: Turn, event: CancelSeen) -> None:
    """Begin to cancel, once, and perhaps to end the steps of `finally` too, once (rule 10.1)."""
    run, now_at = turn.run, event.request.now_at
    if run.cancel is None or (now_at is not None and not run.is_to_end_now):
        lifecycle.obey_cancel(turn, event.request)


def find(turn: Turn, attempt: AttemptId) -> tuple[RunStep, OpenAttempt | None]:
    """Find the step of an event, and its attempt unless that is closed by now."""
    return turn.run.steps[attempt.position], turn.run.open_attempt(attempt)


def settle_call(
    turn: Turn, attempt_id: AttemptId, call: Call
) -> tuple[RunStep, OpenAttempt | None]:
    """Find the step and attempt of an answer, and note that the call has come back.

    An answer to a call that is not under way is stale; it finds no attempt.
    """
    step, attempt = find(turn, attempt_id)
    if attempt is None or attempt.call is not call:
        return step, None
    calls.answered(turn, attempt)
    return step, attempt


HANDLERS: dict[type, Callable[[Turn, Any], None]] = {
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
