"""From one attempt of a step to the next: the retry delay, and what comes after it (rule 5.4).

`StepSpec.delay_after` says how long the delay is; `outcomes` decides whether a failure is retried.
What the command `retry` runs again in a run that has ended is in `retry_plan`.
"""

from flow_store import StepStatus
from orchesjob_flow.engine.events import AttemptId, Timer
from orchesjob_flow.engine.run import RunStep
from orchesjob_flow.engine.survivors import look_for_survivors
from orchesjob_flow.engine.turn import Turn


def retry_step(turn: Turn, step: RunStep, error: str) -> None:
    """Let a step whose attempt has failed wait for its next one (rule 5.4)."""
    delay_sec = step.spec.delay_after(step.row.failures)
    if turn.run.ending is not None:
        return
    if delay_sec > 0:
        turn.record_step(
            step,
            status=StepStatus.DELAYED,
            error=error,
            next_attempt_at=turn.now.wall + delay_sec,
            next_attempt_mono=turn.now.mono + delay_sec,
            next_attempt_boot=turn.now.boot,
        )
    else:
        turn.record_step(step, status=StepStatus.PENDING, error=error)
    await_attempt(turn, step)


def await_attempt(turn: Turn, step: RunStep) -> None:
    """Wait for the rest of a recorded delay, on the monotonic clock where that counts (5.10)."""
    row = step.row
    if row.attempt_no == 0:
        turn.run.enqueue(step)
        return
    at, mono, boot = row.next_attempt_at, row.next_attempt_mono, row.next_attempt_boot
    if at is None or mono is None or boot is None:
        remaining = 0.0
    else:
        remaining = turn.remaining_sec(at, mono, boot, step.spec.delay_after(row.failures))
    if remaining > 0:
        turn.set_timer(remaining, Timer.RETRY, AttemptId(row.position, row.attempt_no))
    else:
        look_for_survivors(turn, step)
