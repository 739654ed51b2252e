"""`cancel`: the request is recorded, and the command returns when it is carried out (rule 6.7)."""

import time
from contextlib import closing
from functools import partial

from flow_store import FlowStatus, FlowStore, Run, StepStatus
from orchesjob_client import DEFAULT_GRACE_SEC
from orchesjob_flow.attempt_key import attempt_key
from orchesjob_flow.errors import CancelUnfinished, GaveUp
from orchesjob_flow.exit_codes import DONE
from orchesjob_flow.home.locks import Holder, Lock
from orchesjob_flow.home.orchesjob_home import VARIABLE
from orchesjob_flow.home.runs import RunHandle, patiently
from orchesjob_flow.runner.assembly import runner_of
from orchesjob_flow.views.run_json import print_run

ALLOWANCE_SEC = 30.0
"""How much longer than the grace time a cancel may take."""
LOOK_SEC = 0.1


def cancel(handle: RunHandle, grace_sec: float | None) -> int:
    """Cancel a run, with all runs inside it, and print it once all have ended (rule 5.6)."""
    with handle.open() as store:
        run = request_and_await(handle, store, grace_sec)
        if run.status is FlowStatus.CANCELLED:
            for run_key in store.unfinished_inside(run.run_key):
                request_and_await(inside(handle, run_key), store, grace_sec)
    print_run(run)
    return DONE


def inside(handle: RunHandle, run_key: str) -> RunHandle:
    """Return the handle of a run inside another; its orchesjob home is the one recorded with it."""
    settings = handle.settings
    environ = {name: text for name, text in settings.environ.items() if name != VARIABLE}
    return RunHandle(run_key, settings._replace(environ=environ))


def request_and_await(handle: RunHandle, store: FlowStore, grace_sec: float | None) -> Run:
    """Record the request and wait for the end of the run, which its runner brings about.

    Where there is no runner, this process takes its place.

    Raises:
        CancelUnfinished: The run has not ended in time.
        OtherOrchesjobHome: The environment names another home than the run's (rule 4.8).
    """
    run = handle.load(store)
    if run.status.is_terminal:
        return run
    handle = handle.in_home_of(run)
    deadline = time.monotonic() + request(handle, store, grace_sec) + ALLOWANCE_SEC
    while not (run := handle.load(store)).status.is_terminal:
        if time.monotonic() >= deadline:
            raise CancelUnfinished(handle.run_key, what_is_in_the_way(run, handle.holder()))
        lock = handle.lock(wait_sec=LOOK_SEC)
        if lock is not None:
            finish(handle, store, lock, deadline)
    return run


def what_is_in_the_way(run: Run, runner: Holder | None) -> str:
    """Say why a run has not ended, and blame nobody who is not there."""
    running = [step for step in run.steps if step.status is StepStatus.RUNNING]
    survivors = [f"step {step.step_id!r} {step.error}" for step in running if step.error]
    if run.error or survivors:
        return run.error or "; ".join(survivors)
    if runner is not None:
        return f"{runner} advances it and has not reacted"
    keys = [attempt_key(run.run_key, step.step_id, step.attempt_no) for step in running]
    if not keys:
        return "there was no time left to carry it out"
    return f"orchesjob still takes {', '.join(keys)} for running, to be aborted"


def request(handle: RunHandle, store: FlowStore, grace_sec: float | None) -> float:
    """Record the request, unless somebody has; return the grace time of the first, in seconds."""
    ask = partial(
        store.request_cancel, handle.run_key, requested_at=time.time(), grace_sec=grace_sec
    )
    request = patiently(handle.settings, ask)
    grace_of_first = None if request is None else request.grace_sec
    return DEFAULT_GRACE_SEC if grace_of_first is None else grace_of_first


def finish(handle: RunHandle, store: FlowStore, lock: Lock, deadline: float) -> None:
    """Drive a run that is to be cancelled, until it has ended or the deadline has passed."""
    with closing(lock):
        if not handle.load(store).status.is_terminal:
            try:
                with runner_of(handle, store, lock) as runner:
                    runner.drive(until=deadline)
            except GaveUp as error:
                raise CancelUnfinished(handle.run_key, error.cause) from error
