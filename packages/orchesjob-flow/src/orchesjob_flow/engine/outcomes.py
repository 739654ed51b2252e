"""What becomes of an attempt, and of its step, once its outcome is known (rules 5.1 to 5.4, 9.12).

Each function closes the attempt; the step ends with it, or is retried. Which of these outcomes an
answer of orchesjob amounts to is decided in `attempts`, by the table in `job_status`.
"""

from flow_store import AttemptStatus, StepStatus
from orchesjob_client import JobReport
from orchesjob_flow.engine import patience
from orchesjob_flow.engine.job_status import job_finished_at
from orchesjob_flow.engine.open_attempt import OpenAttempt
from orchesjob_flow.engine.retries import await_attempt, retry_step
from orchesjob_flow.engine.run import RunStep
from orchesjob_flow.engine.steps import finish_step
from orchesjob_flow.engine.turn import Turn

DEAD_STARTS_IN_A_ROW = 3


def succeeded(turn: Turn, step: RunStep, attempt: OpenAttempt) -> None:
    """Record a success, which is final."""
    close_attempt(turn, step, attempt, AttemptStatus.SUCCEEDED, None)
    finish_step(turn, step, StepStatus.SUCCEEDED, None, attempt.row.finished_at)


def passed(turn: Turn, step: RunStep, attempt: OpenAttempt) -> None:
    """Let the command follow at once: the gate has answered 0 (rule 10.8).

    It does as soon as nothing of the gate is alive (rule 5.8), and in its place. In a run that is
    being ended nothing follows, and the step ends with that.
    """
    close_attempt(turn, step, attempt, AttemptStatus.SUCCEEDED, None)
    step.has_passed_gate = True
    if turn.run.ending is None:
        turn.run.keep_place(step)
        turn.record_step(step, status=StepStatus.PENDING, error=None)
        await_attempt(turn, step)


def skipped(turn: Turn, step: RunStep, attempt: OpenAttempt) -> None:
    """Skip the step: its command has exited with one of `skip_exit_codes`, or its gate with 1.

    Rules 9.12 and 10.8.
    """
    close_attempt(turn, step, attempt, AttemptStatus.SKIPPED, None)
    finish_step(turn, step, StepStatus.SKIPPED, None, attempt.row.finished_at)


def failed(
    turn: Turn, step: RunStep, attempt: OpenAttempt, error: str, exit_code: int | None = None
) -> None:
    """Charge a failed attempt to the step, which is retried while retries are left (rule 5.4).

    With `retry_exit_codes` any other failure of the command is final (rule 9.12); the gate has
    no such list, and is asked again (rule 10.8).
    """
    retried = () if attempt.row.is_gate else step.spec.retry_exit_codes
    close_attempt(turn, step, attempt, AttemptStatus.FAILED, error)
    error = f"only_if: {error}" if attempt.row.is_gate else error
    turn.record_step(step, failures=step.row.failures + 1, error=error)
    if step.row.failures > step.row.max_retries or (retried and exit_code not in retried):
        finish_step(turn, step, StepStatus.FAILED, error, attempt.row.finished_at)
    else:
        retry_step(turn, step, error)


def foreign(turn: Turn, step: RunStep, attempt: OpenAttempt, report: JobReport) -> None:
    """Fail a step for good: somebody else's job has its attempt's key (rule 5.9)."""
    command = step.spec.command_of(is_gate=attempt.row.is_gate)
    error = (
        f"orchesjob knows {attempt.attempt_key} as another command, {list(report.command)} "
        f"and not {list(command)}; use another run key or another orchesjob home"
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
        patience.give_up(turn, f"{attempt.attempt_key}: {step.dead_starts} starts in a row died")
    else:
        await_attempt(turn, step)


def ended_with_run(turn: Turn, step: RunStep, attempt: OpenAttempt) -> None:
    """Close an attempt that was ended because its run is; the step ends together with the run."""
    close_attempt(turn, step, attempt, AttemptStatus.CANCELLED, turn.run.ending_error)


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
    turn.run.close(step)


def ended_at(turn: Turn, attempt: OpenAttempt) -> float:
    """Return when an attempt ended: now, or when orchesjob saw it end while no runner lived.

    orchesjob counts whole seconds, so a job has ended by the end of the second that it names.
    """
    seen = None if attempt.job is None else job_finished_at(attempt.job)
    latest = turn.now.wall if seen is None else min(turn.now.wall, seen + 1)
    return max(latest, attempt.row.started_at)
