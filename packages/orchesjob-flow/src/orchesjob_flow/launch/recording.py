"""Recording a run of a flow file, unless it is recorded already (rules 4.3 to 4.5).

A run that is recorded, or opened again, also joins the group of its flow here (rule 10.7).
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial

from flow_spec import FlowSpec, ListReader, OnConflict, differences
from flow_store import FlowStore, GroupTaken, Joining, Parent, Run
from orchesjob_client import locate
from orchesjob_flow.clock import now
from orchesjob_flow.engine.lifecycle import beginning
from orchesjob_flow.errors import DefinitionDiffers, Skipped
from orchesjob_flow.home.locks import Lock
from orchesjob_flow.home.orchesjob_home import home_of_new_run, named_home, parent_of_new_run
from orchesjob_flow.home.runs import RunHandle, has_runner, open_store, patiently
from orchesjob_flow.launch.inputs import current_directory, folder_of, read_list
from orchesjob_flow.runner.run_facts import built_in_names


@contextmanager
def recorded(
    handle: RunHandle, flow_file: str, read: Callable[[], FlowSpec], *, own_jobs: bool
) -> Iterator[tuple[FlowStore, Lock | None]]:
    """Do as `record` does, and close the store at the end."""
    # `record` has dropped the flow by now; here it would take memory for as long as the run lasts.
    store, lock = record(handle, flow_file, read, own_jobs=own_jobs)
    with store:
        yield store, lock


def record(
    handle: RunHandle, flow_file: str, read: Callable[[], FlowSpec], *, own_jobs: bool
) -> tuple[FlowStore, Lock | None]:
    """Record a new run, or find the one of this key and definition; return the open store.

    `read` returns the flow of the file, with the variables and parameters of the call: they become
    part of the definition (rules 9.12 and 10.2). Everything is checked before anything is recorded.
    A run that will wait for its group is recorded under its lock, and the lock is returned too.
    Otherwise a later run could find no runner of it, and go first (rule 10.7). `own_jobs` gives a
    new run an orchesjob home of its own (rule 4.8).

    Raises:
        DefinitionDiffers: A run of this key was started with another definition (rule 4.4).
        UnusableOrchesjobHome: orchesjob could not work for a new run (rule 6.13).
        Skipped, GroupTaken: Another run of its group is before it, and it does not wait (10.7).
    """
    settings = handle.settings
    flow = read()
    locate(settings.orchesjob, settings.environ)
    directory, flow_dir = current_directory(), folder_of(flow_file)
    is_recorded = patiently(settings, handle.is_recorded)
    run_key = handle.run_key
    if is_recorded:  # its recorded home counts; this one need not be usable
        home = named_home(settings.environ)
    else:
        home = home_of_new_run(settings, run_key, own_jobs=own_jobs)
    with ExitStack() as unless_recorded:
        store = unless_recorded.enter_context(open_store(settings))
        parent = patiently(settings, partial(parent_of_new_run, store, settings.environ))

        def create() -> bool:
            return store.create(
                run_key=run_key,
                flow_id=flow.flow_id,
                definition=flow.to_json(),
                directory=directory,
                flow_dir=flow_dir,
                started_at=time.time(),
                steps=[(step.id, step.retries) for step in flow.all_steps],
                orchesjob_home=home,
                parent=parent,
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


def refuse_another_definition(flow: FlowSpec, run: Run) -> None:
    """Refuse a flow that means something else than the recorded definition (rule 4.4)."""
    changes = differences(FlowSpec.from_json(run.definition), flow)
    if changes:
        raise DefinitionDiffers(run.run_key, changes)


def lists_to_start(handle: RunHandle, flow_file: str) -> ListReader:
    """Return a reader of the lists of a run to start or to continue.

    A recorded run keeps its lists, even where a file is gone.
    """

    def read(origin: str, text: str, params: Mapping[str, str]) -> Sequence[str]:
        if not patiently(handle.settings, handle.is_recorded):
            return read_list(origin, text, params, flow_file, ".")
        with handle.open_readonly() as store:
            run = handle.load(store)
        known = FlowSpec.from_json(run.definition).lists.get((origin, text))
        if known is not None:
            return known
        return read_list(origin, text, params, flow_file, run.directory)

    return read


def waits_for_its_turn(flow: FlowSpec) -> bool:
    """Tell whether a run of a flow waits while another run of its group is in progress."""
    return flow.concurrency is not None and flow.concurrency.on_conflict is OnConflict.WAIT


def joining_of(
    handle: RunHandle, store: FlowStore, flow: FlowSpec, flow_dir: str, parent: Parent | None
) -> Joining | None:
    """Return how a run of a flow joins its group at this moment; None if the flow has no group.

    Names in the group's name get the values of this run, whose flow file is in `flow_dir` (rule
    10.2). `parent` is the attempt inside which this process runs.
    """
    group = flow.filled(built_in_names(flow_dir, handle)).group
    if group is None:
        return None
    inside = None if parent is None else parent.run_key
    if waits_for_its_turn(flow):
        return Joining(group, inside=inside)
    waiting = store.queue_of_group(group).waiting
    passes = frozenset(key for key in waiting if not has_runner(handle._replace(run_key=key)))
    return Joining(group, begins=beginning(flow, now()), passes=passes, inside=inside)


@contextmanager
def skipping(flow: FlowSpec) -> Iterator[None]:
    """Skip a run whose group is taken, if its flow says so.

    Raises:
        Skipped: The group is taken, and the flow skips the run then.
        GroupTaken: The group is taken, and the flow makes that an error.
    """
    try:
        yield
    except GroupTaken as taken:
        if flow.concurrency is not None and flow.concurrency.on_conflict is OnConflict.SKIP:
            raise Skipped(taken.by) from taken
        raise
