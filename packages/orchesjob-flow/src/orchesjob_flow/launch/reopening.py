"""Opening a run that has ended again, and bringing it to its next end (rules 9.7 and 12.3).

`retry` and `settle` do this. Each plans what it changes of the run.
"""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import NamedTuple

from flow_spec import FlowSpec
from flow_store import FlowStore, Reopening, Run
from orchesjob_client import locate
from orchesjob_flow.errors import RunNotTerminal, Skipped
from orchesjob_flow.home.locks import Lock
from orchesjob_flow.home.orchesjob_home import parent_of_new_run
from orchesjob_flow.home.runs import RunHandle, patiently
from orchesjob_flow.launch.advance import show_background, show_foreground, show_skipped
from orchesjob_flow.launch.recording import joining_of, skipping
from orchesjob_flow.runner.assembly import drive
from orchesjob_flow.runner.background import await_runner, start_child
from orchesjob_flow.views.terminal import Form


class Plan(NamedTuple):
    """What is changed of a run that has ended, and the flow with which it continues."""

    flow: FlowSpec
    reopening: Reopening


type Planner = Callable[[Run], Plan]
"""Returns the plan for a run as it is recorded."""


def reopen(handle: RunHandle, planner: Planner, form: Form, progress: str, *, detach: bool) -> int:
    """Open a run that has ended again, advance it, and show it.

    In its group it is like a new run: it waits, or its flow has it skipped (rule 10.7).
    """

    def advance() -> Run:
        with reopened(handle, planner) as (at_home, store, lock):
            return drive(at_home, store, lock)

    try:
        if not detach:
            return show_foreground(handle, form, progress, advance)
        with reopened(handle, planner) as (at_home, _, lock):
            child = start_child(at_home, lock)
        return show_background(handle, await_runner(handle, child), form)
    except Skipped as skipped:
        return show_skipped(skipped, form)


@contextmanager
def reopened(handle: RunHandle, planner: Planner) -> Iterator[tuple[RunHandle, FlowStore, Lock]]:
    """Open a run again in one transaction, under its lock.

    Yield the handle with the orchesjob home of the run, the store and the lock.

    Raises:
        RunnerBusy: Another process advances the run.
        RunNotTerminal: It has not ended.
        OtherOrchesjobHome: The environment names another home than the run's (rule 4.8).
        Skipped, GroupTaken: Another run of its group is before it, and it does not wait (10.7).
    """
    settings = handle.settings
    locate(settings.orchesjob, settings.environ)
    with handle.open() as store, closing(handle.lock_or_refuse()) as lock:
        run = handle.load(store)
        if not run.status.is_terminal:
            raise RunNotTerminal(run.run_key, run.status.value)
        at_home = handle.in_home_of(run)
        record_plan(at_home, store, run, planner(run))
        yield at_home, store, lock


def record_plan(handle: RunHandle, store: FlowStore, run: Run, plan: Plan) -> None:
    """Record the plan for a run, which goes to the end of its group's queue (rule 10.7)."""
    flow, reopening = plan
    settings = handle.settings
    flow_dir = run.flow_dir if reopening.flow_dir is None else reopening.flow_dir
    parent = patiently(settings, lambda: parent_of_new_run(store, settings.environ))
    with skipping(flow):
        patiently(
            settings,
            lambda: store.reopen(
                run.run_key,
                reopening,
                revision=run.revision,
                joining=joining_of(handle, store, flow, flow_dir, parent),
            ),
        )
