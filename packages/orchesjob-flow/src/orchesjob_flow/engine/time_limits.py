"""How long things may take: a step's `timeout_sec`, and the grace time of what is ended.

How long a call may go unanswered is in `patience`, the `timeout_sec` of the whole flow in `ending`.
"""

from orchesjob_client import DEFAULT_GRACE_SEC
from orchesjob_flow.engine.events import Timer
from orchesjob_flow.engine.open_attempt import AbortReason, OpenAttempt
from orchesjob_flow.engine.run import RunState, RunStep
from orchesjob_flow.engine.turn import Turn


def set_timeout(turn: Turn, step: RunStep, attempt: OpenAttempt) -> None:
    """Count `timeout_sec` from the moment at which the attempt was seen to run (rule 5.5)."""
    limit, since = step.spec.timeout_sec, attempt.row.running_mono
    if limit is not None and since is not None:
        turn.set_timer(max(0.0, since + limit - turn.now.mono), Timer.TIMEOUT, attempt.id)


def outlived_timeout(turn: Turn, step: RunStep) -> bool:
    """Whether what the last attempt has left alive has run for longer than the step may."""
    limit, since = step.spec.timeout_sec, step.last_running_mono
    return limit is not None and since is not None and turn.now.mono - since >= limit


def grace_sec(run: RunState, reason: str | None) -> float:
    """Return how long a process may take to obey: what the request to cancel says, or the default.

    A dead start has no process that could obey, and so no time.
    """
    if reason == AbortReason.DEAD_START:
        return 0.0
    requested = None if run.cancel is None else run.cancel.grace_sec
    return DEFAULT_GRACE_SEC if requested is None else requested
