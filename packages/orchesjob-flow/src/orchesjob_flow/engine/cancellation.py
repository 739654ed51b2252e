"""Cancelling a run: nothing starts any more, everything is ended, then it is said (rule 5.6).

CANCELLED is written in one commit for the run and all its open steps, after every process of
every attempt that did not succeed has been seen to be gone.
"""

from collections.abc import Sequence

from flow_store import CancelRequest, FlowStatus, StepStatus
from orchesjob_client import Process
from orchesjob_flow.engine.attempts import request_abort, withdraw_start
from orchesjob_flow.engine.calls import grace_sec
from orchesjob_flow.engine.effects import EndSurvivors, StartJob
from orchesjob_flow.engine.events import Timer
from orchesjob_flow.engine.run import AbortReason, RunState
from orchesjob_flow.engine.steps import attempted_keys, finish_step, name_processes
from orchesjob_flow.engine.turn import Turn

SWEEP_AGAIN_SEC = 1.0


def begin_cancel(turn: Turn, request: CancelRequest) -> None:
    """Start nothing more, what this very turn has decided included, and abort what runs."""
    turn.run.cancel = request
    turn.run.ready.clear()
    withdraw_starts(turn)
    for step in list(turn.run.open_attempts()):
        if step.attempt is not None:
            request_abort(turn, step.attempt, AbortReason.CANCEL)


def withdraw_starts(turn: Turn) -> None:
    """Take back the starts that are decided but not committed: none has been performed."""
    starts = [effect for effect in turn.decision.effects if isinstance(effect, StartJob)]
    for start in starts:
        turn.decision.effects.remove(start)
        step = turn.run.steps[start.attempt.position]
        if step.attempt is not None:
            withdraw_start(turn, step, step.attempt)


def sweep(turn: Turn) -> None:
    """Once no attempt is open, make sure that nothing of the run is alive."""
    run = turn.run
    if run.sweeping or any(run.open_attempts()):
        return
    keys = keys_of_unsuccessful_steps(run)
    if not keys:
        finish_cancel(turn)
        return
    run.sweeping = True
    turn.do(EndSurvivors(None, keys, grace_sec(run, AbortReason.CANCEL)))


def keys_of_unsuccessful_steps(run: RunState) -> list[str]:
    """List the keys whose processes must be gone; what a success left behind may be its purpose."""
    return [
        key
        for step in run.steps
        if step.row.status is not StepStatus.SUCCEEDED
        for key in attempted_keys(run, step)
    ]


def swept(turn: Turn, survivors: Sequence[Process]) -> None:
    """Say CANCELLED if nothing is alive; else name what is, and try again."""
    if not survivors:
        finish_cancel(turn)
        return
    error = f"cancel requested, but these cannot be ended: {name_processes(survivors)}"
    if turn.run.error != error:
        turn.record_run(FlowStatus.RUNNING, error)
    turn.set_timer(SWEEP_AGAIN_SEC, Timer.SWEEP)


def finish_cancel(turn: Turn) -> None:
    """Cancel the run and all its steps that are not terminal."""
    for step in turn.run.steps:
        if not step.row.status.is_terminal:
            finish_step(turn, step, StepStatus.CANCELLED, "flow cancelled")
    turn.record_run(FlowStatus.CANCELLED, None)
