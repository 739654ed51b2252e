"""One attempt at a step through orchesjob: started or found, followed to its end, or ended early.

Nothing here knows Airflow. Nothing runs twice: each try has a key, and a strict key runs once.
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
from orchesjob_flow_airflow.output import Output

PATIENCE_SEC = 60.0
"""How long a call that gives no usable answer is repeated (rule 5.7)."""

GRACE_SEC = 2.0
"""Between TERM and KILL, for the job and again for what it has left elsewhere: Airflow kills the
task's own process five seconds after telling it to end."""

FORWARD_SEC = 0.5
POLL_SEC = 5.0
LOOK_SEC = 1.0
_FIRST_PAUSE_SEC, _LONGEST_PAUSE_SEC = 0.5, 10.0
_CONTRADICTIONS = 2


class NoOutcome(Exception):
    """The attempt has failed, and no report says how; the message does."""


class ForeignJob(Exception):
    """Another command lies under the key of a try (rule 5.9)."""


class Attempt:
    """One try of a step on this host."""

    def __init__(  # noqa: PLR0913 - what a command needs to run
        self,
        client: OrchesjobClient,
        step: StepSpec,
        *,
        keys: Sequence[str],
        directory: str,
        environ: Mapping[str, str],
        log: Any,
    ) -> None:
        """Prepare to run the command of `step`.

        Args:
            client: The orchesjob to use.
            step: The step.
            keys: The keys of all tries so far, this one's last.
            directory: Where the command runs.
            environ: The command's environment.
            log: The task's log.
        """
        self._client = client
        self._step = step
        self._keys = tuple(keys)
        self._directory = directory
        self._environ = environ
        self._home = orchesjob_home(environ)
        self._log = log
        self._ended = False

    def run(self, *, is_retry: bool) -> JobReport:
        """Run the attempt to its end and return what orchesjob says of it.

        A try whose worker died may have left a job that runs on, or that succeeded with nobody
        looking: a retry takes that for its own instead of running the command again.

        Raises:
            NoOutcome: It failed without a report that would say how.
            ForeignJob: The key is another command's.
            OrchesjobError: orchesjob gave no usable answer.
        """
        report = self._taken_over() if is_retry else None
        if report is not None:
            return report
        for key in self._keys[-2:-1]:
            self._abort(key)
        self._await_end_of_earlier()
        return self._follow(self._start())

    def end(self) -> None:
        """End the job, and whatever else the step has left running on this host (rule 5.8).

        Called at any moment, in the middle of anything else that this object does.
        """
        self._ended = True
        for key in self._keys[-2:]:
            self._abort(key)
        with self._complaints():
            if survivors := end_survivors(self._home, self._keys, GRACE_SEC):
                self._log.error("could not be ended: %s", _named(survivors))

    def ended_by_itself(self) -> JobReport | None:
        """Return what orchesjob says of this try's job, if that ended of its own accord."""
        with suppress(OrchesjobError):
            report = self._find(self._keys[-1])
            if report is not None and exit_code_of(report) is not None:
                return report
        return None

    def _taken_over(self) -> JobReport | None:
        """Return how the job of the try before has ended, if that is this try's outcome too."""
        for key in self._keys[-2:-1]:
            report = self._find(key)
            if report is None:
                self._log.warning(
                    "orchesjob does not know %s here; elsewhere it may still run", key
                )
                return None
            if self._is_foreign(report):
                return None
            if report.is_active:
                self._log.warning("the job of the try before still runs: going on with %s", key)
                report = self._follow(report)
                return None if report.known_status is JobStatus.ABORTED else report
            if (code := exit_code_of(report)) is not None and self._is_good(code):
                self._log.warning("the job of the try before ended well after all: %s", key)
                self._outputs(report)[0].forward()
                return report
        return None

    def _start(self) -> JobReport:
        """Start this try's job, or find it: a worker that was restarted has it already."""
        self._refuse_when_ended()
        key = self._keys[-1]
        report = self._patiently(
            lambda: self._client.start(
                key,
                self._step.command,
                strict=True,
                cwd=self._directory,
                env=marked_environment(self._environ, key),
                start_timeout_sec=self._step.start_timeout_sec,
            )
        )
        if self._is_foreign(report):
            raise ForeignJob(f"another command runs or ran under the key {key}")
        if self._ended:
            self.end()  # asked for while the job was being born, and could not be seen
        words = "found" if report.existing else "started"
        self._log.info("orchesjob has %s the job %s under the key %s", words, report.job_id, key)
        return report

    def _follow(self, report: JobReport) -> JobReport:
        """Pass on what a job prints until it has ended, and return its last report."""
        outputs = self._outputs(report)
        exits: SimpleQueue[object] = SimpleQueue()
        watcher = JobWatcher(exits.put)
        contradictions = 0
        try:
            while report.is_active:
                match watcher.watch(report.run_key, report):
                    case Watch.WATCHING:
                        _await(exits, outputs)
                    case Watch.UNSUPPORTED:
                        self._end_dead_start(report)
                        _await(exits, outputs, POLL_SEC if report.worker_pid else LOOK_SEC)
                    case Watch.GONE:
                        contradictions += 1
                if contradictions == _CONTRADICTIONS:
                    raise NoOutcome("its worker is gone, though orchesjob takes it for running")
                report = self._still_known(report.run_key)
        finally:
            watcher.close()
            for output in outputs:
                output.forward()
                output.finish()
        return report

    def _end_dead_start(self, report: JobReport) -> None:
        """Abort a job without a worker of which no process lives: its start died."""
        if report.worker_pid is None and not find_survivors(self._home, [report.run_key]):
            self._abort(report.run_key)

    def _await_end_of_earlier(self) -> None:
        """Wait until nothing of the earlier tries is alive on this host (rule 5.8)."""
        said = ""
        while survivors := find_survivors(self._home, self._keys[:-1]):
            self._refuse_when_ended()
            if said != (said := _named(survivors)):
                self._log.warning("waits for an earlier try to be gone: %s; end it to go on", said)
            time.sleep(LOOK_SEC)

    def _outputs(self, report: JobReport) -> tuple[Output, Output]:
        return (
            Output(report.stdout_file, lambda line: self._log.info("%s", line)),
            Output(report.stderr_file, lambda line: self._log.warning("%s", line)),
        )

    def _still_known(self, key: str) -> JobReport:
        report = self._find(key)
        if report is None:
            raise NoOutcome("orchesjob no longer knows the job")
        return report

    def _find(self, key: str) -> JobReport | None:
        return self._patiently(lambda: self._client.status(key, env=self._environ))

    def _abort(self, key: str) -> None:
        """End a job if it runs: TERM, the grace, KILL."""
        with self._complaints(), suppress(JobNotFound, JobNotRunning):
            self._client.abort(
                run_key=key, grace_sec=GRACE_SEC, reason="the task ended", env=self._environ
            )

    def _patiently[Answer](self, call: Callable[[], Answer]) -> Answer:
        """Repeat a call that gave no usable answer, for a while: it decides nothing (rule 5.7)."""
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
    def _complaints(self) -> Iterator[None]:
        """Write into the log what went wrong with an ending, which must go on with the rest."""
        try:
            yield
        except (OrchesjobError, OSError) as error:
            self._log.error("%s", error)

    def _refuse_when_ended(self) -> None:
        if self._ended:
            raise NoOutcome("the task was ended before its job began")

    def _is_foreign(self, report: JobReport) -> bool:
        return bool(report.command) and report.command != self._step.command

    def _is_good(self, code: int) -> bool:
        return self._step.outcome_of(code) != "FAILED"


def _await(
    exits: SimpleQueue[object], outputs: Sequence[Output], limit_sec: float = float("inf")
) -> None:
    """Pass on output until a job's worker has exited or the time is over."""
    deadline = time.monotonic() + limit_sec
    while time.monotonic() < deadline:
        for output in outputs:
            output.forward()
        with suppress(Empty):
            exits.get(timeout=FORWARD_SEC)
            return


def _named(processes: Sequence[Process]) -> str:
    return ", ".join(f"pid {process.pid} ({process.command})" for process in processes)
