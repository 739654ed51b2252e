"""The life of an attempt: it begins, orchesjob reports on it, it ends (rules 5.1 to 5.9, 9.12).

`judge` is the only place that reads orchesjob's statuses and exit codes.

LOST does not mean dead, and ABORTED does not mean gone. While a process of such an attempt lives,
the attempt stays open and its step RUNNING, so nothing that depends on the step starts beside it.
The engine watches the oldest process, and looks again when that one exits (rule 5.8).
"""

import json
from collections.abc import Sequence
from enum import Enum, auto

from flow_spec import StepSpec, program_as_script
from flow_store import Attempt, AttemptStatus, StepStatus, attempt_key
from orchesjob_client import (
    JobReport,
    JobStatus,
    OrchesjobError,
    Process,
    Watch,
    describe_failure,
    describe_loss,
    exit_code_of,
)
from orchesjob_flow.engine import calls
from orchesjob_flow.engine.messages import FilesNoted, StartPrevented, Timer, Warn, WatchProcess
from orchesjob_flow.engine.state import (
    FILES_SEC,
    NO_NEXT_ATTEMPT,
    AbortReason,
    CallKind,
    Loss,
    OpenAttempt,
    RunStep,
    UpdateContext,
    set_timeout,
)
from orchesjob_flow.engine.steps import (
    LOOK_AGAIN_SEC,
    await_attempt,
    finish_step,
    name_processes,
    retry_step,
)

LONGEST_REASON = 200
DEAD_STARTS_IN_A_ROW = 3
CONTRADICTIONS = 2
QUESTIONS_WHILE_STARTING = 3
END_AGAIN_SEC = 1.0
UNWRITTEN = ""
"""The `files` of an attempt that failed because of what it has not written."""


class Verdict(Enum):
    """What a report says about an attempt (rules 5.3 and 5.9)."""

    NO_WORKER = auto()  # recorded, and no worker has begun: perhaps it never will
    ACTIVE = auto()  # runs on, or may do so
    SUCCEEDED = auto()  # at the gate: the step may run
    FAILED = auto()  # ended by itself, with a failure
    SKIPPED = auto()  # ended by itself, with a code that skips the step
    ABORTED = auto()  # was ended, or is being ended, by an abort
    LOST = auto()  # orchesjob lost sight of it: it may be alive
    NEVER_RAN = auto()  # proven: its command never began and never will
    FOREIGN = auto()  # somebody else's job has our key


VERDICTS = {
    JobStatus.STARTING: Verdict.ACTIVE,
    JobStatus.RUNNING: Verdict.ACTIVE,
    JobStatus.SUCCEEDED: Verdict.SUCCEEDED,
    JobStatus.FAILED: Verdict.FAILED,
    JobStatus.LOST: Verdict.LOST,
    JobStatus.CANCELLED: Verdict.ABORTED,
    JobStatus.ABORTED: Verdict.ABORTED,
    None: Verdict.ACTIVE,  # an unknown status is treated as still running (rule 5.3)
}


UNSUCCESSFUL_VERDICTS = (Verdict.FAILED, Verdict.ABORTED, Verdict.LOST, Verdict.NEVER_RAN)


def judge(
    report: JobReport, spec: StepSpec, *, is_gate: bool = False, ended: bool = False
) -> Verdict:
    """Classify a report about an attempt at a step, or at its gate.

    A signal has no exit code if the attempt was `ended` for its run (rule 9.12).
    """
    if not report.is_of(spec.command_of(is_gate=is_gate)):
        return Verdict.FOREIGN
    if report.never_ran:
        return Verdict.NEVER_RAN
    if report.known_status is JobStatus.STARTING and report.worker_pid is None:
        return Verdict.NO_WORKER
    code = exit_code_of(report, was_ended=ended)
    if code is None:
        return VERDICTS[report.known_status]
    return Verdict[spec.outcome_of(code, is_gate=is_gate)]


def was_ended(context: UpdateContext, attempt: OpenAttempt, report: JobReport) -> bool:
    """Tell whether an attempt that did not succeed was ended for its `abort_reason`.

    If not, it has ended by itself, or somebody else has aborted it (rules 5.5 and 5.6). Where one
    request covers an outer and an inner run, either may end the other's attempts without orchesjob
    (rule 5.8a). So what did not end before the request there was ended by it.
    """
    reason, cancel = attempt.row.abort_reason, context.run.cancel
    if reason is None or calls.is_own_abort(report):
        return reason is not None
    if reason != AbortReason.CANCEL or cancel is None or not cancel.is_nested:
        return False
    return report.finished_at is None or report.finished_at + 1 > cancel.requested_at


def describe_abort(report: JobReport) -> str:
    """Say who ended a job that this runner did not end, as far as orchesjob knows."""
    if report.abort_reason:
        return f"aborted from outside this run: {report.abort_reason[:LONGEST_REASON]}"
    return "aborted from outside this run"


def failure_of(report: JobReport) -> str:
    """Say how a job failed; if its program was not found, also what to write instead."""
    words = describe_failure(report)
    advice = program_as_script(report.command[0]) if report.not_spawned and report.command else None
    return words if advice is None else f"{words}; {advice}"


def begin_attempt(context: UpdateContext, step: RunStep) -> None:
    """Record that the next attempt is starting, and start it after the commit (rule 4.2)."""
    before = step.row
    number = before.attempt_no + 1
    context.record_step(
        step,
        status=StepStatus.RUNNING,
        attempt_no=number,
        started_at=context.now.wall,
        error=None,
        **NO_NEXT_ATTEMPT,
    )
    row = Attempt(
        position=before.position,
        number=number,
        status=AttemptStatus.STARTING,
        started_at=context.now.wall,
        running_mono=None,
        boot_id=context.now.boot,
        is_gate=step.asks_gate,
    )
    key = attempt_key(context.run.run_key, step.spec.id, number)
    attempt = OpenAttempt(step, row, key, before)
    context.run.begin(step, attempt)
    context.record_attempt(attempt)
    calls.begin_start(context, attempt)


def withdraw_start(context: UpdateContext, attempt: OpenAttempt) -> None:
    """Take back a start that was decided, but neither committed nor performed (rule 5.6)."""
    calls.note_answer(context, attempt)
    if attempt.before is not None:
        del context.decision.changes.attempts[attempt.row.position, attempt.row.number]
        context.run.close(attempt.step)
        context.record_step(attempt.step, **attempt.before._asdict())


def act_on_report(context: UpdateContext, attempt: OpenAttempt, report: JobReport) -> None:
    """Act on what orchesjob reports of the attempt's job."""
    recognise_gate(context, attempt, report)
    ended = was_ended(context, attempt, report)
    verdict = judge(report, attempt.step.spec, is_gate=attempt.row.is_gate, ended=ended)
    record_report(context, attempt, report, verdict)
    # What orchesjob recorded as the end of the command counts first, whatever was requested since
    # and however often the machine was restarted: what has succeeded must not run again.
    match verdict:
        case Verdict.FOREIGN:
            fail_foreign(context, attempt, report)
        case Verdict.SUCCEEDED if attempt.row.is_gate:
            pass_gate(context, attempt)
        case Verdict.SUCCEEDED:
            succeed(context, attempt)
        case Verdict.SKIPPED:
            skip(context, attempt)
        case Verdict.NEVER_RAN if attempt.row.abort_reason in (None, AbortReason.DEAD_START):
            discard_start(context, attempt)
        case _ if verdict in UNSUCCESSFUL_VERDICTS and ended:
            calls.end_left_behind(context, attempt)
        case Verdict.FAILED:
            fail_attempt(context, attempt, failure_of(report), exit_code_of(report))
        case Verdict.ABORTED | Verdict.NEVER_RAN:
            fail_aborted(context, attempt, describe_abort(report))
        case Verdict.LOST:
            lose_attempt(context, attempt, describe_loss(report))
        case _ if attempt.row.boot_id != context.now.boot:
            why = "the machine or container was restarted while it ran"
            lose_attempt(context, attempt, why)
        case Verdict.NO_WORKER:
            calls.look_for_processes(context, attempt)
        case _:
            note_active(context, attempt, report)


def recognise_gate(context: UpdateContext, attempt: OpenAttempt, report: JobReport) -> None:
    """Treat an attempt as one at the gate if orchesjob has the gate's command under its key.

    That happens where an earlier record of the run was lost, and the gate was asked more often
    then. Asking it once more runs nothing twice. The reverse, a command where the gate is to be
    asked, stays a foreign job (rules 4.7, 5.9 and 10.8).
    """
    spec, row = attempt.step.spec, attempt.row
    if row.is_gate or not spec.only_if or report.is_of(spec.command):
        return
    if report.is_of(spec.only_if):
        attempt.step.has_passed_gate = False
        context.record_attempt(attempt, is_gate=True)


def record_report(
    context: UpdateContext, attempt: OpenAttempt, report: JobReport, verdict: Verdict
) -> None:
    """Record what orchesjob reports of the job."""
    attempt.before, attempt.job = None, report
    if report.existing:  # from before the database was lost: what it has written was noted too late
        context.record_attempt(attempt, files=None)
    if attempt.row.job != report.payload:
        context.record_attempt(attempt, job=report.payload, job_id=report.job_id)
    if verdict not in (Verdict.NEVER_RAN, Verdict.NO_WORKER):
        attempt.step.dead_starts = 0
    to_be_aborted = attempt.row.abort_reason is not None
    if not (to_be_aborted and verdict in (Verdict.ACTIVE, Verdict.NO_WORKER)):
        attempt.backoff = None  # else it is the abort that fails: this is no answer to it


def note_active(context: UpdateContext, attempt: OpenAttempt, report: JobReport) -> None:
    """Record that the job runs, and arrange that its end is noticed."""
    known = report.known_status is not None
    if not known:
        note_unknown_status(context, attempt, report)
    if attempt.worker_gone:
        note_contradiction(context, attempt, known)
        return
    if attempt.row.abort_reason == AbortReason.DEAD_START:
        context.record_attempt(attempt, abort_reason=None)  # it has a worker after all
    if attempt.row.status is AttemptStatus.STARTING:
        context.record_attempt(attempt, status=AttemptStatus.RUNNING, running_mono=context.now.mono)
    if attempt.watch is None:
        set_timeout(context, attempt)
    if report.target_pid is None and attempt.questions < QUESTIONS_WHILE_STARTING:
        calls.ask_again(context, attempt)  # a few times only: its end is noticed anyway
    calls.make_next_call(context, attempt)


def note_contradiction(context: UpdateContext, attempt: OpenAttempt, known: bool) -> None:
    """Treat the attempt as lost once orchesjob has twice called a job running whose worker is gone.

    orchesjob then sees another process with the same PID. `known` is false for a
    status that this version does not know; that never counts as lost.
    """
    attempt.contradictions += 1
    if known and attempt.contradictions >= CONTRADICTIONS:
        why = "its worker is gone, but orchesjob still reports it as running"
        lose_attempt(context, attempt, why)
    else:
        calls.ask_again(context, attempt)


def note_unknown_status(context: UpdateContext, attempt: OpenAttempt, report: JobReport) -> None:
    """Report a status that this version does not know; it counts as running (rule 5.3)."""
    error = f"orchesjob reports an unknown status, treated as running: {report.status}"
    if attempt.step.row.error != error:
        context.record_step(attempt.step, error=error)
        context.do(Warn(f"{attempt.attempt_key}: {error}"))


def act_on_watch(context: UpdateContext, attempt: OpenAttempt, watch: Watch) -> None:
    """Note whether the job's end will be reported; if not, poll for it (rule 6.2)."""
    if attempt.loss is not None:
        act_on_survivor_watch(context, attempt, attempt.loss, watch)
        return
    attempt.watch = watch
    if watch is Watch.GONE:
        act_on_exit(context, attempt)
        return
    if watch is Watch.UNSUPPORTED and not context.run.polling:
        calls.poll_later(context)
    calls.make_next_call(context, attempt)


def act_on_exit(context: UpdateContext, attempt: OpenAttempt) -> None:
    """Ask for the outcome of a job whose worker is gone: the exit alone is not an outcome."""
    if attempt.loss is not None:
        act_on_survivor_exit(context, attempt, attempt.loss)
        return
    attempt.worker_gone = True
    calls.ask_status(context, attempt)


def request_abort(context: UpdateContext, attempt: OpenAttempt, reason: AbortReason) -> None:
    """Decide that an attempt is to be ended, and end it as soon as no call is in progress."""
    if reason.outranks(attempt.row.abort_reason):
        context.record_attempt(attempt, abort_reason=reason)
        calls.make_next_call(context, attempt)


def act_on_look(context: UpdateContext, attempt: OpenAttempt, survivors: Sequence[Process]) -> None:
    """Act on the processes of an attempt: lost, to be aborted, or one that has no worker yet.

    The processes of one to be aborted are recorded before that (rule 5.8).
    """
    if attempt.loss is not None:
        act_on_survivors(context, attempt, attempt.loss, survivors)
    elif attempt.job is not None and attempt.job.worker_pid is not None:
        attempt.processes_recorded = True
        record_processes(context, attempt, survivors)
        calls.make_next_call(context, attempt)
    else:
        await_worker(context, attempt, alive=bool(survivors))


def record_processes(context: UpdateContext, attempt: OpenAttempt, kin: Sequence[Process]) -> None:
    """Record processes of an attempt that a later search may not recognise by itself."""
    known = [process._replace(command="") for process in kin]
    context.record_attempt(attempt, kin=json.dumps(known))


def await_worker(context: UpdateContext, attempt: OpenAttempt, alive: bool) -> None:
    """Wait for the worker of a job; abort a job whose start died, which proves it never ran."""
    if alive or attempt.job is None:
        calls.ask_again(context, attempt)
        return
    if attempt.row.abort_reason is None:
        context.record_attempt(attempt, abort_reason=AbortReason.DEAD_START)
    calls.abort(context, attempt, attempt.job.job_id)


def close_if_ended(
    context: UpdateContext, attempt: OpenAttempt, survivors: Sequence[Process]
) -> None:
    """Close an aborted attempt once no process of it is alive; until then name the processes."""
    step = attempt.step
    if survivors:
        error = f"cannot be ended: {name_processes(survivors)}"
        if step.row.error != error:
            context.record_step(step, error=error)
        context.set_timer(END_AGAIN_SEC, Timer.OPEN_SURVIVORS, attempt.id)
        return
    match attempt.row.abort_reason:
        case AbortReason.CANCEL | AbortReason.FLOW_TIMEOUT:
            cancel_attempt(context, attempt)
        case AbortReason.TIMEOUT:
            error = f"timed out after {step.spec.timeout_sec:g} s"
            fail_attempt(context, attempt, error)
        case _:
            error = "outcome unknown: the call that started it died, and its job was ended"
            fail_attempt(context, attempt, error)


def act_on_unknown_key(context: UpdateContext, attempt: OpenAttempt) -> None:
    """Act on "no such key": start only what orchesjob has never confirmed, in this boot.

    Its own run key keeps a start that arrives twice from running twice (rule 4.2).
    """
    attempt.before = None
    if attempt.row.abort_reason is not None:
        calls.end_left_behind(context, attempt)
    elif attempt.row.job_id is not None:
        lose_attempt(context, attempt, "orchesjob no longer knows the job")
    elif attempt.row.boot_id != context.now.boot:
        why = "the machine or container was restarted while it was being started"
        lose_attempt(context, attempt, why)
    else:
        attempt.without = ()
        context.record_attempt(attempt, note=None)
        calls.begin_start(context, attempt)


def start_noted(context: UpdateContext, attempt: OpenAttempt, event: FilesNoted) -> None:
    """Start an attempt whose files are noted, after recording them: a successor compares too."""
    attempt.before = None
    if attempt.row.abort_reason is not None:
        calls.end_left_behind(context, attempt)
    elif event.files is None:
        fail_start(context, attempt, event.flaw or "")
    else:
        context.record_attempt(attempt, files=event.files)
        calls.start_job(context, attempt)


def finish_checked(context: UpdateContext, attempt: OpenAttempt, flaw: str | None) -> None:
    """Close an attempt whose command has succeeded: it fails if it has not written its files.

    `retries` apply whatever `retry_exit_codes` says (rule 10.10).
    """
    context.record_attempt(attempt, files=None if flaw is None else UNWRITTEN)
    if flaw is None:
        succeed(context, attempt)
    else:
        fail_attempt(context, attempt, flaw)


def act_on_overdue(context: UpdateContext, attempt: OpenAttempt) -> None:
    """Give up after the patience; but if files cannot be looked at, that fails the attempt."""
    call = attempt.call
    if call is None or not calls.is_overdue(context, attempt):
        return
    if not call.is_of_files:
        calls.give_up(context, f"{attempt.attempt_key}: {call.value} has not answered")
        return
    calls.note_answer(context, attempt)
    flaw = f"{call.value} has taken longer than {FILES_SEC:g} s"
    if call is CallKind.NOTE:
        start_noted(context, attempt, FilesNoted(attempt.id, None, flaw))
    else:
        finish_checked(context, attempt, flaw)


def act_on_no_answer(context: UpdateContext, attempt: OpenAttempt, error: OrchesjobError) -> None:
    """Fail an attempt that can never be started as it is; repeat any other call (rule 5.7)."""
    call = attempt.call
    calls.note_answer(context, attempt)
    if call is not CallKind.START or error.retryable:
        calls.repeat_call(context, attempt, error)
    else:
        fail_start(context, attempt, str(error))


def fail_start(context: UpdateContext, attempt: OpenAttempt, reason: str) -> None:
    """Fail an attempt that has not run and, as it is, cannot run (rules 5.7 and 10.4)."""
    if context.run.ending is not None:
        cancel_attempt(context, attempt)
    else:
        fail_attempt(context, attempt, f"could not be started: {reason}")


def start_without(context: UpdateContext, attempt: OpenAttempt, event: StartPrevented) -> None:
    """Start an attempt without the files that cannot be read, after recording that (rule 10.4)."""
    notes = (attempt.row.note, event.reason) if attempt.without else (event.reason,)
    attempt.before, attempt.without = None, (*attempt.without, *event.without)
    context.record_attempt(attempt, note="; ".join(filter(None, notes)))
    calls.start_job(context, attempt)


def succeed(context: UpdateContext, attempt: OpenAttempt) -> None:
    """Record a success, which is final, once what the command is to write has been looked at."""
    if attempt.row.files is not None:
        calls.check_files(context, attempt, attempt.row.files)
        return
    close_attempt(context, attempt, AttemptStatus.SUCCEEDED, None)
    finish_step(context, attempt.step, StepStatus.SUCCEEDED, None, attempt.row.finished_at)


def pass_gate(context: UpdateContext, attempt: OpenAttempt) -> None:
    """Let the command follow at once: the gate has answered 0 (rule 10.8).

    It starts in the gate's slot, as soon as no process of the gate is alive (rule 5.8). In a run
    that is being ended nothing follows, and the step ends with its run.
    """
    step = attempt.step
    close_attempt(context, attempt, AttemptStatus.SUCCEEDED, None)
    step.has_passed_gate = True
    if context.run.ending is None:
        context.run.keep_slot(step)
        context.record_step(step, status=StepStatus.PENDING, error=None)
        await_attempt(context, step)


def skip(context: UpdateContext, attempt: OpenAttempt) -> None:
    """Skip the step: its command has exited with one of `skip_exit_codes`, or its gate with 1.

    Rules 9.12 and 10.8.
    """
    close_attempt(context, attempt, AttemptStatus.SKIPPED, None)
    finish_step(context, attempt.step, StepStatus.SKIPPED, None, attempt.row.finished_at)


def fail_attempt(
    context: UpdateContext, attempt: OpenAttempt, error: str, exit_code: int | None = None
) -> None:
    """Charge a failed attempt to the step, which is retried while retries are left (rule 5.4).

    With `retry_exit_codes` any other failure of the command is final (rule 9.12); the gate has
    no such list, and is asked again (rule 10.8), and what was not written has no exit code.
    """
    step = attempt.step
    is_of_code = not attempt.row.is_gate and attempt.row.files != UNWRITTEN
    retried = step.spec.retry_exit_codes if is_of_code else ()
    close_attempt(context, attempt, AttemptStatus.FAILED, error)
    error = f"only_if: {error}" if attempt.row.is_gate else error
    context.record_step(step, failures=step.row.failures + 1, error=error)
    if step.row.failures > step.row.max_retries or (retried and exit_code not in retried):
        finish_step(context, step, StepStatus.FAILED, error, attempt.row.finished_at)
    else:
        retry_step(context, step, error)


def fail_foreign(context: UpdateContext, attempt: OpenAttempt, report: JobReport) -> None:
    """Fail a step for good: somebody else's job has its attempt's key (rule 5.9)."""
    step = attempt.step
    command = step.spec.command_of(is_gate=attempt.row.is_gate)
    error = (
        f"orchesjob knows {attempt.attempt_key} as another command, {list(report.command)} "
        f"and not {list(command)}; use another run key or another orchesjob home"
    )
    context.record_attempt(attempt, job_id=None)
    step.foreign_numbers.add(attempt.row.number)
    close_attempt(context, attempt, AttemptStatus.FAILED, error)
    context.record_step(step, failures=step.row.failures + 1)
    finish_step(context, step, StepStatus.FAILED, error)


def discard_start(context: UpdateContext, attempt: OpenAttempt) -> None:
    """Use up the number of a dead start, but no retry (rule 4.2)."""
    step = attempt.step
    close_attempt(context, attempt, AttemptStatus.NEVER_RAN, "orchesjob never started it")
    context.record_step(step, status=StepStatus.PENDING)
    step.dead_starts += 1
    if step.dead_starts >= DEAD_STARTS_IN_A_ROW:
        calls.give_up(context, f"{attempt.attempt_key}: {step.dead_starts} starts in a row died")
    else:
        await_attempt(context, step)


def cancel_attempt(context: UpdateContext, attempt: OpenAttempt) -> None:
    """Close an attempt that was ended because its run is; the step ends together with the run."""
    close_attempt(context, attempt, AttemptStatus.CANCELLED, context.run.ending_error)


def close_attempt(
    context: UpdateContext, attempt: OpenAttempt, status: AttemptStatus, error: str | None
) -> None:
    """Give an attempt its terminal status."""
    running_mono = attempt.row.running_mono
    if running_mono is None and status is not AttemptStatus.NEVER_RAN:
        running_mono = context.now.mono
    context.record_attempt(
        attempt,
        status=status,
        error=error,
        running_mono=running_mono,
        finished_at=ended_at(context, attempt),
        # There may be thousands of them, and nobody compares with them again.
        files=UNWRITTEN if attempt.row.files == UNWRITTEN else None,
    )
    attempt.step.latest = attempt.row
    context.run.close(attempt.step)


def ended_at(context: UpdateContext, attempt: OpenAttempt) -> float:
    """Return when an attempt ended: now, or when orchesjob saw it end while no runner lived.

    orchesjob counts whole seconds, so a job has ended by the end of the second that it names.
    """
    latest, job = context.now.wall, attempt.job
    by_itself = (JobStatus.SUCCEEDED, JobStatus.FAILED)
    if job is not None and job.known_status in by_itself and job.finished_at is not None:
        latest = min(latest, job.finished_at + 1)
    return max(latest, attempt.row.started_at)


def lose_attempt(context: UpdateContext, attempt: OpenAttempt, why: str) -> None:
    """Fail an attempt whose outcome is unknown, once its processes have exited (rule 5.3)."""
    await_end(context, attempt, Loss(why, error=f"outcome unknown: {why}"))


def fail_aborted(context: UpdateContext, attempt: OpenAttempt, why: str) -> None:
    """Fail an attempt that was aborted from outside, once its processes have exited."""
    await_end(context, attempt, Loss(why, error=why))


def await_end(context: UpdateContext, attempt: OpenAttempt, loss: Loss) -> None:
    """Look for living processes of an attempt: without any, it has ended by itself."""
    if attempt.loss is None:
        attempt.loss = loss
    calls.look_again(context, attempt)


def act_on_survivors(
    context: UpdateContext, attempt: OpenAttempt, loss: Loss, survivors: Sequence[Process]
) -> None:
    """Close the attempt if no process of it is alive; else end the processes, or wait for them."""
    if survivors and attempt.row.abort_reason is not None:
        loss.being_ended = True
        calls.end_left_behind(context, attempt)
    elif survivors:
        note_survivors(context, attempt, loss, survivors)
        oldest = min(survivors, key=lambda process: (process.started_ticks, process.pid))
        context.call(attempt, CallKind.WATCH, WatchProcess(attempt.id, oldest))
    else:
        fail_attempt(context, attempt, loss.error)


def note_survivors(
    context: UpdateContext, attempt: OpenAttempt, loss: Loss, survivors: Sequence[Process]
) -> None:
    """Record the processes in which the attempt runs on; its time limit counts for them (5.5)."""
    if attempt.row.status is AttemptStatus.STARTING:
        context.record_attempt(attempt, status=AttemptStatus.RUNNING, running_mono=context.now.mono)
    if loss.looked_at is None:
        set_timeout(context, attempt)
    loss.looked_at, loss.exited = context.now.mono, False
    alive = f"attempt {attempt.row.number} is still alive: {name_processes(survivors)}"
    error = f"{loss.why}, but {alive}; kill it to continue"
    if attempt.step.row.error != error:
        context.record_step(attempt.step, error=error)


def act_on_survivor_watch(
    context: UpdateContext, attempt: OpenAttempt, loss: Loss, watch: Watch
) -> None:
    """Wait for the end of the watched process; if it cannot be watched, look at intervals."""
    if attempt.row.abort_reason is not None:
        calls.look_again(context, attempt)
    elif watch is Watch.UNSUPPORTED:
        look_later(context, attempt, loss, context.run.limits.poll_interval_sec)
    elif watch is Watch.GONE or loss.exited:
        look_later(context, attempt, loss)


def act_on_survivor_exit(context: UpdateContext, attempt: OpenAttempt, loss: Loss) -> None:
    """Look for other living processes, now that the watched process has exited."""
    loss.exited = True
    if attempt.call is None:
        look_later(context, attempt, loss)


def look_later(
    context: UpdateContext, attempt: OpenAttempt, loss: Loss, delay_sec: float = LOOK_AGAIN_SEC
) -> None:
    """Look again, `delay_sec` after the last look: short-lived processes may follow one another."""
    since = context.now.mono if loss.looked_at is None else loss.looked_at
    context.set_timer(
        max(0.0, since + delay_sec - context.now.mono), Timer.OPEN_SURVIVORS, attempt.id
    )
