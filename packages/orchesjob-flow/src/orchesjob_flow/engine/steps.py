"""The life of a step: decided, run or skipped, retried, finished (rules 3.2 to 3.5, 5.1, 5.2, 5.4).

What happens between the start of an attempt and its outcome is the matter of `attempts`.
"""

from collections.abc import Sequence

from flow_store import FlowStatus, StepStatus
from orchesjob_client import Process
from orchesjob_flow.engine.effects import EndSurvivors, LookForSurvivors
from orchesjob_flow.engine.events import AttemptId, Timer
from orchesjob_flow.engine.run import RunState, RunStep, physical_key
from orchesjob_flow.engine.turn import NO_NEXT_ATTEMPT, Turn

RECHECK_SEC = 1.0
SURVIVORS_GRACE_SEC = 5.0
NAMED_SURVIVORS = 3


def decide_steps(turn: Turn) -> None:
    """Run or skip every step whose waits are over; a skip may end the waits of others."""
    for step in turn.run.newly_decidable():
        condition = step.spec.condition
        if condition is not None and not condition.evaluate(turn.run.holds):
            finish_step(turn, step, StepStatus.SKIPPED, error=None)
        elif step.attempt is None:
            await_attempt(turn, step)
    if turn.run.open_steps == 0:
        finish_run(turn)


def finish_step(
    turn: Turn,
    step: RunStep,
    status: StepStatus,
    error: str | None,
    ended_at: float | None = None,
) -> None:
    """Give a step its terminal status; it ended with its last attempt, or, as None, just now."""
    if ended_at is None:
        ended_at = turn.wall_after(step.row.started_at)
    turn.record_step(step, status=status, error=error, finished_at=ended_at, **NO_NEXT_ATTEMPT)
    turn.run.open_steps -= 1
    if status is StepStatus.FAILED:
        turn.run.failed.add(step.row.position)
    if status is not StepStatus.CANCELLED and turn.run.ending is None:
        turn.run.plan.done(step.spec.id)


def finish_run(turn: Turn) -> None:
    """Fold the outcomes of all steps into the run's (rule 5.1)."""
    failed = [s.spec.id for s in turn.run.steps if is_bad(s)]
    if failed:
        noun = "step" if len(failed) == 1 else "steps"
        turn.record_run(FlowStatus.FAILED, f"{len(failed)} {noun} failed: {', '.join(failed)}")
    elif any(step.row.status is StepStatus.CANCELLED for step in turn.run.steps):
        turn.record_run(FlowStatus.CANCELLED, None)  # of an earlier end, and not retried
    else:
        turn.record_run(FlowStatus.SUCCEEDED, None)


def is_bad(step: RunStep) -> bool:
    """Tell whether a step makes the run fail: it FAILED, and that is not allowed (rule 9.12)."""
    return step.row.status is StepStatus.FAILED and not step.spec.allow_failure


def retry_step(turn: Turn, step: RunStep, error: str) -> None:
    """Let a step wait for its next attempt (rule 5.4)."""
    delay = step.spec.delay_after(step.row.failures)
    if turn.run.ending is not None:
        return
    if delay > 0:
        turn.record_step(
            step,
            status=StepStatus.DELAYED,
            error=error,
            next_attempt_at=turn.now.wall + delay,
            next_attempt_mono=turn.now.mono + delay,
            next_attempt_boot=turn.now.boot,
        )
    else:
        turn.record_step(step, status=StepStatus.PENDING, error=error)
    await_attempt(turn, step)


def await_attempt(turn: Turn, step: RunStep) -> None:
    """Wait out the rest of a delay, on the monotonic clock while that means anything (5.10)."""
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


def look_for_survivors(turn: Turn, step: RunStep) -> None:
    """Make sure that no attempt runs beside its predecessor (rule 5.8)."""
    if step.looking or step.queued or step.attempt is not None or turn.run.ending is not None:
        return
    step.looking = True
    attempt = AttemptId(step.row.position, step.row.attempt_no)
    keys = attempted_keys(turn.run, step)
    if outlived_timeout(turn, step):
        turn.do(EndSurvivors(attempt, keys, grace_sec=SURVIVORS_GRACE_SEC))
    else:
        turn.do(LookForSurvivors(attempt, keys))


def outlived_timeout(turn: Turn, step: RunStep) -> bool:
    """Tell whether the last attempt's survivors have run for longer than the step may."""
    limit, since = step.spec.timeout_sec, step.last_running_mono
    return limit is not None and since is not None and turn.now.mono - since >= limit


def survivors_seen(turn: Turn, step: RunStep, survivors: Sequence[Process]) -> None:
    """Start the next attempt if the last one is gone; else wait, and name who is in the way."""
    if not step.looking or turn.run.ending is not None:
        return
    step.looking = False
    if not survivors:
        turn.run.enqueue(step)
        return
    names = name_processes(survivors)
    error = f"waits for attempt {step.row.attempt_no} to be gone: {names}; end it to go on"
    if (step.row.status, step.row.error) != (StepStatus.DELAYED, error):
        turn.record_step(step, status=StepStatus.DELAYED, error=error)
    attempt = AttemptId(step.row.position, step.row.attempt_no)
    turn.set_timer(RECHECK_SEC, Timer.SURVIVORS, attempt)


def name_processes(processes: Sequence[Process]) -> str:
    """Name processes for a message: the first few by their commands, the rest by their number."""
    named = [f"pid {p.pid} ({p.command})" for p in processes[:NAMED_SURVIVORS]]
    rest = len(processes) - len(named)
    return ", ".join([*named, f"and {rest} more"] if rest else named)


def attempted_keys(run: RunState, step: RunStep) -> list[str]:
    """List the physical keys under which a step has been started so far.

    A foreign job's key is none of them: its processes bear the same mark, and are not ours to end.
    """
    numbers = set(range(1, step.row.attempt_no + 1)) - step.foreign_numbers
    return [physical_key(run.run_key, step.spec.id, number) for number in sorted(numbers)]
