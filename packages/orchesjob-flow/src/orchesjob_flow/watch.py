"""`watch`: a run's table, again and again, until the run is terminal (rule 6.6)."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from flow_store import Run
from orchesjob_flow import terminal
from orchesjob_flow.commands import take_or_refuse
from orchesjob_flow.driving import runner_of
from orchesjob_flow.output import hold_messages, write_result
from orchesjob_flow.reading import open_existing, read
from orchesjob_flow.screen import Screen
from orchesjob_flow.settings import Settings
from orchesjob_flow.table import print_table
from orchesjob_flow.waiting import await_end

REFRESH_SEC = 0.25


def watch(run_key: str, settings: Settings, *, interval_sec: float, screen: bool) -> Run:
    """Show a run until it is terminal; only read."""
    with view(screen=screen) as shown:
        return show_until_end(
            run_key,
            settings,
            shown,
            interval_sec,
            lambda seconds: await_end(run_key, settings, seconds),
        )


def watch_and_advance(
    run_key: str, settings: Settings, *, interval_sec: float, screen: bool
) -> Run:
    """Show a run while this process advances it.

    Raises:
        RunnerBusy: Another process advances the run.
    """
    if read(run_key, settings)[0].status.is_terminal:
        return watch(run_key, settings, interval_sec=interval_sec, screen=screen)
    with (
        open_existing(run_key, settings) as store,
        closing(take_or_refuse(run_key, settings)) as lock,
        view(screen=screen) as shown,
        runner_of(run_key, settings, store, lock) as runner,
    ):
        return show_until_end(
            run_key,
            settings,
            shown,
            interval_sec,
            lambda seconds: runner.drive(until=time.monotonic() + seconds),
        )


def show_until_end(
    run_key: str,
    settings: Settings,
    shown: "Screen | Tables",
    interval_sec: float,
    pass_time: Callable[[float], object],
) -> Run:
    """Look every `interval_sec` at what is recorded, and let time pass in between.

    `pass_time` returns early if the run ends, which is looked at at once.
    """
    while True:
        run, runner_pid = read(run_key, settings)
        shown.show(run, runner_pid)
        if run.status.is_terminal:
            return run
        end = time.monotonic() + interval_sec
        while (left := end - time.monotonic()) > 0:
            began = time.monotonic()
            turn = min(left, REFRESH_SEC)
            pass_time(turn)
            if time.monotonic() - began < turn:
                break
            shown.refresh()


@contextmanager
def view(*, screen: bool) -> Iterator["Screen | Tables"]:
    """Return what shows a run on stdout."""
    if not screen:
        yield Tables()
        return
    with hold_messages() as messages, closing(Screen(terminal.stdout(), messages)) as drawn:
        yield drawn


class Tables:
    """Prints one table below the other."""

    def show(self, run: Run, runner_pid: int | None) -> None:
        """Print the table below what was printed before."""
        print_table(run, runner_pid)
        write_result("\n")

    def refresh(self) -> None:
        """Let what was printed stand."""
