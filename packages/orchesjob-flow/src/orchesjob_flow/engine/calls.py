"""What an open attempt asks of orchesjob and of the system, one call at a time (rules 5.7, 6.2).

An attempt that is pursued gets the next call that it needs; a call that fails is tried again until
the patience is over. What an answer means is the matter of `attempts`.
"""

from orchesjob_client import OrchesjobError, Watch
from orchesjob_flow.engine.effects import (
    AbortJob,
    AskRunning,
    AskStatus,
    EndSurvivors,
    GiveUp,
    LookForSurvivors,
    StartJob,
    Warn,
    WatchJob,
)
from orchesjob_flow.engine.environment import environment
from orchesjob_flow.engine.events import Timer
from orchesjob_flow.engine.run import AbortReason, Call, OpenAttempt, RunState, RunStep
from orchesjob_flow.engine.turn import Turn

DEFAULT_GRACE_SEC = 5.0  # orchesjob's own
START_ALLOWANCE_SEC = 10.0  # orchesjob's own `--start-timeout`


def pursue(turn: Turn, attempt: OpenAttempt) -> None:
    """Do the next thing that an attempt needs, if nothing is under way for it."""
    if attempt.call is not None:
        return
    if attempt.job is None or attempt.job.worker_pid is None or attempt.worker_gone:
        ask_status(turn, attempt)
    elif attempt.watch is None:
        turn.call(attempt, Call.WATCH, WatchJob(attempt.id, attempt.job))
    elif attempt.row.abort_reason is not None:
        abort(turn, attempt, attempt.job.job_id)


def answered(turn: Turn, attempt: OpenAttempt) -> None:
    """Note that the call under way has come back."""
    if attempt.call is Call.START:
        turn.run.starting -= 1
    attempt.call = None


def start_job(turn: Turn, step: RunStep, attempt: OpenAttempt) -> None:
    """Ask for `orchesjob start`."""
    spec = step.spec
    effect = StartJob(
        attempt=attempt.id,
        run_key=attempt.run_key,
        command=spec.command,
        strict=spec.strict,
        start_timeout_sec=spec.start_timeout_sec,
        working_dir=spec.working_dir or turn.run.flow.working_dir,
        env=environment(turn.run, step, attempt),
    )
    allowance = START_ALLOWANCE_SEC if spec.start_timeout_sec is None else spec.start_timeout_sec
    turn.call(attempt, Call.START, effect, allow_sec=allowance)
    turn.run.starting += 1


def ask_status(turn: Turn, attempt: OpenAttempt) -> None:
    """Ask for `orchesjob status`, unless a call is under way whose answer will tell."""
    if attempt.call is None:
        turn.call(attempt, Call.STATUS, AskStatus(attempt.id, attempt.run_key))


def ask_again_later(turn: Turn, attempt: OpenAttempt) -> None:
    """Ask a starting job again after 1, 2, 4, ... seconds: it may still be spawning its command."""
    delay = min(2**attempt.questions, turn.run.limits.poll_interval_sec)
    ask_later(turn, attempt, delay)
    attempt.questions += 1


def ask_later(turn: Turn, attempt: OpenAttempt, delay_sec: float) -> None:
    """Ask again after a while, instead of when it was planned before."""
    attempt.ask_at = turn.now.mono + delay_sec
    turn.set_timer(delay_sec, Timer.ASK_STATUS, attempt.id)


def abort(turn: Turn, attempt: OpenAttempt, job_id: str) -> None:
    """Ask for `orchesjob abort` of the very job that was seen, and of no later one of its key."""
    reason = attempt.row.abort_reason or AbortReason.CANCEL
    grace = grace_sec(turn.run, reason)
    effect = AbortJob(attempt.id, job_id, f"orchesjob-flow: {reason}", grace)
    turn.call(attempt, Call.ABORT, effect, allow_sec=grace)


def end_remains(turn: Turn, attempt: OpenAttempt) -> None:
    """End what an abort has left alive: orchesjob itself refuses to try twice (rule 5.8)."""
    grace = grace_sec(turn.run, attempt.row.abort_reason)
    effect = EndSurvivors(attempt.id, (attempt.run_key,), grace)
    turn.call(attempt, Call.END, effect, allow_sec=grace)


def look_for_birth(turn: Turn, attempt: OpenAttempt) -> None:
    """Look whether a recorded job has any process: without one its start is dead."""
    turn.call(attempt, Call.LOOK, LookForSurvivors(attempt.id, (attempt.run_key,)))


def grace_sec(run: RunState, reason: str | None) -> float:
    """Say how long a process may take to obey: a dead start no time, others as was asked for."""
    if reason == AbortReason.DEAD_START:
        return 0.0
    asked = None if run.cancel is None else run.cancel.grace_sec
    return DEFAULT_GRACE_SEC if asked is None else asked


def call_failed(turn: Turn, attempt: OpenAttempt, error: OrchesjobError) -> None:
    """Ask again after a while; an answer that stays away decides nothing (rule 5.7)."""
    since = attempt.call_since
    if attempt.trouble is not None and is_seen_alive(attempt):
        attempt.trouble.since = turn.now.mono + attempt.trouble.delay_sec  # nobody is in a hurry
    trouble = turn.worsen(attempt.trouble, since)
    if trouble is None:
        give_up(turn, f"{attempt.run_key}: {error}")
        return
    if attempt.trouble is None:
        turn.do(Warn(f"{attempt.run_key}: {error}; trying again"))
    attempt.trouble = trouble
    ask_later(turn, attempt, trouble.delay_sec)


def call_overdue(turn: Turn, attempt: OpenAttempt) -> None:
    """Give up when a call has been under way for longer than the patience lasts."""
    if attempt.call is not None and turn.now.mono >= attempt.call_until:
        give_up(turn, f"{attempt.run_key}: {attempt.call.value} has not answered")


def poll_later(turn: Turn) -> None:
    """Ask for all the jobs that cannot be watched, once every poll interval."""
    turn.run.polling = any(is_polled(step.attempt) for step in turn.run.steps)
    if turn.run.polling:
        turn.set_timer(turn.run.limits.poll_interval_sec, Timer.POLL)


def poll(turn: Turn) -> None:
    """Ask for the running jobs of orchesjob's home: one call for all of ours."""
    turn.do(AskRunning())


def poll_failed(turn: Turn, error: OrchesjobError) -> None:
    """Poll again after a while, as long as the patience lasts."""
    trouble = turn.worsen(turn.run.poll_trouble, turn.now.mono)
    if trouble is None:
        give_up(turn, str(error))
        return
    if turn.run.poll_trouble is None:
        turn.do(Warn(f"{error}; trying again"))
    turn.run.poll_trouble = trouble
    turn.set_timer(trouble.delay_sec, Timer.POLL)


def is_seen_alive(attempt: OpenAttempt) -> bool:
    """Tell whether an attempt's worker is watched, and may run on."""
    watched = attempt.watch is Watch.WATCHING and not attempt.worker_gone
    return watched and attempt.row.abort_reason is None


def is_polled(attempt: OpenAttempt | None) -> bool:
    """Tell whether an attempt's job runs and its end cannot announce itself."""
    return attempt is not None and attempt.watch is Watch.UNSUPPORTED


def give_up(turn: Turn, reason: str) -> None:
    """Stop driving the run, once; it stays as it is and can be resumed."""
    if not turn.run.gave_up:
        turn.run.gave_up = True
        turn.do(GiveUp(reason))
