"""Performing effects: calls of orchesjob on worker threads, each answered by one event."""

import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from typing import NamedTuple

from flow_spec import EnvFileError, note_files, read_env_files, unwritten
from orchesjob_client import (
    CallFailed,
    Hold,
    JobNotFound,
    JobNotRunning,
    JobWatcher,
    OrchesjobClient,
    OrchesjobError,
    Process,
    Watch,
    discard_empty_cgroups,
    foreign_target,
)
from orchesjob_flow.engine.messages import (
    AbortAnswered,
    AbortJob,
    AskRunning,
    AskStatus,
    AttemptId,
    CallBegan,
    CallOff,
    CallUnanswered,
    CheckFiles,
    Effect,
    EndSurvivors,
    Event,
    FilesChecked,
    FilesNoted,
    JobExited,
    LookForSurvivors,
    NoteFiles,
    RunningAnswered,
    StartAnswered,
    StartCalledOff,
    StartJob,
    StartPrevented,
    StatusAnswered,
    SurvivorsSeen,
    WatchAnswered,
    WatchJob,
    WatchProcess,
)
from orchesjob_flow.errors import NO_MEMORY, FlowError, exhaustion_named
from orchesjob_flow.home.call_slots import CallSlot, CallSlots, Claim

LOOKING_THREADS = 8  # several: a file system that hangs must not hold up the others
ENDING_THREADS = 32  # many: they mostly wait for a grace time to be over
SEARCH_AGAIN_SEC = 1.0


class WorkerPool:
    """At most `size` threads, which do jobs in the order in which these were submitted.

    Daemon threads, unlike those of `concurrent.futures`: a runner that gives up must not wait for a
    call that hangs.
    """

    def __init__(self, size: int) -> None:
        """Start with no thread at all; see `prepare`."""
        self._size = size
        self._jobs: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._idle: SimpleQueue[None] = SimpleQueue()
        """One for each thread that waits for a job."""
        self._threads = 0

    def prepare(self) -> None:
        """Start the first thread, unless there is one: without it, jobs might never be done.

        Raises:
            RuntimeError, MemoryError: No thread can be started.
        """
        if self._threads == 0:
            self._start_thread()

    def submit(self, job: Callable[[], None]) -> None:
        """Give a job to an idle thread, a new one or the queue. Call it from one thread only.

        If no more threads can be started, the existing ones do all jobs.
        """
        self._jobs.put(job)
        with suppress(Empty):
            self._idle.get_nowait()
            return
        if self._threads == self._size:
            return
        try:
            self._start_thread()
        except (RuntimeError, MemoryError):
            if self._threads == 0:
                raise

    def _start_thread(self) -> None:
        threading.Thread(target=self._work, daemon=True).start()
        self._threads += 1

    def _work(self) -> None:
        while True:
            self._jobs.get()()
            self._idle.put(None)


class _CallQueue(NamedTuple):
    """The queue of calls of one kind: each waits for a thread, then for a call slot."""

    pool: WorkerPool
    slots: CallSlots


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
        slots: CallSlots,
        abort_slots: CallSlots,
        warn: Callable[[str], None],
    ) -> None:
        """Prepare to perform; `post` receives the answers, from other threads, as does `warn`.

        `directory` is the default working directory of steps. `calls_lock` is a descriptor that
        every start and abort holds until it returns. `starts` is how many starts, and how many
        queries, may run at once. `slots` bounds these over all runners, `abort_slots` the aborts.
        """
        self._client = client
        self._post = post
        self._warn = warn
        self._directory = directory
        self._calls_lock = calls_lock
        self._watcher: JobWatcher[AttemptId] | None = None
        self._starts = _CallQueue(WorkerPool(starts), slots)
        self._questions = _CallQueue(WorkerPool(starts), slots)
        self._endings = _CallQueue(WorkerPool(ENDING_THREADS), abort_slots)
        self._looks = WorkerPool(LOOKING_THREADS)
        self._claims: dict[AttemptId | None, Claim] = {}
        """The last call for each attempt, and the last poll."""

    def prepare(self) -> None:
        """Start the necessary threads; a further call starts those still missing.

        Raises:
            ResourceExhausted: A thread cannot be started, or jobs cannot be watched.
        """
        with exhaustion_named("cannot start a thread"):
            for queue in (self._starts, self._questions, self._endings):
                queue.pool.prepare()
            self._looks.prepare()
        if self._watcher is None:
            with exhaustion_named("cannot watch jobs"):
                self._watcher = JobWatcher(lambda attempt: self._post(JobExited(attempt)))

    def perform(self, effect: Effect) -> None:
        """Begin to perform an effect; its answer comes as an event."""
        match effect:
            case WatchJob() | WatchProcess():
                self._post(self._watch(effect))
            case StartJob():
                self._call(self._starts, effect.attempt, partial(self._start, effect))
            case CallOff():
                if self._claims[effect.attempt].take():
                    self._post(StartCalledOff(effect.attempt))
            case AskStatus():
                self._call(self._questions, effect.attempt, partial(self._status, effect))
            case AskRunning():
                self._call(self._questions, None, self._running)
            case AbortJob():
                self._call(self._endings, effect.attempt, partial(self._abort, effect))
            case NoteFiles() | CheckFiles():
                # Its time begins now, even where no thread is free because file systems hang.
                self._post(CallBegan(effect.attempt))
                self._looks.submit(lambda: self._post(self._look_at_files(effect)))
            case LookForSurvivors() | EndSurvivors():
                self._endings.pool.submit(
                    lambda: self._post(SurvivorsSeen(effect.attempt, self._look(effect)))
                )

    def close(self) -> None:
        """Stop watching, clear up, and make no more calls; calls in progress are not ended."""
        for claim in self._claims.values():
            claim.take()
        if self._watcher is not None:
            self._watcher.close()
        discard_empty_cgroups()

    def _watch(self, effect: WatchJob | WatchProcess) -> WatchAnswered:
        assert self._watcher is not None  # noqa: S101 - `prepare` comes first
        if isinstance(effect, WatchProcess):
            watch = self._watcher.watch_process(effect.attempt, effect.process)
            return WatchAnswered(effect.attempt, watch)
        watch = self._watcher.watch(effect.attempt, effect.job)
        foreign = foreign_target(effect.job) if watch is Watch.WATCHING else None
        return WatchAnswered(effect.attempt, watch, foreign)

    def _call(
        self, queue: _CallQueue, attempt: AttemptId | None, call: Callable[[CallSlot], Event]
    ) -> None:
        """Make a call as soon as it has a slot; an attempt has one call at a time."""
        self._claims[attempt] = claim = Claim()
        queue.pool.submit(lambda: self._wait_and_call(queue.slots, claim, attempt, call))

    def _wait_and_call(
        self,
        slots: CallSlots,
        claim: Claim,
        attempt: AttemptId | None,
        call: Callable[[CallSlot], Event],
    ) -> None:
        # Created while there is memory: without an answer the loop would wait forever.
        event: Event = CallUnanswered(attempt, CallFailed("orchesjob", NO_MEMORY))
        began = False
        try:
            with slots.acquire() as slot:
                began = claim.take()
                if not began:
                    return  # it was called off
                self._post(CallBegan(attempt))
                event = call(slot)
        except OrchesjobError as error:
            event = CallUnanswered(attempt, error)
        except MemoryError:
            pass
        except Exception as error:  # noqa: BLE001 - a dead thread would leave the loop waiting
            why = str(error) if isinstance(error, FlowError) else repr(error)
            event = CallUnanswered(attempt, CallFailed("orchesjob", why))
        if began or claim.take():
            self._post(event)
        if isinstance(event, StartAnswered | StatusAnswered) and event.report is not None:
            self._client.discard_cgroup(event.report)  # the run need not wait for this

    def _hold(self, slot: CallSlot, *locks: int) -> Hold:
        """Let the process of a call inherit its slot, which is then its own, and some locks."""
        return Hold((*slot.descriptors, *locks), slot.release)

    def _start(self, effect: StartJob, slot: CallSlot) -> Event:
        try:
            from_files, unread = read_env_files(effect.env_files, self._directory)
        except EnvFileError as error:
            return StartPrevented(effect.attempt, str(error))
        if unread:
            files, errors = zip(*unread, strict=True)
            return StartPrevented(effect.attempt, f"without {'; '.join(map(str, errors))}", files)
        report = self._client.start(
            effect.attempt_key,
            effect.command,
            strict=effect.strict,
            cwd=self._directory_of(effect),
            env={**self._client.environ, **effect.env, **from_files},
            start_timeout_sec=effect.start_timeout_sec,
            hold=self._hold(slot, self._calls_lock),
        )
        return StartAnswered(effect.attempt, report)

    def _look_at_files(self, effect: NoteFiles | CheckFiles) -> FilesNoted | FilesChecked:
        directory, attempt = self._directory_of(effect), effect.attempt
        try:
            if isinstance(effect, NoteFiles):
                return FilesNoted(attempt, note_files(effect.produces, directory))
            return FilesChecked(attempt, unwritten(effect.produces, directory, effect.noted))
        except Exception as error:  # noqa: BLE001 - a dead thread would leave the loop waiting
            flaw = f"its files cannot be looked at: {error}"
        if isinstance(effect, NoteFiles):
            return FilesNoted(attempt, None, flaw)
        return FilesChecked(attempt, flaw)

    def _directory_of(self, effect: StartJob | NoteFiles | CheckFiles) -> str:
        if effect.working_dir is None:
            return self._directory
        return os.path.join(self._directory, effect.working_dir)  # noqa: PTH118 - text, as given

    def _status(self, effect: AskStatus, slot: CallSlot) -> Event:
        report = self._client.status(effect.attempt_key, hold=self._hold(slot))
        return StatusAnswered(effect.attempt, report)

    def _running(self, slot: CallSlot) -> Event:
        running = self._client.running(hold=self._hold(slot))
        return RunningAnswered(frozenset(report.job_key for report in running))

    def _abort(self, effect: AbortJob, slot: CallSlot) -> Event:
        try:
            report = self._client.abort(
                job_id=effect.job_id,
                grace_sec=effect.grace_sec,
                reason=effect.reason,
                hold=self._hold(slot, self._calls_lock),
            )
        except (JobNotFound, JobNotRunning):
            return AbortAnswered(effect.attempt, None)
        return AbortAnswered(effect.attempt, report)

    def _look(self, effect: LookForSurvivors | EndSurvivors) -> Sequence[Process]:
        warned = False
        while True:
            try:
                if isinstance(effect, EndSurvivors):
                    return self._client.end_survivors(
                        effect.attempt_keys, effect.grace_sec, effect.known
                    )
                return self._client.survivors(effect.attempt_keys, effect.known)
            except Exception as error:  # noqa: BLE001 - an error is not "none found"
                if not warned:
                    warned = True
                    keys = ", ".join(effect.attempt_keys)
                    self._warn(f"cannot see whether {keys} is still alive: {error}; looking again")
                time.sleep(SEARCH_AGAIN_SEC)
