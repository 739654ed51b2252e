"""`start`: a run is recorded, unless it is already, and advanced to its end (rules 4.3 to 4.5)."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from typing import NamedTuple

from flow_spec import FlowSpec, differences
from flow_store import FlowStore, Run
from orchesjob_client import locate
from orchesjob_flow.commands.advance import Manner, show_background, show_foreground
from orchesjob_flow.commands.flow_files import Given, current_directory, flow_dir_of, load_to_run
from orchesjob_flow.commands.joining import (
    Skipped,
    joining_of,
    show_skipped,
    skipping,
    waits_for_its_turn,
)
from orchesjob_flow.commands.value_lists import lists_to_start
from orchesjob_flow.errors import DefinitionDiffers
from orchesjob_flow.home.locks import Lock
from orchesjob_flow.home.orchesjob_home import home_of_new_run, is_in_own_home, own_home
from orchesjob_flow.home.parent import parent_of_new_run
from orchesjob_flow.home.paths import check_run_key
from orchesjob_flow.home.runs import RunHandle, open_store, patiently
from orchesjob_flow.runner.background import await_runner, begin_runner
from orchesjob_flow.runner.early_helper import EarlyHelper
from orchesjob_flow.runner.foreground import drive_or_wait


class StartOptions(NamedTuple):
    """How a run is started; `own_jobs` gives a new one an orchesjob home of its own (rule 4.8)."""

    manner: Manner
    own_jobs: bool = False


class FlowSource(NamedTuple):
    """A flow file, and what reads its flow, once: it may be a pipe."""

    path: str
    read: Callable[[], FlowSpec]


def start(handle: RunHandle, flow_file: str, given: Given, options: StartOptions) -> int:
    """Start a run of a flow file or resume it."""
    read = partial(load_to_run, flow_file, given, lists_to_start(handle, flow_file))
    return start_from(handle, FlowSource(flow_file, read), options)


def start_from(handle: RunHandle, source: FlowSource, options: StartOptions) -> int:
    """Start a run or resume it.

    A flow that is not to run while another run of its group does may be skipped (rule 10.7).
    """
    try:
        return start_or_skip(handle, source, options)
    except Skipped as skipped:
        return show_skipped(skipped, options.manner.form)


def start_or_skip(handle: RunHandle, source: FlowSource, options: StartOptions) -> int:
    """Start a run or resume it.

    Raises:
        Skipped: Nothing was recorded, and the flow wants it so.
    """
    if options.manner.detach:
        with recorded(handle, source, options) as (store, lock):
            runner = begin_runner(handle, store, lock)
        snapshot = await_runner(handle, runner)
        return show_background(handle, snapshot, options.manner.form)

    def advance() -> Run:
        with (
            closing(EarlyHelper(handle.settings)) as helper,
            recorded(handle, source, options, helper.begin) as (store, lock),
        ):
            return drive_or_wait(handle, store, lock, get_launcher=helper.take)

    return show_foreground(handle, options.manner, advance)


def nothing(_home: str) -> None:
    """Do nothing before a run is recorded."""


@contextmanager
def recorded(
    handle: RunHandle,
    source: FlowSource,
    options: StartOptions,
    before: Callable[[str], None] = nothing,
) -> Iterator[tuple[FlowStore, Lock | None]]:
    """Do as `record` does, and close the store at the end."""
    # What was read of the file is gone by now; here it would take memory for as long as the run.
    store, lock = record(handle, source, options, before)
    with store:
        yield store, lock


def record(
    handle: RunHandle,
    source: FlowSource,
    options: StartOptions,
    before: Callable[[str], None],
) -> tuple[FlowStore, Lock | None]:
    """Record a new run, or find the one of this key and definition; return the open store.

    What is given becomes part of the definition (rules 9.12 and 10.2). Everything that can be wrong
    is found before anything is recorded. A run that will wait for its group is recorded under its
    lock, which is returned too: otherwise one that comes later could see no runner of it, and go
    first (10.7). `before` is called with the orchesjob home of a run that is about to be recorded.

    Raises:
        DefinitionDiffers: A run of this key was started with another definition (rule 4.4).
        UnusableOrchesjobHome: orchesjob could not work for a new run (rule 6.13).
        Skipped, GroupTaken: Another run of its group is before it, and it does not wait (10.7).
    """
    check_run_key(handle.run_key)
    settings = handle.settings
    flow = source.read()
    locate(settings.orchesjob, settings.environ)
    directory, flow_dir = current_directory(), flow_dir_of(source.path)
    is_recorded = patiently(settings, handle.is_recorded)
    home = None if is_recorded else home_to_record(handle, options)
    if home is not None:
        before(home)
    with ExitStack() as unless_recorded:
        store = unless_recorded.enter_context(open_store(settings))
        parent = patiently(settings, partial(parent_of_new_run, store, settings.environ))

        def create() -> bool:
            return store.create(
                run_key=handle.run_key,
                flow_id=flow.flow_id,
                definition=flow.to_json(),
                directory=directory,
                started_at=time.time(),
                steps=[(step.id, step.retries) for step in flow.all_steps],
                orchesjob_home=home,
                parent=parent,
                flow_dir=flow_dir,
                params=dict(flow.values),
                joining=joining_of(handle, store, flow, flow_dir, parent),
            )

        lock = handle.lock(wait_sec=0) if waits_for_its_turn(flow) else None
        with skipping(flow):
            created = patiently(settings, create)
        if not created:
            if lock is not None:
                lock.close()
            refuse_another_definition(flow, handle.load(store))
        unless_recorded.pop_all()
    return store, lock if created else None


def home_to_record(handle: RunHandle, options: StartOptions) -> str:
    """Return the orchesjob home of a new run.

    Raises:
        UnusableOrchesjobHome: orchesjob could not write there.
    """
    home, environ = handle.settings.home, handle.settings.environ
    if options.own_jobs or is_in_own_home(home, environ):
        return own_home(home, handle.run_key)
    return home_of_new_run(environ)


def refuse_another_definition(flow: FlowSpec, run: Run) -> None:
    """Refuse a flow that means something else than the recorded definition (rule 4.4)."""
    changes = differences(FlowSpec.from_json(run.definition), flow)
    if changes:
        raise DefinitionDiffers(run.run_key, changes)
