"""Putting a runner together in the process that holds the run's lock.

Every command that advances a run does this: `start`, `resume` and `retry`, their background child,
`cancel`, `tick` and `watch --advance`.
"""

import signal
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from queue import SimpleQueue
from types import FrameType

from flow_spec import FlowSpec
from flow_store import FlowStore
from orchesjob_client import (
    CallLimits,
    ForkServer,
    OrchesjobClient,
    leave_cgroups,
    locate,
    orchesjob_home,
)
from orchesjob_flow.clock import now
from orchesjob_flow.engine.limits import Limits
from orchesjob_flow.engine.run import RunState
from orchesjob_flow.home.locks import Lock
from orchesjob_flow.home.orchesjob_home import make_own_home
from orchesjob_flow.home.places import Places, refuse_foreign
from orchesjob_flow.home.run_directory import make_run_directory
from orchesjob_flow.home.runs import RunHandle, has_runner, patiently
from orchesjob_flow.interruption import STOP_SIGNALS
from orchesjob_flow.runner.calls_lock import take_calls_lock
from orchesjob_flow.runner.early_helper import GetLauncher
from orchesjob_flow.runner.giving_up import giving_up_recorded
from orchesjob_flow.runner.loop import Inbox, Runner, Stop
from orchesjob_flow.runner.performer import Performer
from orchesjob_flow.runner.run_facts import built_in_names, built_in_variables, flow_dir_of
from orchesjob_flow.runner.shortage import wait_out
from orchesjob_flow.views.streams import warn


@contextmanager
def runner_of(
    handle: RunHandle, store: FlowStore, lock: Lock, get_launcher: GetLauncher = ForkServer
) -> Iterator[Runner]:
    """Put together the runner of a run whose lock this process holds; while open, signals stop it.

    Raises:
        RunNotFound: There is no such run.
        OrchesjobMissing: There is no orchesjob (rule 6.2).
        GaveUp: What the runner needs of the machine is not to be had for so long.
        CallsInFlight: Something of the last runner's calls is left, and cannot be ended.
        UnsafePlace: A lock of the flow home is not ours.
        OtherOrchesjobHome, UnusableOrchesjobHome: The run's jobs are elsewhere (rule 4.8).
    """
    run = handle.load(store)
    settings = handle.in_home_of(run).settings
    orchesjob = locate(settings.orchesjob, settings.environ)
    lock.sign()
    leave_cgroups(settings.environ)
    if run.orchesjob_home is None:  # an older version recorded the run
        home = orchesjob_home(settings.environ)
        patiently(settings, lambda: store.record_orchesjob_home(run.run_key, home))
    inbox: Inbox = SimpleQueue()
    limits = Limits(settings.starts, settings.patience_sec, settings.poll_interval_sec)
    for turns in (settings.call_turns, settings.abort_turns):
        refuse_foreign(turns)
    with ExitStack() as held:
        launcher = held.enter_context(closing(get_launcher(orchesjob, settings.environ)))
        with giving_up_recorded(
            store, run.run_key, revision=lambda: run.revision, wall=lambda: now().wall, warn=warn
        ):
            flow = FlowSpec.from_json(run.definition).filled(
                built_in_names(flow_dir_of(run), handle)
            )
            state = RunState.load(flow, run, limits)
            call_limits = limits_of_calls(limits)
            calls_lock = wait_out(handle, lambda: take_calls_lock(handle, run, call_limits))
            held.enter_context(closing(calls_lock))
            if make_run_directory(handle.directory) and run.history and run.flow_dir is not None:
                warn(f"{handle.directory} was gone, with what steps have left there; it is empty")
            make_own_home(handle.settings.home, run)
            performer = Performer(
                OrchesjobClient(orchesjob, limits=call_limits, launcher=launcher),
                inbox.put,
                directory=run.directory,
                calls_lock=calls_lock.fileno(),
                starts=limits.starts,
                places=Places(settings.call_turns),
                abort_places=Places(settings.abort_turns),
                environ={**settings.environ, **built_in_variables(run, handle)},
                warn=warn,
            )
            held.enter_context(closing(performer))
            wait_out(handle, performer.prepare)
        with stopped_by_signals(inbox):
            runner = Runner(
                state,
                store,
                run,
                inbox,
                now=now,
                perform=performer.perform,
                warn=warn,
                has_runner=lambda key: has_runner(RunHandle(key, settings)),
            )
            yield runner
    if runner.run.status.is_terminal:
        store.checkpoint()


def limits_of_calls(limits: Limits) -> CallLimits:
    """End a call of any kind when it has hung for as long as the engine lets it (rule 5.7)."""
    return CallLimits(limits.call_sec, limits.call_sec, limits.call_sec)


@contextmanager
def stopped_by_signals(inbox: Inbox) -> Iterator[None]:
    """Let the first signal to end this process stop the runner cleanly; a second one ends it.

    What a second one does is left to whoever has handled the signals so far. A signal that is
    ignored, as under `nohup`, stays so.
    """
    before = {
        number: handler
        for number in STOP_SIGNALS
        if callable(handler := signal.getsignal(number))
        and not isinstance(handler, signal.Handlers)
    }
    stopping = False

    def stop(signum: int, frame: FrameType | None) -> None:
        nonlocal stopping
        if stopping:
            before[signal.Signals(signum)](signum, frame)
        stopping = True
        inbox.put(Stop(signum))

    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
