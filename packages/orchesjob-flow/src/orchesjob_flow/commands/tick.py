"""`tick`, which is hidden: a run is advanced as far as it goes without waiting (rule 6.8)."""

from contextlib import closing

import click

from flow_store import Run
from orchesjob_flow.cli.options import CommandOnRun, format_option, run_key_option
from orchesjob_flow.home.runs import RunHandle, Snapshot
from orchesjob_flow.runner.assembly import runner_of
from orchesjob_flow.views.results import show_run
from orchesjob_flow.views.terminal import OutputFormat


@click.command(hidden=True, cls=CommandOnRun)
@run_key_option
@format_option
def tick(handle: RunHandle, output_format: OutputFormat) -> None:
    """Advance a run as far as it goes without waiting, and print it."""
    show_run(handle, Snapshot(advance_without_waiting(handle), None), output_format)


def advance_without_waiting(handle: RunHandle) -> Run:
    """Do what can be done for a run at this moment.

    Raises:
        RunnerBusy: Another process advances the run.
    """
    with handle.open() as store:
        run = handle.load(store)
        if run.status.is_terminal:
            return run
        with closing(handle.lock_or_refuse()) as lock, runner_of(handle, store, lock) as runner:
            runner.drain()
        return handle.load(store)
