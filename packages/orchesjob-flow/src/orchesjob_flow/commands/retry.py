"""`retry`: a run that has ended is reopened, and decided anew in part (rule 9.7)."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import NamedTuple

from flow_spec import FlowSpec, load_flow
from flow_store import FlowStore, Run
from orchesjob_client import locate
from orchesjob_flow.commands.advance import Manner, show_background, show_foreground
from orchesjob_flow.commands.flow_files import flow_dir_of, ready_to_run, with_given
from orchesjob_flow.commands.given import Given
from orchesjob_flow.commands.joining import joining_of, show_skipped, skipping
from orchesjob_flow.commands.value_lists import lists_to_retry, recorded_run
from orchesjob_flow.engine.retry_plan import plan_retry
from orchesjob_flow.errors import RunNotTerminal, Skipped
from orchesjob_flow.home.locks import Lock
from orchesjob_flow.home.parent import parent_of_new_run
from orchesjob_flow.home.runs import RunHandle, patiently
from orchesjob_flow.runner.background import await_runner, start_child
from orchesjob_flow.runner.foreground import drive
from orchesjob_flow.runner.run_facts import flow_dir_of as recorded_flow_dir


class Repeat(NamedTuple):
    """What of a run is to run again, and with which flow file; None keeps the recorded flow.

    With `only`, what depends on the named steps keeps its outcome. Parameters that are not given
    keep the values that they have in the run.
    """

    steps: Sequence[str]
    only: bool
    flow_file: str | None
    env: Mapping[str, str]
    params: Mapping[str, str]


def retry(handle: RunHandle, repeat: Repeat, manner: Manner) -> int:
    """Reopen a run that has ended, and advance it.

    In its group it is like a new run, which waits or may be skipped (rule 10.7).
    """
    try:
        return retry_or_skip(handle, repeat, manner)
    except Skipped as skipped:
        return show_skipped(skipped, manner.form)


def retry_or_skip(handle: RunHandle, repeat: Repeat, manner: Manner) -> int:
    """Reopen a run and advance it.

    Raises:
        Skipped: It stays as it has ended, and the flow wants it so.
    """
    if manner.detach:
        with reopened(handle, repeat) as (at_home, _, lock):
            child = start_child(at_home, lock)
        snapshot = await_runner(handle, child)
        return show_background(handle, snapshot, manner.form)

    def advance() -> Run:
        with reopened(handle, repeat) as (at_home, store, lock):
            return drive(at_home, store, lock)

    return show_foreground(handle, manner, advance)


@contextmanager
def reopened(handle: RunHandle, repeat: Repeat) -> Iterator[tuple[RunHandle, FlowStore, Lock]]:
    """Reopen a run in one transaction, under its lock.

    Yield the handle with the orchesjob home of the run, the store and the lock.

    Raises:
        RunnerBusy: Another process advances the run.
        RunNotTerminal: It has not ended.
        OtherOrchesjobHome: The environment names another home than the run's (rule 4.8).
        Skipped, GroupTaken: Another run of its group is before it, and it does not wait (10.7).
    """
    flow = None if repeat.flow_file is None else new_flow(handle, repeat.flow_file, repeat.params)
    settings = handle.settings
    locate(settings.orchesjob, settings.environ)
    with handle.open() as store, closing(handle.lock_or_refuse()) as lock:
        run = handle.load(store)
        if not run.status.is_terminal:
            raise RunNotTerminal(run.run_key, run.status.value)
        at_home = handle.in_home_of(run)
        flow = repeated_flow(run, flow, repeat)
        reopen(at_home, store, run, flow, repeat)
        yield at_home, store, lock


def new_flow(handle: RunHandle, flow_file: str, params: Mapping[str, str]) -> FlowSpec:
    """Read the flow file with which a run goes on; `params` go before the values that it has.

    Raises:
        FlowFileError: It is no valid flow.
    """
    run = recorded_run(handle)
    return load_flow(
        flow_file,
        read_list=lists_to_retry(run, flow_file),
        params={**(run.params or {}), **params},
    )


def reopen(handle: RunHandle, store: FlowStore, run: Run, flow: FlowSpec, repeat: Repeat) -> None:
    """Reopen a run, which has the last place in its group then, or begins at once (rule 10.7)."""
    reopening = plan_retry(run, flow, steps=repeat.steps, only=repeat.only)
    flow_dir = recorded_flow_dir(run)
    if repeat.flow_file is not None:
        flow_dir = flow_dir_of(repeat.flow_file)
        reopening = reopening._replace(flow_dir=flow_dir)
    settings = handle.settings
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


def repeated_flow(run: Run, flow: FlowSpec | None, repeat: Repeat) -> FlowSpec:
    """Return the flow with which a run goes on: that of a new file, or None for the recorded one.

    Raises:
        FlowFileError, ParamsError: It cannot have the values, or cannot run here.
    """
    recorded = run.params or {}
    if flow is None or repeat.flow_file is None:
        given = Given(repeat.env, {**recorded, **repeat.params})
        return with_given(FlowSpec.from_json(run.definition), given)
    kept = {param.name: recorded[param.name] for param in flow.params if param.name in recorded}
    return ready_to_run(flow, repeat.flow_file, Given(repeat.env, {**kept, **repeat.params}))
