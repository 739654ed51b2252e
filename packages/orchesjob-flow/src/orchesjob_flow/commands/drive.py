"""`drive`, which is hidden: the background process of `start -d` and its like (rule 4.5)."""

from functools import partial

import click

from orchesjob_flow import exit_codes
from orchesjob_flow.cli.options import CommandOnRun, run_key_option
from orchesjob_flow.home.runs import RunHandle
from orchesjob_flow.runner import assembly, background
from orchesjob_flow.views.results import print_run


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
    print_run(run)  # into the log
    return exit_codes.of_run(run)
