"""The life of a step: decided, run or skipped, finished (rules 3.2 to 3.5).

What happens to its attempts is in `attempts`, and what between two of them in `retries`; what
follows when all steps have ended, in `ending`.
"""

from flow_store import StepStatus
from orchesjob_flow.engine.retries import await_attempt
from orchesjob_flow.engine.run import RunStep
from orchesjob_flow.engine.turn import NO_NEXT_ATTEMPT, Turn


def decide_steps(turn: Turn) -> None:
    """Run or skip every step whose waits are over; a skip may end the waits of others."""
    for step in turn.run.newly_decidable():
        condition = step.spec.condition
        if condition is not None and not condition.evaluate(turn.run.holds):
            finish_step(turn, step, StepStatus.SKIPPED, error=None)
        elif step.attempt is None and not turn.run.places.wait(step.row):
            await_attempt(turn, step)
    for position in turn.run.places.let_in():
        await_attempt(turn, turn.run.steps[position])


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
    turn.run.give_up_place(step)
    turn.run.open_steps -= 1
    turn.run.places.leave(step.row)
    if status is StepStatus.FAILED:
        turn.run.failed.add(step.row.position)
    if status is not StepStatus.CANCELLED and turn.run.ending is None:
        turn.run.plan.done(step.spec.id)
