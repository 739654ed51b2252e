"""`watch`: a run's table, again and again, until the run is terminal (rule 6.6).

With `--follow`, the output of its steps comes instead, and the table at the end (rule 6.15).
"""

import math
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from functools import partial

import click

from flow_store import Run
from orchesjob_flow.cli.options import (
    CommandOnRun,
    Duration,
    follow_option,
    name_run,
    run_key_option,
)
from orchesjob_flow.home import Observer, RunHandle, Snapshot
from orchesjob_flow.views import terminal
from orchesjob_flow.views.progress import Screen, screen_on, with_progress
from orchesjob_flow.views.results import run_exit_code, show_next_steps
from orchesjob_flow.views.table import print_table
from orchesjob_flow.views.terminal import write_result

REFRESH_SEC = 0.25


@click.command(cls=CommandOnRun)
@run_key_option
@click.option(
    "--interval",
    type=Duration(zero=False),
    default=2.0,
    show_default=True,
    help="Time between refreshes.",
)
@click.option(
    "--mode",
    type=click.Choice(["screen", "append"]),
    help="Redraw in place (the default on a terminal), or print one table below the other.",
)
@follow_option
@click.option("--advance", is_flag=True, help="Advance the run as well, if no other process does.")
@click.pass_context
def watch(  # noqa: PLR0913, PLR0917 - its options
    ctx: click.Context,
    handle: RunHandle,
    interval: float,
    mode: str | None,
    follow: str,
    advance: bool,
) -> int:
    """Show a run until it ends: its table, or with --follow what its steps print.

    \b
    Example:
      orchesjob-flow watch nightly-2026-05-07
      orchesjob-flow watch nightly-2026-05-07 --follow
    """  # noqa: D301 - click reads \b
    for option in ("mode", "interval"):
        if follow and ctx.get_parameter_source(option) is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(f"--{option} is about the table; leave it out with --follow")
    screen = terminal.stdout().can_draw if mode is None else mode == "screen"

    def see(snapshot: Snapshot) -> None:
        name_run(ctx, handle.run_key, has_runner=not snapshot.is_abandoned)

    if advance:
        name_run(ctx, handle.run_key, has_runner=False)
    if follow:
        run = follow_run(handle, see, follow, advance=advance)
    else:
        run = watch_tables(handle, interval, see, screen=screen, advance=advance)
    show_next_steps(handle, Snapshot(run, None))
    return run_exit_code(run)


def follow_run(
    handle: RunHandle, see: Callable[[Snapshot], None], follow: str, *, advance: bool
) -> Run:
    """Show the output of a run until it is terminal, then its table; call `see` at each look.

    Raises:
        RunnerBusy: This process is to advance the run, and another one does.
    """

    def bring_to_end() -> Run:
        if advance:
            from orchesjob_flow.runner.assembly import drive

            with handle.open() as store, closing(handle.lock_or_refuse()) as lock:
                return drive(handle, store, lock)
        with Observer(handle) as observer:
            observer.await_end(math.inf, see)
            return observer.snapshot().run

    run = with_progress("auto", handle, bring_to_end, follow=follow).run
    print_table(Snapshot(run, None))
    return run


def watch_tables(
    handle: RunHandle,
    interval_sec: float,
    see: Callable[[Snapshot], None],
    *,
    screen: bool,
    advance: bool,
) -> Run:
    """Show a run until it is terminal; this process may advance it; call `see` at each other look.

    Raises:
        RunnerBusy: This process is to advance the run, and another one does.
    """
    with ExitStack() as stack:
        observer = stack.enter_context(Observer(handle))
        pass_time: Callable[[float], object] = partial(observer.await_end, see=see)
        begin = None
        if advance and not observer.snapshot().run.status.is_terminal:
            from orchesjob_flow.runner.assembly import runner_of

            store = stack.enter_context(handle.open())
            lock = stack.enter_context(closing(handle.lock_or_refuse()))
            begin = partial(runner_of, handle, store, lock)
        shown = stack.enter_context(screen_on(terminal.stdout())) if screen else Tables()
        if begin is not None:
            runner = stack.enter_context(begin())
            pass_time = lambda seconds: runner.drive(until=time.monotonic() + seconds)  # noqa: E731
        return show_until_end(observer, shown, interval_sec, pass_time)


def show_until_end(
    observer: Observer,
    shown: "Screen | Tables",
    interval_sec: float,
    pass_time: Callable[[float], object],
) -> Run:
    """Look at the run every `interval_sec`, and call `pass_time` in between.

    `pass_time` returns early if the run ends; then the run is looked at immediately.
    """
    while True:
        snapshot = observer.snapshot()
        shown.show(snapshot)
        if snapshot.run.status.is_terminal:
            return snapshot.run
        end = time.monotonic() + interval_sec
        while (left := end - time.monotonic()) > 0:
            began = time.monotonic()
            turn = min(left, REFRESH_SEC)
            pass_time(turn)
            if time.monotonic() - began < turn:
                break
            shown.refresh()


class Tables:
    """Prints one table below the other."""

    def show(self, snapshot: Snapshot) -> None:
        """Print the table below what was printed before."""
        print_table(snapshot)
        write_result("\n")

    def refresh(self) -> None:
        """Leave what was printed as it is."""
