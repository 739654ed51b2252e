"""The outcome of an attempt, and what it means for its step (rules 5.1 to 5.4, 9.12).

`judge` is the only place that reads orchesjob's statuses and exit codes.
"""

from enum import Enum, auto

from flow_spec import StepSpec, program_as_script
from flow_store import AttemptStatus, StepStatus
from orchesjob_client import JobReport, JobStatus, describe_failure, exit_code_of
from orchesjob_flow.engine import calls
from orchesjob_flow.engine.state import OpenAttempt, RunStep
from orchesjob_flow.engine.steps import await_attempt, finish_step, retry_step
from orchesjob_flow.engine.update_context import UpdateContext

LONGEST_REASON = 200


class Verdict(Enum):
    """What a report says about an attempt (rules 5.3 and 5.9)."""

    UNBORN = auto()  # recorded, and no worker has begun: perhaps it never will
    ACTIVE = auto()  # runs on, or may do so
    SUCCEEDED = auto()  # at the gate: the step may run
    FAILED = auto()  # ended by itself, and badly
    SKIPPED = auto()  # ended by itself, with a code that skips the step
    ABORTED = auto()  # was ended, or is being ended, by an abort
    LOST = auto()  # orchesjob lost sight of it: it may be alive
    NEVER_RAN = auto()  # proven: its command never began and never will
    FOREIGN = auto()  # somebody else's job lies under our key


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


def judge(report: JobReport, spec: StepSpec, *, is_gate: bool = False) -> Verdict:
    """Classify a report about an attempt at a step, or at its gate."""
    if not report.is_of(spec.command_of(is_gate=is_gate)):
        return Verdict.FOREIGN
    if report.never_ran:
        return Verdict.NEVER_RAN
    if report.known_status is JobStatus.STARTING and report.worker_pid is None:
        return Verdict.UNBORN
    code = exit_code_of(report)
    if code is None:
        return VERDICTS[report.known_status]
    return Verdict[spec.outcome_of(code, is_gate=is_gate)]


def describe_abort(report: JobReport) -> str:
    """Say who ended a job that this runner did not end, as far as orchesjob knows."""
    if report.abort_reason:
        return f"aborted from outside this run: {report.abort_reason[:LONGEST_REASON]}"
    return "aborted from outside this run"


def failure_of(report: JobReport) -> str:
    """Say how a job failed that ended by itself, and what to write where it had no program."""
    words = describe_failure(report)
    advice = program_as_script(report.command[0]) if report.not_spawned and report.command else None
    return words if advice is None else f"{words}; {advice}"


def job_finished_at(report: JobReport) -> float | None:
    """Tell when a job ended by itself, in whole seconds, if orchesjob knows: it may not."""
    if report.known_status not in (JobStatus.SUCCEEDED, JobStatus.FAILED):
        return None
    return report.finished_at


DEAD_STARTS_IN_A_ROW = 3


def succeeded(context: UpdateContext, step: RunStep, attempt: OpenAttempt) -> None:
    """Record a success, which is final."""
    close_attempt(context, step, attempt, AttemptStatus.SUCCEEDED, None)
    finish_step(context, step, StepStatus.SUCCEEDED, None, attempt.row.finished_at)


def passed(context: UpdateContext, step: RunStep, attempt: OpenAttempt) -> None:
    """Let the command follow at once: the gate has answered 0 (rule 10.8).

    It does as soon as nothing of the gate is alive (rule 5.8), and in its slot. In a run that is
    being ended nothing follows, and the step ends with that.
    """
    close_attempt(context, step, attempt, AttemptStatus.SUCCEEDED, None)
    step.has_passed_gate = True
    if context.run.ending is None:
        context.run.keep_slot(step)
        context.record_step(step, status=StepStatus.PENDING, error=None)
        await_attempt(context, step)


def skipped(context: UpdateContext, step: RunStep, attempt: OpenAttempt) -> None:
    """Skip the step: its command has exited with one of `skip_exit_codes`, or its gate with 1.

    Rules 9.12 and 10.8.
    """
    close_attempt(context, step, attempt, AttemptStatus.SKIPPED, None)
    finish_step(context, step, StepStatus.SKIPPED, None, attempt.row.finished_at)


def failed(
    context: UpdateContext,
    step: RunStep,
    attempt: OpenAttempt,
    error: str,
    exit_code: int | None = None,
) -> None:
    """Charge a failed attempt to the step, which is retried while retries are left (rule 5.4).

    With `retry_exit_codes` any other failure of the command is final (rule 9.12); the gate has
    no such list, and is asked again (rule 10.8).
    """
    retried = () if attempt.row.is_gate else step.spec.retry_exit_codes
    close_attempt(context, step, attempt, AttemptStatus.FAILED, error)
    error = f"only_if: {error}" if attempt.row.is_gate else error
    context.record_step(step, failures=step.row.failures + 1, error=error)
    if step.row.failures > step.row.max_retries or (retried and exit_code not in retried):
        finish_step(context, step, StepStatus.FAILED, error, attempt.row.finished_at)
    else:
        retry_step(context, step, error)


def foreign(context: UpdateContext, step: RunStep, attempt: OpenAttempt, report: JobReport) -> None:
    """Fail a step for good: somebody else's job has its attempt's key (rule 5.9)."""
    command = step.spec.command_of(is_gate=attempt.row.is_gate)
    error = (
        f"orchesjob knows {attempt.attempt_key} as another command, {list(report.command)} "
        f"and not {list(command)}; use another run key or another orchesjob home"
    )
    context.record_attempt(attempt, job_id=None)
    step.foreign_numbers.add(attempt.row.number)
    close_attempt(context, step, attempt, AttemptStatus.FAILED, error)
    context.record_step(step, failures=step.row.failures + 1)
    finish_step(context, step, StepStatus.FAILED, error)


def never_ran(context: UpdateContext, step: RunStep, attempt: OpenAttempt) -> None:
    """Use up the number of a dead start, but no retry (rule 4.2)."""
    close_attempt(context, step, attempt, AttemptStatus.NEVER_RAN, "orchesjob never carried it out")
    context.record_step(step, status=StepStatus.PENDING)
    step.dead_starts += 1
    if step.dead_starts >= DEAD_STARTS_IN_A_ROW:
        calls.give_up(context, f"{attempt.attempt_key}: {step.dead_starts} starts in a row died")
    else:
        await_attempt(context, step)


def ended_with_run(context: UpdateContext, step: RunStep, attempt: OpenAttempt) -> None:
    """Close an attempt that was ended because its run is; the step ends together with the run."""
    close_attempt(context, step, attempt, AttemptStatus.CANCELLED, context.run.ending_error)


def close_attempt(
    context: UpdateContext,
    step: RunStep,
    attempt: OpenAttempt,
    status: AttemptStatus,
    error: str | None,
) -> None:
    """Give an attempt its terminal status."""
    running_mono = attempt.row.running_mono
    if running_mono is None and status is not AttemptStatus.NEVER_RAN:
        running_mono = context.now.mono
    step.last_running_mono = running_mono
    context.record_attempt(
        attempt,
        status=status,
        error=error,
        running_mono=running_mono,
        finished_at=ended_at(context, attempt),
    )
    context.run.close(step)


def ended_at(context: UpdateContext, attempt: OpenAttempt) -> float:
    """Return when an attempt ended: now, or when orchesjob saw it end while no runner lived.

    orchesjob counts whole seconds, so a job has ended by the end of the second that it names.
    """
    seen = None if attempt.job is None else job_finished_at(attempt.job)
    latest = context.now.wall if seen is None else min(context.now.wall, seen + 1)
    return max(latest, attempt.row.started_at)
