"""One attempt at a step through orchesjob: started or found, followed to its end, or ended early.

Nothing here knows Airflow. Nothing runs twice: each try of a task has an attempt key of its own,
and orchesjob runs a command under a strict key only once.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from typing import Any

from flow_spec import StepSpec
from orchesjob_client import (
    JobNotFound,
    JobNotRunning,
    JobReport,
    JobStatus,
    JobWatcher,
    OrchesjobClient,
    OrchesjobError,
    OrchesjobMissing,
    Process,
    Watch,
    end_survivors,
    exit_code_of,
    find_survivors,
    marked_environment,
    orchesjob_home,
)
from orchesjob_flow_airflow.errors import ForeignJob, NoOutcome
from orchesjob_flow_airflow.flow_as_dag.job_output import JobOutput

PATIENCE_SEC = 60.0
"""For how long a call that gives no usable answer is repeated (rule 5.7)."""

GRACE_SEC = 2.0
"""Between TERM and KILL, for the job and then for its survivors. Twice this must be less than the
five seconds after which Airflow kills the process of a task that it has told to end."""

FORWARD_INTERVAL_SEC = 0.5
UNWATCHED_INTERVAL_SEC = 5.0
"""Between two questions about a job whose worker cannot be watched."""

PROCESS_INTERVAL_SEC = 1.0
"""Between two looks at the processes of this host."""

_FIRST_PAUSE_SEC, _LONGEST_PAUSE_SEC = 0.5, 10.0
_MAX_CONTRADICTIONS = 2


class Attempt:
    """One attempt at a step on this host, for one try of its task."""

    def __init__(  # noqa: PLR0913 - what a command needs to run
        self,
        client: OrchesjobClient,
        step: StepSpec,
        *,
        attempt_keys: Sequence[str],
        open_keys: Sequence[str],
        directory: str,
        environ: Mapping[str, str],
        log: Any,
    ) -> None:
        """Prepare to run the command of `step`.

        Args:
            client: The orchesjob to use.
            step: The step.
            attempt_keys: The keys of all tries so far, ending with this one's.
            open_keys: Those of earlier tries that this one is to go on with, if their jobs are
                there, because nobody knows how their attempts went.
            directory: Where the command runs.
            environ: The command's environment.
            log: The task's log.
        """
        self._client = client
        self._step = step
        self._earlier_keys = tuple(attempt_keys[:-1])
        self._open_keys = tuple(open_keys)
        self._key = attempt_keys[-1]
        self._directory = directory
        self._environ = environ
        self._home = orchesjob_home(environ)
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
        for key in self._perhaps_running:
            self._abort(key)
        self._await_end_of_earlier()
        return self._follow(self._start())

    def end(self) -> None:
        """End the job, and everything else that the step has left running on this host (5.8).

        A signal handler may call this at any moment, in the middle of any other method.
        """
        self._ended = True
        for key in (*self._perhaps_running, self._key):
            self._abort(key)
        with self._logged_errors():
            keys = (*self._earlier_keys, self._key)
            if survivors := end_survivors(self._home, keys, GRACE_SEC):
                self._log.error("could not be ended: %s", _listed(survivors))

    def ended_by_itself(self) -> JobReport | None:
        """Return the report of this attempt's job, if the job ended without being aborted."""
        with suppress(OrchesjobError):
            report = self._find(self._key)
            if report is not None and exit_code_of(report) is not None:
                return report
        return None

    @property
    def _perhaps_running(self) -> Sequence[str]:
        return self._open_keys or self._earlier_keys[-1:]

    def _take_over(self) -> JobReport | None:
        """Return the last report of an open try's job, if there is one that was not aborted."""
        for key in reversed(self._open_keys):
            report = self._find(key)
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
            report = self._follow(report)
        elif report.known_status is not JobStatus.ABORTED:
            self._log.warning("the job of the try before has ended; its outcome counts: %s", key)
            self._outputs(report)[0].forward()
        return None if report.known_status is JobStatus.ABORTED else report

    def _start(self) -> JobReport:
        """Start this attempt's job, or find it: before a restart the worker had started it."""
        self._check_not_ended()
        report = self._repeat(
            lambda: self._client.start(
                self._key,
                self._step.command,
                strict=True,
                cwd=self._directory,
                env=marked_environment(self._environ, self._key),
                start_timeout_sec=self._step.start_timeout_sec,
            )
        )
        if self._is_foreign(report):
            raise ForeignJob(self._key)
        if self._ended:
            self.end()  # `end` was called before orchesjob knew the job
        verb = "found" if report.existing else "started"
        self._log.info("orchesjob %s the job %s under the key %s", verb, report.job_id, self._key)
        return report

    def _follow(self, report: JobReport) -> JobReport:
        """Pass on what a job prints until it has ended, and return its last report."""
        outputs = self._outputs(report)
        exits: SimpleQueue[object] = SimpleQueue()
        watcher = JobWatcher(exits.put)
        contradictions = 0
        try:
            while report.is_active:
                match watcher.watch(report.job_key, report):
                    case Watch.WATCHING:
                        _await(exits, outputs)
                    case Watch.UNSUPPORTED:
                        self._end_dead_start(report)
                        has_worker = report.worker_pid is not None
                        limit_sec = UNWATCHED_INTERVAL_SEC if has_worker else PROCESS_INTERVAL_SEC
                        _await(exits, outputs, limit_sec)
                    case Watch.GONE:
                        contradictions += 1
                if contradictions == _MAX_CONTRADICTIONS:
                    raise NoOutcome("its worker is gone, but orchesjob reports it as running")
                report = self._still_known(report.job_key)
        finally:
            watcher.close()
            for output in outputs:
                output.forward()
                output.finish()
        return report

    def _end_dead_start(self, report: JobReport) -> None:
        """Abort a job that has neither a worker nor a living process: its start died."""
        if report.worker_pid is None and not self._survivors([report.job_key]):
            self._abort(report.job_key)

    def _await_end_of_earlier(self) -> None:
        """Wait until no process of an earlier try is alive on this host (rule 5.8)."""
        logged = ""
        while survivors := self._survivors(self._earlier_keys):
            self._check_not_ended()
            if logged != (logged := _listed(survivors)):
                self._log.warning(
                    "waiting for processes of an earlier try to end: %s; kill them to continue",
                    logged,
                )
            time.sleep(PROCESS_INTERVAL_SEC)

    def _survivors(self, keys: Sequence[str]) -> Sequence[Process]:
        return self._repeat(lambda: find_survivors(self._home, keys))

    def _outputs(self, report: JobReport) -> tuple[JobOutput, JobOutput]:
        return (
            JobOutput(report.stdout_file, lambda line: self._log.info("%s", line)),
            JobOutput(report.stderr_file, lambda line: self._log.warning("%s", line)),
        )

    def _still_known(self, key: str) -> JobReport:
        report = self._find(key)
        if report is None:
            raise NoOutcome("orchesjob no longer knows the job")
        return report

    def _find(self, key: str) -> JobReport | None:
        return self._repeat(lambda: self._client.status(key, env=self._environ))

    def _abort(self, key: str) -> None:
        """End a job if it runs: TERM, the grace time, KILL."""
        with self._logged_errors(), suppress(JobNotFound, JobNotRunning):
            self._client.abort(
                job_key=key, grace_sec=GRACE_SEC, reason="the task ended", env=self._environ
            )

    def _repeat[Answer](self, call: Callable[[], Answer]) -> Answer:
        """Repeat a call that gives no usable answer: no answer decides nothing (rule 5.7)."""
        deadline, pause = time.monotonic() + PATIENCE_SEC, _FIRST_PAUSE_SEC
        while True:
            try:
                return call()
            except OrchesjobError as error:
                missing = isinstance(error, OrchesjobMissing)
                if missing or not error.retryable or time.monotonic() > deadline:
                    raise
                self._log.warning("%s; trying again", error)
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SEC)

    @contextmanager
    def _logged_errors(self) -> Iterator[None]:
        """Log an error of an ending instead of raising it: the rest has to be ended as well."""
        try:
            yield
        except (OrchesjobError, OSError) as error:
            self._log.error("%s", error)

    def _check_not_ended(self) -> None:
        if self._ended:
            raise NoOutcome("the task was ended before its job began")

    def _is_foreign(self, report: JobReport) -> bool:
        return not report.is_of(self._step.command)


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


def _listed(processes: Sequence[Process]) -> str:
    return ", ".join(f"pid {process.pid} ({process.command})" for process in processes)
