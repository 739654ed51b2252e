"""The life of an attempt: it begins, orchesjob reports on it, it ends (rules 5.3 to 5.9).

LOST does not mean dead, and ABORTED does not mean gone. While a process of such an attempt lives,
the attempt stays open and its step RUNNING, so nothing that depends on the step starts beside it.
The engine watches the oldest process, and looks again when that one exits (rule 5.8).
"""

from collections.abc import Sequence

from flow_store import Attempt, AttemptStatus, StepStatus
from orchesjob_client import (
    JobReport,
    OrchesjobError,
    Process,
    Watch,
    describe_loss,
    exit_code_of,
)
from orchesjob_flow.attempt_key import attempt_key
from orchesjob_flow.engine import calls, outcomes
from orchesjob_flow.engine.messages import Timer, Warn, WatchProcess
from orchesjob_flow.engine.outcomes import Verdict, describe_abort, failure_of, judge
from orchesjob_flow.engine.state import AbortReason, Call, Loss, OpenAttempt, RunStep
from orchesjob_flow.engine.steps import LOOK_AGAIN_SEC, name_processes
from orchesjob_flow.engine.update_context import NO_NEXT_ATTEMPT, Turn, set_timeout


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


def survivors_found(
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


def survivor_watched(turn: Turn, attempt: OpenAttempt, loss: Loss, watch: Watch) -> None:
    """Wait for the end of the process that is watched; if it cannot be, look from time to time."""
    if attempt.row.abort_reason is not None:
        calls.end_remains(turn, attempt)
    elif watch is Watch.UNSUPPORTED:
        look_later(turn, attempt, loss, turn.run.limits.poll_interval_sec)
    elif watch is Watch.GONE or loss.exited:
        look_later(turn, attempt, loss)


def survivor_exited(turn: Turn, attempt: OpenAttempt, loss: Loss) -> None:
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
        is_gate=step.asks_gate,
    )
    key = attempt_key(turn.run.run_key, step.spec.id, number)
    attempt = OpenAttempt(row, key, before)
    turn.run.begin(step, attempt)
    turn.record_attempt(attempt)
    calls.start_job(turn, step, attempt)


def withdraw_start(turn: Turn, step: RunStep, attempt: OpenAttempt) -> None:
    """Take back a start that was decided, but neither committed nor performed (rule 5.6)."""
    calls.answered(turn, attempt)
    if attempt.before is not None:
        del turn.decision.changes.attempts[attempt.row.position, attempt.row.number]
        turn.run.close(step)
        turn.restore_step(step, attempt.before)


def reported(turn: Turn, step: RunStep, attempt: OpenAttempt, report: JobReport) -> None:
    """Do what an answer of orchesjob about the attempt's job means."""
    recognise(turn, step, attempt, report)
    verdict = judge(report, step.spec, is_gate=attempt.row.is_gate)
    take_note(turn, step, attempt, report, verdict)
    ending = attempt.row.abort_reason is not None
    match verdict:
        case Verdict.FOREIGN:
            outcomes.foreign(turn, step, attempt, report)
        case Verdict.SUCCEEDED if attempt.row.is_gate:
            outcomes.passed(turn, step, attempt)
        case Verdict.SUCCEEDED:
            outcomes.succeeded(turn, step, attempt)
        case Verdict.SKIPPED:
            outcomes.skipped(turn, step, attempt)
        case Verdict.FAILED:
            outcomes.failed(turn, step, attempt, failure_of(report), exit_code_of(report))
        case Verdict.NEVER_RAN if attempt.row.abort_reason in (None, AbortReason.DEAD_START):
            outcomes.never_ran(turn, step, attempt)
        case Verdict.ABORTED | Verdict.LOST | Verdict.NEVER_RAN if ending:
            calls.end_remains(turn, attempt)
        case Verdict.ABORTED:
            aborted(turn, attempt, describe_abort(report))
        case Verdict.LOST:
            lost(turn, attempt, describe_loss(report))
        case _ if attempt.row.boot_id != turn.now.boot:
            why = "the machine or container was restarted while it ran"
            lost(turn, attempt, why)
        case Verdict.UNBORN:
            calls.look(turn, attempt)
        case _:
            still_active(turn, step, attempt, report)


def recognise(turn: Turn, step: RunStep, attempt: OpenAttempt, report: JobReport) -> None:
    """Take an attempt for one at the gate if that is what orchesjob knows under its key.

    So it is where the run was recorded before, and that record was lost: the gate may have been
    asked more often then. To ask once more runs nothing twice; the reverse, a command where the
    gate is to be asked, stays a job of somebody else (rules 4.7, 5.9 and 10.8).
    """
    spec, row = step.spec, attempt.row
    if row.is_gate or not spec.only_if or report.is_of(spec.command):
        return
    if report.is_of(spec.only_if):
        step.has_passed_gate = False
        turn.record_attempt(attempt, is_gate=True)


def take_note(
    turn: Turn, step: RunStep, attempt: OpenAttempt, report: JobReport, verdict: Verdict
) -> None:
    """Record what orchesjob reports of the job."""
    attempt.before, attempt.job = None, report
    if attempt.row.job != report.payload:
        turn.record_attempt(attempt, job=report.payload, job_id=report.job_id)
    if verdict not in (Verdict.NEVER_RAN, Verdict.UNBORN):
        step.dead_starts = 0
    to_be_aborted = attempt.row.abort_reason is not None
    if not (to_be_aborted and verdict in (Verdict.ACTIVE, Verdict.UNBORN)):
        attempt.trouble = None  # else it is the abort that fails: this is no answer to it


def still_active(turn: Turn, step: RunStep, attempt: OpenAttempt, report: JobReport) -> None:
    """Record that the job runs, and see to it that its end is noticed."""
    known = report.known_status is not None
    if not known:
        unknown_status(turn, step, attempt, report)
    if attempt.worker_gone:
        contradicted(turn, attempt, known)
        return
    if attempt.row.abort_reason == AbortReason.DEAD_START:
        turn.record_attempt(attempt, abort_reason=None)  # it was born after all
    if attempt.row.status is AttemptStatus.STARTING:
        turn.record_attempt(attempt, status=AttemptStatus.RUNNING, running_mono=turn.now.mono)
    step.last_running_mono = attempt.row.running_mono
    if attempt.watch is None:
        set_timeout(turn, step, attempt)
    if report.target_pid is None:
        calls.ask_while_starting(turn, attempt)
    calls.pursue(turn, attempt)


def contradicted(turn: Turn, attempt: OpenAttempt, known: bool) -> None:
    """Believe that the worker is gone once orchesjob has twice denied it: its PID is reused.

    `known` is false for a status that this version does not know: it never counts as lost.
    """
    attempt.contradictions += 1
    if known and attempt.contradictions >= CONTRADICTIONS:
        why = "its worker is gone, though orchesjob takes it for running"
        lost(turn, attempt, why)
    else:
        calls.ask_again(turn, attempt)


def unknown_status(turn: Turn, step: RunStep, attempt: OpenAttempt, report: JobReport) -> None:
    """Report a status that this version does not know; it counts as running (rule 5.3)."""
    error = f"orchesjob reports an unknown status, taken for running: {report.status}"
    if step.row.error != error:
        turn.record_step(step, error=error)
        turn.do(Warn(f"{attempt.attempt_key}: {error}"))


def watched(turn: Turn, attempt: OpenAttempt, watch: Watch) -> None:
    """Note whether the job's end will announce itself; if not, it is polled for (rule 6.2)."""
    if attempt.loss is not None:
        survivor_watched(turn, attempt, attempt.loss, watch)
        return
    attempt.watch = watch
    if watch is Watch.GONE:
        job_exited(turn, attempt)
        return
    if watch is Watch.UNSUPPORTED and not turn.run.polling:
        calls.poll_later(turn)
    calls.pursue(turn, attempt)


def job_exited(turn: Turn, attempt: OpenAttempt) -> None:
    """Ask for the outcome of a job whose worker is gone; that alone is no outcome."""
    if attempt.loss is not None:
        survivor_exited(turn, attempt, attempt.loss)
        return
    attempt.worker_gone = True
    calls.ask_status(turn, attempt)


def request_abort(turn: Turn, attempt: OpenAttempt, reason: AbortReason) -> None:
    """Decide that an attempt is to be ended, and end it as soon as no call is under way."""
    if reason.outranks(attempt.row.abort_reason):
        turn.record_attempt(attempt, abort_reason=reason)
        calls.pursue(turn, attempt)


def looked(turn: Turn, step: RunStep, attempt: OpenAttempt, survivors: Sequence[Process]) -> None:
    """Act on what was seen alive of an attempt that is lost, or of one that is being born."""
    if attempt.loss is not None:
        survivors_found(turn, step, attempt, attempt.loss, survivors)
    else:
        birth_seen(turn, attempt, alive=bool(survivors))


def birth_seen(turn: Turn, attempt: OpenAttempt, alive: bool) -> None:
    """Wait for a job that is being born; abort one whose start died, which proves it never ran."""
    if alive or attempt.job is None:
        calls.ask_again(turn, attempt)
        return
    if attempt.row.abort_reason is None:
        turn.record_attempt(attempt, abort_reason=AbortReason.DEAD_START)
    calls.abort(turn, attempt, attempt.job.job_id)


def remains_seen(
    turn: Turn, step: RunStep, attempt: OpenAttempt, survivors: Sequence[Process]
) -> None:
    """Close an aborted attempt once nothing of it is alive; until then name what is."""
    if survivors:
        error = f"cannot be ended: {name_processes(survivors)}"
        if step.row.error != error:
            turn.record_step(step, error=error)
        turn.set_timer(END_AGAIN_SEC, Timer.REMAINS, attempt.id)
        return
    match attempt.row.abort_reason:
        case AbortReason.CANCEL | AbortReason.FLOW_TIMEOUT:
            outcomes.ended_with_run(turn, step, attempt)
        case AbortReason.TIMEOUT:
            error = f"timed out after {step.spec.timeout_sec:g} s"
            outcomes.failed(turn, step, attempt, error)
        case _:
            error = "outcome unknown: its start died and it was ended"
            outcomes.failed(turn, step, attempt, error)


def status_unknown(turn: Turn, step: RunStep, attempt: OpenAttempt) -> None:
    """Act on "no such key": start what never was, and never start again what may have been."""
    attempt.before = None
    if attempt.row.abort_reason is not None:
        calls.end_remains(turn, attempt)
    elif attempt.row.job_id is not None:
        lost(turn, attempt, "orchesjob no longer knows the job")
    elif attempt.row.boot_id != turn.now.boot:
        why = "the machine or container was restarted while it was being started"
        lost(turn, attempt, why)
    else:
        turn.record_attempt(attempt)
        calls.start_job(turn, step, attempt)


def call_unanswered(turn: Turn, step: RunStep, attempt: OpenAttempt, error: OrchesjobError) -> None:
    """Fail what can never be started as it stands; any other call is made again (rule 5.7)."""
    call = attempt.call
    calls.answered(turn, attempt)
    if call is not Call.START or error.retryable:
        calls.call_unanswered(turn, attempt, error)
    else:
        could_not_start(turn, step, attempt, str(error))


def could_not_start(turn: Turn, step: RunStep, attempt: OpenAttempt, reason: str) -> None:
    """Fail an attempt of which nothing has run and, as it stands, nothing can (rules 5.7, 10.4)."""
    if turn.run.ending is not None:
        outcomes.ended_with_run(turn, step, attempt)
    else:
        outcomes.failed(turn, step, attempt, f"could not be started: {reason}")
