"""The life of a step: decided, run or skipped, finished; and the run's end (rules 3.2 to 3.5, 5.1).

What happens to its attempts is in `attempts`, and what between two of them in `retries`.
"""

from flow_store import FlowStatus, StepStatus
from orchesjob_flow.engine.retries import await_attempt
from orchesjob_flow.engine.run import RunStep
from orchesjob_flow.engine.turn import NO_NEXT_ATTEMPT, Turn


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
