"""The commands of orchesjob as methods, and where its executable is.

Each method pairs a command line with its time limit, exit codes and answer. Running a process
belongs to `call`, reading a job object to `report`; the caller decides what to do next.
"""

import math
import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from orchesjob_client import call
from orchesjob_client.call import NOTHING, PLAIN, Hold, Launcher
from orchesjob_client.encoding import in_utf8, start_in_utf8
from orchesjob_client.environment import EXECUTABLE, HOME, HomeFolder, folder_of_home, named_home
from orchesjob_client.errors import (
    BadAnswer,
    CallFailed,
    CallRefused,
    HomeReplaced,
    JobNotFound,
    JobNotRunning,
    OrchesjobError,
    OrchesjobMissing,
)
from orchesjob_client.report import JobReport, parse_json

DEFAULT_START_TIMEOUT_SEC = 10.0
"""How long `orchesjob start` waits for the command to run if it is given no other time."""

DEFAULT_GRACE_SEC = 5.0
"""How long `orchesjob abort` waits between TERM and KILL if it is given no other time."""

_USAGE_ERROR = 2
_NOT_FOUND = 3  # there is no job with this key or id
_NOT_RUNNING = 4  # the job has ended already

_NAME = "orchesjob"
_BESIDE = Path(sys.executable).parent


class CallLimits(NamedTuple):
    """How long a call may take before it counts as hung, in seconds.

    orchesjob waits up to 10 s for its database, and `start` does so twice. Killing it earlier
    leaves jobs in STARTING that nothing will ever start.

    Attributes:
        start_sec: For `start`, in addition to the time that it waits for the command.
        status_sec: For `status`, `clean` and `--version`.
        abort_sec: For `abort`, in addition to the grace between TERM and KILL.
        clean_each_sec: For each job that one `clean` removes; some 3 ms on an idle machine.
    """

    start_sec: float = 30.0
    status_sec: float = 25.0
    abort_sec: float = 25.0
    clean_each_sec: float = 0.1


DEFAULT_LIMITS = CallLimits()
"""The limits of a client that is given no others."""


class EndedJob(NamedTuple):
    """A job that has ended, as `orchesjob clean` selects it.

    Attributes:
        job_id: Identifies one execution.
        job_key: The key under which the job was started.
        ended_at: The second by which it is selected: when it ended, or when it began if orchesjob
            has not kept that.
    """

    job_id: str
    job_key: str
    ended_at: int


class OrchesjobClient:
    """One orchesjob executable and its home; several threads may use it at the same time."""

    def __init__(
        self,
        executable: str,
        *,
        home: str | None = None,
        folder: HomeFolder | None = None,
        limits: CallLimits = DEFAULT_LIMITS,
        launcher: Launcher = PLAIN,
    ) -> None:
        """Set the executable (see `locate`), the home, the time limits and the launcher of calls.

        A relative home, here or in an environment, is relative to the caller's directory; to
        orchesjob itself it would be relative to the directory of each call. With `folder`, every
        call raises `HomeReplaced` unless the home is that folder, before and after the call.
        """
        self._executable = executable
        self._home = None if home is None else os.path.abspath(home)  # noqa: PTH100 - text, `..`
        self._folder = folder
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
        told = (job_key, environment.get(HOME, ""))
        try:
            command, environment = start_in_utf8(command, environment, also_told=told)
        except ValueError as error:
            raise CallRefused("orchesjob start", str(error)) from error
        finished = self._run(
            "orchesjob start",
            [*words, "--", *command],
            limit_sec=self._limits.start_sec + max(0, wait_sec),
            env=environment,
            cwd=cwd,
            hold=hold,
            cgroup=cgroup,
        )
        return _one_job("orchesjob start", finished, job_key=job_key)

    def status(
        self, job_key: str, *, env: Mapping[str, str] | None = None, hold: Hold = NOTHING
    ) -> JobReport | None:
        """Ask for the latest job under `job_key`; None if orchesjob does not know the key.

        Raises:
            OrchesjobError: No usable answer, which says nothing about the job.
        """
        words = ["status", _key_option("orchesjob status", job_key)]
        finished = self._ask("orchesjob status", words, env=env, hold=hold)
        if finished.exit_code == _NOT_FOUND:
            return None
        return _one_job("orchesjob status", finished, job_key=job_key)

    def running(
        self, *, env: Mapping[str, str] | None = None, hold: Hold = NOTHING
    ) -> tuple[JobReport, ...]:
        """Ask for all active jobs of the home, also those that others started.

        A job that is missing here has ended, was lost, or never existed.

        Raises:
            OrchesjobError: No usable answer.
        """
        name = "orchesjob status --running"
        finished = self._ask(name, ["status", "--running"], env=env, hold=hold)
        if finished.exit_code != 0:
            raise _error_of(name, finished)
        documents = parse_json(finished.stdout, call=name)
        if not isinstance(documents, list):
            raise BadAnswer(name, "expected a JSON array")
        return tuple(_read_report(name, document) for document in documents)

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
        """End a job: TERM, the grace time, KILL. The answer does not prove that the job is dead.

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
        finished = self._run(
            name,
            words,
            limit_sec=self._limits.abort_sec + max(0, wait_sec),
            env=in_utf8(self._environment(env)),
            hold=hold,
        )
        if finished.exit_code == _NOT_FOUND:
            raise JobNotFound(name, _message_of(finished))
        if finished.exit_code == _NOT_RUNNING:
            raise JobNotRunning(name, _message_of(finished))
        return _one_job(name, finished, job_key=job_key, job_id=job_id)

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
        return bool(_selected_jobs(name, finished))

    def ended(
        self, after: int, before: int | None = None, *, env: Mapping[str, str] | None = None
    ) -> tuple[EndedJob, ...]:
        """List the jobs of the home that have ended from one second on, and before another.

        Raises:
            OrchesjobError: No usable answer.
        """
        name = "orchesjob clean --dry-run"
        words = ["clean", *_span(after, before), "--dry-run"]
        return _selected_jobs(name, self._ask(name, words, env=env))

    def clean_ended(
        self, after: int, before: int, *, most: int, env: Mapping[str, str] | None = None
    ) -> tuple[EndedJob, ...]:
        """Remove all jobs of the home that `ended` lists, with their output; return them.

        The time limit grows with `most`, the number of jobs that are expected.

        Raises:
            OrchesjobError: No usable answer, or a file of an output could not be removed. Some of
                the jobs may be gone.
        """
        name = "orchesjob clean"
        words = ["clean", *_span(after, before)]
        more_sec = most * self._limits.clean_each_sec
        return _selected_jobs(name, self._ask(name, words, env=env, more_sec=more_sec))

    def version(self) -> str:
        """Ask for orchesjob's version, such as `1.1.0`.

        Raises:
            OrchesjobError: No usable answer.
        """
        name = "orchesjob --version"
        finished = self._ask(name, ["--version"], env=None)
        if finished.exit_code != 0:
            raise _error_of(name, finished)
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
        return self._run(
            name,
            words,
            limit_sec=self._limits.status_sec + more_sec,
            env=in_utf8(self._environment(env)),
            hold=hold,
        )

    def _run(  # noqa: PLR0913 - what a call consists of
        self,
        name: str,
        words: Sequence[str],
        *,
        limit_sec: float,
        env: Mapping[str, str],
        cwd: str | None = None,
        hold: Hold = NOTHING,
        cgroup: int | None = None,
    ) -> call.Finished:
        self._refuse_replaced(name, env)
        finished = call.run(
            name,
            [self._executable, *words],
            limit_sec=limit_sec,
            env=env,
            cwd=cwd,
            hold=hold,
            cgroup=cgroup,
            launcher=self._launcher,
        )
        self._refuse_replaced(name, env)
        return finished

    def _refuse_replaced(self, name: str, env: Mapping[str, str]) -> None:
        """Refuse to call orchesjob, or to believe it, where the home is not the client's folder."""
        if self._folder is None:
            return
        home = named_home(env)
        try:
            found = folder_of_home(env)
        except OSError as error:
            reason = "is gone" if isinstance(error, FileNotFoundError) else str(error.strerror)
            raise HomeReplaced(name, f"its home {home} {reason}") from error
        if found != self._folder:
            raise HomeReplaced(name, f"its home {home} is another folder than before")

    def _environment(self, env: Mapping[str, str] | None) -> dict[str, str]:
        environment = dict(os.environ if env is None else env)
        # To orchesjob an empty home would be the current directory, which nobody intends.
        home = environment.pop(HOME, "") if self._home is None else self._home
        if home:
            environment[HOME] = os.path.abspath(home)  # noqa: PTH100 - text, `..`
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


def _one_job(
    name: str, finished: call.Finished, *, job_key: str | None, job_id: str | None = None
) -> JobReport:
    """Read the answer and make sure that it is about the requested job."""
    if finished.exit_code != 0:
        raise _error_of(name, finished)
    report = _read_report(name, parse_json(finished.stdout, call=name))
    if job_key is not None and report.job_key != job_key:
        raise BadAnswer(name, f"asked for key {job_key!r}, got {report.job_key!r}")
    if job_id is not None and report.job_id != job_id:
        raise BadAnswer(name, f"asked for job {job_id!r}, got {report.job_id!r}")
    return report


def _read_report(name: str, document: object) -> JobReport:
    if not isinstance(document, Mapping):
        raise BadAnswer(name, "expected a JSON object")
    return JobReport.from_payload(document, call=name)


def _selected_jobs(name: str, finished: call.Finished) -> tuple[EndedJob, ...]:
    """Read which jobs `clean` has removed, or would remove."""
    if finished.exit_code != 0:
        raise _error_of(name, finished)
    answer = parse_json(finished.stdout, call=name)
    if not isinstance(answer, Mapping) or not isinstance(answer.get("deleted"), int):
        raise BadAnswer(name, "expected a JSON object that says how many jobs were deleted")
    if answer.get("errors"):
        raise CallFailed(name, _message_of(finished), finished.exit_code)
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


def _error_of(name: str, finished: call.Finished) -> OrchesjobError:
    """Return the error for a call that has failed."""
    # An interpreter that cannot open its program exits with 2 as well, for instance during an
    # upgrade; orchesjob's own messages begin with its name.
    if finished.exit_code == _USAGE_ERROR and finished.stderr_line.startswith("orchesjob"):
        return CallRefused(name, _message_of(finished))
    return CallFailed(name, _message_of(finished), finished.exit_code)


def _message_of(finished: call.Finished) -> str:
    """Return what orchesjob says about a failure."""
    if finished.stderr_line:
        return finished.stderr_line
    code = finished.exit_code
    return f"killed by signal {-code}" if code < 0 else f"exit {code} without a message"


def locate(explicit: str | None, environ: Mapping[str, str], *, beside: Path = _BESIDE) -> str:
    """Return the absolute path of the orchesjob to use, without running it (rule 6.2).

    It is `explicit` if given, else `ORCHESJOB_BIN`, else `orchesjob` on `PATH`, else the one in the
    folder `beside`, which is that of this Python. One that is named must exist: no other is taken
    instead. A name without a folder is looked up on `PATH`.

    Raises:
        OrchesjobMissing: None is found, or the one that is named cannot be executed.
    """
    search_path = environ.get("PATH", os.defpath)
    for origin, named in (
        ("as asked for", explicit),
        (f"from {EXECUTABLE}", environ.get(EXECUTABLE)),
    ):
        if named:
            return _executable(shutil.which(named, path=search_path), named, origin)
    found = shutil.which(_NAME, path=search_path) or shutil.which(str(beside / _NAME))
    return _executable(found, _NAME, f"neither on PATH nor in {beside}")


def _executable(found: str | None, name: str, origin: str) -> str:
    if found is None:
        raise OrchesjobMissing(_NAME, f"{name} ({origin}) is not an executable file", name)
    return os.path.abspath(found)  # noqa: PTH100 - text, and `..` after a link stays as it is
