"""Reading back what orchesjob reported about an attempt, as the store has recorded it.

What a report means is decided in `job_status`.
"""

from flow_store import Attempt, DamagedRecord, Run, reported_job
from orchesjob_client import BadAnswer, JobReport, exit_code_of


def recorded_report(run: Run, attempt: Attempt) -> JobReport | None:
    """Return the last report about an attempt's job, or None if there is none yet.

    Raises:
        DamagedRecord: What is recorded is not a report.
    """
    job = reported_job(run, attempt)
    if job is None:
        return None
    try:
        return JobReport.from_payload(job)
    except BadAnswer as error:
        step_id = run.steps[attempt.position].step_id
        raise DamagedRecord(run.run_key, step_id, attempt.number, error.cause_text) from error


def recorded_code(run: Run, attempt: Attempt) -> int | None:
    """Return the exit code that orchesjob reported for an attempt, if its command has exited.

    Raises:
        DamagedRecord: As `recorded_report`.
    """
    report = recorded_report(run, attempt)
    return None if report is None else exit_code_of(report)
