"""The calls that an open attempt makes, to orchesjob or to the system, one at a time (rule 1.3).

What an answer means is decided in `attempts`; calls that are made again later are in `polling`,
and those that give no answer in `patience`.
"""

from orchesjob_client import DEFAULT_START_TIMEOUT_SEC
from orchesjob_flow.engine.effects import (
    AbortJob,
    AskStatus,
    CallOff,
    EndSurvivors,
    LookForSurvivors,
    StartJob,
    WatchJob,
)
from orchesjob_flow.engine.open_attempt import AbortReason, Call, OpenAttempt
from orchesjob_flow.engine.run import RunStep
from orchesjob_flow.engine.time_limits import grace_sec
from orchesjob_flow.engine.turn import Turn


def pursue(turn: Turn, attempt: OpenAttempt) -> None:
    """Make the next call that an attempt needs, if none is under way for it."""
    if attempt.call is not None:
        call_off(turn, attempt)
        return
    if attempt.loss is not None:
        look_again(turn, attempt)
    elif attempt.job is None or attempt.job.worker_pid is None or attempt.worker_gone:
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
    """Ask for `orchesjob start`, with the variables that rules 9.12, 9.13 and 10.1 name.

    The gate gets what the command gets (rule 10.8).
    """
    spec, run = step.spec, turn.run
    effect = StartJob(
        attempt=attempt.id,
        attempt_key=attempt.attempt_key,
        command=spec.command_of(is_gate=attempt.row.is_gate),
        strict=spec.strict,
        start_timeout_sec=spec.start_timeout_sec,
        working_dir=spec.working_dir or run.flow.working_dir,
        env=run.flow.environment(
            spec,
            run_key=run.run_key,
            attempt=attempt.row.number,
            failed=run.failed_step_ids,
            outcome=run.finally_after,
        ),
        env_files=run.flow.env_files_of(spec),
    )
    requested = spec.start_timeout_sec
    allowance = DEFAULT_START_TIMEOUT_SEC if requested is None else requested
    turn.call(attempt, Call.START, effect, allow_sec=allowance)
    run.starting += 1


def call_off(turn: Turn, attempt: OpenAttempt) -> None:
    """Call a start off that waits for its place, if the attempt is to be ended (rule 5.11)."""
    waits = attempt.call is Call.START and attempt.call_until is None
    if waits and attempt.row.abort_reason is not None:
        turn.do(CallOff(attempt.id))


def ask_status(turn: Turn, attempt: OpenAttempt) -> None:
    """Ask for `orchesjob status`, unless a call is under way whose answer will tell."""
    if attempt.call is None:
        turn.call(attempt, Call.STATUS, AskStatus(attempt.id, attempt.attempt_key))


def abort(turn: Turn, attempt: OpenAttempt, job_id: str) -> None:
    """Ask for `orchesjob abort` of the very job that was seen, and of no later one of its key."""
    reason = attempt.row.abort_reason or AbortReason.CANCEL
    grace = grace_sec(turn.run, reason)
    effect = AbortJob(attempt.id, job_id, f"orchesjob-flow: {reason}", grace)
    turn.call(attempt, Call.ABORT, effect, allow_sec=grace)


def end_remains(turn: Turn, attempt: OpenAttempt) -> None:
    """End what an abort has left alive: orchesjob refuses to abort a job twice (rule 5.8)."""
    grace = grace_sec(turn.run, attempt.row.abort_reason)
    effect = EndSurvivors(attempt.id, (attempt.attempt_key,), grace)
    turn.call(attempt, Call.END, effect, allow_sec=grace)


def look_again(turn: Turn, attempt: OpenAttempt) -> None:
    """Look for what is alive of an attempt, and end it if that is to be ended."""
    if attempt.row.abort_reason is not None:
        end_remains(turn, attempt)
    else:
        look(turn, attempt)


def look(turn: Turn, attempt: OpenAttempt) -> None:
    """Look whether anything of an attempt is alive."""
    turn.call(attempt, Call.LOOK, LookForSurvivors(attempt.id, (attempt.attempt_key,)))
