"""The calls of an open attempt, to orchesjob or to the system, one at a time (rule 1.3).

`attempts` decides what an answer means. This module decides when a call is made again:

- orchesjob announces no change of a starting job, so it is asked a few times, at growing intervals;
- running jobs that cannot be watched are polled together (rule 6.2);
- a call without an answer is repeated with back-off until the patience ends (rule 5.7). A missing
  answer decides nothing about a step: the runner gives up and leaves the run as it is.
"""

from orchesjob_client import (
    DEFAULT_START_TIMEOUT_SEC,
    FIRST_BACKOFF_SEC,
    JobReport,
    OrchesjobError,
    longer,
)
from orchesjob_flow.engine.messages import (
    AbortJob,
    AskRunning,
    AskStatus,
    CallOff,
    CheckFiles,
    EndSurvivors,
    GiveUp,
    LookForSurvivors,
    NoteFiles,
    RunningAnswered,
    StartJob,
    Timer,
    Warn,
    WatchJob,
)
from orchesjob_flow.engine.state import (
    SLACK_SEC,
    AbortReason,
    Backoff,
    CallKind,
    OpenAttempt,
    UpdateContext,
    grace_sec,
    known_processes,
)

OWN_ABORT = "orchesjob-flow: "
"""How the reason of an abort begins that a runner asks for."""


def make_next_call(context: UpdateContext, attempt: OpenAttempt) -> None:
    """Make the next call that an attempt needs, unless one is in progress."""
    if attempt.call is not None:
        call_off(context, attempt)
        return
    if attempt.loss is not None:
        look_again(context, attempt)
    elif attempt.job is None or attempt.job.worker_pid is None or attempt.worker_gone:
        ask_status(context, attempt)
    elif attempt.watch is None:
        context.call(attempt, CallKind.WATCH, WatchJob(attempt.id, attempt.job))
    elif attempt.row.abort_reason is None:
        return
    elif not attempt.processes_recorded:
        look_for_processes(context, attempt)
    else:
        abort(context, attempt, attempt.job.job_id)


def note_answer(context: UpdateContext, attempt: OpenAttempt) -> None:
    """Note that the call in progress has returned."""
    if attempt.call is not None and attempt.call.is_part_of_start:
        context.run.starting -= 1
    attempt.call = None


def begin_start(context: UpdateContext, attempt: OpenAttempt) -> None:
    """Start the job of an attempt, but first note the files that its command is to write."""
    spec = attempt.step.spec
    if spec.produces and not attempt.row.is_gate:
        effect = NoteFiles(attempt.id, working_dir(context, attempt), spec.produces)
        context.call(attempt, CallKind.NOTE, effect)
    else:
        start_job(context, attempt)


def check_files(context: UpdateContext, attempt: OpenAttempt, noted: str) -> None:
    """Look whether the command of an attempt has written what it is to write (rule 10.10)."""
    produces = attempt.step.spec.produces
    effect = CheckFiles(attempt.id, working_dir(context, attempt), produces, noted)
    context.call(attempt, CallKind.CHECK, effect)


def working_dir(context: UpdateContext, attempt: OpenAttempt) -> str | None:
    """Return where the command of an attempt runs; None is the run's directory."""
    return attempt.step.spec.working_dir or context.run.flow.working_dir


def start_job(context: UpdateContext, attempt: OpenAttempt) -> None:
    """Ask for `orchesjob start`, with the variables that rules 9.12, 9.13 and 10.1 name.

    The gate gets what the command gets (rule 10.8).
    """
    spec, run = attempt.step.spec, context.run
    effect = StartJob(
        attempt=attempt.id,
        attempt_key=attempt.attempt_key,
        command=spec.command_of(is_gate=attempt.row.is_gate),
        strict=spec.strict,
        start_timeout_sec=spec.start_timeout_sec,
        working_dir=working_dir(context, attempt),
        env=run.flow.environment(
            spec,
            run_key=run.run_key,
            attempt_no=attempt.row.number,
            failed=run.failed_step_ids,
            outcome=run.outcome_for(spec),
        ),
        env_files=[file for file in run.flow.env_files_of(spec) if file not in attempt.without],
    )
    requested = spec.start_timeout_sec
    allowance = DEFAULT_START_TIMEOUT_SEC if requested is None else requested
    context.call(attempt, CallKind.START, effect, allow_sec=allowance)


def call_off(context: UpdateContext, attempt: OpenAttempt) -> None:
    """Call off a start that waits for its slot, if the attempt is to be ended (rule 5.11)."""
    waits = attempt.call is CallKind.START and attempt.call_until is None
    if waits and attempt.row.abort_reason is not None:
        context.do(CallOff(attempt.id))


def ask_status(context: UpdateContext, attempt: OpenAttempt) -> None:
    """Ask for `orchesjob status`, unless a call in progress will answer that."""
    if attempt.call is None:
        context.call(attempt, CallKind.STATUS, AskStatus(attempt.id, attempt.attempt_key))


def abort(context: UpdateContext, attempt: OpenAttempt, job_id: str) -> None:
    """Ask for `orchesjob abort` of the job that was seen, not of a later one with the same key."""
    reason = attempt.row.abort_reason or AbortReason.CANCEL
    grace = grace_sec(context.run, reason)
    effect = AbortJob(attempt.id, job_id, f"{OWN_ABORT}{reason}", grace)
    context.call(attempt, CallKind.ABORT, effect, allow_sec=grace)


def is_own_abort(report: JobReport) -> bool:
    """Tell whether a job was aborted by a runner, and not by somebody else."""
    return (report.abort_reason or "").startswith(OWN_ABORT)


def end_left_behind(context: UpdateContext, attempt: OpenAttempt) -> None:
    """End the processes that an abort has left: orchesjob aborts no job twice (rule 5.8)."""
    grace = grace_sec(context.run, attempt.row.abort_reason)
    known = known_processes(context, attempt.row)
    effect = EndSurvivors(attempt.id, (attempt.attempt_key,), grace, known)
    context.call(attempt, CallKind.END, effect, allow_sec=grace)


def look_again(context: UpdateContext, attempt: OpenAttempt) -> None:
    """Look for living processes of an attempt; end them if the attempt is to be ended.

    One that was lost may have ended by itself before its run is ended (rule 5.6).
    """
    reason = attempt.row.abort_reason
    has_ended = attempt.loss is not None and not attempt.loss.being_ended
    if reason is not None and not (has_ended and reason != AbortReason.TIMEOUT):
        end_left_behind(context, attempt)
    else:
        look_for_processes(context, attempt)


def look_for_processes(context: UpdateContext, attempt: OpenAttempt) -> None:
    """Look whether anything of an attempt is alive."""
    known = known_processes(context, attempt.row)
    effect = LookForSurvivors(attempt.id, (attempt.attempt_key,), known)
    context.call(attempt, CallKind.LOOK, effect)


def ask_again(context: UpdateContext, attempt: OpenAttempt) -> None:
    """Ask again after 1, 2, 4, ... seconds, but at least once in a poll interval."""
    delay_sec = min(2**attempt.questions, context.run.limits.poll_interval_sec)
    ask_later(context, attempt, delay_sec)
    attempt.questions += 1


def ask_later(context: UpdateContext, attempt: OpenAttempt, delay_sec: float) -> None:
    """Ask again after `delay_sec` seconds; this replaces an earlier plan."""
    attempt.ask_at = context.now.mono + delay_sec
    context.set_timer(delay_sec, Timer.ASK_STATUS, attempt.id)


def poll(context: UpdateContext) -> None:
    """Ask for the running jobs of orchesjob's home: one call for all of this run."""
    context.run.polled_since = context.now.mono
    context.do(AskRunning())


def act_on_poll(context: UpdateContext, event: RunningAnswered) -> None:
    """Ask for the outcome of every polled job that no longer runs, and poll again later."""
    context.run.poll_backoff = None
    for attempt in context.run.open_attempts():
        if attempt.is_polled and attempt.attempt_key not in event.job_keys:
            ask_status(context, attempt)
    poll_later(context)


def poll_later(context: UpdateContext) -> None:
    """Poll once every poll interval, as long as there is a job that cannot be watched."""
    context.run.polling = any(attempt.is_polled for attempt in context.run.open_attempts())
    if context.run.polling:
        context.set_timer(context.run.limits.poll_interval_sec, Timer.POLL)


def begin_call(context: UpdateContext, attempt: OpenAttempt) -> None:
    """Start the time of a call: waiting for a slot uses up no patience (rule 5.11)."""
    if attempt.call is None or attempt.call_until is not None:
        return
    if attempt.backoff is not None:
        attempt.backoff.since += context.now.mono - attempt.call_since
    attempt.call_since = context.now.mono
    context.limit_call(attempt)


def begin_poll(context: UpdateContext) -> None:
    """Start the time of a poll, as of any other call."""
    run = context.run
    if run.poll_backoff is not None:
        run.poll_backoff.since += context.now.mono - run.polled_since
    run.polled_since = context.now.mono


def repeat_call(context: UpdateContext, attempt: OpenAttempt, error: OrchesjobError) -> None:
    """Ask for the attempt's status after a delay, whatever the call was."""
    since = attempt.call_since
    if attempt.backoff is not None and attempt.is_seen_alive:
        attempt.backoff.since = context.now.mono + attempt.backoff.delay_sec  # there is no hurry
    backoff = next_backoff(context, attempt.backoff, since)
    if backoff is None:
        give_up(context, f"{attempt.attempt_key}: {error}")
        return
    if attempt.backoff is None:
        context.do(Warn(f"{attempt.attempt_key}: {error}; trying again"))
    attempt.backoff = backoff
    ask_later(context, attempt, backoff.delay_sec)


def repeat_poll(context: UpdateContext, error: OrchesjobError) -> None:
    """Poll again after a delay."""
    backoff = next_backoff(context, context.run.poll_backoff, context.now.mono)
    if backoff is None:
        give_up(context, str(error))
        return
    if context.run.poll_backoff is None:
        context.do(Warn(f"{error}; trying again"))
    context.run.poll_backoff = backoff
    context.set_timer(backoff.delay_sec, Timer.POLL)


def is_overdue(context: UpdateContext, attempt: OpenAttempt) -> bool:
    """Tell whether a call that cannot be ended has taken as long as it may.

    If it is long past its limit, this runner itself was stopped, and may not even have made the
    call. Then the time of the call starts now.
    """
    until = attempt.call_until
    if attempt.call is None or until is None or context.now.mono < until:
        return False
    if context.now.mono >= until + SLACK_SEC:
        context.limit_call(attempt)
        return False
    return True


def next_backoff(context: UpdateContext, backoff: Backoff | None, since: float) -> Backoff | None:
    """Return the back-off after one more call without an answer; None when the patience is over.

    `since` is when the first of these calls was made, in seconds of the monotonic clock.
    """
    if backoff is None:
        return Backoff(since, FIRST_BACKOFF_SEC)
    if context.now.mono - backoff.since >= context.run.limits.patience_sec:
        return None
    return Backoff(backoff.since, longer(backoff.delay_sec))


def give_up(context: UpdateContext, reason: str) -> None:
    """Stop driving the run, once; it stays as it is and can be resumed."""
    if not context.run.gave_up:
        context.run.gave_up = True
        context.do(GiveUp(reason))
