"""`start`: a run is recorded, unless it is already, and advanced to its end (rules 4.3 to 4.5)."""

import time
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial

from flow_spec import FlowSpec, differences
from flow_store import FlowStore, Run
from orchesjob_client import locate
from orchesjob_flow.commands.advance import show_background, show_foreground
from orchesjob_flow.commands.flow_files import current_directory, flow_dir_of, load_to_run
from orchesjob_flow.errors import DefinitionDiffers
from orchesjob_flow.home.orchesjob_home import home_of_new_run
from orchesjob_flow.home.parent import parent_of_new_run
from orchesjob_flow.home.paths import check_run_key
from orchesjob_flow.home.runs import RunHandle, open_store, patiently
from orchesjob_flow.runner.background import await_runner, begin_runner
from orchesjob_flow.runner.foreground import drive_or_wait


def start(
    handle: RunHandle, flow_file: str, env: Mapping[str, str], *, detach: bool, progress: str
) -> int:
    """Start a run of a flow file or resume it; with `detach`, leave it to a background process.

    `env` is added to that of the flow, over which it takes precedence.
    """
    if detach:
        with record(handle, flow_file, env) as store:
            runner = begin_runner(handle, store)
        snapshot = await_runner(handle, runner)
        return show_background(handle, snapshot)

    def advance() -> Run:
        with record(handle, flow_file, env) as store:
            return drive_or_wait(handle, store)

    return show_foreground(handle, progress, advance)


def record(handle: RunHandle, flow_file: str, env: Mapping[str, str]) -> FlowStore:
    """Record a new run, or find the one of this key and definition; return the open store.

    `env` becomes part of the definition (rule 9.12). Everything that can be wrong is found before
    anything is recorded.

    Raises:
        DefinitionDiffers: A run of this key was started with another definition (rule 4.4).
        UnusableOrchesjobHome: orchesjob could not work for a new run (rule 6.13).
    """
    check_run_key(handle.run_key)
    settings = handle.settings
    flow = load_to_run(flow_file, env)
    locate(settings.orchesjob, settings.environ)
    directory = current_directory()
    is_recorded = patiently(settings, handle.is_recorded)
    home = None if is_recorded else home_of_new_run(settings.environ)
    with ExitStack() as unless_recorded:
        store = open_store(settings)
        unless_recorded.callback(store.close)
        create = partial(
            store.create,
            run_key=handle.run_key,
            flow_id=flow.flow_id,
            definition=flow.to_json(),
            directory=directory,
            started_at=time.time(),
            steps=[(step.id, step.retries) for step in flow.all_steps],
            orchesjob_home=home,
            parent=patiently(settings, partial(parent_of_new_run, store, settings.environ)),
            flow_dir=flow_dir_of(flow_file),
        )
        created = patiently(settings, create)
        if not created:
            refuse_another_definition(flow, handle.load(store))
        unless_recorded.pop_all()
    return store


def refuse_another_definition(flow: FlowSpec, run: Run) -> None:
    """Refuse a flow that means something else than the recorded definition (rule 4.4)."""
    changes = differences(FlowSpec.from_json(run.definition), flow)
    if changes:
        raise DefinitionDiffers(run.run_key, changes)
