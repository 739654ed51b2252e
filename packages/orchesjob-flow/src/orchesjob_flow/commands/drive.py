"""`drive`, which is hidden: the background process of `start -d` and its like (rule 4.5)."""

from functools import partial

import click

from orchesjob_flow.cli.options import CommandOnRun, run_key_option
from orchesjob_flow.home.runs import RunHandle, Snapshot
from orchesjob_flow.runner import assembly, background
from orchesjob_flow.views.results import run_exit_code, run_json
from orchesjob_flow.views.terminal import print_json


@click.command(hidden=True, cls=CommandOnRun)
@run_key_option
@click.option("--lock-fd", type=int, required=True)
@click.option("--pipe-fd", type=int, required=True)
def drive(handle: RunHandle, lock_fd: int, pipe_fd: int) -> int:
    """Be the background process of `start -d`."""
    lock = background.inherit_lock(lock_fd)
    with handle.open() as store:
        on_ready = partial(background.report_ready, pipe_fd)
        run = assembly.drive(handle, store, lock, on_ready=on_ready)
    print_json(run_json(Snapshot(run, None)))  # into the log
    return run_exit_code(run)
