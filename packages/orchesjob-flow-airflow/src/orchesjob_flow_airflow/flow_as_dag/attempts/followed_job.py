"""A job that is followed to its end: what it prints goes into the task's log as it comes.

Its end announces itself where the system can do that; elsewhere orchesjob is asked now and then.
"""

import time
from collections.abc import Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any

from orchesjob_client import JobReport, JobWatcher, Watch
from orchesjob_flow_airflow.errors import NoOutcome
from orchesjob_flow_airflow.flow_as_dag.attempts.job_output import JobOutput
from orchesjob_flow_airflow.flow_as_dag.attempts.patient_orchesjob import PatientOrchesjob

FORWARD_INTERVAL_SEC = 0.5
UNWATCHED_INTERVAL_SEC = 5.0
"""Between two questions about a job whose worker cannot be watched."""

PROCESS_INTERVAL_SEC = 1.0
"""Between two looks at the processes of this host."""

_MAX_CONTRADICTIONS = 2


class FollowedJob:
    """A job of which orchesjob has reported."""

    def __init__(self, orchesjob: PatientOrchesjob, report: JobReport, log: Any) -> None:
        """Take its first report, and the log for what it prints."""
        self._orchesjob = orchesjob
        self._report = report
        self._outputs = (
            JobOutput(report.stdout_file, lambda line: log.info("%s", line)),
            JobOutput(report.stderr_file, lambda line: log.warning("%s", line)),
        )

    def to_its_end(self) -> JobReport:
        """Pass on what the job prints until it has ended, and return its last report.

        Raises:
            NoOutcome: It has ended, and no report says how.
            OrchesjobError: orchesjob gave no usable answer.
        """
        report = self._report
        exits: SimpleQueue[object] = SimpleQueue()
        watcher = JobWatcher(exits.put)
        contradictions = 0
        try:
            while report.is_active:
                match watcher.watch(report.job_key, report):
                    case Watch.WATCHING:
                        _await(exits, self._outputs)
                    case Watch.UNSUPPORTED:
                        self._end_dead_start(report)
                        has_worker = report.worker_pid is not None
                        limit_sec = UNWATCHED_INTERVAL_SEC if has_worker else PROCESS_INTERVAL_SEC
                        _await(exits, self._outputs, limit_sec)
                    case Watch.GONE:
                        contradictions += 1
                if contradictions == _MAX_CONTRADICTIONS:
                    raise NoOutcome("its worker is gone, but orchesjob reports it as running")
                report = self._still_known(report.job_key)
        finally:
            watcher.close()
            for output in self._outputs:
                output.forward()
                output.finish()
        return report

    def _end_dead_start(self, report: JobReport) -> None:
        """Abort a job that has neither a worker nor a living process: its start died."""
        if report.worker_pid is None and not self._orchesjob.survivors([report.job_key]):
            self._orchesjob.abort(report.job_key)

    def _still_known(self, key: str) -> JobReport:
        report = self._orchesjob.find(key)
        if report is None:
            raise NoOutcome("orchesjob no longer knows the job")
        return report


def _await(
    exits: SimpleQueue[object], outputs: Sequence[JobOutput], limit_sec: float = float("inf")
) -> None:
    """Pass on output until the job's worker has exited or the time is up."""
    deadline = time.monotonic() + limit_sec
    while time.monotonic() < deadline:
        for output in outputs:
            output.forward()
        with suppress(Empty):
            exits.get(timeout=FORWARD_INTERVAL_SEC)
            return
