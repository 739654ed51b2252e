"""No attempt runs beside its predecessor: processes that a closed attempt has left (rule 5.8).

They are looked for before the next attempt begins, which waits until they are gone. What an attempt
leaves that is being ended, is in `attempts`; what a run leaves that is being ended, in `ending`.
"""

from collections.abc import Sequence

from flow_store import StepStatus
from orchesjob_client import DEFAULT_GRACE_SEC, Process
from orchesjob_flow.attempt_key import attempt_key
from orchesjob_flow.engine.effects import EndSurvivors, LookForSurvivors
from orchesjob_flow.engine.events import AttemptId, Timer
from orchesjob_flow.engine.run import RunState, RunStep
from orchesjob_flow.engine.time_limits import outlived_timeout
from orchesjob_flow.engine.turn import Turn

LOOK_AGAIN_SEC = 1.0
NAMED_SURVIVORS = 3


def look_for_survivors(turn: Turn, step: RunStep) -> None:
    """Look before the next attempt; what has outlived the step's `timeout_sec` is ended (5.5)."""
    if step.looking or step.queued or step.attempt is not None or turn.run.ending is not None:
        return
    step.looking = True
    attempt = AttemptId(step.row.position, step.row.attempt_no)
    keys = attempted_keys(turn.run, step)
    if outlived_timeout(turn, step):
        turn.do(EndSurvivors(attempt, keys, grace_sec=DEFAULT_GRACE_SEC))
    else:
        turn.do(LookForSurvivors(attempt, keys))


def survivors_seen(turn: Turn, step: RunStep, survivors: Sequence[Process]) -> None:
    """Let the next attempt begin if nothing is left; else wait, and name what is in the way."""
    if not step.looking or turn.run.ending is not None or step.row.status.is_terminal:
        return  # that it was ended early may be over by now: `finally` is under way
    step.looking = False
    if not survivors:
        turn.run.enqueue(step)
        return
    names = name_processes(survivors)
    error = f"waits for attempt {step.row.attempt_no} to be gone: {names}; end it to go on"
    if (step.row.status, step.row.error) != (StepStatus.DELAYED, error):
        turn.record_step(step, status=StepStatus.DELAYED, error=error)
    attempt = AttemptId(step.row.position, step.row.attempt_no)
    turn.set_timer(LOOK_AGAIN_SEC, Timer.SURVIVORS, attempt)


def name_processes(processes: Sequence[Process]) -> str:
    """Name processes for a message: the first few by their commands, the rest by their number."""
    named = [f"pid {p.pid} ({p.command})" for p in processes[:NAMED_SURVIVORS]]
    rest = len(processes) - len(named)
    return ", ".join([*named, f"and {rest} more"] if rest else named)


def attempted_keys(run: RunState, step: RunStep) -> list[str]:
    """List the keys of the attempts at which a step has been started so far.

    Not that of a foreign job: its processes have the same mark, and are not ours to end (rule 5.9).
    """
    numbers = set(range(1, step.row.attempt_no + 1)) - step.foreign_numbers
    return [attempt_key(run.run_key, step.spec.id, number) for number in sorted(numbers)]
