"""One attempt at a step through orchesjob: started or found, followed to its end, or ended early.

Nothing here knows Airflow. Nothing runs twice: each try of a task has an attempt key of its own,
and orchesjob runs a command under a strict key only once.
"""

import time
from contextlib import suppress
from typing import Any

from flow_spec import EnvFileError
from orchesjob_client import JobReport, JobStatus, OrchesjobError, exit_code_of
from orchesjob_flow_airflow.errors import ForeignJob, NoOutcome
from orchesjob_flow_airflow.flow_as_dag.attempts.attempt_keys import AttemptKeys
from orchesjob_flow_airflow.flow_as_dag.attempts.execution import Execution
from orchesjob_flow_airflow.flow_as_dag.attempts.followed_job import (
    PROCESS_INTERVAL_SEC,
    FollowedJob,
)
from orchesjob_flow_airflow.flow_as_dag.attempts.patient_orchesjob import PatientOrchesjob, listed


class Attempt:
    """One attempt at a step on this host, for one try of its task."""

    def __init__(
        self, orchesjob: PatientOrchesjob, execution: Execution, keys: AttemptKeys, log: Any
    ) -> None:
        """Prepare to execute a command, and to tell the task's log of it."""
        self._orchesjob = orchesjob
        self._execution = execution
        self._keys = keys
        self._log = log
        self._ended = False

    def run(self) -> JobReport:
        """Run the attempt to its end and return the last report of its job.

        A try whose worker died may have left a job that still runs, or one that ended with nobody
        watching. This try takes that job over instead of running the command again.

        Raises:
            NoOutcome: The attempt failed, and no report says how.
            ForeignJob: Another command has this attempt's key.
            OrchesjobError: orchesjob gave no usable answer.
        """
        report = self._take_over()
        if report is not None:
            return report
        for key in (*self._keys.open, *self._keys.last):
            self._orchesjob.abort(key)
        self._await_end_of_earlier()
        return self._followed(self._start()).to_its_end()

    @property
    def key(self) -> str:
        """Its key in orchesjob."""
        return self._keys.own

    def end(self) -> None:
        """End the job, and everything else that the step has left running on this host (5.8).

        A signal handler may call this at any moment, in the middle of any other method.
        """
        self._ended = True
        keys = self._keys
        for key in (*keys.open, *keys.last, keys.own):
            self._orchesjob.abort(key)
        self._orchesjob.end_survivors((*keys.earlier, keys.own))

    def ended_by_itself(self) -> JobReport | None:
        """Return the report of the attempt's job, if the job ended without being aborted (5.5).

        It may be the job of an earlier try that this one has followed.
        """
        with suppress(OrchesjobError):
            for key in (self._keys.own, *reversed(self._keys.open)):
                report = self._orchesjob.find(key)
                if report is not None and not self._is_foreign(report):
                    return report if exit_code_of(report) is not None else None
        return None

    def _take_over(self) -> JobReport | None:
        """Return the last report of an open try's job, if there is one that was not aborted."""
        for key in reversed(self._keys.open):
            report = self._orchesjob.find(key)
            if report is None:
                self._log.warning(
                    "orchesjob does not know %s on this host; it may run elsewhere", key
                )
            elif not self._is_foreign(report):
                return self._taken_over(key, report)
        return None

    def _taken_over(self, key: str, report: JobReport) -> JobReport | None:
        if report.is_active:
            self._log.warning("the job of the try before still runs; this try follows it: %s", key)
        elif report.known_status is not JobStatus.ABORTED:
            self._log.warning("the job of the try before has ended; its outcome counts: %s", key)
        else:
            return None
        report = self._followed(report).to_its_end()
        return None if report.known_status is JobStatus.ABORTED else report

    def _start(self) -> JobReport:
        """Start this attempt's job, or find it: before a restart the worker had started it."""
        self._check_not_ended()
        execution = self._execution
        try:
            environ = execution.environ()
        except EnvFileError as error:
            raise NoOutcome(f"could not be started: {error}") from error
        report = self._orchesjob.start(
            self._keys.own,
            execution.command,
            directory=execution.directory,
            environ=environ,
            start_timeout_sec=execution.start_timeout_sec,
        )
        if self._is_foreign(report):
            raise ForeignJob(self._keys.own)
        if self._ended:
            self.end()  # `end` was called before orchesjob knew the job
        verb = "found" if report.existing else "started"
        self._log.info(
            "orchesjob %s the job %s under the key %s", verb, report.job_id, self._keys.own
        )
        return report

    def _followed(self, report: JobReport) -> FollowedJob:
        return FollowedJob(self._orchesjob, report, self._log)

    def _await_end_of_earlier(self) -> None:
        """Wait until no process of an earlier try is alive on this host (rule 5.8)."""
        logged = ""
        while survivors := self._orchesjob.survivors(self._keys.earlier):
            self._check_not_ended()
            if logged != (logged := listed(survivors)):
                self._log.warning(
                    "waiting for processes of an earlier try to end: %s; kill them to continue",
                    logged,
                )
            time.sleep(PROCESS_INTERVAL_SEC)

    def _check_not_ended(self) -> None:
        if self._ended:
            raise NoOutcome("the task was ended before its job began")

    def _is_foreign(self, report: JobReport) -> bool:
        return not report.is_of(self._execution.command)
