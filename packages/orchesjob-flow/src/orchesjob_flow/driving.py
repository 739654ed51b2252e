"""Putting a runner together, and letting it drive a run, in the process that holds the run's lock.

What every command that advances a run shares: `start`, its background child, `cancel`, `tick` and
`watch --advance`.
"""

import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from queue import SimpleQueue
from types import FrameType

from flow_spec import FlowSpec
from flow_store import FlowStore
from orchesjob_client import OrchesjobClient, locate
from orchesjob_flow.clock import now
from orchesjob_flow.engine.run import Limits, RunState
from orchesjob_flow.errors import CallsInFlight
from orchesjob_flow.locks import Lock
from orchesjob_flow.output import write_message
from orchesjob_flow.performer import Performer
from orchesjob_flow.reading import load
from orchesjob_flow.runner import Inbox, Runner, Stop
from orchesjob_flow.settings import Settings
from orchesjob_flow.text import visible

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def runner_of(run_key: str, settings: Settings, store: FlowStore, lock: Lock) -> Iterator[Runner]:
    """Put together the runner of a run whose lock this process holds; while open, signals stop it.

    Raises:
        RunNotFound: There is no such run.
        OrchesjobMissing: There is no orchesjob (rule 6.2).
        CallsInFlight: A call of the last runner is under way for longer than the patience lasts.
    """
    orchesjob = locate(settings.orchesjob, settings.environ)
    lock.sign()
    run = load(store, run_key, settings)
    inbox: Inbox = SimpleQueue()
    limits = Limits(settings.starts, settings.patience_sec, settings.poll_interval_sec)
    state = RunState.load(FlowSpec.from_json(run.definition), run, limits)
    with (
        closing(take_fence(run_key, settings)) as fence,
        closing(
            Performer(
                OrchesjobClient(orchesjob),
                inbox.put,
                directory=run.directory,
                calls_lock=fence.fileno(),
                starts=limits.starts,
                environ=settings.environ,
                warn=warn,
            )
        ) as performer,
        stopped_by_signals(inbox),
    ):
        yield Runner(
            state, store, run.revision, inbox, now=now, perform=performer.perform, warn=warn
        )
    if state.status.is_terminal:
        store.checkpoint()


def take_fence(run_key: str, settings: Settings) -> Lock:
    """Wait until no call of an earlier runner is under way, and let none of ours be overlooked.

    Every start and abort of this runner inherits the lock, and so holds it beyond our own death.
    """
    path = settings.home.calls_lock(run_key)
    fence = Lock.take(path, wait_sec=settings.patience_sec)
    if fence is None:
        raise CallsInFlight(run_key, settings.patience_sec)
    return fence


@contextmanager
def stopped_by_signals(inbox: Inbox) -> Iterator[None]:
    """Let the first signal to end this process stop the runner tidily; a second one ends it."""

    def stop(signum: int, _frame: FrameType | None) -> None:
        for number in STOP_SIGNALS:
            if signal.getsignal(number) is stop:
                signal.signal(number, signal.SIG_DFL)
        inbox.put(Stop(signum))

    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def warn(message: str) -> None:
    """Tell whoever reads stderr something that decides nothing."""
    write_message(f"orchesjob-flow: {visible(message)}")
