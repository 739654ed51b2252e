"""An attempt whose end orchesjob did not see: it is over once nothing of it is alive (rule 5.8).

LOST is not dead, and ABORTED is not gone. While a process of such an attempt lives, the attempt
stays open and its step RUNNING, so that nothing that waits for the step begins beside it. The end
of its oldest process announces itself where the system can do that; then it is looked at again.
"""

from collections.abc import Sequence

from flow_store import AttemptStatus
from orchesjob_client import Process, Watch
from orchesjob_flow.engine import calls, outcomes
from orchesjob_flow.engine.effects import WatchProcess
from orchesjob_flow.engine.events import Timer
from orchesjob_flow.engine.open_attempt import Call, Loss, OpenAttempt
from orchesjob_flow.engine.run import RunStep
from orchesjob_flow.engine.survivors import LOOK_AGAIN_SEC, name_processes
from orchesjob_flow.engine.time_limits import set_timeout
from orchesjob_flow.engine.turn import Turn


def lost(turn: Turn, attempt: OpenAttempt, why: str) -> None:
    """Let an attempt fail of which nobody can say how it ended, once it has (rule 5.3)."""
    await_end(turn, attempt, Loss(why, error=f"outcome unknown: {why}"))


def aborted(turn: Turn, attempt: OpenAttempt, why: str) -> None:
    """Let an attempt fail that somebody else has aborted, once it has ended."""
    await_end(turn, attempt, Loss(why, error=why))


def await_end(turn: Turn, attempt: OpenAttempt, loss: Loss) -> None:
    """Look what is alive of an attempt, or end it if that was decided before."""
    if attempt.loss is None:
        attempt.loss = loss
    calls.look_again(turn, attempt)


def looked(
    turn: Turn, step: RunStep, attempt: OpenAttempt, loss: Loss, survivors: Sequence[Process]
) -> None:
    """Close the attempt if nothing of it is alive; else name what is, and wait for its end."""
    if attempt.row.abort_reason is not None:
        calls.end_remains(turn, attempt)
    elif survivors:
        note_survivors(turn, step, attempt, loss, survivors)
        oldest = min(survivors, key=lambda process: (process.started_ticks, process.pid))
        turn.call(attempt, Call.WATCH, WatchProcess(attempt.id, oldest))
    else:
        outcomes.failed(turn, step, attempt, loss.error)


def note_survivors(
    turn: Turn, step: RunStep, attempt: OpenAttempt, loss: Loss, survivors: Sequence[Process]
) -> None:
    """Record that the attempt runs on, and in which processes, for which the limit counts (5.5)."""
    if attempt.row.status is AttemptStatus.STARTING:
        turn.record_attempt(attempt, status=AttemptStatus.RUNNING, running_mono=turn.now.mono)
    if loss.looked_at is None:
        set_timeout(turn, step, attempt)
    loss.looked_at, loss.exited = turn.now.mono, False
    alive = f"attempt {attempt.row.number} is still alive: {name_processes(survivors)}"
    error = f"{loss.why}, but {alive}; end it to go on"
    if step.row.error != error:
        turn.record_step(step, error=error)


def watched(turn: Turn, attempt: OpenAttempt, loss: Loss, watch: Watch) -> None:
    """Wait for the end of the process that is watched; if it cannot be, look from time to time."""
    if attempt.row.abort_reason is not None:
        calls.end_remains(turn, attempt)
    elif watch is Watch.UNSUPPORTED:
        look_later(turn, attempt, loss, turn.run.limits.poll_interval_sec)
    elif watch is Watch.GONE or loss.exited:
        look_later(turn, attempt, loss)


def exited(turn: Turn, attempt: OpenAttempt, loss: Loss) -> None:
    """Look what else is alive, now that the process that was watched is gone."""
    loss.exited = True
    if attempt.call is None:
        look_later(turn, attempt, loss)


def look_later(
    turn: Turn, attempt: OpenAttempt, loss: Loss, delay_sec: float = LOOK_AGAIN_SEC
) -> None:
    """Look again, but not sooner after the last look: short-lived processes may follow another."""
    since = turn.now.mono if loss.looked_at is None else loss.looked_at
    turn.set_timer(max(0.0, since + delay_sec - turn.now.mono), Timer.REMAINS, attempt.id)
