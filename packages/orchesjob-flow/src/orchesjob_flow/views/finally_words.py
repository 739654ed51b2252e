"""What a run does when its steps have ended and those of `finally` are under way (rule 10.1)."""

from flow_store import Outcome, Run, Step, StepStatus
from orchesjob_flow.views.definition import in_order, is_in_finally
from orchesjob_flow.views.reasons import listed

WORDS = {
    Outcome.SUCCEEDED: "succeeded",
    Outcome.FAILED: "failed",
    Outcome.CANCELLED: "cancelled",
    Outcome.TIMED_OUT: "timed out",
}


def steps_before_finally(run: Run) -> list[Step]:
    """List the steps that are not in `finally`."""
    return [step for step in in_order(run) if not is_in_finally(run, step)]


def steps_of_finally(run: Run) -> list[Step]:
    """List the steps of `finally`."""
    return [step for step in in_order(run) if is_in_finally(run, step)]


def is_tidying(run: Run) -> bool:
    """Whether the steps of `finally` are under way, and nobody has asked for their end."""
    if run.finally_after is None or (run.cancel is not None and run.cancel.now_at is not None):
        return False
    return any(not step.status.is_terminal for step in steps_of_finally(run))


def ending_words(run: Run) -> str:
    """Say how the steps of a run have ended, and what its `finally` does."""
    outcome = "" if run.finally_after is None else WORDS[run.finally_after]
    steps = steps_of_finally(run)
    running = [step.step_id for step in steps if step.status is StepStatus.RUNNING]
    if running:
        return (
            f"{outcome}; finally: {listed(running)} {'is' if len(running) == 1 else 'are'} running"
        )
    done = sum(step.status.is_terminal for step in steps)
    return f"{outcome}; finally: {done}/{len(steps)} done"
