"""`wait`: a run that another process advances is awaited; nothing is written (rule 9.9)."""

import math
import time
from collections.abc import Callable

from flow_store import GivenUp
from orchesjob_flow import exit_codes
from orchesjob_flow.home.runs import Observer, RunHandle, Snapshot
from orchesjob_flow.views.reasons import describe_given_up
from orchesjob_flow.views.results import show_run
from orchesjob_flow.views.streams import Form, warn

LOOK_SEC = 0.1


def wait(handle: RunHandle, timeout_sec: float | None, form: Form) -> int:
    """Wait until a run has ended or the time is over, and print it.

    A run that no process advances may be resumed later, so it is waited for as well.
    """
    told: set[GivenUp] = set()

    def tell(snapshot: Snapshot) -> None:
        described = describe_given_up(*snapshot)
        if described is not None and snapshot.run.gave_up not in told:
            warn(described)
            told.update(filter(None, [snapshot.run.gave_up]))

    with Observer(handle) as observer:
        run, runner = observer.snapshot()
        if runner is None and not run.status.is_terminal and run.gave_up is None:
            warn(
                f"no process advances run {run.run_key!r} at present; "
                "`resume` or `start` continues it"
            )
        await_end(observer, math.inf if timeout_sec is None else timeout_sec, tell)
        snapshot = observer.snapshot()
    show_run(handle, snapshot, form)
    return exit_codes.of_run(snapshot.run)


def await_end(
    observer: Observer, limit_sec: float, see: Callable[[Snapshot], None] = lambda _: None
) -> None:
    """Return when the run is terminal, or after `limit_sec`; `see` is called at each look."""
    end = time.monotonic() + limit_sec
    while not (snapshot := observer.snapshot()).run.status.is_terminal:
        see(snapshot)
        left = end - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(left, LOOK_SEC))
