"""`cancel`: the request is recorded, and the command returns when it is carried out (rule 6.7).

The command also waits for the steps of `finally`, unless it ends them as well (rule 10.1).
"""

import time
from contextlib import closing
from functools import partial

import click

from flow_store import FlowStore, Outcome, Run, RunStatus, StepStatus, attempt_key
from orchesjob_client import DEFAULT_GRACE_SEC
from orchesjob_flow.cli.options import CommandOnRun, Duration, format_option, run_key_option
from orchesjob_flow.errors import CancelUnfinished, GaveUp
from orchesjob_flow.home import RunHandle, Snapshot, request_cancel
from orchesjob_flow.reasons import finally_words, is_running_finally, listed, steps_of_finally
from orchesjob_flow.runner.assembly import runner_of
from orchesjob_flow.views.results import ended_words, show_run
from orchesjob_flow.views.terminal import OutputFormat, Say, status_line, warn

ALLOWANCE_SEC = 30.0
"""How much longer than the grace time a cancel may take, not counting the time of `finally`."""
CANCEL_LOOK_SEC = 0.1
TOO_LATE = "no step was left to stop"
"""The news about a run that is not CANCELLED: it keeps the outcome of its steps (rule 5.6)."""


@click.command(cls=CommandOnRun)
@run_key_option
@click.option(
    "--grace-seconds",
    type=Duration(zero=True),
    help="How long a step may clean up before it is killed (orchesjob's default: 5).",
)
@click.option("--now", is_flag=True, help="Stop the steps of `finally` too, or start none of them.")
@format_option
def cancel(
    handle: RunHandle, grace_seconds: float | None, now: bool, output_format: OutputFormat
) -> None:
    """Cancel a run: start no more steps, stop those that run, and wait until all have exited.

    The steps of `finally` still run, and `cancel` waits for them; a second `cancel` stops them. If
    no other step is left to stop, the run keeps its outcome.

    \b
    Example:
      orchesjob-flow cancel nightly-2026-05-07 --grace-seconds 10
    """  # noqa: D301 - click reads \b
    with handle.open() as store, status_line() as say:
        end = partial(request_and_await, store=store, grace_sec=grace_seconds, now=now, say=say)
        run = end(handle)
        if run.status is RunStatus.CANCELLED:
            for run_key in store.unfinished_inside(run.run_key):  # rule 5.6
                inner = handle._replace(run_key=run_key)
                end(inner.in_recorded_home_of(inner.load(store)), again=False)
    show_run(handle, Snapshot(run, None), output_format)


def request_and_await(  # noqa: PLR0913 - the options of a cancel
    handle: RunHandle,
    *,
    store: FlowStore,
    grace_sec: float | None,
    now: bool,
    say: Say,
    again: bool = True,
) -> Run:
    """Record the request and wait for the end of the run, which its runner brings about.

    Where there is no runner, this process takes its place. The steps of `finally` may take their
    time, and their progress is shown. Unless `again`, a recorded request is not made a second time.

    Raises:
        CancelUnfinished: The run has not ended in time.
        OtherOrchesjobHome: The environment names another home than the run's (rule 4.8).
    """
    run = handle.load(store)
    if run.status.is_terminal:
        warn(f"{ended_words(run)}, so there is nothing to cancel")
        return run
    handle = handle.in_home_of(run)
    recorded = run.cancel
    if again or recorded is None:
        recorded = request_cancel(handle, store, time.time(), grace_sec, now=now)
    given = None if recorded is None else recorded.grace_sec
    waiting = Waiting((DEFAULT_GRACE_SEC if given is None else given) + ALLOWANCE_SEC, say)
    while not (run := handle.load(store)).status.is_terminal:
        if waiting.is_over(run):
            raise CancelUnfinished(handle.run_key, what_is_in_the_way(handle, run))
        finish(handle, store, waiting)
    if run.status is not RunStatus.CANCELLED:
        stopped = any(step.status is StepStatus.CANCELLED for step in steps_of_finally(run))
        left = "only finally was left to stop" if stopped else TOO_LATE
        warn(f"run {handle.run_key!r}: {left}; it {run.status.value}")
    return run


def what_is_in_the_way(handle: RunHandle, run: Run) -> str:
    """Say why a run has not ended."""
    running = [step for step in run.steps if step.status is StepStatus.RUNNING]
    survivors = [f"step {step.step_id!r} {step.error}" for step in running if step.error]
    if run.error or survivors:
        return run.error or "; ".join(survivors)
    if (runner := handle.holder()) is not None:
        return f"{runner} advances it and has not reacted"
    keys = [attempt_key(run.run_key, step.step_id, step.attempt_no) for step in running]
    if not keys:
        return "there was no time left to carry it out"
    return f"orchesjob still reports {', '.join(keys)} as running"


class Waiting:
    """How long a cancel waits; the time of `finally` does not count."""

    def __init__(self, allowed_sec: float, say: Say) -> None:
        """Begin to wait; the status line says for what."""
        self._say = say
        self._began = time.monotonic()
        self._allowed_sec = allowed_sec
        self._deadline = time.monotonic() + allowed_sec
        self._said = ""

    def is_over(self, run: Run) -> bool:
        """Tell whether the time is over; show what the steps of `finally` do meanwhile."""
        if is_running_finally(run):
            self._deadline = time.monotonic() + self._allowed_sec
            if (news := finally_words(run)) != self._said:
                self._said = news
                why = "" if run.finally_after is Outcome.CANCELLED else f"{TOO_LATE}; "
                warn(f"run {run.run_key!r}: {why}{news}; `cancel --now` ends that too")
        waited = int(time.monotonic() - self._began)
        self._say(f"cancel: {_what_is_left(run)} ({waited} s)")
        return time.monotonic() >= self._deadline


def _what_is_left(run: Run) -> str:
    if is_running_finally(run):
        return finally_words(run)
    running = [step.step_id for step in run.steps if step.status is StepStatus.RUNNING]
    return f"waiting for the end of {listed(running)}" if running else "waiting for the runner"


def finish(handle: RunHandle, store: FlowStore, waiting: Waiting) -> None:
    """Drive a run that is to be cancelled, until it has ended or the time is over.

    Another process that advances it is waited for, for a moment.
    """
    lock = handle.lock(wait_sec=CANCEL_LOOK_SEC)
    if lock is None:
        return
    with closing(lock):
        if not handle.load(store).status.is_terminal:
            try:
                with runner_of(handle, store, lock) as runner:
                    while not runner.drive(until=time.monotonic() + CANCEL_LOOK_SEC).is_terminal:
                        if waiting.is_over(handle.load(store)):
                            return
            except GaveUp as error:
                raise CancelUnfinished(handle.run_key, error.cause) from error
