"""The commands of orchesjob as methods.

Each is paired here with its command line, time limit, exit codes and answer. Running a process
belongs to `call`, reading a job object to `report`. What to do next is the caller's business.
"""

import math
import os
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from orchesjob_client import call, exit_codes
from orchesjob_client.answers import (
    EndedJob,
    error_of,
    message_of,
    one_job,
    read_report,
    selected_jobs,
)
from orchesjob_client.call import NOTHING, Hold
from orchesjob_client.encoding import in_utf8, start_in_utf8
from orchesjob_client.errors import (
    BadAnswer,
    CallRefused,
    JobNotFound,
    JobNotRunning,
)
from orchesjob_client.launching import Launcher
from orchesjob_client.limits import (
    DEFAULT_GRACE_SEC,
    DEFAULT_LIMITS,
    DEFAULT_START_TIMEOUT_SEC,
    CallLimits,
)
from orchesjob_client.plain_launcher import PLAIN
from orchesjob_client.report import JobReport, parse_json

_HOME = "ORCHESJOB_HOME"


class OrchesjobClient:
    """One orchesjob executable and its home; several threads may use it at the same time."""

    def __init__(
        self,
        executable: str,
        *,
        home: str | None = None,
        limits: CallLimits = DEFAULT_LIMITS,
        launcher: Launcher = PLAIN,
    ) -> None:
        """Set the executable (see `locate`), the home, and how calls come to be.

        A relative home, here or in an environment, is relative to the caller's directory; to
        orchesjob itself it would be relative to the directory of each call.
        """
        self._executable = executable
        self._home = None if home is None else os.path.abspath(home)  # noqa: PTH100 - text, `..`
        self._limits = limits
        self._launcher = launcher

    def start(  # noqa: PLR0913 - what orchesjob can be told about a job
        self,
        job_key: str,
        command: Sequence[str],
        *,
        strict: bool = True,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
        start_timeout_sec: float | None = None,
        hold: Hold = NOTHING,
        cgroup: int | None = None,
    ) -> JobReport:
        """Start `command` under `job_key`, or find the job that the key has already.

        Args:
            job_key: The job's key.
            command: The command and its arguments; they are passed on unchanged. If orchesjob
                would not speak UTF-8, `env` leads them, which gives the command its own locale.
            strict: Never run a key twice. If false, a key whose job has ended runs again.
            cwd: The command's directory.
            env: The command's whole environment; None is the caller's.
            start_timeout_sec: How long orchesjob waits for the command to run; None is its default.
            hold: Descriptors that are held until this call has ended.
            cgroup: The folder's descriptor of the cgroup in which it runs; None is the caller's.

        Raises:
            OrchesjobError: No usable answer. After a retryable one the job may be running.
        """
        words = ["start", _key_option("orchesjob start", job_key)]
        if strict:
            words.append("--strict")
        if start_timeout_sec is not None:
            words.append(f"--start-timeout={_seconds('orchesjob start', start_timeout_sec)!r}")
        wait_sec = DEFAULT_START_TIMEOUT_SEC if start_timeout_sec is None else start_timeout_sec
        environment = self._environment(env)
        told = (job_key, environment.get(_HOME, ""))
        try:
            command, environment = start_in_utf8(command, environment, also_told=told)
        except ValueError as error:
            raise CallRefused("orchesjob start", str(error)) from error
        finished = call.run(
            "orchesjob start",
            [self._executable, *words, "--", *command],
            limit_sec=self._limits.start_sec + max(0, wait_sec),
            env=environment,
            cwd=cwd,
            hold=hold,
            cgroup=cgroup,
            launcher=self._launcher,
        )
        return one_job("orchesjob start", finished, job_key=job_key)

    def status(
        self, job_key: str, *, env: Mapping[str, str] | None = None, hold: Hold = NOTHING
    ) -> JobReport | None:
        """Ask for the latest job under `job_key`; None if orchesjob does not know the key.

        Raises:
            OrchesjobError: No usable answer, which says nothing about the job.
        """
        words = ["status", _key_option("orchesjob status", job_key)]
        finished = self._ask("orchesjob status", words, env=env, hold=hold)
        if finished.exit_code == exit_codes.NOT_FOUND:
            return None
        return one_job("orchesjob status", finished, job_key=job_key)

    def running(
        self, *, env: Mapping[str, str] | None = None, hold: Hold = NOTHING
    ) -> tuple[JobReport, ...]:
        """Ask for every active job of the home, whoever started it.

        A job that is missing here has ended, was lost, or never existed.

        Raises:
            OrchesjobError: No usable answer.
        """
        name = "orchesjob status --running"
        finished = self._ask(name, ["status", "--running"], env=env, hold=hold)
        if finished.exit_code != 0:
            raise error_of(name, finished)
        documents = parse_json(finished.stdout, call=name)
        if not isinstance(documents, list):
            raise BadAnswer(name, "expected a JSON array")
        return tuple(read_report(name, document) for document in documents)

    def abort(  # noqa: PLR0913 - what orchesjob can be told about an abort
        self,
        *,
        job_key: str | None = None,
        job_id: str | None = None,
        grace_sec: float | None = None,
        reason: str | None = None,
        hold: Hold = NOTHING,
        env: Mapping[str, str] | None = None,
    ) -> JobReport:
        """End a job: TERM, the grace, KILL. The answer does not prove that the job is dead.

        Args:
            job_key: The job's key.
            job_id: The job's id. It cannot hit another execution of the key, so it is used if both
                are given.
            grace_sec: Seconds between TERM and KILL; None is orchesjob's default.
            reason: A text that orchesjob keeps with the job.
            hold: Descriptors that are held until this call has ended.
            env: The call's whole environment; None is the caller's.

        Raises:
            TypeError: Neither the key nor the id is given.
            JobNotFound: There is no such job.
            JobNotRunning: It has ended already.
            OrchesjobError: No usable answer. After a retryable one the job may be ABORTED.
        """
        if job_key is None and job_id is None:
            raise TypeError("abort() needs a job_key or a job_id")
        name = "orchesjob abort"
        words = ["abort"]
        words.append(f"--job-id={job_id}" if job_id else _key_option(name, job_key or ""))
        if grace_sec is not None:
            words.append(f"--grace-seconds={_seconds(name, grace_sec)!r}")
        if reason is not None:
            words.append(f"--reason={reason}")
        wait_sec = DEFAULT_GRACE_SEC if grace_sec is None else grace_sec
        finished = call.run(
            name,
            [self._executable, *words],
            limit_sec=self._limits.abort_sec + max(0, wait_sec),
            env=in_utf8(self._environment(env)),
            hold=hold,
            launcher=self._launcher,
        )
        if finished.exit_code == exit_codes.NOT_FOUND:
            raise JobNotFound(name, message_of(finished))
        if finished.exit_code == exit_codes.NOT_RUNNING:
            raise JobNotRunning(name, message_of(finished))
        return one_job(name, finished, job_key=job_key, job_id=job_id)

    def clean(self, job_id: str, *, env: Mapping[str, str] | None = None) -> bool:
        """Remove a job that has ended, with its output; tell whether there was one.

        An active job stays, and so do other executions of its key. If this was the latest one, the
        key may run again, even a strict one.

        Raises:
            OrchesjobError: No usable answer, or a file of its output could not be removed. The job
                may be gone.
        """
        name = "orchesjob clean"
        finished = self._ask(name, ["clean", f"--job-id={job_id}"], env=env)
        return bool(selected_jobs(name, finished))

    def ended(
        self,
        after: int,
        before: int | None = None,
        *,
        env: Mapping[str, str] | None = None,
    ) -> tuple[EndedJob, ...]:
        """List the jobs of the home that have ended from one second on, and before another.

        Raises:
            OrchesjobError: No usable answer.
        """
        name = "orchesjob clean --dry-run"
        words = ["clean", *_span(after, before), "--dry-run"]
        return selected_jobs(name, self._ask(name, words, env=env))

    def clean_ended(
        self, after: int, before: int, *, most: int, env: Mapping[str, str] | None = None
    ) -> tuple[EndedJob, ...]:
        """Remove all jobs of the home that `ended` lists, with their output; return them.

        `most` is how many are expected; it may take the longer for them.

        Raises:
            OrchesjobError: No usable answer, or a file of an output could not be removed. Some of
                the jobs may be gone.
        """
        name = "orchesjob clean"
        words = ["clean", *_span(after, before)]
        more_sec = most * self._limits.clean_each_sec
        return selected_jobs(name, self._ask(name, words, env=env, more_sec=more_sec))

    def version(self) -> str:
        """Ask for orchesjob's version, such as `1.1.0`.

        Raises:
            OrchesjobError: No usable answer.
        """
        name = "orchesjob --version"
        finished = self._ask(name, ["--version"], env=None)
        if finished.exit_code != 0:
            raise error_of(name, finished)
        match = re.fullmatch(r"orchesjob (\S{1,40})\s*", finished.stdout)
        if match is None:
            raise BadAnswer(name, "expected `orchesjob VERSION`; is this really orchesjob?")
        return match[1]

    def _ask(
        self,
        name: str,
        words: Sequence[str],
        *,
        env: Mapping[str, str] | None,
        hold: Hold = NOTHING,
        more_sec: float = 0,
    ) -> call.Finished:
        return call.run(
            name,
            [self._executable, *words],
            limit_sec=self._limits.status_sec + more_sec,
            env=in_utf8(self._environment(env)),
            hold=hold,
            launcher=self._launcher,
        )

    def _environment(self, env: Mapping[str, str] | None) -> dict[str, str]:
        environment = dict(os.environ if env is None else env)
        # To orchesjob an empty home would be the current directory, which is never meant.
        home = environment.pop(_HOME, "") if self._home is None else self._home
        if home:
            environment[_HOME] = os.path.abspath(home)  # noqa: PTH100 - text, `..`
        return environment


def _key_option(name: str, job_key: str) -> str:
    """Return the option and its value as one word, because a key may begin with `-`."""
    if not job_key:
        raise CallRefused(name, "the job's key is empty")
    try:
        job_key.encode()
    except UnicodeEncodeError as error:
        raise CallRefused(name, "the job's key is not valid Unicode") from error
    return f"--run-key={job_key}"


def _seconds(name: str, value: float) -> float:
    if not math.isfinite(value):
        raise CallRefused(name, f"{value} is not a number of seconds")
    return value


def _span(after: int, before: int | None) -> list[str]:
    """Write a span of time as options; a time without a zone would be a local one."""
    bounds = [("--after", after), ("--before", before)]
    return [
        f"{option}={datetime.fromtimestamp(second, UTC).isoformat()}"
        for option, second in bounds
        if second is not None
    ]
