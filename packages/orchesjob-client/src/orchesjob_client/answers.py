"""What an answer of orchesjob says: a job, an error, or which jobs `clean` has selected.

Job objects themselves are read in `report`.
"""

from collections.abc import Mapping
from typing import NamedTuple

from orchesjob_client import call, exit_codes
from orchesjob_client.errors import BadAnswer, CallFailed, CallRefused, OrchesjobError
from orchesjob_client.report import JobReport, parse_json


class EndedJob(NamedTuple):
    """A job that has ended, as `orchesjob clean` selects it.

    Attributes:
        job_id: Identifies one execution.
        job_key: The key under which the job was started.
        ended_at: By which it is selected, in whole seconds: when it ended, or began if orchesjob
            has not kept that.
    """

    job_id: str
    job_key: str
    ended_at: int


def message_of(finished: call.Finished) -> str:
    """Return what orchesjob says about a failure."""
    if finished.stderr_line:
        return finished.stderr_line
    code = finished.exit_code
    return f"killed by signal {-code}" if code < 0 else f"exit {code} without a message"


def error_of(name: str, finished: call.Finished) -> OrchesjobError:
    """Return the error that a call has ended with."""
    # An interpreter that cannot open its program exits with 2 as well, for instance during an
    # upgrade; orchesjob's own messages begin with its name.
    if finished.exit_code == exit_codes.USAGE and finished.stderr_line.startswith("orchesjob"):
        return CallRefused(name, message_of(finished))
    return CallFailed(name, message_of(finished), finished.exit_code)


def read_report(name: str, document: object) -> JobReport:
    """Read a job object."""
    if not isinstance(document, Mapping):
        raise BadAnswer(name, "expected a JSON object")
    return JobReport.from_payload(document, call=name)


def one_job(
    name: str, finished: call.Finished, *, job_key: str | None, job_id: str | None = None
) -> JobReport:
    """Read the answer and make sure that it is about the job asked for."""
    if finished.exit_code != 0:
        raise error_of(name, finished)
    report = read_report(name, parse_json(finished.stdout, call=name))
    if job_key is not None and report.job_key != job_key:
        raise BadAnswer(name, f"asked for key {job_key!r}, got {report.job_key!r}")
    if job_id is not None and report.job_id != job_id:
        raise BadAnswer(name, f"asked for job {job_id!r}, got {report.job_id!r}")
    return report


def selected_jobs(name: str, finished: call.Finished) -> tuple[EndedJob, ...]:
    """Read which jobs `clean` has removed, or would."""
    if finished.exit_code != 0:
        raise error_of(name, finished)
    answer = parse_json(finished.stdout, call=name)
    if not isinstance(answer, Mapping) or not isinstance(answer.get("deleted"), int):
        raise BadAnswer(name, "expected a JSON object that says how many jobs were deleted")
    if answer.get("errors"):
        raise CallFailed(name, message_of(finished), finished.exit_code)
    items = answer.get("items", []) if answer["deleted"] else []
    try:
        found = tuple(
            EndedJob(str(item["job_id"]), str(item["run_key"]), int(item["selected_at"]))
            for item in items
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BadAnswer(name, "expected job_id, run_key and selected_at of each job") from error
    if len(found) != answer["deleted"]:
        raise BadAnswer(name, f"{answer['deleted']} jobs were deleted, and {len(found)} are named")
    return found
