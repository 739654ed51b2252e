"""Driving a run to its end in this process, or waiting for the process that does."""

from collections.abc import Callable
from contextlib import closing

from flow_store import FlowStore, Run
from orchesjob_client import ForkServer
from orchesjob_flow.home.locks import Holder, Lock
from orchesjob_flow.home.runs import RunHandle
from orchesjob_flow.runner.assembly import runner_of
from orchesjob_flow.runner.early_helper import GetLauncher
from orchesjob_flow.runner.shortage import wait_out
from orchesjob_flow.views.streams import warn


def drive_or_wait(
    handle: RunHandle,
    store: FlowStore,
    lock: Lock | None = None,
    *,
    get_launcher: GetLauncher = ForkServer,
) -> Run:
    """Bring a run to its end; where another process drives it, wait until it ends or dies.

    `lock` is the run's, if this process holds it already.
    """
    run = handle.load(store)
    if run.status.is_terminal:
        return run
    handle = handle.in_home_of(run)
    lock = lock or wait_out(
        handle, lambda: Lock.wait(handle.lock_path, before_waiting=lambda: tell_waiting(handle))
    )
    with closing(lock):
        return drive(handle, store, lock, get_launcher=get_launcher)


def drive(
    handle: RunHandle,
    store: FlowStore,
    lock: Lock,
    *,
    get_launcher: GetLauncher = ForkServer,
    when_it_goes_on: Callable[[], None] = lambda: None,
) -> Run:
    """Drive a run, whose lock this process holds, to its end if it has not ended yet.

    `when_it_goes_on` is called once this process does not only try to.
    """
    run = handle.load(store)
    if run.status.is_terminal:
        return run
    with runner_of(handle, store, lock, get_launcher) as runner:
        runner.drive_until_it_goes_on()
        when_it_goes_on()
        runner.drive()
    return handle.load(store)


def tell_waiting(handle: RunHandle) -> None:
    """Tell on stderr what a second foreground command waits for."""
    runner = handle.holder() or Holder(None)
    warn(f"{runner} advances run {handle.run_key!r}; waiting for its outcome")
