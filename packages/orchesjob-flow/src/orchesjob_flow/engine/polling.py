"""When orchesjob is asked again about a job whose next change does not announce itself (rule 6.2).

A starting job is asked about a few times, ever later; a running one that cannot be watched is
polled for, together with all others of its kind.
"""

from orchesjob_flow.engine import calls
from orchesjob_flow.engine.effects import AskRunning
from orchesjob_flow.engine.events import RunningAnswered, Timer
from orchesjob_flow.engine.open_attempt import OpenAttempt
from orchesjob_flow.engine.turn import Turn

QUESTIONS_WHILE_STARTING = 3


def ask_while_starting(turn: Turn, attempt: OpenAttempt) -> None:
    """Ask again about a job that has no command yet, but not for ever: its end will be noticed."""
    if attempt.questions < QUESTIONS_WHILE_STARTING:
        ask_again(turn, attempt)


def ask_again(turn: Turn, attempt: OpenAttempt) -> None:
    """Ask again after 1, 2, 4, ... seconds, but at least once in a poll interval."""
    delay_sec = min(2**attempt.questions, turn.run.limits.poll_interval_sec)
    ask_later(turn, attempt, delay_sec)
    attempt.questions += 1


def ask_later(turn: Turn, attempt: OpenAttempt, delay_sec: float) -> None:
    """Ask again after a while, instead of when it was planned before."""
    attempt.ask_at = turn.now.mono + delay_sec
    turn.set_timer(delay_sec, Timer.ASK_STATUS, attempt.id)


def poll(turn: Turn) -> None:
    """Ask for the running jobs of orchesjob's home: one call for all of ours."""
    turn.run.polled_since = turn.now.mono
    turn.do(AskRunning())


def polled(turn: Turn, event: RunningAnswered) -> None:
    """Ask for the outcome of every polled job that runs no more, and poll again later."""
    turn.run.poll_trouble = None
    for attempt in turn.run.open_attempts():
        if attempt.is_polled and attempt.attempt_key not in event.job_keys:
            calls.ask_status(turn, attempt)
    poll_later(turn)


def poll_later(turn: Turn) -> None:
    """Poll once every poll interval, as long as there is a job that cannot be watched."""
    turn.run.polling = any(attempt.is_polled for attempt in turn.run.open_attempts())
    if turn.run.polling:
        turn.set_timer(turn.run.limits.poll_interval_sec, Timer.POLL)
