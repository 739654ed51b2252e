"""Calls without an answer: made again, ever less often, until the patience is over (rule 5.7).

No answer decides nothing about a step. Then the runner gives up, and leaves the run as it is. How
long a single call may take is in `Limits`.
"""

from orchesjob_client import OrchesjobError
from orchesjob_flow.call_backoff import FIRST_BACKOFF_SEC, longer
from orchesjob_flow.engine.effects import GiveUp, Warn
from orchesjob_flow.engine.events import Timer
from orchesjob_flow.engine.open_attempt import OpenAttempt, Trouble
from orchesjob_flow.engine.polling import ask_later
from orchesjob_flow.engine.turn import SLACK_SEC, Turn


def call_began(turn: Turn, attempt: OpenAttempt) -> None:
    """Let the time of a call begin: to wait for a place uses up no patience (rule 5.11)."""
    if attempt.call is None or attempt.call_until is not None:
        return
    if attempt.trouble is not None:
        attempt.trouble.since += turn.now.mono - attempt.call_since
    attempt.call_since = turn.now.mono
    turn.limit_call(attempt)


def poll_began(turn: Turn) -> None:
    """Let the time of a poll begin, as that of any other call."""
    run = turn.run
    if run.poll_trouble is not None:
        run.poll_trouble.since += turn.now.mono - run.polled_since
    run.polled_since = turn.now.mono


def call_unanswered(turn: Turn, attempt: OpenAttempt, error: OrchesjobError) -> None:
    """Ask for the attempt's status after a while, whatever the call was."""
    since = attempt.call_since
    if attempt.trouble is not None and attempt.is_seen_alive:
        attempt.trouble.since = turn.now.mono + attempt.trouble.delay_sec  # nobody is in a hurry
    trouble = worsen(turn, attempt.trouble, since)
    if trouble is None:
        give_up(turn, f"{attempt.attempt_key}: {error}")
        return
    if attempt.trouble is None:
        turn.do(Warn(f"{attempt.attempt_key}: {error}; trying again"))
    attempt.trouble = trouble
    ask_later(turn, attempt, trouble.delay_sec)


def poll_unanswered(turn: Turn, error: OrchesjobError) -> None:
    """Poll again after a while."""
    trouble = worsen(turn, turn.run.poll_trouble, turn.now.mono)
    if trouble is None:
        give_up(turn, str(error))
        return
    if turn.run.poll_trouble is None:
        turn.do(Warn(f"{error}; trying again"))
    turn.run.poll_trouble = trouble
    turn.set_timer(trouble.delay_sec, Timer.POLL)


def call_overdue(turn: Turn, attempt: OpenAttempt) -> None:
    """Give up when a call that nobody could end is under way for longer than the patience lasts.

    Where it is long past that, it was this runner that stood still, stopped by somebody: then the
    call, of which it may not even have asked, has its time from now on.
    """
    until = attempt.call_until
    if attempt.call is None or until is None or turn.now.mono < until:
        return
    if turn.now.mono >= until + SLACK_SEC:
        turn.limit_call(attempt)
    else:
        give_up(turn, f"{attempt.attempt_key}: {attempt.call.value} has not answered")


def worsen(turn: Turn, trouble: Trouble | None, since: float) -> Trouble | None:
    """Count one more call without an answer; None when the patience is over.

    `since` is when the first of these calls was made, in seconds of the monotonic clock.
    """
    if trouble is None:
        return Trouble(since, FIRST_BACKOFF_SEC)
    if turn.now.mono - trouble.since >= turn.run.limits.patience_sec:
        return None
    return Trouble(trouble.since, longer(trouble.delay_sec))


def give_up(turn: Turn, reason: str) -> None:
    """Stop driving the run, once; it stays as it is and can be resumed."""
    if not turn.run.gave_up:
        turn.run.gave_up = True
        turn.do(GiveUp(reason))
