"""What the commands that change a run do: `start`, its background child, `cancel` and `tick`.

Each returns the run as it stands at its end. Options, output and exit codes are `cli`'s matter.
"""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

from flow_spec import FlowSpec, load_flow
from flow_store import FlowStatus, FlowStore, Run, StoreError
from orchesjob_client import OrchesjobError, locate
from orchesjob_flow import detach
from orchesjob_flow.driving import runner_of, warn
from orchesjob_flow.engine.calls import DEFAULT_GRACE_SEC
from orchesjob_flow.errors import (
    DefinitionDiffers,
    DirectoryGone,
    FlowError,
    GaveUp,
    NotEnded,
    NotEndedYet,
    RunnerBusy,
    name_holder,
)
from orchesjob_flow.home import check_run_key
from orchesjob_flow.listing import list_runs
from orchesjob_flow.locks import Lock, holder
from orchesjob_flow.reading import load, open_existing, patiently
from orchesjob_flow.retrying import plan_retry
from orchesjob_flow.settings import Settings

CANCEL_ALLOWANCE_SEC = 30.0
LOOK_SEC = 0.1


class Detached(NamedTuple):
    """A run and the background process that advances it."""

    run: Run
    pid: int | None
    stdout_log: Path
    stderr_log: Path


def start(run_key: str, flow_file: str, env: Mapping[str, str], settings: Settings) -> Run:
    """Start or resume a run and drive it to its end (rules 4.3 to 4.5 and 6.3)."""
    with record(run_key, flow_file, env, settings) as store:
        return go_on(run_key, settings, store)


def resume(run_key: str, settings: Settings) -> Run:
    """Go on with a recorded run and drive it to its end (rule 9.8)."""
    with open_existing(run_key, settings) as store:
        return go_on(run_key, settings, store)


def go_on(run_key: str, settings: Settings, store: FlowStore) -> Run:
    """Drive a run, or wait for whoever does, until it is terminal."""
    run = load(store, run_key, settings)
    if run.status.is_terminal:
        return run
    path = settings.home.run_lock(run_key)
    with closing(Lock.wait(path, before_waiting=lambda: say_waiting(run_key, path))) as lock:
        return drive(run_key, settings, store, lock)


def drive(run_key: str, settings: Settings, store: FlowStore, lock: Lock) -> Run:
    """Drive a run to its end, if it is not there yet."""
    run = load(store, run_key, settings)
    if run.status.is_terminal:
        return run
    with runner_of(run_key, settings, store, lock) as runner:
        runner.drive()
    return load(store, run_key, settings)


def start_detached(
    run_key: str, flow_file: str, env: Mapping[str, str], settings: Settings
) -> Detached:
    """Start or resume a run in a background process, unless one advances it already."""
    with record(run_key, flow_file, env, settings) as store:
        return go_on_detached(run_key, settings, store)


def resume_detached(run_key: str, settings: Settings) -> Detached:
    """Go on with a recorded run in a background process, unless one advances it already."""
    with open_existing(run_key, settings) as store:
        return go_on_detached(run_key, settings, store)


class Retry(NamedTuple):
    """What of a run is to run again, and with which flow file: None keeps the recorded flow.

    `env` is laid over that of the flow.
    """

    steps: Sequence[str]
    downstream: bool
    flow_file: str | None
    env: Mapping[str, str]


def retry(run_key: str, what: Retry, settings: Settings) -> Run:
    """Reopen a run that has ended, and drive it to its end (rule 9.7)."""
    with reopened(run_key, what, settings) as (store, lock):
        return drive(run_key, settings, store, lock)


def retry_detached(run_key: str, what: Retry, settings: Settings) -> Detached:
    """Reopen a run that has ended, and leave it to a background process."""
    with reopened(run_key, what, settings) as (store, lock):
        pid = detach.start_child(run_key, settings, lock)
        return left_to(pid, run_key, settings, store)


@contextmanager
def reopened(run_key: str, what: Retry, settings: Settings) -> Iterator[tuple[FlowStore, Lock]]:
    """Reopen a run in one transaction, under its lock; yield the store and the lock.

    Raises:
        RunnerBusy: Another process advances the run.
        NotEndedYet: It has not ended.
    """
    flow = None if what.flow_file is None else load_flow(what.flow_file)
    locate(settings.orchesjob, settings.environ)
    with (
        open_existing(run_key, settings) as store,
        closing(take_or_refuse(run_key, settings)) as lock,
    ):
        run = load(store, run_key, settings)
        if not run.status.is_terminal:
            raise NotEndedYet(run_key, run.status.value)
        if flow is None:
            flow = FlowSpec.from_json(run.definition)
        reopening = plan_retry(
            run, flow.with_env(what.env), steps=what.steps, downstream=what.downstream
        )
        patiently(settings, lambda: store.reopen(run_key, reopening, revision=run.revision))
        yield store, lock


class Resumed(NamedTuple):
    """A run that had no runner, with its new one, or why it has none."""

    run_key: str
    pid: int | None
    error: str | None


def resume_all(settings: Settings) -> list[Resumed]:
    """See to it that every run that has not ended is advanced (rule 9.8).

    One that cannot be helped keeps no other from being so.
    """
    unfinished = list_runs(settings, statuses=(FlowStatus.PENDING, FlowStatus.RUNNING))
    left_alone = [listed.run.run_key for listed in unfinished if listed.runner_pid is None]
    return [resume_one(run_key, settings) for run_key in reversed(left_alone)]


def resume_one(run_key: str, settings: Settings) -> Resumed:
    """Give a run a background runner; tell what is wrong instead of raising it."""
    try:
        return Resumed(run_key, resume_detached(run_key, settings).pid, None)
    except (FlowError, StoreError, OrchesjobError) as error:
        return Resumed(run_key, None, str(error))


def go_on_detached(run_key: str, settings: Settings, store: FlowStore) -> Detached:
    """See to it that a background process drives a run that is not terminal."""
    pid = None
    if not load(store, run_key, settings).status.is_terminal:
        pid = ensure_child(run_key, settings)
    return left_to(pid, run_key, settings, store)


def left_to(pid: int | None, run_key: str, settings: Settings, store: FlowStore) -> Detached:
    """Describe a run that is left to a background process, or, as None, that has ended."""
    home, run = settings.home, load(store, run_key, settings)
    return Detached(run, pid, home.log(run_key, "stdout"), home.log(run_key, "stderr"))


def ensure_child(run_key: str, settings: Settings) -> int | None:
    """Start a background runner, or find the process that advances the run already."""
    path = settings.home.run_lock(run_key)
    lock = Lock.take(path)
    if lock is None:
        return holder(path) or None
    with closing(lock):
        return detach.start_child(run_key, settings, lock)


def drive_in_background(
    run_key: str, settings: Settings, *, lock_descriptor: int, ready_descriptor: int
) -> Run:
    """Be the background process of `start_detached`."""
    lock = detach.become_background(lock_descriptor, settings.home.run_lock(run_key))
    with open_existing(run_key, settings) as store:
        load(store, run_key, settings)
        lock.sign()
        detach.say_ready(ready_descriptor)
        return drive(run_key, settings, store, lock)


def record(run_key: str, flow_file: str, env: Mapping[str, str], settings: Settings) -> FlowStore:
    """Record a new run, or find the one of this key and definition; return the open store.

    `env` is laid over that of the flow, and so part of the definition (rule 9.12).

    Everything that can be wrong is found before anything is recorded.
    """
    check_run_key(run_key)
    flow = load_flow(flow_file).with_env(env)
    locate(settings.orchesjob, settings.environ)
    directory = current_directory()
    settings.home.prepare()
    with ExitStack() as unless_recorded:
        store = patiently(settings, lambda: FlowStore.open(settings.home.database))
        unless_recorded.callback(store.close)
        create = partial(
            store.create,
            run_key=run_key,
            flow_id=flow.flow_id,
            definition=flow.to_json(),
            directory=directory,
            started_at=time.time(),
            steps=[(step.id, step.retries) for step in flow.steps],
        )
        created = patiently(settings, create)
        if not created:
            compare(run_key, flow, load(store, run_key, settings))
        unless_recorded.pop_all()
    return store


def current_directory() -> str:
    """Return where the steps of a new run will run (rule 4.6)."""
    try:
        return os.getcwd()  # noqa: PTH109 - as the user sees it, bytes and all
    except FileNotFoundError as error:
        raise DirectoryGone from error


def compare(run_key: str, flow: FlowSpec, run: Run) -> None:
    """Refuse a flow file that means something else than the recorded definition (rule 4.4)."""
    differences = FlowSpec.from_json(run.definition).differences(flow)
    if differences:
        raise DefinitionDiffers(run_key, differences)


def cancel(run_key: str, grace_sec: float | None, settings: Settings) -> Run:
    """Ask for a run to be cancelled and wait until that is done (rules 5.6 and 6.7).

    The runner does it; where there is none, this process takes its place.
    """
    with open_existing(run_key, settings) as store:
        if load(store, run_key, settings).status.is_terminal:
            return load(store, run_key, settings)
        ask = partial(store.request_cancel, run_key, requested_at=time.time(), grace_sec=grace_sec)
        request = patiently(settings, ask)
        asked = None if request is None else request.grace_sec  # by whoever was the first to ask
        grace = DEFAULT_GRACE_SEC if asked is None else asked
        deadline = time.monotonic() + grace + CANCEL_ALLOWANCE_SEC
        path = settings.home.run_lock(run_key)
        while not (run := load(store, run_key, settings)).status.is_terminal:
            if time.monotonic() >= deadline:
                break
            lock = Lock.take(path, wait_sec=LOOK_SEC)
            if lock is not None:
                finish_cancel(run_key, settings, store, lock, deadline)
        else:
            return run
        waiting_for = f"{name_holder(holder(path) or None)} advances it and has not reacted"
        raise NotEnded(run_key, run.error or waiting_for)


def finish_cancel(
    run_key: str, settings: Settings, store: FlowStore, lock: Lock, deadline: float
) -> None:
    """Drive a run that is to be cancelled, until it is or the deadline is over."""
    with closing(lock):
        if not load(store, run_key, settings).status.is_terminal:
            try:
                with runner_of(run_key, settings, store, lock) as runner:
                    runner.drive(until=deadline)
            except GaveUp as error:
                raise NotEnded(run_key, error.cause) from error


def tick(run_key: str, settings: Settings) -> Run:
    """Advance a run as far as it goes without waiting (rule 6.8)."""
    with open_existing(run_key, settings) as store:
        if load(store, run_key, settings).status.is_terminal:
            return load(store, run_key, settings)
        with (
            closing(take_or_refuse(run_key, settings)) as lock,
            runner_of(run_key, settings, store, lock) as runner,
        ):
            runner.settle()
        return load(store, run_key, settings)


def take_or_refuse(run_key: str, settings: Settings) -> Lock:
    """Take the run's lock.

    Raises:
        RunnerBusy: Another process advances the run.
    """
    path = settings.home.run_lock(run_key)
    lock = Lock.take(path)
    if lock is None:
        raise RunnerBusy(run_key, holder(path) or None)
    return lock


def say_waiting(run_key: str, path: Path) -> None:
    """Tell a second foreground start what it waits for."""
    other = name_holder(holder(path) or None)
    warn(f"{other} advances run {run_key!r}; waiting for its outcome")
