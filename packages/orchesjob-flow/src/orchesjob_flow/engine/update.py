"""The engine's entry point: which rule answers which event, and how a run begins and ends.

`update` is deterministic and reaches only the run that it is given. The rows in memory go one
commit ahead of the store's; the decision says what that commit must hold.

A run begins at once, or, in a group, when it is the first in the queue (rules 9.12 and 10.7). The
store guards that no other run of the group is active then. A run ends by itself or early; then
`finally` runs, and only then is the end recorded (rule 10.1).
"""

from collections.abc import Callable, Sequence
from typing import Any

from flow_spec import FlowSpec
from flow_store import CancelRequest, Deadline, Outcome, RunHeader, RunStatus, StepStatus
from orchesjob_client import Process
from orchesjob_flow.clock import Now
from orchesjob_flow.engine import attempts, calls, steps
from orchesjob_flow.engine.messages import (
    AbortAnswered,
    AttemptId,
    CallBegan,
    CallUnanswered,
    CancelSeen,
    EndSurvivors,
    Event,
    FilesChecked,
    FilesNoted,
    JobExited,
    NoteFiles,
    QueueSeen,
    RunnerStarted,
    RunningAnswered,
    StartAnswered,
    StartCalledOff,
    StartJob,
    StartPrevented,
    StatusAnswered,
    SurvivorsSeen,
    Timer,
    TimerDue,
    Warn,
    WatchAnswered,
)
from orchesjob_flow.engine.state import (
    AbortReason,
    CallKind,
    Decision,
    OpenAttempt,
    RunState,
    RunStep,
    UpdateContext,
    grace_sec,
    known_processes,
)
from orchesjob_flow.errors import Passing


def update(run: RunState, event: Event, now: Now, decision: Decision | None = None) -> Decision:
    """Say what an event means: what to record, and then what to do.

    With `decision` the answer is added to an earlier one that is not committed yet. An event that
    arrives after the run's end, or is about a closed attempt, changes nothing.
    """
    context = UpdateContext(run, now, Decision() if decision is None else decision)
    if run.status.is_terminal:
        return context.decision
    HANDLERS[type(event)](context, event)
    advance(context)
    return context.decision


def advance(context: UpdateContext) -> None:
    """Decide everything that can be decided now; again when `finally` begins (rule 10.1)."""
    run = context.run
    if run.is_waiting:
        if run.cancel is not None:
            end_before_beginning(context)
        return
    before = run.finally_after
    steps.decide_steps(context)
    start_ready_steps(context)
    if run.ending is not None or run.open_steps == 0:
        wind_down(context)
    if run.finally_after is not before:
        advance(context)


def start_ready_steps(context: UpdateContext) -> None:
    """Start as many steps as there is room for."""
    run = context.run
    while run.ready and not run.gave_up and run.has_room:
        step = run.ready.popleft()
        step.queued = False
        attempts.begin_attempt(context, step)


def on_runner_started(context: UpdateContext, _event: RunnerStarted) -> None:
    """Resume every open attempt, the wait for the deadline, and a cancel that is unfinished.

    A run of a group waits until it is the first in the queue (rule 10.7).
    """
    if context.run.status is RunStatus.PENDING and not context.run.is_waiting:
        begin_run(context)
    for attempt in context.run.open_attempts():
        calls.ask_status(context, attempt)
    if context.run.cancel is not None:
        obey_cancel(context, context.run.cancel)
    else:
        await_deadline(context)


def on_files_noted(context: UpdateContext, event: FilesNoted) -> None:
    """Start the job of an attempt whose files are noted, or fail it: nothing of it has run."""
    attempt = complete_call(context, event.attempt, CallKind.NOTE)
    if attempt is not None:
        attempts.start_noted(context, attempt, event)


def on_files_checked(context: UpdateContext, event: FilesChecked) -> None:
    """Let the attempt succeed, or fail by what it has not written."""
    attempt = complete_call(context, event.attempt, CallKind.CHECK)
    if attempt is not None:
        attempts.finish_checked(context, attempt, event.flaw)


def on_start_answered(context: UpdateContext, event: StartAnswered) -> None:
    """Judge the job that a start answered with."""
    attempt = complete_call(context, event.attempt, CallKind.START)
    if attempt is not None:
        attempts.act_on_report(context, attempt, event.report)


def on_start_prevented(context: UpdateContext, event: StartPrevented) -> None:
    """Start the attempt without some files, or fail it: nothing of it has run."""
    attempt = complete_call(context, event.attempt, CallKind.START)
    if attempt is None:
        return
    if event.without and attempt.row.abort_reason is None:
        attempts.start_without(context, attempt, event)
    else:
        attempts.fail_start(context, attempt, event.reason)


def on_status_answered(context: UpdateContext, event: StatusAnswered) -> None:
    """Judge the job that a status answered with, or act on its absence."""
    attempt = complete_call(context, event.attempt, CallKind.STATUS)
    if attempt is None:
        return
    if event.report is None:
        attempts.act_on_unknown_key(context, attempt)
    else:
        attempts.act_on_report(context, attempt, event.report)


def on_abort_answered(context: UpdateContext, event: AbortAnswered) -> None:
    """Judge the aborted job, or ask what became of one that had ended before."""
    attempt = complete_call(context, event.attempt, CallKind.ABORT)
    if attempt is None:
        return
    if event.report is None:
        calls.ask_status(context, attempt)
    else:
        attempts.act_on_report(context, attempt, event.report)


def on_call_began(context: UpdateContext, event: CallBegan) -> None:
    """Start the time limit of a call."""
    if event.attempt is None:
        calls.begin_poll(context)
        return
    attempt = context.run.open_attempt(event.attempt)
    if attempt is not None:
        calls.begin_call(context, attempt)


def on_start_called_off(context: UpdateContext, event: StartCalledOff) -> None:
    """Close an attempt that never began and that is to be ended."""
    attempt = complete_call(context, event.attempt, CallKind.START)
    if attempt is not None:
        calls.end_left_behind(context, attempt)


def on_call_unanswered(context: UpdateContext, event: CallUnanswered) -> None:
    """Try again later, or give up."""
    if event.attempt is None:
        calls.repeat_poll(context, event.error)
        return
    attempt = context.run.open_attempt(event.attempt)
    if attempt is not None and attempt.call is not None:
        attempts.act_on_no_answer(context, attempt, event.error)


def on_watch_answered(context: UpdateContext, event: WatchAnswered) -> None:
    """Wait for the end of the job, or poll for it."""
    attempt = complete_call(context, event.attempt, CallKind.WATCH)
    if attempt is not None:
        if event.foreign_target is not None:
            attempts.record_processes(context, attempt, [event.foreign_target])
        attempts.act_on_watch(context, attempt, event.watch)


def on_job_exited(context: UpdateContext, event: JobExited) -> None:
    """Ask how the job ended, or look for processes of a lost one."""
    attempt = context.run.open_attempt(event.attempt)
    if attempt is not None:
        attempts.act_on_exit(context, attempt)


def on_running_answered(context: UpdateContext, event: RunningAnswered) -> None:
    """Ask for the outcome of every polled job that no longer runs."""
    calls.act_on_poll(context, event)


def on_survivors_seen(context: UpdateContext, event: SurvivorsSeen) -> None:
    """Act on the processes that were found: for the run, a closed attempt or an open one."""
    if event.attempt is None:
        act_on_run_survivors(context, event.survivors)
        return
    step, attempt = find(context, event.attempt)
    if attempt is None:
        steps.enqueue_or_wait(context, step, event.survivors)
    elif attempt.call is CallKind.LOOK:
        calls.note_answer(context, attempt)
        attempts.act_on_look(context, attempt, event.survivors)
    elif attempt.call is CallKind.END:
        calls.note_answer(context, attempt)
        attempts.close_if_ended(context, attempt, event.survivors)


def on_timer_due(context: UpdateContext, event: TimerDue) -> None:
    """Do what the timer was set for, if that is still needed."""
    if event.timer is Timer.POLL:
        calls.poll(context)
    elif event.timer is Timer.RUN_SURVIVORS:
        context.run.ending_survivors = False
    elif event.timer is Timer.DEADLINE:
        begin_timeout(context)
    elif event.attempt is not None:
        on_attempt_timer_due(context, event.timer, event.attempt)


def on_attempt_timer_due(context: UpdateContext, timer: Timer, attempt_id: AttemptId) -> None:
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
        case Timer.OPEN_SURVIVORS if attempt.call is None:
            calls.look_again(context, attempt)
        case Timer.OVERDUE:
            attempts.act_on_overdue(context, attempt)


def on_cancel_seen(context: UpdateContext, event: CancelSeen) -> None:
    """Begin to cancel, and perhaps to end the steps of `finally` too (rule 10.1)."""
    obey_cancel(context, event.request)


def find(context: UpdateContext, attempt: AttemptId) -> tuple[RunStep, OpenAttempt | None]:
    """Find the step of an event, and its attempt unless that has been closed."""
    return context.run.steps[attempt.position], context.run.open_attempt(attempt)


def complete_call(
    context: UpdateContext, attempt_id: AttemptId, call: CallKind
) -> OpenAttempt | None:
    """Find the attempt of an answer, and note that the call has returned.

    An answer to a call that is not in progress is stale; it finds no attempt.
    """
    attempt = context.run.open_attempt(attempt_id)
    if attempt is None or attempt.call is not call:
        return None
    calls.note_answer(context, attempt)
    return attempt


def header_at_start(flow: FlowSpec, now: Now) -> RunHeader:
    """Return the header of a run that begins now, with the deadline from its `timeout_sec`."""
    limit = flow.timeout_sec
    deadline = None if limit is None else Deadline(now.wall + limit, now.mono + limit, now.boot)
    return RunHeader(RunStatus.RUNNING, deadline=deadline)


def begin_run(context: UpdateContext) -> None:
    """Record that the run has begun."""
    context.run.deadline = header_at_start(context.run.flow, context.now).deadline
    context.record_run(RunStatus.RUNNING, None)


def on_queue_seen(context: UpdateContext, event: QueueSeen) -> None:
    """Begin if no run of the group is active, and no earlier one has a runner (rule 10.7).

    Warn once about each run that holds the group.
    """
    run, queue = context.run, event.queue
    if not run.is_waiting or run.cancel is not None:
        return
    if queue.holder is None and not event.with_runner:
        context.decision.changes.passes = frozenset(queue.waiting)
        begin_run(context)
        await_deadline(context)
    elif queue.holder is not None and queue.holder != run.reported_holder:
        run.reported_holder = queue.holder
        group = "" if run.group is None else run.group.name
        soon = ", which is to be cancelled" if event.holder_is_to_end else ""
        held = f"held by run {queue.holder!r}{soon}"
        waits = Passing(f"run {run.run_key!r} waits for group {group!r}, {held}")
        context.do(Warn(waits))


def end_before_beginning(context: UpdateContext) -> None:
    """End a run that is cancelled while it waits for its group: nothing of it runs (rule 10.7).

    If only steps of `finally` were to run again, a failure before them is not hidden (rule 10.1).
    """
    outcome = outcome_of(context.run)
    for step in context.run.steps:
        if not step.row.status.is_terminal:
            steps.finish_step(context, step, StepStatus.CANCELLED, context.run.ending_error)
    finish_run(context, outcome if outcome is Outcome.FAILED else Outcome.CANCELLED)


def obey_cancel(context: UpdateContext, request: CancelRequest) -> None:
    """Obey a request to cancel the run; the steps of `finally` run on unless it is for them too.

    To obey it again changes nothing: what has begun to end is not ended twice.
    """
    context.run.cancel = request
    if context.run.ending is not None:
        end_attempts(context, AbortReason.CANCEL)


def await_deadline(context: UpdateContext) -> None:
    """Wait for the end of the run's time, unless it is over already.

    If an earlier runner has begun to end the run for that reason, the run is ended, even if the
    clock was set back since.
    """
    run, limit = context.run, context.run.flow.timeout_sec
    if run.deadline is None or limit is None:
        return
    remaining = context.remaining_sec(*run.deadline, at_most=limit)
    if remaining > 0 and not run.timeout_begun:
        context.set_timer(remaining, Timer.DEADLINE)
    else:
        begin_timeout(context)


def begin_timeout(context: UpdateContext) -> None:
    """End a run that is not being ended already, and whose steps have not ended in time.

    `finally` has no such limit (rule 10.1).
    """
    if (
        context.run.ending is None
        and context.run.finally_after is None
        and context.run.open_steps > 0
    ):
        context.run.timed_out = True
        context.do(Warn(f"the run {timeout_words(context.run)}; ending what still runs"))
        end_attempts(context, AbortReason.FLOW_TIMEOUT)


def end_attempts(context: UpdateContext, reason: AbortReason) -> None:
    """Start nothing more, not even what this update has decided, and abort what runs."""
    context.run.ready.clear()
    withdraw_starts(context)
    for attempt in list(context.run.open_attempts()):
        attempts.request_abort(context, attempt, reason)


STARTS = (NoteFiles, StartJob)


def withdraw_starts(context: UpdateContext) -> None:
    """Take back the starts that are decided but not committed: none has been performed."""
    starts = [effect for effect in context.decision.effects if isinstance(effect, STARTS)]
    for start in starts:
        context.decision.effects.remove(start)
        step = context.run.steps[start.attempt.position]
        if step.attempt is not None:
            attempts.withdraw_start(context, step.attempt)


def wind_down(context: UpdateContext) -> None:
    """Once no attempt is open, end the processes that are left, and then conclude.

    A run that ends by itself and has no `finally` does not end the processes that it has left.
    """
    run = context.run
    if run.status.is_terminal or run.ending_survivors or any(run.open_attempts()):
        return
    # Before `finally`: its steps may depend on files that a survivor of a failed step still writes.
    ends_survivors = run.ending is not None or run.flow.finally_
    # A step that succeeded keeps its processes: leaving one behind may be its purpose.
    unsuccessful = [
        step
        for step in run.active_steps
        if ends_survivors and step.row.status is not StepStatus.SUCCEEDED
    ]
    keys = [key for step in unsuccessful for key in steps.attempted_keys(run, step)]
    if not keys:
        conclude(context)
        return
    run.ending_survivors = True
    known = tuple(one for step in unsuccessful for one in known_processes(context, step.latest))
    context.do(EndSurvivors(None, keys, grace_sec(run, run.ending), known))


def act_on_run_survivors(context: UpdateContext, survivors: Sequence[Process]) -> None:
    """Finish if no process is left alive; else name the processes, and try again."""
    run = context.run
    if not run.ending_survivors:
        return
    if not survivors:
        run.ending_survivors = False
        conclude(context)
        return
    error = f"{why_ended(run)}, but these cannot be ended: {steps.name_processes(survivors)}"
    if run.error != error:
        context.record_run(RunStatus.RUNNING, error)
    context.set_timer(attempts.END_AGAIN_SEC, Timer.RUN_SURVIVORS)


def why_ended(run: RunState) -> str:
    """Say why the processes of a run are being ended."""
    match run.ending:
        case AbortReason.CANCEL:
            return "cancel requested"
        case AbortReason.FLOW_TIMEOUT:
            return timeout_words(run)
        case _:
            return "all steps have ended"


def conclude(context: UpdateContext) -> None:
    """Cancel the active steps that have not ended; then begin `finally`, or end the run."""
    run = context.run
    outcome = outcome_of(run)
    for step in run.active_steps:
        if not step.row.status.is_terminal:
            steps.finish_step(context, step, StepStatus.CANCELLED, run.ending_error)
    if run.finally_after is None and run.flow.finally_:
        run.begin_finally(outcome)
        context.record_run(RunStatus.RUNNING, None)
    else:
        finish_run(context, outcome)


def outcome_of(run: RunState) -> Outcome:
    """Return how the active steps, and with them the run, have ended (rules 5.1, 5.6, 9.12).

    If every step has ended by itself in the meantime, the run was not cancelled and did not time
    out. `finally` hides neither a cancel nor a timeout, and the end of one of its steps hides no
    failure (rule 10.1).
    """
    if run.finally_after in (Outcome.CANCELLED, Outcome.TIMED_OUT):
        return run.finally_after
    if run.ending is AbortReason.FLOW_TIMEOUT and run.open_steps > 0:
        return Outcome.TIMED_OUT
    # A step that was cancelled earlier, and not retried, counts too.
    early = [step for step in run.decisive_steps if step.row.status is StepStatus.CANCELLED]
    is_cut = bool(early) or run.open_steps > 0
    if is_cut and run.finally_after is None:
        return Outcome.CANCELLED
    if failed_steps(run):
        return Outcome.FAILED
    return Outcome.CANCELLED if is_cut else Outcome.SUCCEEDED


def failed_steps(run: RunState) -> list[str]:
    """List the steps that make the run fail: FAILED, without `allow_failure` (rule 9.12)."""
    return [
        step.spec.id
        for step in run.decisive_steps
        if step.row.status is StepStatus.FAILED and not step.spec.allow_failure
    ]


def finish_run(context: UpdateContext, outcome: Outcome) -> None:
    """Record the end of the run (rule 5.1)."""
    match outcome:
        case Outcome.SUCCEEDED:
            context.record_run(RunStatus.SUCCEEDED, None)
        case Outcome.CANCELLED:
            successor = context.run.cancel and context.run.cancel.successor
            error = None if successor is None else f"replaced by run {successor!r}"
            context.record_run(RunStatus.CANCELLED, error)
        case Outcome.TIMED_OUT:
            context.record_run(RunStatus.FAILED, timeout_words(context.run))
        case Outcome.FAILED:
            failed = failed_steps(context.run)
            noun = "step" if len(failed) == 1 else "steps"
            context.record_run(
                RunStatus.FAILED, f"{len(failed)} {noun} failed: {', '.join(failed)}"
            )


def timeout_words(run: RunState) -> str:
    """Return the words with which a run that took too long ends."""
    return f"timed out after {run.flow.timeout_sec:g} s"


HANDLERS: dict[type, Callable[[UpdateContext, Any], None]] = {
    RunnerStarted: on_runner_started,
    FilesNoted: on_files_noted,
    StartAnswered: on_start_answered,
    StartPrevented: on_start_prevented,
    StatusAnswered: on_status_answered,
    AbortAnswered: on_abort_answered,
    CallBegan: on_call_began,
    StartCalledOff: on_start_called_off,
    RunningAnswered: on_running_answered,
    CallUnanswered: on_call_unanswered,
    WatchAnswered: on_watch_answered,
    JobExited: on_job_exited,
    FilesChecked: on_files_checked,
    SurvivorsSeen: on_survivors_seen,
    TimerDue: on_timer_due,
    QueueSeen: on_queue_seen,
    CancelSeen: on_cancel_seen,
}
