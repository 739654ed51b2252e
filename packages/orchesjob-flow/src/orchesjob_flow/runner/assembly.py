"""Assembling a runner in the process that holds the run's lock, and driving the run with it.

Each start and abort inherits the run's calls lock, and so holds it even if its runner dies. A
successor takes that lock first, and then knows that no call of a dead runner can still have an
effect (rule 5.7). A call that hangs is ended after the time that a living runner would give it.

A process is ended, together with its process group, only if it has the file of this lock open,
belongs to this user, and has the arguments of a start or an abort of one of this run's jobs. We
hold the run's own lock, so no other runner waits for its answer. orchesjob passes no descriptor on
to its worker or the job; if one of them held the lock all the same, it would have other arguments
and its own process group. Any other holder of the lock is named, and not ended.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from queue import SimpleQueue

from flow_spec import FlowSpec, StepVariable
from flow_store import FlowStore, Run, attempt_key
from orchesjob_client import (
    EXECUTABLE,
    CallLimits,
    OrchesjobClient,
    RunningCall,
    leave_cgroups,
    locate,
    read_call,
)
from orchesjob_flow.clock import now
from orchesjob_flow.engine.state import Limits, RunState
from orchesjob_flow.errors import CallsInFlight, Passing, exhaustion_named
from orchesjob_flow.home import (
    Holder,
    Lock,
    RunHandle,
    flow_of_run,
    has_runner,
    make_run_directory,
    patiently,
    wait_out,
)
from orchesjob_flow.home.call_slots import CallSlots
from orchesjob_flow.home.locks import PATIENCE_WITH_READERS_SEC, has_open, processes_with
from orchesjob_flow.home.orchesjob_home import stored_inode, take_home
from orchesjob_flow.runner import hook
from orchesjob_flow.runner.background import Relief
from orchesjob_flow.runner.loop import Inbox, Runner, Stop, giving_up_recorded
from orchesjob_flow.runner.performer import Performer
from orchesjob_flow.signals import stopped_by_signals
from orchesjob_flow.views.terminal import warn


def drive_or_wait(
    handle: RunHandle,
    store: FlowStore,
    lock: Lock | None = None,
    *,
    flow: FlowSpec | None = None,
) -> Run:
    """Bring a run to its end; where another process drives it, wait until it ends or dies.

    `lock` is the run's, if this process holds it already, and `flow` its definition, if this
    process has recorded it.
    """
    run = handle.load(store)
    if run.status.is_terminal:
        return run
    handle = handle.in_home_of(run)
    lock = lock or wait_out(
        handle,
        lambda: Lock.wait(handle.lock_path, before_waiting=lambda: _tell_waiting(handle)),
        warn=warn,
    )
    with closing(lock):
        return drive(handle, store, lock, flow=flow)


def _tell_waiting(handle: RunHandle) -> None:
    runner = handle.holder() or Holder(None)
    warn(Passing(f"{runner} advances run {handle.run_key!r}; waiting for its outcome"))


def drive(
    handle: RunHandle,
    store: FlowStore,
    lock: Lock,
    *,
    flow: FlowSpec | None = None,
    on_ready: Callable[[], None] = lambda: None,
) -> Run:
    """Drive a run, whose lock this process holds, to its end if it has not ended yet.

    `on_ready` is called once orchesjob has reported a job, or nothing is asked of it.
    """
    run = handle.load(store)
    if run.status.is_terminal:
        return run
    with runner_of(handle, store, lock, flow) as runner:
        runner.drive_until_ready()
        on_ready()
        runner.drive()
        return handle.load(store)


@contextmanager
def runner_of(
    handle: RunHandle, store: FlowStore, lock: Lock, flow: FlowSpec | None = None
) -> Iterator[Runner]:
    """Yield a runner as `assembled` does; then release the lock and call a due hook (rule 12.5)."""
    store.has_hook = partial(hook.is_wanted, handle.settings, handle.load(store))
    try:
        with assembled(handle, store, lock, flow) as runner:
            yield runner
    finally:
        if store.has_hook():
            lock.close()
            hook.call_due(handle, store)


@contextmanager
def assembled(
    handle: RunHandle, store: FlowStore, lock: Lock, flow: FlowSpec | None
) -> Iterator[Runner]:
    """Yield the runner of a run whose lock this process holds; while open, signals stop it.

    Raises:
        RunNotFound: There is no such run.
        OrchesjobMissing: There is no orchesjob (rule 6.2).
        GaveUp: The machine lacks what the runner needs for longer than the patience lasts.
        CallsInFlight: A call of the last runner is left, and cannot be ended.
        UnsafePlace: A lock of the flow home is not ours.
        OtherOrchesjobHome, UnusableOrchesjobHome: The run's jobs are elsewhere (rule 4.8).
    """
    run = handle.load(store)
    settings = handle.in_home_of(run).settings
    orchesjob = locate(settings.orchesjob, settings.environ)
    lock.sign()
    leave_cgroups(settings.environ)
    inbox: Inbox = SimpleQueue()
    limits = Limits(settings.starts, settings.patience_sec, settings.poll_interval_sec)
    handle.refuse_unusable()
    with ExitStack() as held:
        with giving_up_recorded(
            store, run.run_key, revision=lambda: run.revision, wall=lambda: now().wall, warn=warn
        ):
            # Reading it back takes as long as all else before the first call. But while this
            # process waited for the lock, a `retry` may have recorded another one.
            if flow is None or flow.to_json() != run.definition:
                flow = flow_of_run(run)
            flow = flow.filled(handle.built_in_names(run.flow_dir))
            state = RunState.load(flow, run, limits)
            sec = limits.call_sec  # after which any call is ended (rule 5.7)
            call_limits = CallLimits(sec, sec, sec)
            calls_lock = wait_out(
                handle, lambda: take_calls_lock(handle, run, call_limits), warn=warn
            )
            held.enter_context(closing(calls_lock))
            if make_run_directory(handle.directory) and run.history:
                warn(f"{handle.directory} was gone, with what steps have left there; it is empty")
            folder = take_home(handle.settings.home, run, settings.environ)
            if (inode := stored_inode(folder)) != run.home_inode:
                record = partial(store.record_home, run.run_key, inode, revision=run.revision)
                patiently(settings, record)
            client = OrchesjobClient(
                orchesjob,
                environ={
                    **settings.environ,
                    **built_in_variables(run, handle.directory),
                    EXECUTABLE: orchesjob,
                },
                folder=folder,
                limits=call_limits,
            )
            performer = Performer(
                client,
                inbox.put,
                directory=run.directory,
                calls_lock=calls_lock.fileno(),
                starts=limits.starts,
                slots=CallSlots(settings.call_slot_files),
                abort_slots=CallSlots(settings.abort_slot_files),
                warn=warn,
            )
            held.enter_context(closing(performer))
            wait_out(handle, performer.prepare, warn=warn)
        with stopped_by_signals(lambda signum: inbox.put(Stop(signum))):
            runner = Runner(
                state,
                store,
                run,
                inbox,
                now=now,
                perform=performer.perform,
                warn=warn,
                has_runner=lambda key: has_runner(RunHandle(key, settings)),
                end=Relief(handle, store).end,
            )
            yield runner
    if runner.run.status.is_terminal:
        store.checkpoint()


def built_in_variables(run: Run, directory: Path) -> dict[str, str]:
    """Return the variables that every command of the run has (rules 9.13 and 10.2).

    They stay the same in every process that advances the run, and after a retry.
    """
    zone = timezone(timedelta(seconds=run.utc_offset_sec))
    began = datetime.fromtimestamp(run.started_at, zone)
    return {
        StepVariable.DIR: run.flow_dir,
        StepVariable.RUN_DIR: str(directory),
        StepVariable.STARTED: began.isoformat(timespec="seconds"),
    }


def take_calls_lock(handle: RunHandle, run: Run, limits: CallLimits) -> Lock:
    """Wait until no call of an earlier runner is in progress, and take the lock that proves it.

    Raises:
        CallsInFlight: Another process, or a call that cannot be ended, holds it for longer than
            the patience lasts.
        ResourceExhausted: This process has no descriptors or memory left to find the holder.
    """
    path = handle.calls_lock_path
    began = time.monotonic()
    until = began + handle.settings.patience_sec
    tried: set[RunningCall] = set()
    announced: set[RunningCall] = set()
    wait_sec = PATIENCE_WITH_READERS_SEC
    while (lock := Lock.take(path, wait_sec=wait_sec)) is None:
        with exhaustion_named(f"cannot see who holds {path}"):
            calls = find_calls(path, run, limits) - tried
            ends = {call: call.must_end_by(began) for call in calls}
            overdue = {call for call, end in ends.items() if end <= time.monotonic()}
            for call in overdue:
                warn(f"{call} of the last runner did not answer in time, and is ended")
                call.end()
        tried |= overdue
        now = time.monotonic()
        if now >= until and not calls:
            raise CallsInFlight(handle.run_key, round(now - began, 1), processes_with(path))
        if now >= until:  # its step lets it take longer
            for call in calls - tried - announced:
                warn(f"waiting for {call} of the last runner, up to {ends[call] - now:.0f} s more")
            announced |= calls
        next_look = min((end for end in (*ends.values(), until) if end > now), default=now)
        wait_sec = max(PATIENCE_WITH_READERS_SEC, next_look - now)
    return lock


def find_calls(calls_lock: Path, run: Run, limits: CallLimits) -> set[RunningCall]:
    """Find the calls for this run that hold its calls lock."""
    ids = {step.position: step.step_id for step in run.steps}
    keys = {attempt_key(run.run_key, ids[one.position], one.number) for one in run.history}
    jobs = {attempt.job_id for attempt in run.attempts.values() if attempt.job_id is not None}
    found = (
        read_call(pid, job_keys=keys, job_ids=jobs, limits=limits)
        for pid in processes_with(calls_lock)
    )
    # Checked again: another process may have had that PID a moment ago.
    return {call for call in found if call is not None and has_open(call.process.pid, calls_lock)}
