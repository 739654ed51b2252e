"""Waiting for the end of a run that another process advances; nothing is written (rule 9.9)."""

import math
import time

from flow_store import Run
from orchesjob_flow.driving import warn
from orchesjob_flow.reading import read
from orchesjob_flow.settings import Settings

LOOK_SEC = 0.1


def wait(run_key: str, settings: Settings, timeout_sec: float | None) -> tuple[Run, int | None]:
    """Wait until a run has ended, or the time is over; return it and who advances it.

    A run that nobody advances may be taken up again, so it is waited for all the same.
    """
    run, runner_pid = read(run_key, settings)
    if runner_pid is None and not run.status.is_terminal:
        warn(f"nobody advances run {run_key!r} at present; `resume` or `start` goes on with it")
    await_end(run_key, settings, math.inf if timeout_sec is None else timeout_sec)
    return read(run_key, settings)


def await_end(run_key: str, settings: Settings, limit_sec: float) -> None:
    """Let time pass, but no more than `limit_sec` and only until the run is terminal."""
    end = time.monotonic() + limit_sec
    while not read(run_key, settings)[0].status.is_terminal:
        left = end - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(left, LOOK_SEC))
