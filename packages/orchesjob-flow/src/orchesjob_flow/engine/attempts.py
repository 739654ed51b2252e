"""The life of an attempt: begun, judged by what orchesjob says of it, settled (rules 5.3 to 5.9).

Each function is one thing that can turn out about an attempt. How the questions are asked is the
matter of `calls`; what becomes of the step afterwards is that of `steps`.
"""

from collections.abc import Sequence

from flow_store import Attempt, AttemptStatus, StepStatus
from orchesjob_client import (
    JobReport,
    OrchesjobError,
    Process,
    Watch,
    describe_failure,
    describe_loss,
    exit_code_of,
)
from orchesjob_flow.engine import calls
from orchesjob_flow.engine.effects import Warn
from orchesjob_flow.engine.events import Timer
from orchesjob_flow.engine.run import AbortReason, Call, OpenAttempt, RunStep, physical_key
from orchesjob_flow.engine.steps import await_attempt, finish_step, name_processes, retry_step
from orchesjob_flow.engine.turn import NO_NEXT_ATTEMPT, Turn
from orchesjob_flow.engine.verdict import (
    Verdict,
    describe_abort,
    job_finished_at,
    judge,
)

QUESTIONS_WHILE_STARTING = 3
DEAD_STARTS_IN_A_ROW = 3
CONTRADICTIONS = 2
END_AGAIN_SEC = 1.0


def begin_attempt(turn: Turn, step: RunStep) -> None:
    """Record that the next attempt is starting, and start it after the commit (rule 4.2)."""
    before = step.row
    number = before.attempt_no + 1
    turn.record_step(
        step,
        status=StepStatus.RUNNING,
        attempt_no=number,
        started_at=turn.now.wall,
        error=None,
        **NO_NEXT_ATTEMPT,
    )
    row = Attempt(
        position=before.position,
        number=number,
        status=AttemptStatus.STARTING,
        started_at=turn.now.wall,
        running_mono=None,
        boot_id=turn.now.boot,
    )
    key = physical_key(turn.run.run_key, step.spec.id, number)
    attempt = OpenAttempt(row, key, before)
    turn.run.begin(step, attempt)
    turn.record_attempt(attempt)
    calls.start_job(turn, step, attempt)


def withdraw_start(turn: Turn, step: RunStep, attempt: OpenAttempt) -> None:
    """Take back a start that was decided, but neither committed nor performed (rule 5.6)."""
    calls.answered(turn, attempt)
    if attempt.before is not None:
        del turn.decision.changes.attempts[attempt.row.position, attempt.row.number]
        turn.run.settle(step)
        turn.restore_step(step, attempt.before)


def reported(turn: Turn, step: RunStep, attempt: OpenAttempt, report: JobReport) -> None:
    """Do what an answer of orchesjob about the attempt's job means."""
    verdict = judge(report, step.spec)
    take_note(turn, step, attempt, report, verdict)
    ending = attempt.row.abort_reason is not None
    match verdict:
        case Verdict.FOREIGN:
            foreign(turn, step, attempt, report)
        case Verdict.SUCCEEDED:
            succeeded(turn, step, attempt)
        case Verdict.SKIPPED:
            skipped(turn, step, attempt)
        case Verdict.FAILED:
            fail_attempt(turn, step, attempt, describe_failure(report), exit_code_of(report))
        case Verdict.NEVER_RAN if attempt.row.abort_reason in (None, AbortReason.DEAD_START):
            never_ran(turn, step, attempt)
        case Verdict.ABORTED | Verdict.LOST | Verdict.NEVER_RAN if ending:
            calls.end_remains(turn, attempt)
        case Verdict.ABORTED:
            fail_attempt(turn, step, attempt, describe_abort(report))
        case Verdict.LOST:
            lost(turn, step, attempt, describe_loss(report))
        case _ if attempt.row.boot_id != turn.now.boot:
            lost(turn, step, attempt, "the machine or container was restarted while it ran")
        case Verdict.UNBORN:
            calls.look_for_birth(turn, attempt)
        case _:
            still_active(turn, step, attempt, report)


def take_note(
    turn: Turn, step: RunStep, attempt: OpenAttempt, report: JobReport, verdict: Verdict
) -> None:
    """Record what orchesjob says of the job."""
    attempt.before, attempt.job = None, report
    if attempt.row.job != report.payload:
        turn.record_attempt(attempt, job=report.payload, job_id=report.job_id)
    if verdict not in (Verdict.NEVER_RAN, Verdict.UNBORN):
        step.dead_starts = 0
    to_be_aborted = attempt.row.abort_reason is not None
    if not (to_be_aborted and verdict in (Verdict.ACTIVE, Verdict.UNBORN)):
        attempt.trouble = None  # else it is the abort that fails: this is no answer to it


def still_active(turn: Turn, step: RunStep, attempt: OpenAttempt, report: JobReport) -> None:
    """Record that the job runs, and go on minding it."""
    known = report.known_status is not None
    if not known:
        unknown_status(turn, step, attempt, report)
    if attempt.worker_gone:
        contradicted(turn, step, attempt, known)
        return
    if attempt.row.abort_reason == AbortReason.DEAD_START:
        turn.record_attempt(attempt, abort_reason=None)  # it was born after all
    if attempt.row.status is AttemptStatus.STARTING:
        turn.record_attempt(attempt, status=AttemptStatus.RUNNING, running_mono=turn.now.mono)
    step.last_running_mono = attempt.row.running_mono
    if attempt.watch is None:
        set_timeout(turn, step, attempt)
    if report.target_pid is None and attempt.questions < QUESTIONS_WHILE_STARTING:
        calls.ask_again_later(turn, attempt)
    calls.pursue(turn, attempt)


def contradicted(turn: Turn, step: RunStep, attempt: OpenAttempt, known: bool) -> None:
    """Believe a worker's absence over a row that says twice that it runs: its PID was reused."""
    attempt.contradictions += 1
    if known and attempt.contradictions >= CONTRADICTIONS:
        lost(turn, step, attempt, "its worker is gone, though orchesjob takes it for running")
    else:
        calls.ask_again_later(turn, attempt)


def set_timeout(turn: Turn, step: RunStep, attempt: OpenAttempt) -> None:
    """Count `timeout_sec` from the moment at which the attempt was seen to run (rule 5.5)."""
    limit, since = step.spec.timeout_sec, attempt.row.running_mono
    if limit is not None and since is not None:
        turn.set_timer(max(0.0, since + limit - turn.now.mono), Timer.TIMEOUT, attempt.id)


def unknown_status(turn: Turn, step: RunStep, attempt: OpenAttempt, report: JobReport) -> None:
    """Report a status that this version does not know; it counts as running (rule 5.3)."""
    error = f"orchesjob reports an unknown status, taken for running: {report.status}"
    if step.row.error != error:
        turn.record_step(step, error=error)
        turn.do(Warn(f"{attempt.run_key}: {error}"))


def watched(turn: Turn, attempt: OpenAttempt, watch: Watch) -> None:
    """Note whether the job's end will announce itself; if not, it is polled for (rule 6.2)."""
    attempt.watch = watch
    if watch is Watch.GONE:
        job_exited(turn, attempt)
        return
    if watch is Watch.UNSUPPORTED and not turn.run.polling:
        calls.poll_later(turn)
    calls.pursue(turn, attempt)


def job_exited(turn: Turn, attempt: OpenAttempt) -> None:
    """Ask for the outcome of a job whose worker is gone; that alone is no outcome."""
    attempt.worker_gone = True
    calls.ask_status(turn, attempt)


def request_abort(turn: Turn, attempt: OpenAttempt, reason: AbortReason) -> None:
    """Decide that an attempt is to be ended, and end it as soon as no call is under way."""
    if reason.outranks(attempt.row.abort_reason):
        turn.record_attempt(attempt, abort_reason=reason)
        calls.pursue(turn, attempt)


def birth_seen(turn: Turn, attempt: OpenAttempt, alive: bool) -> None:
    """Wait for a job that is being born; abort one whose start died, which proves it never ran."""
    if alive or attempt.job is None:
        calls.ask_again_later(turn, attempt)
        return
    if attempt.row.abort_reason is None:
        turn.record_attempt(attempt, abort_reason=AbortReason.DEAD_START)
    calls.abort(turn, attempt, attempt.job.job_id)


def remains_seen(
    turn: Turn, step: RunStep, attempt: OpenAttempt, survivors: Sequence[Process]
) -> None:
    """Settle an aborted attempt once nothing of it is alive; until then name what is."""
    if survivors:
        error = f"cannot be ended: {name_processes(survivors)}"
        if step.row.error != error:
            turn.record_step(step, error=error)
        turn.set_timer(END_AGAIN_SEC, Timer.SURVIVORS, attempt.id)
        return
    match attempt.row.abort_reason:
        case AbortReason.CANCEL | AbortReason.FLOW_TIMEOUT:
            ended_with_run(turn, step, attempt)
        case AbortReason.TIMEOUT:
            fail_attempt(turn, step, attempt, f"timed out after {step.spec.timeout_sec:g} s")
        case _:
            fail_attempt(turn, step, attempt, "outcome unknown: its start died and it was ended")


def status_unknown(turn: Turn, step: RunStep, attempt: OpenAttempt) -> None:
    """Act on "no such key": start what never was, and never start again what may have been."""
    attempt.before = None
    if attempt.row.abort_reason is not None:
        calls.end_remains(turn, attempt)
    elif attempt.row.job_id is not None:
        lost(turn, step, attempt, "orchesjob no longer knows the job")
    elif attempt.row.boot_id != turn.now.boot:
        lost(
            turn, step, attempt, "the machine or container was restarted while it was being started"
        )
    else:
        turn.record_attempt(attempt)
        calls.start_job(turn, step, attempt)


def call_failed(turn: Turn, step: RunStep, attempt: OpenAttempt, error: OrchesjobError) -> None:
    """Fail what can never be started as it stands; all else is tried again (rule 5.7)."""
    call = attempt.call
    calls.answered(turn, attempt)
    if call is not Call.START or error.retryable:
        calls.call_failed(turn, attempt, error)
    elif turn.run.ending is not None:
        ended_with_run(turn, step, attempt)
    else:
        fail_attempt(turn, step, attempt, f"could not be started: {error}")


def ended_with_run(turn: Turn, step: RunStep, attempt: OpenAttempt) -> None:
    """Record that an attempt was ended because its run is; its step is when all else is, too."""
    close_attempt(turn, step, attempt, AttemptStatus.CANCELLED, turn.run.ending_error)


def succeeded(turn: Turn, step: RunStep, attempt: OpenAttempt) -> None:
    """Record a success, which is final."""
    close_attempt(turn, step, attempt, AttemptStatus.SUCCEEDED, None)
    finish_step(turn, step, StepStatus.SUCCEEDED, None, attempt.row.finished_at)


def skipped(turn: Turn, step: RunStep, attempt: OpenAttempt) -> None:
    """Skip the step whose command said by its exit code that there is nothing to do (9.12)."""
    close_attempt(turn, step, attempt, AttemptStatus.SKIPPED, None)
    finish_step(turn, step, StepStatus.SKIPPED, None, attempt.row.finished_at)


def lost(turn: Turn, step: RunStep, attempt: OpenAttempt, why: str) -> None:
    """Fail an attempt of which nobody can say how it ended, or whether it did."""
    if attempt.row.abort_reason is not None:
        calls.end_remains(turn, attempt)
    else:
        fail_attempt(turn, step, attempt, f"outcome unknown: {why}")


def foreign(turn: Turn, step: RunStep, attempt: OpenAttempt, report: JobReport) -> None:
    """Fail a step under whose key somebody else's job lies (rule 5.9)."""
    error = (
        f"orchesjob knows {attempt.run_key} as another command, {list(report.command)} "
        f"and not {list(step.spec.command)}; use another run key or another orchesjob home"
    )
    turn.record_attempt(attempt, job_id=None)
    step.foreign_numbers.add(attempt.row.number)
    close_attempt(turn, step, attempt, AttemptStatus.FAILED, error)
    turn.record_step(step, failures=step.row.failures + 1)
    finish_step(turn, step, StepStatus.FAILED, error)


def never_ran(turn: Turn, step: RunStep, attempt: OpenAttempt) -> None:
    """Use up the number of a dead start, but no retry (rule 4.2)."""
    close_attempt(turn, step, attempt, AttemptStatus.NEVER_RAN, "orchesjob never carried it out")
    turn.record_step(step, status=StepStatus.PENDING)
    step.dead_starts += 1
    if step.dead_starts >= DEAD_STARTS_IN_A_ROW:
        calls.give_up(turn, f"{attempt.run_key}: {step.dead_starts} starts in a row died")
    else:
        await_attempt(turn, step)


def fail_attempt(
    turn: Turn, step: RunStep, attempt: OpenAttempt, error: str, code: int | None = None
) -> None:
    """Charge a failed attempt to the step, which is retried while retries are left (rule 5.4).

    With `retry_exit_codes` any other failure is final (rule 9.12).
    """
    retried = step.spec.retry_exit_codes
    close_attempt(turn, step, attempt, AttemptStatus.FAILED, error)
    turn.record_step(step, failures=step.row.failures + 1, error=error)
    if step.row.failures > step.row.max_retries or (retried and code not in retried):
        finish_step(turn, step, StepStatus.FAILED, error, attempt.row.finished_at)
    else:
        retry_step(turn, step, error)


def close_attempt(
    turn: Turn, step: RunStep, attempt: OpenAttempt, status: AttemptStatus, error: str | None
) -> None:
    """Give an attempt its terminal status."""
    running_mono = attempt.row.running_mono
    if running_mono is None and status is not AttemptStatus.NEVER_RAN:
        running_mono = turn.now.mono
    step.last_running_mono = running_mono
    turn.record_attempt(
        attempt,
        status=status,
        error=error,
        running_mono=running_mono,
        finished_at=ended_at(turn, attempt),
    )
    turn.run.settle(step)


def ended_at(turn: Turn, attempt: OpenAttempt) -> float:
    """Tell when an attempt ended: now, or when orchesjob saw it end while nobody was looking.

    orchesjob counts whole seconds, so a job has ended by the end of the one that it names.
    """
    seen = None if attempt.job is None else job_finished_at(attempt.job)
    latest = turn.now.wall if seen is None else min(turn.now.wall, seen + 1)
    return max(latest, attempt.row.started_at)
