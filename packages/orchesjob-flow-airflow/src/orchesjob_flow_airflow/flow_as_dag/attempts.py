"""One attempt at a step through orchesjob: started or found, followed to its end, or ended early.

Nothing here knows Airflow. Nothing runs twice: each try of a task has an attempt key of its own,
and orchesjob runs a command under a strict key only once. Only workers import this module.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any, NamedTuple

from flow_spec import EnvFile, EnvFileError, read_env_files
from orchesjob_client import (
    BadAnswer,
    CallRefused,
    JobNotFound,
    JobNotRunning,
    JobReport,
    JobStatus,
    OrchesjobClient,
    OrchesjobError,
    OrchesjobMissing,
    Process,
    WaitTimedOut,
    end_survivors,
    exit_code_of,
    orchesjob_home,
    pauses,
)
from orchesjob_flow_airflow.errors import AttemptFailed, AttemptTimedOut, ForeignJob
from orchesjob_flow_airflow.flow_as_dag.tries import AttemptKeys

PATIENCE_SEC = 60.0
"""For how long a call that gives no usable answer is repeated."""

GRACE_SEC = 2.0
"""Between TERM and KILL, for the job and then for its survivors.

Twice this must be less than five seconds: that is when Airflow kills the process of a task that it
has asked to end.
"""

FORWARD_INTERVAL_SEC = 0.5
PROCESS_INTERVAL_SEC = 1.0
"""Between two searches for processes of this host."""

_LONGEST_LINE = 1 << 16


class Execution(NamedTuple):
    """A command, and what it needs to run."""

    command: tuple[str, ...]
    directory: str
    """Where it runs."""
    variables: Callable[[], Mapping[str, str]]
    """The environment of an attempt that begins now, without what files add."""
    env_files: tuple[EnvFile, ...] = ()
    """What is read on the worker when the attempt begins (rule 10.4)."""
    folder: str = ""
    """Where the relative paths of these files start."""
    start_timeout_sec: float | None = None
    timeout_sec: float | None = None
    """For how long its job may run."""


class TaskAttempt:
    """One attempt at a step on this host, for one try of its task."""

    def __init__(  # noqa: PLR0913, PLR0917 - what an attempt needs
        self,
        client: "RetryingClient",
        execution: Execution,
        keys: AttemptKeys,
        log: Any,
        on_abort: Callable[[str], object],
        note_files: Callable[[str], bool] = lambda _: False,
        mask: Callable[[str], str] = str,
    ) -> None:
        """Prepare to run a command.

        `on_abort` is told the key of an earlier try whose command was aborted: that was an attempt,
        so this one has the next number. `note_files` notes the files
        in a working directory before the command starts, unless a try has done that already for
        this attempt, and returns whether it has.
        """
        self.was_noted_late = False
        self._ended = False
        self._client = client
        self._keys = keys
        self._execution = execution
        self._log = log
        self._mask = mask
        self._on_abort = on_abort
        self._note_files = note_files
        self._deadline = math.inf

    def run(self, remaining_sec: float = math.inf) -> JobReport:
        """Run the attempt to its end and return the last report of its job.

        A try whose worker died may have left a job that still runs, or one that ended unobserved.
        This try takes that job over instead of running the command again. If the try before still
        lives, and is killed because this one has begun, it ends the job: that was an attempt, and
        this one is the next.

        Raises:
            AttemptFailed: No report says how.
            AttemptTimedOut: Its time is over, or the `remaining_sec` of its run. The job runs on.
            ForeignJob: Another command has this attempt's key.
            OrchesjobError: orchesjob gave no usable answer.
        """
        self._deadline = time.monotonic() + remaining_sec
        report = self._take_over()
        if report is not None:
            return report
        for key in (*self._keys.open, *self._keys.last):
            self._client.abort(key)
        what = "waiting for processes of an earlier try to end"
        self._await_survivors(self._keys.earlier, what, self._deadline)
        if self._ended:
            raise AttemptFailed("the task was ended before its job began")
        report = self._start()
        return self._followed(report, is_new=not report.existing)

    @property
    def key(self) -> str:
        """Its key in orchesjob."""
        return self._keys.own

    @property
    def directory(self) -> str:
        """Where its command runs."""
        return self._execution.directory

    def end(self) -> None:
        """End the job, and everything else that the step has left running on this host (5.8).

        A signal handler may call this at any moment, in the middle of any other method.
        """
        self._ended = True
        keys = self._keys
        self._client.end((*keys.earlier, keys.own), (*keys.open, *keys.last, keys.own))

    def ended_by_itself(self) -> JobReport | None:
        """Return the report of the job that this try follows, if that was not aborted (5.5)."""
        with suppress(OrchesjobError):
            for key in (self._keys.own, *reversed(self._keys.open)):
                report = self._client.find(key)
                if report is not None and not self._is_foreign(report):
                    code = exit_code_of(report, was_ended=True)
                    return None if code is None else report
        return None

    def _take_over(self) -> JobReport | None:
        """Return the last report of an open try's job, if there is one that was not aborted."""
        for key in reversed(self._keys.open):
            report = self._client.find(key)
            if report is not None and not self._is_foreign(report):
                return self._taken_over(key, report)
            if report is None and (place := self._keys.away.get(key)):
                words = "orchesjob does not know %s on this host; it may run elsewhere: on %s"
                self._log.warning(words, key, place)
            elif report is None:
                words = "orchesjob does not know %s on this host: that try began no job"
                self._log.info(words, key)
        return None

    def _taken_over(self, key: str, report: JobReport) -> JobReport | None:
        if report.is_active:
            self._log.warning("the job of the try before still runs; this try follows it: %s", key)
        elif report.known_status is not JobStatus.ABORTED:
            self._log.warning("the job of the try before has ended; its outcome counts: %s", key)
        report = self._followed(report, is_new=False)
        if report.known_status is not JobStatus.ABORTED:
            return report
        if report.target_pid is not None:  # its command had begun
            self._on_abort(key)
        return None

    def _start(self) -> JobReport:
        """Start this attempt's job, or find it: the worker may have been restarted since."""
        execution = self._execution
        is_noted_now = self._note_files(execution.directory)
        try:
            from_files, unread = read_env_files(execution.env_files, execution.folder)
            for _, error in unread:
                self._log.warning("the step runs without %s", error)
            environ = {**execution.variables(), **from_files}
            report = self._client.start(self._keys.own, execution, environ)
        except (EnvFileError, CallRefused) as error:  # no later try can do better
            raise AttemptFailed(f"could not be started: {error}") from error
        if self._is_foreign(report):
            raise ForeignJob(self._keys.own)
        self.was_noted_late = report.existing and is_noted_now
        if self._ended:
            self.end()  # `end` was called before orchesjob knew the job
        verb = "found" if report.existing else "started"
        self._log.info("orchesjob %s the job %s under the key %s", verb, report.job_id, self.key)
        return report

    def _followed(self, report: JobReport, *, is_new: bool) -> JobReport:
        """Log what a job prints until it has ended, and return its last report.

        The time limit is kept here, on the monotonic clock: Airflow's is a signal, whose exception
        Python drops if it arrives in a callback of the garbage collector.
        """
        limit_sec = self._execution.timeout_sec
        if limit_sec is not None and not is_new and report.started_at is not None:
            limit_sec -= max(0.0, time.time() - report.started_at)
        deadline = self._deadline
        if limit_sec is not None:
            deadline = min(deadline, time.monotonic() + limit_sec)
        with _output_in_log(report, self._log, self._mask):
            last = self._client.wait(report, deadline)
            # What an earlier try has aborted is awaited before the next job, without a time limit.
            was_aborted = report.is_active and last.known_status is JobStatus.ABORTED
            if was_aborted or last.known_status is JobStatus.LOST:
                what = "the job is not over, for these are alive"
                self._await_survivors([report.job_key], what, deadline)
        return last

    def _await_survivors(self, keys: Sequence[str], what: str, deadline: float) -> None:
        """Wait until nothing lives of these jobs on this host, or the task is ended (rule 5.8)."""
        logged = ""
        while not self._ended and (survivors := self._client.survivors(keys)):
            if time.monotonic() >= deadline:
                raise AttemptTimedOut
            named = list_processes(survivors)
            if named != logged:
                self._log.warning("%s: %s; kill them to continue", what, named)
                logged = named
            time.sleep(PROCESS_INTERVAL_SEC)

    def _is_foreign(self, report: JobReport) -> bool:
        return not report.is_of(self._execution.command)


@contextmanager
def _output_in_log(report: JobReport, log: Any, mask: Callable[[str], str]) -> Iterator[None]:
    """Log what a job prints until the block ends: stdout as info, stderr as warnings."""
    outputs = ((report.stdout_file, log.info), (report.stderr_file, log.warning))
    files = {path: tell for path, tell in outputs if path is not None}
    positions = dict.fromkeys(files, 0)
    is_over = Event()

    def forward(*, is_last: bool = False) -> None:
        """Log the lines completed since the last call; the last time, what follows them too."""
        for path, tell in files.items():
            with suppress(FileNotFoundError), Path(path).open("rb") as file:
                file.seek(positions[path])
                while line := file.readline(_LONGEST_LINE):
                    if not (is_last or line.endswith(b"\n") or len(line) == _LONGEST_LINE):
                        break
                    positions[path] += len(line)
                    text = line.decode(errors="replace").removesuffix("\n").rstrip("\r")
                    tell("%s", mask(text))

    def forward_often() -> None:
        while not is_over.wait(FORWARD_INTERVAL_SEC):
            forward()

    thread = Thread(target=forward_often, daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
        forward(is_last=True)


class RetryingClient:
    """The orchesjob of this host; a call without a usable answer is retried (rule 5.7).

    After `PATIENCE_SEC` the error is raised.
    """

    def __init__(self, client: OrchesjobClient, log: Any) -> None:
        """Log errors in the task's log."""
        self._client = client
        self._log = log

    def start(self, key: str, execution: Execution, environ: Mapping[str, str]) -> JobReport:
        """Start a job, or find the one of this key."""
        report = self._retry(
            lambda: self._client.start(
                key,
                execution.command,
                strict=True,
                cwd=execution.directory,
                env=environ,
                start_timeout_sec=execution.start_timeout_sec,
            )
        )
        self._client.discard_cgroup(report)
        return report

    def find(self, key: str) -> JobReport | None:
        """Return the report of a key's job; None if there is none."""
        report = self._retry(lambda: self._client.status(key))
        if report is not None:
            self._client.discard_cgroup(report)
        return report

    def wait(self, report: JobReport, deadline: float) -> JobReport:
        """Return the last report of a job, once it has ended.

        Raises:
            AttemptFailed: It has ended, and no report says how.
            AttemptTimedOut: It still runs at this time of the monotonic clock.
        """
        key = report.job_key
        while report.is_active:
            left_sec = deadline - time.monotonic()
            if left_sec <= 0:
                raise AttemptTimedOut
            if report.worker_pid is None:
                if not self.survivors([key]):  # its start died
                    self.abort(key)
                left_sec = min(left_sec, PROCESS_INTERVAL_SEC)
            with suppress(WaitTimedOut, JobNotFound, BadAnswer):
                return self._client.wait(key, left_sec)
            found = self.find(key)
            if found is None:
                raise AttemptFailed("orchesjob no longer knows the job")
            if found.is_active and time.monotonic() < deadline and report.worker_pid is not None:
                raise AttemptFailed("its worker is gone, but orchesjob reports it as running")
            report = found
        return report

    def survivors(self, keys: Sequence[str]) -> Sequence[Process]:
        """Return the living processes of the attempts with these keys."""
        return self._retry(lambda: self._client.survivors(keys))

    def abort(self, key: str) -> None:
        """End a job if it runs: TERM, the grace time, KILL. Errors are logged."""
        with _logged_errors(self._log), suppress(JobNotFound, JobNotRunning):
            self._client.abort(job_key=key, grace_sec=GRACE_SEC, reason="the task ended")

    def end(self, keys: Sequence[str], jobs: Sequence[str]) -> None:
        """Abort jobs, and end all processes of the attempts with these keys. Errors are logged."""
        # A process of another user shows no mark, and no tree either once its parents have exited.
        known: list[Process] = []
        with _logged_errors(self._log):
            known += self._client.survivors(keys)
        for key in jobs:
            self.abort(key)
        with _logged_errors(self._log):
            if survivors := self._client.end_survivors(keys, GRACE_SEC, known):
                self._log.error("could not be ended: %s", list_processes(survivors))

    def _retry[Answer](self, call: Callable[[], Answer]) -> Answer:
        left = pauses(PATIENCE_SEC)
        while True:
            try:
                return call()
            except OrchesjobError as error:
                pause = next(left, None)
                if pause is None or isinstance(error, OrchesjobMissing) or not error.retryable:
                    raise
                self._log.warning("%s; trying again", error)
            time.sleep(pause)


@contextmanager
def _logged_errors(log: Any) -> Iterator[None]:
    """Log an error instead of raising it, so that the rest is ended as well."""
    try:
        yield
    except (OrchesjobError, OSError) as error:
        log.error("%s", error)


def end_jobs_here(keys: Sequence[str], environ: Mapping[str, str], log: Any) -> None:
    """End the living processes of these jobs on this host, whose tasks Airflow may have killed."""
    with _logged_errors(log):
        if survivors := end_survivors(orchesjob_home(environ), keys, GRACE_SEC):
            log.error("could not be ended: %s", list_processes(survivors))


def list_processes(processes: Sequence[Process]) -> str:
    """Return processes as a list in a sentence."""
    return ", ".join(f"pid {process.pid} ({process.command})" for process in processes)
