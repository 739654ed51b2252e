"""A recorded run as commands find it: its key together with the database that holds it.

`RunHandle` reads a run once, `Observer` again and again at almost no cost while nothing changes
(rule 6.6).
"""

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

from flow_store import (
    Attempt,
    CancelRequest,
    FlowStore,
    Run,
    RunStatus,
    RunSummary,
    RunToken,
    StepStatus,
    StoreMissing,
    StoreUnavailable,
    reported_job,
)
from orchesjob_flow.errors import (
    GaveUp,
    HomeMissing,
    NoRunYet,
    OtherOrchesjobHome,
    ResourceExhausted,
    RunnerBusy,
    RunNotFound,
    RunRemoved,
)
from orchesjob_flow.home.locks import (
    PATIENCE_WITH_READERS_SEC,
    Holder,
    Lock,
    holder,
    refuse_foreign,
)
from orchesjob_flow.home.paths import ORCHESJOB_HOME, check_run_key, encode_run_key, is_there
from orchesjob_flow.home.settings import Settings

if TYPE_CHECKING:
    from flow_spec import FlowSpec

RUN_LOOK_SEC = 0.1
"""Seconds between two looks at a run whose end is awaited."""
UNFINISHED_STATUSES = tuple(status for status in RunStatus if not status.is_terminal)


class Snapshot(NamedTuple):
    """A run at one moment, and the process that advanced it; None if there was none."""

    run: Run
    runner: Holder | None

    @property
    def is_abandoned(self) -> bool:
        """Whether the run has not ended and no process advances it."""
        return self.runner is None and not self.run.status.is_terminal

    @property
    def stale(self) -> frozenset[int]:
        """The RUNNING steps, by position, of which nothing runs any more (rule 6.4).

        No process advances the run, and the worker of their attempt has exited, or was never
        reported. How the attempt ended is not recorded yet.
        """
        if not self.is_abandoned:
            return frozenset()
        latest = [
            self.run.attempts.get(step.position)
            for step in self.run.steps
            if step.status is StepStatus.RUNNING
        ]
        return frozenset(
            one.position for one in latest if one is not None and not has_worker(self.run, one)
        )

    @property
    def is_idle(self) -> bool:
        """Whether nothing of a run that has not ended is running: no process of ours and no job."""
        stale = self.stale
        return self.is_abandoned and all(
            step.position in stale for step in self.run.steps if step.status is StepStatus.RUNNING
        )


def has_worker(run: Run, attempt: Attempt) -> bool:
    """Tell whether the worker of an attempt's job may be alive, as far as it was reported."""
    from orchesjob_client import has_exited  # only a run without a runner pays for it

    job = reported_job(run, attempt)
    if job is None:
        return False
    pid, job_id = job.get("worker_pid"), job.get("job_id")
    return not (isinstance(pid, int) and isinstance(job_id, str) and has_exited(pid, job_id))


def flow_of_run(run: Run) -> "FlowSpec":
    """Read the definition of a run.

    Raises:
        StoredFlowError: It cannot be read, or has other steps than the run.
    """
    from flow_spec import FlowSpec  # most commands that only look at a run do without

    flow = FlowSpec.from_json(run.definition)
    refuse_other_steps(run, flow)
    return flow


def refuse_other_steps(run: Run, flow: "FlowSpec") -> None:
    """Refuse a definition of which a recorded step is missing: the records are damaged.

    Raises:
        StoredFlowError: A step of the run is not in the definition.
    """
    from flow_spec import StoredFlowError

    known = {step.id for step in flow.all_steps}
    for step in run.steps:
        if step.step_id not in known:
            raise StoredFlowError(f"step {step.step_id!r} is recorded, but is not in it")


def last_recorded(run: Run) -> float:
    """Return when the last beginning or end in a run was recorded (a Unix time).

    Without a runner nothing is known since then.
    """
    attempts = (max(one.started_at, one.finished_at or 0.0) for one in run.history)
    return max(run.started_at, *attempts, *(step.finished_at or 0.0 for step in run.steps))


class Listed(NamedTuple):
    """A run in a list, and the process that advances it; None if there is none."""

    run: RunSummary
    runner: Holder | None

    @property
    def is_abandoned(self) -> bool:
        """Whether the run has not ended and no process advances it."""
        return self.runner is None and not self.run.status.is_terminal


class RunHandle(NamedTuple):
    """A run key and the settings with the database of its run, which may not exist yet."""

    run_key: str
    settings: Settings

    def snapshot(self) -> Snapshot:
        """Read the run and who advances it; write nothing (rule 6.1).

        Raises:
            BadRunKey, RunNotFound: The key is not valid, or there is no such run.
            HomeMissing: There is no such home (rule 6.13).
        """
        with self.open_readonly() as store:
            return Snapshot(self.load(store), self.holder())

    def open_readonly(self) -> FlowStore:
        """Open the database of a run that must be there, and write nothing."""
        check_run_key(self.run_key)
        try:
            return open_to_read(self.settings)
        except StoreMissing as error:
            self.settings.home.refuse_missing()
            raise self.not_found() from error

    def open(self) -> FlowStore:
        """Open the database of a run that must be there, for writing; create none."""
        check_run_key(self.run_key)
        if not self.settings.home.database.exists():
            self.settings.home.refuse_missing()
            raise self.not_found()
        return open_store(self.settings)

    def load(self, store: FlowStore) -> Run:
        """Load the run.

        Raises:
            RunNotFound: The database has no run of this key.
            UnsafePlace: A link is in the place of its own orchesjob home (rule 6.13).
        """
        is_there(self.settings.home.own_jobs(self.run_key))
        run = store.load(self.run_key)
        if run is None:
            raise self.not_found()
        return run

    def is_recorded(self) -> bool:
        """Whether there is such a run. Creates nothing."""
        if not self.settings.home.database.exists():
            return False
        try:
            with open_to_read(self.settings) as store:
                return store.has(self.run_key)
        except StoreMissing:  # an empty file
            return False

    def in_home_of(self, run: Run) -> "RunHandle":
        """Return the handle with the orchesjob home that is recorded with its run (rule 4.8).

        Raises:
            OtherOrchesjobHome: The environment names another one.
            UnusableOrchesjobHome: The run's home is gone, and its jobs with it.
        """
        # Looking at a run imports nothing that calls orchesjob.
        from orchesjob_flow.home.orchesjob_home import environ_of

        environ = environ_of(run, self.settings.environ, self.settings.home)
        return self._replace(settings=self.settings._replace(environ=environ))

    def in_recorded_home_of(self, run: Run) -> "RunHandle":
        """Do as `in_home_of` does, whatever orchesjob home the environment names.

        The user has named another run, and not this one.
        """
        try:
            return self.in_home_of(run)
        except OtherOrchesjobHome:
            environ = {**self.settings.environ, ORCHESJOB_HOME: run.orchesjob_home}
            return self._replace(settings=self.settings._replace(environ=environ)).in_home_of(run)

    def not_found(self) -> RunNotFound:
        """Return the error that the database has no such run."""
        return RunNotFound(self.run_key, self.settings.home.database)

    @property
    def lock_path(self) -> Path:
        """The lock of the process that advances the run."""
        return self.settings.home.locks / f"{encode_run_key(self.run_key)}.lock"

    @property
    def calls_lock_path(self) -> Path:
        """The lock that each call of orchesjob for the run holds until it returns."""
        return self.settings.home.locks / f"{encode_run_key(self.run_key)}.calls"

    @property
    def hook_lock_path(self) -> Path:
        """The lock of the process that calls the hook for the run (rule 12.5)."""
        return self.settings.home.locks / f"{encode_run_key(self.run_key)}.hook"

    @property
    def directory(self) -> Path:
        """The directory in which the steps of the run leave files for each other (rule 10.6)."""
        return self.settings.home.run_directory(self.run_key)

    def built_in_names(self, flow_dir: str) -> dict[str, str]:
        """Return the values of the names that every flow has, for its words (rule 10.6).

        They stay the same in every process that advances the run, and after a retry.
        """
        return {"FLOW_DIR": flow_dir, "RUN_DIR": str(self.directory), "RUN_KEY": self.run_key}

    def log(self, stream: str) -> Path:
        """Return the log of the run's background runner; `stream` is `stdout` or `stderr`."""
        name = f"orchesjob-flow-{encode_run_key(self.run_key)}.{stream}.log"
        return self.settings.home.logs / name

    def holder(self) -> Holder | None:
        """Tell which process advances the run; None if there is none."""
        return holder(self.lock_path)

    def refuse_unusable(self) -> None:
        """Refuse a run that no runner could advance, before anything of it is recorded.

        Raises:
            UnsafePlace: Something else is in the place of a lock file or of the run's directory.
        """
        slots = (self.settings.call_slot_files, self.settings.abort_slot_files)
        refuse_foreign([self.calls_lock_path, *(path for files in slots for path in files.all)])
        is_there(self.directory)

    def lock(self, *, wait_sec: float = PATIENCE_WITH_READERS_SEC) -> Lock | None:
        """Take the run's lock; None if another process holds it for longer than `wait_sec`."""
        return Lock.take(self.lock_path, wait_sec=wait_sec)

    def lock_or_holder(self) -> Lock | Holder:
        """Take the run's lock, or return the process that holds it.

        The holder may release the lock before it can be named; then the lock is tried again.
        """
        while (lock := self.lock()) is None:
            runner = self.holder()
            if runner is not None:
                return runner
        return lock

    def lock_or_refuse(self) -> Lock:
        """Take the run's lock.

        Raises:
            RunnerBusy: Another process advances the run (rule 4.5).
        """
        found = self.lock_or_holder()
        if isinstance(found, Holder):
            raise RunnerBusy(self.run_key, found.pid)
        return found


def has_runner(handle: RunHandle) -> bool:
    """Tell whether a process advances a run; assume so if that cannot be seen now."""
    try:
        return handle.holder() is not None
    except ResourceExhausted:
        return True


def find_runs(
    settings: Settings,
    *,
    statuses: Collection[RunStatus] = (),
    flow_id: str | None = None,
    limit: int | None = None,
) -> list[Listed]:
    """Read the runs, newest first, and write nothing. An empty home has none.

    Raises:
        HomeMissing: There is no such home (rule 6.13).
    """

    def ask(store: FlowStore) -> Sequence[RunSummary]:
        return store.runs(statuses=statuses, flow_id=flow_id, limit=limit)

    return with_runners(settings, read_store(settings, ask) or ())


def with_runners(settings: Settings, runs: Iterable[RunSummary]) -> list[Listed]:
    """Find the process that advances each run."""
    return [
        Listed(run, None if run.status.is_terminal else RunHandle(run.run_key, settings).holder())
        for run in runs
    ]


def newest_run(settings: Settings) -> RunHandle:
    """Return the handle of the run that was recorded last (rule 6.12); write nothing.

    Raises:
        NoRunYet: No run is recorded.
        HomeMissing: There is no such home (rule 6.13).
    """
    keys = read_store(settings, lambda store: store.run_keys(limit=1))
    if not keys:
        raise NoRunYet(settings.home.database)
    return RunHandle(keys[0], settings)


def read_store[Answer](settings: Settings, ask: Callable[[FlowStore], Answer]) -> Answer | None:
    """Ask the database, and write nothing; return None for an empty home.

    Raises:
        HomeMissing: There is no such home (rule 6.13).
        UnsafePlace: Somebody else could change it (rule 6.1).
    """
    try:
        with open_to_read(settings) as store:
            return ask(store)
    except StoreMissing:
        settings.home.refuse_missing()
        return None


def open_to_read(settings: Settings) -> FlowStore:
    """Open the database for reading; write nothing.

    Raises:
        StoreMissing: There is none.
        UnsafePlace: Somebody else could change it (rule 6.1).
    """
    settings.home.refuse_exposed()
    return FlowStore.open_readonly(settings.home.database)


def open_store(settings: Settings) -> FlowStore:
    """Open the database for writing, and create what is missing of it and its folders."""
    settings.home.prepare()
    return patiently(settings, lambda: FlowStore.open(settings.home.database))


def patiently[Answer](settings: Settings, ask: Callable[[], Answer]) -> Answer:
    """Try again while the database is locked or full, as long as the patience lasts (rule 5.7)."""
    from orchesjob_client import pauses  # `status`, which only reads, does without

    left = pauses(settings.patience_sec)
    while True:
        try:
            return ask()
        except StoreUnavailable as error:
            pause = next(left, None)
            if pause is None or not error.retryable:
                raise
        time.sleep(pause)


def request_cancel(
    handle: RunHandle,
    store: FlowStore,
    at: float,
    grace_sec: float | None = None,
    *,
    now: bool = False,
) -> CancelRequest | None:
    """Record a request to cancel a run; return the valid one, or None if the run has ended."""
    ask = partial(store.request_cancel, handle.run_key, requested_at=at)
    return patiently(handle.settings, partial(ask, grace_sec=grace_sec, now=now))


def wait_out[Answer](
    handle: RunHandle, ask: Callable[[], Answer], *, warn: Callable[[str], None]
) -> Answer:
    """Try again while the machine lacks what a run needs, as long as the patience lasts (rule 5.7).

    Raises:
        GaveUp: The patience is over.
    """
    from orchesjob_client import pauses

    left = pauses(handle.settings.patience_sec)
    warned = False
    while True:
        try:
            return ask()
        except ResourceExhausted as error:
            pause = next(left, None)
            if pause is None:
                raise GaveUp(handle.run_key, str(error)) from error
            if not warned:
                warn(f"{error}; trying again")
                warned = True
        time.sleep(pause)


class Observer:
    """Looks at a run through one connection, and reads it again only when it has changed.

    Writes nothing. Used from the thread that looks first.
    """

    def __init__(self, handle: RunHandle) -> None:
        """Open nothing yet."""
        self._handle = handle
        self._store: FlowStore | None = None
        self._version: int | None = None
        self._token: RunToken | None = None
        self._run: Run | None = None
        self._attempts: tuple[Attempt, ...] | None = None
        self._has_seen = False

    def snapshot(self) -> Snapshot:
        """Return the run as it is now and who advances it; while it is unchanged, the same run.

        Raises:
            BadRunKey, RunNotFound, HomeMissing: As `RunHandle.snapshot`.
            RunRemoved: It was there at an earlier look.
        """
        with ExitStack() as unless_seen:
            unless_seen.callback(self.close)  # the next look reads everything again
            try:
                run = self._look(self._connected())
            except (RunNotFound, HomeMissing) as error:
                if not self._has_seen:
                    raise
                raise RunRemoved(self._handle.run_key) from error
            unless_seen.pop_all()
        self._has_seen = True
        return Snapshot(run, self._handle.holder())

    def find(self) -> Snapshot | None:
        """Do as `snapshot` does, but return None if there is no such run; it may come later."""
        return self.snapshot() if self._connected().has(self._handle.run_key) else None

    def attempts(self) -> tuple[Attempt, ...]:
        """Return all attempts of the run, as of the last look or later."""
        if self._attempts is None:
            self._attempts = self._connected().attempts(self._handle.run_key)
        return self._attempts

    def await_end(self, limit_sec: float, see: Callable[[Snapshot], None] = lambda _: None) -> None:
        """Return when the run is terminal, or after `limit_sec`; call `see` at each look before."""
        end = time.monotonic() + limit_sec
        while not (snapshot := self.snapshot()).run.status.is_terminal:
            see(snapshot)
            left = end - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, RUN_LOOK_SEC))

    def _connected(self) -> FlowStore:
        store = self._store
        if store is not None and store.sees_changes and store.is_same_file():
            return store
        self.close()
        self._store = self._handle.open_readonly()
        return self._store

    def _look(self, store: FlowStore) -> Run:
        version = store.data_version()
        if self._run is None or version != self._version:
            token = store.token_of(self._handle.run_key)
            if self._run is None or token != self._token:
                self._run, self._attempts = self._handle.load(store), None
            self._version, self._token = version, token
        return self._run

    def close(self) -> None:
        """Close the connection; the next look opens another one."""
        if self._store is not None:
            self._store.close()
        self._store = self._run = self._attempts = None

    def __enter__(self) -> Self:
        """Return the observer itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self.close()
