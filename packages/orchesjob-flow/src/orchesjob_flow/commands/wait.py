"""`wait`: a run that another process advances is awaited; nothing is written (rule 9.9)."""

import math
import time

from orchesjob_flow import exit_codes
from orchesjob_flow.home.runs import RunHandle
from orchesjob_flow.views.run_json import print_run
from orchesjob_flow.views.streams import warn

LOOK_SEC = 0.1


def wait(handle: RunHandle, timeout_sec: float | None) -> int:
    """Wait until a run has ended or the time is over, and print it.

    A run that no process advances may be resumed later, so it is waited for as well.
    """
    run, runner = handle.snapshot()
    if runner is None and not run.status.is_terminal:
        warn(
            f"no process advances run {run.run_key!r} at present; `resume` or `start` continues it"
        )
    await_end(handle, math.inf if timeout_sec is None else timeout_sec)
    snapshot = handle.snapshot()
    print_run(*snapshot)
    return exit_codes.of_run(snapshot.run)


def await_end(handle: RunHandle, limit_sec: float) -> None:
    """Return when the run is terminal, or after `limit_sec`."""
    end = time.monotonic() + limit_sec
    while not handle.snapshot().run.status.is_terminal:
        left = end - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(left, LOOK_SEC))
