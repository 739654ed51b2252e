"""`drive` and `tick`, which are hidden: they advance a run and show nothing meanwhile.

`drive` is the background process of `start -d` and its like (rule 4.5). `tick` goes as far as it
can without waiting (rule 6.8).
"""

import signal
from contextlib import closing
from functools import partial

import click

from orchesjob_flow.cli.options import CommandOnRun, format_option, run_key_option
from orchesjob_flow.home import Lock, RunHandle, Snapshot
from orchesjob_flow.runner import assembly, background
from orchesjob_flow.views.results import run_exit_code, run_json, show_run
from orchesjob_flow.views.terminal import OutputFormat, print_json


@click.command(hidden=True, cls=CommandOnRun)
@run_key_option
@click.option("--lock-fd", type=int, required=True)
@click.option("--pipe-fd", type=int, required=True)
def drive(handle: RunHandle, lock_fd: int, pipe_fd: int) -> int:
    """Be the background process of `start -d`."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # it outlives the terminal that it was started on
    lock = Lock.inherit(lock_fd)
    with handle.open() as store:
        on_ready = partial(background.report_ready, pipe_fd)
        run = assembly.drive(handle, store, lock, on_ready=on_ready)
    print_json(run_json(Snapshot(run, None)))  # into the log
    return run_exit_code(run)


@click.command(hidden=True, cls=CommandOnRun)
@run_key_option
@format_option
def tick(handle: RunHandle, output_format: OutputFormat) -> None:
    """Advance a run as far as it goes without waiting, and print it."""
    with handle.open() as store:
        if not handle.load(store).status.is_terminal:
            lock = handle.lock_or_refuse()
            with closing(lock), assembly.runner_of(handle, store, lock) as runner:
                runner.drain()
        run = handle.load(store)
    show_run(handle, Snapshot(run, None), output_format)
