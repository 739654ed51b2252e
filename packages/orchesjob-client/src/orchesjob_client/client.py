"""The calls that orchesjob understands, as methods.

Command lines, limits, exit codes and answers are paired here. Running a process is `call`'s
matter, reading a job object `report`'s, and what to do next the caller's.
"""

import math
import os
import re
from collections.abc import Mapping, Sequence

import attrs

from orchesjob_client import call
from orchesjob_client.errors import (
    BadAnswer,
    CallFailed,
    CallRefused,
    JobNotFound,
    JobNotRunning,
    OrchesjobError,
)
from orchesjob_client.report import JobReport, parse_json

_HOME = "ORCHESJOB_HOME"
_START_TIMEOUT_SEC = 10.0  # orchesjob's own defaults
_GRACE_SEC = 5.0

_USAGE, _NOT_FOUND, _NOT_RUNNING = 2, 3, 4


@attrs.frozen
class CallLimits:
    """How long a call may take before it is judged hung, in seconds.

    orchesjob waits up to 10 s for its database, `start` twice; killing it earlier leaves jobs in
    STARTING that nobody will ever start.

    Attributes:
        start_sec: For `start`, besides the time that it is told to wait for the command.
        status_sec: For `status` and `--version`.
        abort_sec: For `abort`, besides the grace that it is told to give.
    """

    start_sec: float = 30.0
    status_sec: float = 25.0
    abort_sec: float = 25.0


class OrchesjobClient:
    """One orchesjob executable and its home; may be used from many threads at once."""

    def __init__(
        self,
        executable: str,
        *,
        home: str | None = None,
        limits: CallLimits = CallLimits(),
    ) -> None:
        """Name the executable, see `locate`, and the home.

        A relative home, here or in an environment, is taken from the caller's directory, because
        orchesjob itself would take it from that of each call.
        """
        self._executable = executable
        self._home = None if home is None else os.path.abspath(home)  # noqa: PTH100 - text, `..`
        self._limits = limits

    def start(  # noqa: PLR0913 - what orchesjob can be told about a job
        self,
        run_key: str,
        command: Sequence[str],
        *,
        strict: bool = True,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
        start_timeout_sec: float | None = None,
        inherit_fd: int | None = None,
    ) -> JobReport:
        """Start `command` under `run_key`, or find the job that the key has already.

        Args:
            run_key: The job's key.
            command: The command and its arguments, as they stand.
            strict: Never run a key twice; without it a key whose job has ended runs again.
            cwd: The command's directory.
            env: The command's whole environment; None is the caller's.
            start_timeout_sec: How long orchesjob waits for the command to be running; 10 if None.
            inherit_fd: A descriptor that is held until this call has ended.

        Raises:
            OrchesjobError: No usable answer. After a retryable one the job may be running.
        """
        words = ["start", _key_option("orchesjob start", run_key)]
        if strict:
            words.append("--strict")
        if start_timeout_sec is not None:
            words.append(f"--start-timeout={_seconds('orchesjob start', start_timeout_sec)!r}")
        wait_sec = _START_TIMEOUT_SEC if start_timeout_sec is None else max(0, start_timeout_sec)
        finished = call.run(
            "orchesjob start",
            [self._executable, *words, "--", *command],
            limit_sec=self._limits.start_sec + wait_sec,
            env=self._environment(env),
            cwd=cwd,
            inherit_fd=inherit_fd,
        )
        return _one_job("orchesjob start", finished, run_key=run_key)

    def status(self, run_key: str, *, env: Mapping[str, str] | None = None) -> JobReport | None:
        """Ask for the latest job under `run_key`; None if orchesjob does not know the key.

        Raises:
            OrchesjobError: No usable answer, which says nothing about the job.
        """
        words = ["status", _key_option("orchesjob status", run_key)]
        finished = self._ask("orchesjob status", words, env=env)
        if finished.exit_code == _NOT_FOUND:
            return None
        return _one_job("orchesjob status", finished, run_key=run_key)

    def running(self, *, env: Mapping[str, str] | None = None) -> tuple[JobReport, ...]:
        """Ask for every active job of the home, whoever started it.

        A key that is missing here has ended, was lost, or never existed.

        Raises:
            OrchesjobError: No usable answer.
        """
        name = "orchesjob status --running"
        finished = self._ask(name, ["status", "--running"], env=env)
        if finished.exit_code != 0:
            raise _error(name, finished)
        documents = parse_json(finished.stdout, call=name)
        if not isinstance(documents, list):
            raise BadAnswer(name, "expected a JSON array")
        return tuple(_read(name, document) for document in documents)

    def abort(  # noqa: PLR0913 - what orchesjob can be told about an abort
        self,
        *,
        run_key: str | None = None,
        job_id: str | None = None,
        grace_sec: float | None = None,
        reason: str | None = None,
        inherit_fd: int | None = None,
        env: Mapping[str, str] | None = None,
    ) -> JobReport:
        """End a job: TERM, the grace, KILL. The answer is the job's row, no proof of its death.

        Args:
            run_key: The job's key.
            job_id: The job's id. It can hit no other execution of the key, so it is what
                orchesjob is asked to end when both are given.
            grace_sec: Seconds between TERM and KILL; 5 if None.
            reason: Kept by orchesjob with the job.
            inherit_fd: A descriptor that is held until this call has ended.
            env: The call's whole environment; None is the caller's.

        Raises:
            TypeError: Neither a key nor an id is given.
            JobNotFound: There is no such job.
            JobNotRunning: It has ended already.
            OrchesjobError: No usable answer. After a retryable one the job may be ABORTED.
        """
        if run_key is None and job_id is None:
            raise TypeError("abort() needs run_key or job_id")
        name = "orchesjob abort"
        words = ["abort"]
        words.append(f"--job-id={job_id}" if job_id else _key_option(name, run_key or ""))
        if grace_sec is not None:
            words.append(f"--grace-seconds={_seconds(name, grace_sec)!r}")
        if reason is not None:
            words.append(f"--reason={reason}")
        finished = call.run(
            name,
            [self._executable, *words],
            limit_sec=self._limits.abort_sec
            + (_GRACE_SEC if grace_sec is None else max(0, grace_sec)),
            env=self._environment(env),
            inherit_fd=inherit_fd,
        )
        if finished.exit_code == _NOT_FOUND:
            raise JobNotFound(name, _complaint(finished))
        if finished.exit_code == _NOT_RUNNING:
            raise JobNotRunning(name, _complaint(finished))
        return _one_job(name, finished, run_key=run_key, job_id=job_id)

    def version(self) -> str:
        """Ask for orchesjob's version, such as `1.1.0`.

        Raises:
            OrchesjobError: No usable answer.
        """
        name = "orchesjob --version"
        finished = self._ask(name, ["--version"], env=None)
        if finished.exit_code != 0:
            raise _error(name, finished)
        match = re.fullmatch(r"orchesjob (\S{1,40})\s*", finished.stdout)
        if match is None:
            raise BadAnswer(name, "expected `orchesjob VERSION`; is this really orchesjob?")
        return match[1]

    def _ask(
        self, name: str, words: Sequence[str], *, env: Mapping[str, str] | None
    ) -> call.Finished:
        return call.run(
            name,
            [self._executable, *words],
            limit_sec=self._limits.status_sec,
            env=self._environment(env),
        )

    def _environment(self, env: Mapping[str, str] | None) -> dict[str, str]:
        environment = dict(os.environ if env is None else env)
        # An empty one would be the current directory to orchesjob, which nobody means.
        home = environment.pop(_HOME, "") if self._home is None else self._home
        if home:
            environment[_HOME] = os.path.abspath(home)  # noqa: PTH100 - text, `..`
        return environment


def _key_option(name: str, run_key: str) -> str:
    """Return the option in one word, because a key may begin with `-`."""
    if not run_key:
        raise CallRefused(name, "the run key is empty")
    try:
        run_key.encode()
    except UnicodeEncodeError as error:
        raise CallRefused(name, "the run key is not valid Unicode") from error
    return f"--run-key={run_key}"


def _seconds(name: str, value: float) -> float:
    if not math.isfinite(value):
        raise CallRefused(name, f"{value} is no number of seconds")
    return value


def _complaint(finished: call.Finished) -> str:
    if finished.stderr_line:
        return finished.stderr_line
    code = finished.exit_code
    return f"killed by signal {-code}" if code < 0 else f"exit {code} without a message"


def _error(name: str, finished: call.Finished) -> OrchesjobError:
    # An interpreter that cannot open its program exits with 2 as well, in the middle of an upgrade
    # for instance; orchesjob's own complaints begin with its name.
    if finished.exit_code == _USAGE and finished.stderr_line.startswith("orchesjob"):
        return CallRefused(name, _complaint(finished))
    return CallFailed(name, _complaint(finished), finished.exit_code)


def _read(name: str, document: object) -> JobReport:
    if not isinstance(document, Mapping):
        raise BadAnswer(name, "expected a JSON object")
    return JobReport.from_payload(document, call=name)


def _one_job(
    name: str, finished: call.Finished, *, run_key: str | None, job_id: str | None = None
) -> JobReport:
    """Read the answer and make sure that it is about the job asked for."""
    if finished.exit_code != 0:
        raise _error(name, finished)
    report = _read(name, parse_json(finished.stdout, call=name))
    if run_key is not None and report.run_key != run_key:
        raise BadAnswer(name, f"asked for key {run_key!r}, got {report.run_key!r}")
    if job_id is not None and report.job_id != job_id:
        raise BadAnswer(name, f"asked for job {job_id!r}, got {report.job_id!r}")
    return report
