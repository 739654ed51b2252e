"""Recording a run of a flow file, unless it is recorded already (rules 4.3 to 4.5)."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from flow_spec import FlowSpec, differences
from flow_store import FlowStore, Run
from orchesjob_client import locate
from orchesjob_flow.commands.flow_files import current_directory, flow_dir_of
from orchesjob_flow.commands.given import FlowSource
from orchesjob_flow.commands.joining import joining_of, skipping, waits_for_its_turn
from orchesjob_flow.errors import DefinitionDiffers
from orchesjob_flow.home.locks import Lock
from orchesjob_flow.home.orchesjob_home import home_of_new_run, named_home, parent_of_new_run
from orchesjob_flow.home.runs import RunHandle, open_store, patiently


@contextmanager
def recorded(
    handle: RunHandle, source: FlowSource, *, own_jobs: bool
) -> Iterator[tuple[FlowStore, Lock | None]]:
    """Do as `record` does, and close the store at the end."""
    # What was read of the file is gone by now; here it would take memory for as long as the run.
    store, lock = record(handle, source, own_jobs=own_jobs)
    with store:
        yield store, lock


def record(
    handle: RunHandle, source: FlowSource, *, own_jobs: bool
) -> tuple[FlowStore, Lock | None]:
    """Record a new run, or find the one of this key and definition; return the open store.

    What is given becomes part of the definition (rules 9.12 and 10.2). Everything that can be wrong
    is found before anything is recorded. A run that will wait for its group is recorded under its
    lock, which is returned too: otherwise one that comes later could see no runner of it, and go
    first (10.7). `own_jobs` gives a new run an orchesjob home of its own (rule 4.8).

    Raises:
        DefinitionDiffers: A run of this key was started with another definition (rule 4.4).
        UnusableOrchesjobHome: orchesjob could not work for a new run (rule 6.13).
        Skipped, GroupTaken: Another run of its group is before it, and it does not wait (10.7).
    """
    settings = handle.settings
    flow = source.read()
    locate(settings.orchesjob, settings.environ)
    directory, flow_dir = current_directory(), flow_dir_of(source.path)
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
                started_at=time.time(),
                steps=[(step.id, step.retries) for step in flow.all_steps],
                flow_dir=flow_dir,
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
