"""What a job that orchesjob reports means for the attempt it belongs to: one literal table.

Only this module reads orchesjob's statuses and exit codes. It decides nothing: what follows from a
verdict is decided in `attempts`.
"""

from enum import Enum, auto

from flow_spec import StepSpec, program_as_script
from orchesjob_client import JobReport, JobStatus, describe_failure, exit_code_of

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
