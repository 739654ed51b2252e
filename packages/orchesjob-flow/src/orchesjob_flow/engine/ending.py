"""Ending a run early: nothing more starts, what runs is ended, and only then is the end recorded.

A request to cancel does that (rule 5.6), and so does the flow's own `timeout_sec` (rule 9.12);
where both do, the run is cancelled. The end is written in one commit for the run and all its open
steps, once no process is left of any attempt that did not succeed.
"""

from collections.abc import Sequence

from flow_store import CancelRequest, FlowStatus, StepStatus
from orchesjob_client import Process
from orchesjob_flow.engine.attempts import request_abort, withdraw_start
from orchesjob_flow.engine.effects import EndSurvivors, StartJob, Warn
from orchesjob_flow.engine.events import Timer
from orchesjob_flow.engine.run import AbortReason, RunState
from orchesjob_flow.engine.steps import finish_run, finish_step
from orchesjob_flow.engine.survivors import attempted_keys, name_processes
from orchesjob_flow.engine.time_limits import grace_sec
from orchesjob_flow.engine.turn import Turn

SWEEP_AGAIN_SEC = 1.0


def begin_cancel(turn: Turn, request: CancelRequest) -> None:
    """Obey a request to cancel the run."""
    turn.run.cancel = request
    end_attempts(turn, AbortReason.CANCEL)


def await_deadline(turn: Turn) -> None:
    """Wait for the end of the run's time, unless it is over already.

    If an earlier runner has begun to end the run for that reason, it is ended, whatever the clock
    says since.
    """
    run, limit = turn.run, turn.run.flow.timeout_sec
    if run.deadline is None or limit is None:
        return
    remaining = turn.remaining_sec(*run.deadline, at_most=limit)
    if remaining > 0 and not run.timeout_begun:
        turn.set_timer(remaining, Timer.DEADLINE)
    else:
        begin_timeout(turn)


def begin_timeout(turn: Turn) -> None:
    """End a run that is not being ended already: its time is over."""
    if turn.run.ending is None:
        turn.run.timed_out = True
        turn.do(Warn(f"the run {timeout_words(turn.run)}; ending what still runs"))
        end_attempts(turn, AbortReason.FLOW_TIMEOUT)


def end_attempts(turn: Turn, reason: AbortReason) -> None:
    """Start nothing more, what this very turn has decided included, and abort what runs."""
    turn.run.ready.clear()
    withdraw_starts(turn)
    for attempt in list(turn.run.open_attempts()):
        request_abort(turn, attempt, reason)


def withdraw_starts(turn: Turn) -> None:
    """Take back the starts that are decided but not committed: none has been performed."""
    starts = [effect for effect in turn.decision.effects if isinstance(effect, StartJob)]
    for start in starts:
        turn.decision.effects.remove(start)
        step = turn.run.steps[start.attempt.position]
        if step.attempt is not None:
            withdraw_start(turn, step, step.attempt)


def sweep(turn: Turn) -> None:
    """Once no attempt is open, end what is left alive of the run."""
    run = turn.run
    if run.sweeping or any(run.open_attempts()):
        return
    keys = keys_of_unsuccessful_steps(run)
    if not keys:
        finish_ending(turn)
        return
    run.sweeping = True
    turn.do(EndSurvivors(None, keys, grace_sec(run, run.ending)))


def keys_of_unsuccessful_steps(run: RunState) -> list[str]:
    """List the keys whose processes must be gone.

    Those of a step that succeeded are left alone: to leave a process behind may be its purpose.
    """
    return [
        key
        for step in run.steps
        if step.row.status is not StepStatus.SUCCEEDED
        for key in attempted_keys(run, step)
    ]


def swept(turn: Turn, survivors: Sequence[Process]) -> None:
    """End the run if nothing is left alive; else name what is, and try again."""
    if not survivors:
        finish_ending(turn)
        return
    why = "cancel requested" if turn.run.cancel is not None else timeout_words(turn.run)
    error = f"{why}, but these cannot be ended: {name_processes(survivors)}"
    if turn.run.error != error:
        turn.record_run(FlowStatus.RUNNING, error)
    turn.set_timer(SWEEP_AGAIN_SEC, Timer.SWEEP)


def finish_ending(turn: Turn) -> None:
    """Cancel all steps that are not terminal, and end the run.

    If the last step has ended by itself meanwhile, the run did not time out.
    """
    run = turn.run
    if run.ending is AbortReason.FLOW_TIMEOUT and run.open_steps == 0:
        finish_run(turn)
        return
    for step in run.steps:
        if not step.row.status.is_terminal:
            finish_step(turn, step, StepStatus.CANCELLED, run.ending_error)
    if run.ending is AbortReason.CANCEL:
        turn.record_run(FlowStatus.CANCELLED, None)
    else:
        turn.record_run(FlowStatus.FAILED, timeout_words(run))


def timeout_words(run: RunState) -> str:
    """Return the words with which a run that took too long ends."""
    return f"timed out after {run.flow.timeout_sec:g} s"
