"""The life of a step: decided, run or skipped, retried, finished (rules 3.2 to 3.5).

No attempt runs beside its predecessor: the next attempt waits until all processes of the closed
one have exited (rule 5.8). `StepSpec.delay_after` gives the retry delay; `attempts.fail_attempt`
decides whether a failure is retried (rule 5.4).
"""

from collections.abc import Sequence

from flow_store import StepStatus, attempt_key
from orchesjob_client import DEFAULT_GRACE_SEC, Process
from orchesjob_flow.engine.messages import AttemptId, EndSurvivors, LookForSurvivors, Timer
from orchesjob_flow.engine.state import (
    NO_NEXT_ATTEMPT,
    RunState,
    RunStep,
    UpdateContext,
    known_processes,
    outlived_timeout,
)

LOOK_AGAIN_SEC = 1.0
NAMED_SURVIVORS = 3


def look_for_survivors(context: UpdateContext, step: RunStep) -> None:
    """Look before the next attempt; end survivors that outlive the step's `timeout_sec` (5.5)."""
    if step.looking or step.queued or step.attempt is not None or context.run.ending is not None:
        return
    step.looking = True
    attempt = AttemptId(step.row.position, step.row.attempt_no)
    keys = attempted_keys(context.run, step)
    known = known_processes(context, step.latest)
    if outlived_timeout(context, step):
        context.do(EndSurvivors(attempt, keys, DEFAULT_GRACE_SEC, known))
    else:
        context.do(LookForSurvivors(attempt, keys, known))


def enqueue_or_wait(context: UpdateContext, step: RunStep, survivors: Sequence[Process]) -> None:
    """Let the next attempt begin if no process is left; else wait, and name the processes."""
    if not step.looking or context.run.ending is not None or step.row.status.is_terminal:
        return  # the early end may be over by now, and `finally` running
    step.looking = False
    if not survivors:
        context.run.enqueue(step)
        return
    names = name_processes(survivors)
    error = f"waiting for attempt {step.row.attempt_no} to exit: {names}; kill it to continue"
    if (step.row.status, step.row.error) != (StepStatus.DELAYED, error):
        context.record_step(step, status=StepStatus.DELAYED, error=error)
    attempt = AttemptId(step.row.position, step.row.attempt_no)
    context.set_timer(LOOK_AGAIN_SEC, Timer.SURVIVORS, attempt)


def name_processes(processes: Sequence[Process]) -> str:
    """Name processes for a message: the first few by their commands, the rest by their number."""
    named = [f"pid {p.pid} ({p.command})" for p in processes[:NAMED_SURVIVORS]]
    rest = len(processes) - len(named)
    return ", ".join([*named, f"and {rest} more"] if rest else named)


def attempted_keys(run: RunState, step: RunStep) -> list[str]:
    """List the keys of the attempts at which a step has been started so far.

    Without the keys of foreign jobs: their processes have the same mark (rule 5.9).
    """
    numbers = set(range(1, step.row.attempt_no + 1)) - step.foreign_numbers
    return [attempt_key(run.run_key, step.spec.id, number) for number in sorted(numbers)]


def retry_step(context: UpdateContext, step: RunStep, error: str) -> None:
    """Let a step whose attempt has failed wait for its next one (rule 5.4)."""
    delay_sec = step.spec.delay_after(step.row.failures)
    if context.run.ending is not None:
        return
    if delay_sec > 0:
        context.record_step(
            step,
            status=StepStatus.DELAYED,
            error=error,
            next_attempt_at=context.now.wall + delay_sec,
            next_attempt_mono=context.now.mono + delay_sec,
            next_attempt_boot=context.now.boot,
        )
    else:
        context.record_step(step, status=StepStatus.PENDING, error=error)
    await_attempt(context, step)


def await_attempt(context: UpdateContext, step: RunStep) -> None:
    """Wait for the rest of a recorded delay, on the monotonic clock where that counts (5.10)."""
    row = step.row
    if row.attempt_no == 0:
        context.run.enqueue(step)
        return
    at, mono, boot = row.next_attempt_at, row.next_attempt_mono, row.next_attempt_boot
    if at is None or mono is None or boot is None:
        remaining = 0.0
    else:
        remaining = context.remaining_sec(at, mono, boot, step.spec.delay_after(row.failures))
    if remaining > 0:
        context.set_timer(remaining, Timer.RETRY, AttemptId(row.position, row.attempt_no))
    else:
        look_for_survivors(context, step)


def decide_steps(context: UpdateContext) -> None:
    """Run or skip every step whose waits are over; a skip may end the waits of others.

    In a run that is being ended no step runs: one that would is cancelled (rule 5.6). What
    `--until` leaves out is skipped at once (rule 6.14).
    """
    for step in context.run.newly_decidable():
        if step.spec.id in context.run.left_out or not is_due(context.run, step):
            finish_step(context, step, StepStatus.SKIPPED, error=None)
        elif context.run.ending is not None:
            continue
        elif step.attempt is None and not context.run.lanes.wait(step.row):
            await_attempt(context, step)
    if context.run.ending is None:
        for position in context.run.lanes.let_in():
            await_attempt(context, context.run.steps[position])


def is_due(run: RunState, step: RunStep) -> bool:
    """Tell whether the condition of a step is true, now that its waits are over."""
    condition = step.spec.condition
    return condition is None or condition.evaluate(run.holds) is True


def finish_step(
    context: UpdateContext,
    step: RunStep,
    status: StepStatus,
    error: str | None,
    ended_at: float | None = None,
) -> None:
    """Give a step its terminal status; `ended_at` is None if it ends now."""
    if ended_at is None:
        ended_at = context.wall_after(step.row.started_at)
    context.record_step(step, status=status, error=error, finished_at=ended_at, **NO_NEXT_ATTEMPT)
    context.run.release_slot(step)
    context.run.open_steps -= 1
    context.run.lanes.leave(step.row)
    if status is StepStatus.FAILED:
        context.run.note_failure(step.spec.id)
    if status is not StepStatus.CANCELLED:
        context.run.plan.done(step.spec.id)
