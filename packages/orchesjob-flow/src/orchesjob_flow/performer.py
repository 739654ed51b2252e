"""Performing effects: calls of orchesjob on a few threads, each answered by one event in the inbox.

Nothing is decided here and nothing recorded. A call that raises is an answer too.
"""

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from queue import SimpleQueue

from orchesjob_client import CallFailed as OrchesjobFailed
from orchesjob_client import (
    JobNotFound,
    JobNotRunning,
    JobWatcher,
    OrchesjobClient,
    OrchesjobError,
    Process,
    end_survivors,
    find_survivors,
    marked_environment,
    orchesjob_home,
)
from orchesjob_flow.engine.effects import (
    AbortJob,
    AskRunning,
    AskStatus,
    Effect,
    EndSurvivors,
    LookForSurvivors,
    StartJob,
    WatchJob,
)
from orchesjob_flow.engine.events import (
    AbortAnswered,
    AttemptId,
    CallFailed,
    Event,
    JobExited,
    RunningAnswered,
    StartAnswered,
    StatusAnswered,
    SurvivorsSeen,
    WatchAnswered,
)

MOST_ENDINGS = 32  # aborts wait out a grace time, mostly idle
LOOK_AGAIN_SEC = 1.0


class Performer:
    """Performs a run's effects with a real orchesjob."""

    def __init__(  # noqa: PLR0913 - what a call needs
        self,
        client: OrchesjobClient,
        post: Callable[[Event], None],
        *,
        directory: str,
        calls_lock: int,
        starts: int,
        environ: Mapping[str, str],
        warn: Callable[[str], None],
    ) -> None:
        """Prepare to perform; `post` receives the answers, from other threads, as does `warn`.

        `directory` is where the steps run that name no other; `calls_lock` a descriptor that every
        start and abort holds while it is under way; `starts` how many of them may run at once.
        """
        self._client = client
        self._post = post
        self._warn = warn
        self._directory = directory
        self._calls_lock = calls_lock
        self._environ = dict(environ)
        self._home = orchesjob_home(environ)
        self._watcher = JobWatcher(self._job_exited)
        self._starts = Crew(starts)
        self._questions = Crew(starts)
        self._endings = Crew(MOST_ENDINGS)

    def perform(self, effect: Effect) -> None:
        """Begin to perform an effect; its answer comes as an event."""
        match effect:
            case WatchJob():
                watch = self._watcher.watch(effect.attempt, effect.job)
                self._post(WatchAnswered(effect.attempt, watch))
            case StartJob():
                self._starts.do(lambda: self._answer(effect.attempt, lambda: self._start(effect)))
            case AskStatus():
                self._questions.do(
                    lambda: self._answer(effect.attempt, lambda: self._status(effect))
                )
            case AskRunning():
                self._questions.do(lambda: self._answer(None, self._running))
            case AbortJob():
                self._endings.do(lambda: self._answer(effect.attempt, lambda: self._abort(effect)))
            case LookForSurvivors() | EndSurvivors():
                self._endings.do(lambda: self._post(self._survivors(effect)))

    def close(self) -> None:
        """Stop watching; calls under way are left to themselves."""
        self._watcher.close()

    def _job_exited(self, attempt: object) -> None:
        assert isinstance(attempt, AttemptId)  # noqa: S101 - it is the token given to `watch`
        self._post(JobExited(attempt))

    def _answer(self, attempt: AttemptId | None, call: Callable[[], Event]) -> None:
        try:
            event = call()
        except OrchesjobError as error:
            event = CallFailed(attempt, error)
        except Exception as error:  # noqa: BLE001 - a dead thread would leave the loop waiting
            event = CallFailed(attempt, OrchesjobFailed("orchesjob", repr(error)))
        self._post(event)

    def _start(self, effect: StartJob) -> Event:
        report = self._client.start(
            effect.run_key,
            effect.command,
            strict=effect.strict,
            cwd=self._directory_of(effect),
            env=marked_environment({**self._environ, **effect.env}, effect.run_key),
            start_timeout_sec=effect.start_timeout_sec,
            inherit_fd=self._calls_lock,
        )
        return StartAnswered(effect.attempt, report)

    def _directory_of(self, effect: StartJob) -> str:
        if effect.working_dir is None:
            return self._directory
        return os.path.join(self._directory, effect.working_dir)  # noqa: PTH118 - text, as given

    def _status(self, effect: AskStatus) -> Event:
        return StatusAnswered(effect.attempt, self._client.status(effect.run_key))

    def _running(self) -> Event:
        return RunningAnswered(frozenset(report.run_key for report in self._client.running()))

    def _abort(self, effect: AbortJob) -> Event:
        try:
            report = self._client.abort(
                job_id=effect.job_id,
                grace_sec=effect.grace_sec,
                reason=effect.reason,
                inherit_fd=self._calls_lock,
            )
        except (JobNotFound, JobNotRunning):
            return AbortAnswered(effect.attempt, None)
        return AbortAnswered(effect.attempt, report)

    def _survivors(self, effect: LookForSurvivors | EndSurvivors) -> Event:
        return SurvivorsSeen(effect.attempt, self._look(effect))

    def _look(self, effect: LookForSurvivors | EndSurvivors) -> Sequence[Process]:
        said = False
        while True:
            try:
                if isinstance(effect, EndSurvivors):
                    return end_survivors(self._home, effect.run_keys, effect.grace_sec)
                return find_survivors(self._home, effect.run_keys)
            except Exception as error:  # noqa: BLE001 - not to know is not to find none
                if not said:
                    said = True
                    keys = ", ".join(effect.run_keys)
                    self._warn(f"cannot see whether {keys} lives on: {error}; looking again")
                time.sleep(LOOK_AGAIN_SEC)


class Crew:
    """At most `size` threads that do jobs in the order in which these were given.

    Daemon threads, unlike those of `concurrent.futures`: a runner that gives up must not wait for a
    call that hangs.
    """

    def __init__(self, size: int) -> None:
        """Start with no thread at all."""
        self._size = size
        self._jobs: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._threads = 0

    def do(self, job: Callable[[], None]) -> None:
        """Have a job done by an idle thread, by a new one, or later. From one thread only."""
        self._jobs.put(job)
        if self._idle.acquire(blocking=False) or self._threads == self._size:
            return
        self._threads += 1
        threading.Thread(target=self._work, daemon=True).start()

    def _work(self) -> None:
        while True:
            self._jobs.get()()
            self._idle.release()
