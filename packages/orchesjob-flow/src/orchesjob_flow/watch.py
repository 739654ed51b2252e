"""`watch`: a run's table, again and again, until the run is terminal (rule 6.6)."""

import shutil
import time
from contextlib import closing

from flow_store import Run
from orchesjob_flow.commands import take_or_refuse
from orchesjob_flow.driving import runner_of
from orchesjob_flow.output import write_result
from orchesjob_flow.reading import open_existing, read
from orchesjob_flow.settings import Settings
from orchesjob_flow.table import print_table, run_table, use_colour
from orchesjob_flow.waiting import await_end

HOME, CLEAR_LINE, CLEAR_BELOW = "\x1b[H", "\x1b[K", "\x1b[J"
NO_WRAP, WRAP = "\x1b[?7l", "\x1b[?7h"


def watch(run_key: str, settings: Settings, *, interval_sec: float, screen: bool) -> Run:
    """Show a run until it is terminal; only read."""
    show = Screen() if screen else append
    while True:
        run, runner_pid = read(run_key, settings)
        show(run, runner_pid)
        if run.status.is_terminal:
            return run
        await_end(run_key, settings, interval_sec)


def watch_and_advance(
    run_key: str, settings: Settings, *, interval_sec: float, screen: bool
) -> Run:
    """Show a run while this process advances it.

    Raises:
        RunnerBusy: Another process advances the run.
    """
    if read(run_key, settings)[0].status.is_terminal:
        return watch(run_key, settings, interval_sec=interval_sec, screen=screen)
    show = Screen() if screen else append
    with (
        open_existing(run_key, settings) as store,
        closing(take_or_refuse(run_key, settings)) as lock,
        runner_of(run_key, settings, store, lock) as runner,
    ):
        while True:
            run, runner_pid = read(run_key, settings)
            show(run, runner_pid)
            if run.status.is_terminal:
                return run
            runner.drive(until=time.monotonic() + interval_sec)


def append(run: Run, runner_pid: int | None) -> None:
    """Print the table below what was printed before."""
    print_table(run, runner_pid)
    write_result("\n")


class Screen:
    """Draws the table in place; the last one stays on the screen, whole."""

    def __init__(self) -> None:
        """Let what is on the screen scroll away rather than draw over it."""
        write_result("\n" * (shutil.get_terminal_size().lines - 1))

    def __call__(self, run: Run, runner_pid: int | None) -> None:
        """Draw over what was drawn before, line by line, so that nothing flickers."""
        lines = run_table(run, runner_pid, time.time(), colour=use_colour()).splitlines()
        if run.status.is_terminal:
            table = "".join(f"{line}{CLEAR_LINE}\n" for line in lines)
        else:
            table = NO_WRAP + f"{CLEAR_LINE}\n".join(fit(lines)) + CLEAR_LINE + WRAP
        write_result(f"{HOME}{table}{CLEAR_BELOW}")


def fit(lines: list[str]) -> list[str]:
    """Leave out the last lines if the screen is too low, and say how many."""
    height = shutil.get_terminal_size().lines
    if len(lines) <= height:
        return lines
    return [*lines[: height - 1], f"... and {len(lines) - height + 1} more"]
