"""The commands of orchesjob as methods, and what follows from them.

Each method pairs a command line with its time limit, exit codes and answer. Running a process
belongs to `call`, reading a job object to `report`, finding processes to `processes`; the caller
decides what to do next.

Every job is started with a mark, made of the client's home and the job's key, and in a cgroup of
its own where there can be one. So the same client, and any other one of this home, finds what is
left of the job.
"""

import math
import os
import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from threading import Event, Lock

from orchesjob_client.call import (
    NOTHING,
    Finished,
    Hold,
    longer,
    pauses,
)
from orchesjob_client.call import run_call as run_executable
from orchesjob_client.defaults import (
    DEFAULT_GRACE_SEC,
    DEFAULT_LIMITS,
    DEFAULT_START_TIMEOUT_SEC,
    FIRST_BACKOFF_SEC,
    WAITING_PATIENCE_SEC,
    CallLimits,
)
from orchesjob_client.encoding import in_utf8, start_in_utf8
from orchesjob_client.environment import (
    HOME,
    HomeFolder,
    StrPath,
    folder_of_home,
    marked_environment,
    named_home,
    orchesjob_home,
)
from orchesjob_client.errors import (
    BadAnswer,
    CallFailed,
    CallRefused,
    CallTimedOut,
    HomeExposed,
    HomeReplaced,
    JobNotFound,
    JobNotRunning,
    OrchesjobError,
    WaitStopped,
    WaitTimedOut,
)
from orchesjob_client.processes.cgroups import JobCgroups
from orchesjob_client.processes.proc import Process
from orchesjob_client.processes.survivors import end_survivors, find_survivors
from orchesjob_client.processes.watcher import JobWatcher, Watch
from orchesjob_client.report import JobReport, parse_json
from orchesjob_client.trust import ORCHESJOB_DATABASE, exposure_of_home

_USAGE_ERROR = 2
_NOT_FOUND = 3  # there is no job with this key or id
_NOT_RUNNING = 4  # the job has ended already

_LEAST_CALL_SEC = 2.0  # a call with less time could not answer on a busy machine


class OrchesjobClient:
    """One orchesjob executable and one home; several threads may use it at the same time.

    Attributes:
        home: The real path of its home, which is in the marks of its jobs.
    """

    def __init__(
        self,
        executable: StrPath,
        *,
        home: StrPath | None = None,
        environ: Mapping[str, str] | None = None,
        folder: HomeFolder | None = None,
        limits: CallLimits = DEFAULT_LIMITS,
    ) -> None:
        """Set what all calls have in common.

        Args:
            executable: The orchesjob to call, see `locate`.
            home: The folder of its jobs; None is the one that the environment names now, or else
                orchesjob's default. A relative one is relative to the caller's directory; to
                orchesjob itself it would be relative to the directory of each call.
            environ: The environment of its calls; None is the caller's at each call.
            folder: Every call raises `HomeReplaced` unless the home is this folder, before and
                after the call; see `folder_of_home`.
            limits: How long calls may take.
        """
        self._executable = os.fspath(executable)
        self._environ = None if environ is None else dict(environ)
        # To orchesjob an empty home would be the current directory, which nobody intends.
        named = self.environ.get(HOME) if home is None else os.fspath(home)
        self._named_home = {HOME: os.path.abspath(named)} if named else {}  # noqa: PTH100 - text
        self.home = orchesjob_home(self._named_home)
        self._folder = folder
        self._limits = limits
        self._cgroups = JobCgroups(self.home)
        self._first_call = Lock()
        self._stops_waiting = Event()
        self._waits: set[Callable[[str], object]] = set()

    @property
    def environ(self) -> Mapping[str, str]:
        """The environment of its calls, and of a command that is given no other."""
        return os.environ if self._environ is None else self._environ

    def start(  # noqa: PLR0913 - what orchesjob can be told about a job
        self,
        job_key: str,
        command: Sequence[StrPath],
        *,
        strict: bool = True,
        cwd: StrPath | None = None,
        env: Mapping[str, str] | None = None,
        start_timeout_sec: float | None = None,
        hold: Hold = NOTHING,
    ) -> JobReport:
        """Start `command` under `job_key`, or find the job that the key has already.

        Args:
            job_key: The job's key.
            command: The command and its arguments; they are passed on unchanged. If orchesjob
                would not speak UTF-8, `env` leads them, which gives the command its own locale.
            strict: Never run a key twice. If false, a key whose job has a final status runs again.
                So does the key of a LOST job, whose command may still run: see `survivors`.
            cwd: The command's directory.
            env: The command's whole environment; None is the client's. The job's mark and the
                client's home are added.
            start_timeout_sec: How long orchesjob waits for the command to run; None is its default.
            hold: Descriptors that are held until this call has ended.

        Raises:
            TypeError: The command is one text, or a word of it is neither a text nor a path.
            OrchesjobError: No usable answer. After a retryable one the job may be running.
        """
        told_command, option = _words_of(command), _key_option("orchesjob start", job_key)
        words = ["start", option]
        if strict:
            words.append("--strict")
        if start_timeout_sec is not None:
            words.append(f"--start-timeout={_seconds('orchesjob start', start_timeout_sec)!r}")
        wait_sec = DEFAULT_START_TIMEOUT_SEC if start_timeout_sec is None else start_timeout_sec
        environment = marked_environment(self._environment(env), job_key, home=self.home)
        told = (job_key, environment.get(HOME, ""))
        try:
            passed, environment = start_in_utf8(told_command, environment, also_told=told)
        except ValueError as error:
            raise CallRefused("orchesjob start", str(error)) from error
        with self._cgroups.joinable(job_key) as cgroup:
            finished = self._run(
                "orchesjob start",
                [*words, "--", *passed],
                limit_sec=self._limits.start_sec + max(0, wait_sec),
                env=environment,
                cwd=None if cwd is None else os.fspath(cwd),
                hold=hold,
                cgroup=cgroup,
            )
        return _one_job("orchesjob start", finished, job_key=job_key)

    def status(
        self, job_key: str, *, hold: Hold = NOTHING, limit_sec: float | None = None
    ) -> JobReport | None:
        """Ask for the latest job under `job_key`; None if orchesjob does not know the key.

        `limit_sec` is how long the call may take, if not as long as the client's limits say.

        Raises:
            OrchesjobError: No usable answer, which says nothing about the job.
        """
        words = ["status", _key_option("orchesjob status", job_key)]
        finished = self._run("orchesjob status", words, limit_sec=limit_sec, hold=hold)
        if finished.exit_code == _NOT_FOUND:
            return None
        return _one_job("orchesjob status", finished, job_key=job_key)

    def running(
        self, *, hold: Hold = NOTHING, limit_sec: float | None = None
    ) -> tuple[JobReport, ...]:
        """Ask for all active jobs of the home, also those that others started.

        A job that is missing here has ended, was lost, or never existed.

        Raises:
            OrchesjobError: No usable answer.
        """
        name, words = "orchesjob status --running", ["status", "--running"]
        answer = _answer_of(name, self._run(name, words, limit_sec=limit_sec, hold=hold))
        documents = parse_json(answer, call=name)
        if not isinstance(documents, list):
            raise BadAnswer(name, "expected a JSON array")
        return tuple(JobReport.from_payload(document, call=name) for document in documents)

    def stop_waiting(self) -> None:
        """Let each `wait` of this client raise `WaitStopped`, in all threads, from now on.

        A call of orchesjob that is in progress is finished first. The jobs are left alone.
        """
        self._stops_waiting.set()
        for wake in [*self._waits]:
            wake("")

    def wait(self, job_keys: str | Iterable[str], timeout: float | None = None) -> JobReport:
        """Wait until a job, or one of several, has a final status, and return its report.

        The kernel tells when a worker exits. If it cannot, this asks orchesjob, at first
        often, later every five seconds. A call without a usable answer is repeated for a minute.

        A job that was LOST is returned too, though its command may still run: see `survivors`. One
        whose start was killed may stay STARTING, with no `worker_pid`, until somebody aborts it.

        Args:
            job_keys: A key or several.
            timeout: How long to wait, in seconds; None waits without a limit. If orchesjob hangs,
                it takes up to 2 s more.

        Raises:
            ValueError: There are no keys.
            WaitStopped: `stop_waiting` was called.
            WaitTimedOut: None of the jobs has ended in this time.
            JobNotFound: orchesjob does not know one of them.
            OrchesjobError: No usable answer. `BadAnswer` if a job is reported as running although
                its worker has exited.
        """
        from queue import Empty, SimpleQueue  # a runner has a loop of its own, and pays for neither

        due = keys = tuple(dict.fromkeys(_keys_of(job_keys)))
        if not keys:
            raise ValueError("wait() needs the key of a job")
        deadline = time.monotonic() + (math.inf if timeout is None else timeout)
        exits: SimpleQueue[str] = SimpleQueue()
        unwatched: dict[str, None] = {}
        gone: set[str] = set()
        pause_sec = FIRST_BACKOFF_SEC
        with JobWatcher(exits.put) as watcher, ExitStack() as at_end:
            self._waits.add(exits.put)
            at_end.callback(self._waits.discard, exits.put)
            while True:
                self._refuse_stopped()
                for report in self._reports_of(due, deadline):
                    if report.is_terminal:
                        self.discard_cgroup(report)
                        return report
                    unwatched.pop(report.job_key, None)
                    match watcher.watch(report.job_key, report):
                        case Watch.UNSUPPORTED:
                            unwatched[report.job_key] = None
                        case Watch.GONE if report.job_id in gone:
                            raise BadAnswer(
                                "orchesjob status",
                                f"job {report.job_key!r} is {report.status}, but its worker, "
                                f"process {report.worker_pid}, has exited",
                            )
                        case Watch.GONE:  # since it was asked for: the next answer is the outcome
                            gone.add(report.job_id)
                            exits.put(report.job_key)
                left_sec = deadline - time.monotonic()
                if left_sec <= 0 and exits.empty():
                    cause = f"no end of {', '.join(map(repr, keys))} within {timeout} s"
                    raise WaitTimedOut("waiting", cause)
                wait_sec = max(0.0, min(left_sec, pause_sec) if unwatched else left_sec)
                try:
                    due = (exits.get(timeout=None if math.isinf(wait_sec) else wait_sec),)
                except Empty:  # after the last pause, too, those that nobody watches are asked for
                    due, pause_sec = tuple(unwatched), longer(pause_sec)

    def _reports_of(self, job_keys: Sequence[str], deadline: float) -> Iterable[JobReport]:
        """Yield the report of each job; one call answers for all that are active."""
        active = self._patiently(self.running, deadline) if len(job_keys) > 1 else ()
        found = {report.job_key: report for report in active}
        for key in job_keys:
            report = found.get(key) or self._patiently(partial(self.status, key), deadline)
            if report is None:
                raise JobNotFound("orchesjob status", repr(key))
            yield report

    def _patiently[Answer](self, ask: Callable[..., Answer], deadline: float) -> Answer:
        """Repeat a call, within what time is left, while it gives no usable answer."""
        left = pauses(min(WAITING_PATIENCE_SEC, max(0.0, deadline - time.monotonic())))
        while True:
            left_sec = max(_LEAST_CALL_SEC, deadline - time.monotonic())
            try:
                return ask(limit_sec=min(self._limits.status_sec, left_sec))
            except OrchesjobError as error:
                if isinstance(error, CallTimedOut) and time.monotonic() > deadline:
                    raise WaitTimedOut("waiting", str(error)) from error
                if not error.retryable or (pause_sec := next(left, None)) is None:
                    raise
            self._stops_waiting.wait(pause_sec)
            self._refuse_stopped()

    def _refuse_stopped(self) -> None:
        if self._stops_waiting.is_set():
            raise WaitStopped("waiting", "stop_waiting() was called")

    def discard_cgroup(self, report: JobReport) -> None:
        """Remove the cgroup of a job that has ended, unless a process is left in it.

        `wait` does this itself. After `status`, call it once the job has ended.
        """
        if report.is_terminal:
            self._cgroups.discard(report.job_key)

    def survivors(
        self, job_keys: str | Iterable[str], known: Collection[Process] = ()
    ) -> Sequence[Process]:
        """Find the living processes of one or several jobs, and their process trees.

        Any client of this home finds the jobs that any other one has started, whatever orchesjob
        says of them. A process of another user shows no mark, and no tree either once its parents
        have exited (rule 5.8).

        Args:
            job_keys: A key or several.
            known: Processes that were found earlier; those that live are found too.

        Raises:
            ProcessesKeepAppearing: Processes come and go too fast to say anything.
            OSError: The process table cannot be read.
        """
        return find_survivors(self.home, _keys_of(job_keys), known)

    def end_survivors(
        self,
        job_keys: str | Iterable[str],
        grace_sec: float = DEFAULT_GRACE_SEC,
        known: Collection[Process] = (),
    ) -> Sequence[Process]:
        """End what `survivors` finds: TERM, the grace time, KILL; return what could not be ended.

        A process that appears during the grace time of others has what is left of it. After that,
        each is killed on sight. orchesjob is told nothing: `abort` a job that is active first.

        Args:
            job_keys: A key or several.
            grace_sec: Seconds between TERM and KILL.
            known: Processes that were found earlier.

        Raises:
            ProcessesKeepAppearing, OSError: As `survivors`.
        """
        return end_survivors(self.home, _keys_of(job_keys), grace_sec, known)

    def abort(
        self,
        *,
        job_key: str | None = None,
        job_id: str | None = None,
        grace_sec: float | None = None,
        reason: str | None = None,
        hold: Hold = NOTHING,
    ) -> JobReport:
        """End a job: TERM, the grace time, KILL. The answer does not prove that the job is dead.

        The command of a job that orchesjob has LOST may still run, and orchesjob refuses to abort
        it: `end_survivors` ends that, and daemons of any job.

        Args:
            job_key: The job's key.
            job_id: The job's id. It cannot hit another execution of the key, so it is used if both
                are given.
            grace_sec: Seconds between TERM and KILL; None is orchesjob's default.
            reason: A text that orchesjob keeps with the job.
            hold: Descriptors that are held until this call has ended.

        Raises:
            TypeError: Neither the key nor the id is given.
            JobNotFound: There is no such job.
            JobNotRunning: Its status is final already: it has ended, or was LOST.
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
            hold=hold,
        )
        if finished.exit_code == _NOT_FOUND:
            raise JobNotFound(name, _message_of(finished))
        if finished.exit_code == _NOT_RUNNING:
            raise JobNotRunning(name, _message_of(finished))
        return _one_job(name, finished, job_key=job_key, job_id=job_id)

    def clean(self, job_id: str) -> bool:
        """Remove a job that has ended, with its output; tell whether there was one.

        An active job stays, and so do other executions of its key. If this was the latest one, the
        key may run again, even a strict one.

        Raises:
            OrchesjobError: No usable answer, or a file of its output could not be removed. The job
                may be gone.
        """
        name = "orchesjob clean"
        finished = self._run(name, ["clean", f"--job-id={job_id}"])
        answer = parse_json(_answer_of(name, finished), call=name)
        if not isinstance(answer, Mapping) or not isinstance(answer.get("deleted"), int):
            raise BadAnswer(name, "expected a JSON object that says how many jobs were deleted")
        if answer.get("errors"):
            raise CallFailed(name, _message_of(finished), finished.exit_code)
        return bool(answer["deleted"])

    def version(self) -> str:
        """Ask for orchesjob's version, such as `1.1.0`.

        Raises:
            OrchesjobError: No usable answer.
        """
        name = "orchesjob --version"
        answer = _answer_of(name, self._run(name, ["--version"]))
        match = re.fullmatch(r"orchesjob (\S{1,40})\s*", answer)
        if match is None:
            raise BadAnswer(name, "expected `orchesjob VERSION`; is this really orchesjob?")
        return match[1]

    def _run(  # noqa: PLR0913 - what a call consists of
        self,
        name: str,
        words: Sequence[str],
        *,
        limit_sec: float | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        hold: Hold = NOTHING,
        cgroup: int | None = None,
    ) -> Finished:
        self._refuse_exposed(name)
        self._refuse_replaced(name)
        with self._alone_in_new_home():
            finished = run_executable(
                name,
                [self._executable, *words],
                limit_sec=self._limits.status_sec if limit_sec is None else limit_sec,
                env=in_utf8(self._environment()) if env is None else env,
                cwd=cwd,
                hold=hold,
                cgroup=cgroup,
            )
        self._refuse_replaced(name)
        return finished

    @contextmanager
    def _alone_in_new_home(self) -> Iterator[None]:
        """Let one call at a time into a home whose database is yet to be made.

        SQLite lets one process switch a new database to its write-ahead log, and tells others at
        once that it is locked, however long they are ready to wait.
        """
        with ExitStack() as at_end:
            if self._is_home_new():
                at_end.enter_context(self._first_call)
                if not self._is_home_new():
                    at_end.close()
            yield

    def _is_home_new(self) -> bool:
        try:
            return Path(named_home(self._named_home), ORCHESJOB_DATABASE).stat().st_size == 0
        except OSError:
            return True

    def _refuse_exposed(self, name: str) -> None:
        """Refuse to call orchesjob where somebody else could change what it reads."""
        if (found := exposure_of_home(named_home(self._named_home))) is not None:
            raise HomeExposed(name, f"{found.path} {found.problem}; {found.remedy(HOME)}")

    def _refuse_replaced(self, name: str) -> None:
        """Refuse to call orchesjob, or to believe it, where the home is not the client's folder."""
        if self._folder is None:
            return
        home = named_home(self._named_home)
        try:
            found = folder_of_home(self._named_home)
        except OSError as error:
            reason = "is gone" if isinstance(error, FileNotFoundError) else str(error.strerror)
            raise HomeReplaced(name, f"its home {home} {reason}") from error
        if found != self._folder:
            raise HomeReplaced(name, f"its home {home} is another folder than before")

    def _environment(self, env: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return an environment, or the client's own, in which the home is the client's."""
        given = self.environ if env is None else env
        environment = {_text(name, "a variable"): _text(given[name], name) for name in given}
        environment.pop(HOME, None)
        return environment | self._named_home


def _words_of(command: Sequence[StrPath]) -> list[str]:
    if isinstance(command, str | bytes | os.PathLike):
        raise TypeError(
            f"the command must be a list of words, such as ['ls', '-l'], not {command!r}; "
            "a line for a shell is ['sh', '-c', LINE]"
        )
    words: list[str] = []
    for word in command:
        text: object = os.fspath(word) if isinstance(word, os.PathLike) else word
        if not isinstance(text, str):
            raise TypeError(f"word {len(words)} of the command is {word!r}, not a text or a path")
        words.append(text)
    return words


def _keys_of(job_keys: str | Iterable[str]) -> list[str]:
    return [job_keys] if isinstance(job_keys, str) else list(job_keys)


def _text(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a text, not {value!r}")
    return value


def _key_option(name: str, job_key: str) -> str:
    """Return the option and its value as one word, because a key may begin with `-`."""
    if not _text(job_key, "the job's key"):
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


def _one_job(
    name: str, finished: Finished, *, job_key: str | None, job_id: str | None = None
) -> JobReport:
    """Read the answer and make sure that it is about the requested job."""
    report = JobReport.from_payload(_answer_of(name, finished), call=name)
    if job_key is not None and report.job_key != job_key:
        raise BadAnswer(name, f"asked for key {job_key!r}, got {report.job_key!r}")
    if job_id is not None and report.job_id != job_id:
        raise BadAnswer(name, f"asked for job {job_id!r}, got {report.job_id!r}")
    return report


def _answer_of(name: str, finished: Finished) -> str:
    """Return what a call has printed; raise the error of one that has failed."""
    if finished.exit_code == 0:
        return finished.stdout
    # An interpreter that cannot open its program exits with 2 as well, for instance during an
    # upgrade; orchesjob's own messages begin with its name.
    if finished.exit_code == _USAGE_ERROR and finished.stderr_line.startswith("orchesjob"):
        raise CallRefused(name, _message_of(finished))
    raise CallFailed(name, _message_of(finished), finished.exit_code)


def _message_of(finished: Finished) -> str:
    if finished.stderr_line:
        return finished.stderr_line
    code = finished.exit_code
    return f"killed by signal {-code}" if code < 0 else f"exit {code} without a message"
