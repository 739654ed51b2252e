"""Reading what orchesjob reported about an attempt's job, which a record holds as text.

What the report means is decided elsewhere.
"""

from typing import Any

from flow_store.errors import DamagedRecord
from flow_store.records import Attempt, PastAttempt, Run


def reported_job(run: Run, attempt: Attempt) -> dict[str, Any] | None:
    """Return the last job object that orchesjob reported, or None if there is none yet.

    Raises:
        DamagedRecord: The text in the database is no JSON object.
    """
    import json  # many processes that look at a run need no job

    if attempt.job is None:
        return None
    try:
        job = json.loads(attempt.job)
        if not isinstance(job, dict):
            raise ValueError(f"expected a JSON object, got {type(job).__name__}")
    except (ValueError, RecursionError) as error:
        step_id = run.steps[attempt.position].step_id
        raise DamagedRecord(run.run_key, step_id, attempt.number, str(error)) from error
    return job


def was_found(run: Run, attempt: Attempt | PastAttempt) -> bool:
    """Tell whether an attempt had ended before it began here: orchesjob knew its job already.

    So it is where the same run has been recorded before, and its record was lost or removed. The
    clock may have been set back; so of a step's latest attempt, whose report a run holds, this
    must say the same.
    """
    if attempt.finished_at is None or attempt.finished_at > attempt.started_at:
        return False
    latest = run.attempts.get(attempt.position)
    if latest is None or latest.number != attempt.number:
        return True
    try:
        job = reported_job(run, latest) or {}
    except DamagedRecord:  # which proves nothing; whoever needs the report refuses it
        return False
    return job.get("existing") is True
