"""How a run begins and ends.

A run begins at once, or, in a group, when its turn comes (rules 9.12 and 10.7); the store guards
that no other run of the group is active then. A run ends by itself or early; then `finally` runs,
and only then is the end recorded (rule 10.1).
"""

from collections.abc import Sequence

from flow_spec import FlowSpec
from flow_store import CancelRequest, Deadline, FlowStatus, Outcome, RunHeader, StepStatus
from orchesjob_client import Process
from orchesjob_flow.clock import Now
from orchesjob_flow.engine.attempts import request_abort, withdraw_start
from orchesjob_flow.engine.messages import EndSurvivors, QueueSeen, StartJob, Timer, Warn
from orchesjob_flow.engine.state import AbortReason, RunState
from orchesjob_flow.engine.steps import attempted_keys, finish_step, name_processes
from orchesjob_flow.engine.update_context import UpdateContext, grace_sec

SWEEP_AGAIN_SEC = 1.0


def obey_cancel(context: UpdateContext, request: CancelRequest) -> None:
    """Obey a request to cancel the run; the steps of `finally` run on unless it is for them too."""
    context.run.cancel = request
    if context.run.ending is not None:
        end_attempts(context, AbortReason.CANCEL)


def end_before_beginning(context: UpdateContext) -> None:
    """End a run that is cancelled while it waits for its group: nothing of it runs (rule 10.7)."""
    for step in context.run.steps:
        if not step.row.status.is_terminal:
            finish_step(context, step, StepStatus.CANCELLED, context.run.ending_error)
    finish_run(context, Outcome.CANCELLED)


def await_deadline(context: UpdateContext) -> None:
    """Wait for the end of the run's time, unless it is over already.

    If an earlier runner has begun to end the run for that reason, it is ended, whatever the clock
    says since.
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
    """Start nothing more, what this very turn has decided included, and abort what runs."""
    context.run.ready.clear()
    withdraw_starts(context)
    for attempt in list(context.run.open_attempts()):
        request_abort(context, attempt, reason)


def withdraw_starts(context: UpdateContext) -> None:
    """Take back the starts that are decided but not committed: none has been performed."""
    starts = [effect for effect in context.decision.effects if isinstance(effect, StartJob)]
    for start in starts:
        context.decision.effects.remove(start)
        step = context.run.steps[start.attempt.position]
        if step.attempt is not None:
            withdraw_start(context, step, step.attempt)


def end(context: UpdateContext) -> None:
    """Once no attempt is open, end what is left alive, and go on from there.

    A run that ends by itself and has no `finally` leaves alone what its steps have left.
    """
    run = context.run
    if run.status.is_terminal or run.sweeping or any(run.open_attempts()):
        return
    is_swept = run.ending is not None or run.flow.finally_
    keys = keys_of_unsuccessful_steps(run) if is_swept else []
    if not keys:
        finish(context)
        return
    run.sweeping = True
    context.do(EndSurvivors(None, keys, grace_sec(run, run.ending)))


def keys_of_unsuccessful_steps(run: RunState) -> list[str]:
    """List the keys whose processes must be gone.

    Those of a step that succeeded are left alone: to leave a process behind may be its purpose.
    """
    return [
        key
        for step in run.under_way
        if step.row.status is not StepStatus.SUCCEEDED
        for key in attempted_keys(run, step)
    ]


def swept(context: UpdateContext, survivors: Sequence[Process]) -> None:
    """Go on if nothing is left alive; else name what is, and try again."""
    run = context.run
    if not run.sweeping:
        return
    if not survivors:
        run.sweeping = False
        finish(context)
        return
    error = f"{why_swept(run)}, but these cannot be ended: {name_processes(survivors)}"
    if run.error != error:
        context.record_run(FlowStatus.RUNNING, error)
    context.set_timer(SWEEP_AGAIN_SEC, Timer.SWEEP)


def why_swept(run: RunState) -> str:
    """Say why nothing of a run may be alive any more."""
    match run.ending:
        case AbortReason.CANCEL:
            return "cancel requested"
        case AbortReason.FLOW_TIMEOUT:
            return timeout_words(run)
        case _:
            return "all steps have ended"


def finish(context: UpdateContext) -> None:
    """Cancel what of the steps under way has not ended; then begin `finally`, or end the run."""
    run = context.run
    outcome = outcome_of(run)
    for step in run.under_way:
        if not step.row.status.is_terminal:
            finish_step(context, step, StepStatus.CANCELLED, run.ending_error)
    if run.finally_after is None and run.flow.finally_:
        run.begin_finally(outcome)
        context.record_run(FlowStatus.RUNNING, None)
    else:
        finish_run(context, outcome)


def outcome_of(run: RunState) -> Outcome:
    """Say how the steps under way have ended, and with them the run (rules 5.1, 5.6 and 9.12).

    If the last step has ended by itself meanwhile, the run did not time out. `finally` hides
    neither a cancel nor a timeout (rule 10.1).
    """
    if run.finally_after in (Outcome.CANCELLED, Outcome.TIMED_OUT):
        return run.finally_after
    if run.finally_after is None and run.ending is AbortReason.CANCEL:
        return Outcome.CANCELLED
    if run.ending is AbortReason.FLOW_TIMEOUT and run.open_steps > 0:
        return Outcome.TIMED_OUT
    if failed_steps(run):
        return Outcome.FAILED
    # An end that is early, or one of an earlier time that was not retried.
    early = any(step.row.status is StepStatus.CANCELLED for step in run.ended_with)
    return Outcome.CANCELLED if early or run.open_steps > 0 else Outcome.SUCCEEDED


def failed_steps(run: RunState) -> list[str]:
    """List the steps that make the run fail: FAILED, and that is not allowed (rule 9.12)."""
    return [
        step.spec.id
        for step in run.ended_with
        if step.row.status is StepStatus.FAILED and not step.spec.allow_failure
    ]


def finish_run(context: UpdateContext, outcome: Outcome) -> None:
    """Record the end of the run (rule 5.1)."""
    match outcome:
        case Outcome.SUCCEEDED:
            context.record_run(FlowStatus.SUCCEEDED, None)
        case Outcome.CANCELLED:
            context.record_run(FlowStatus.CANCELLED, None)
        case Outcome.TIMED_OUT:
            context.record_run(FlowStatus.FAILED, timeout_words(context.run))
        case Outcome.FAILED:
            failed = failed_steps(context.run)
            noun = "step" if len(failed) == 1 else "steps"
            context.record_run(
                FlowStatus.FAILED, f"{len(failed)} {noun} failed: {', '.join(failed)}"
            )


def timeout_words(run: RunState) -> str:
    """Return the words with which a run that took too long ends."""
    return f"timed out after {run.flow.timeout_sec:g} s"


def beginning(flow: FlowSpec, now: Now) -> RunHeader:
    """Say what is recorded of a run that begins: among it, when its `timeout_sec` will be over."""
    limit = flow.timeout_sec
    deadline = None if limit is None else Deadline(now.wall + limit, now.mono + limit, now.boot)
    return RunHeader(FlowStatus.RUNNING, deadline=deadline)


def begin_run(context: UpdateContext) -> None:
    """Record that the run has begun."""
    context.run.deadline = beginning(context.run.flow, context.now).deadline
    context.record_run(FlowStatus.RUNNING, None)


def queue_seen(context: UpdateContext, event: QueueSeen) -> None:
    """Begin if it is the run's turn: nobody is under way, and nobody with a runner came earlier.

    Who holds the group is said once for each.
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
        context.do(
            Warn(f"run {run.run_key!r} waits for group {group!r}, held by run {queue.holder!r}")
        )
