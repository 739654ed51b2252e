"""Waiting out what the machine lacks at the moment, as long as the patience lasts (rule 5.7)."""

import time
from collections.abc import Callable

from orchesjob_client import pauses
from orchesjob_flow.errors import GaveUp, ResourceExhausted
from orchesjob_flow.home.runs import RunHandle
from orchesjob_flow.views.terminal import warn


def wait_out[Answer](handle: RunHandle, ask: Callable[[], Answer]) -> Answer:
    """Ask again for what a run needs, until it is there.

    Raises:
        GaveUp: The patience is over.
    """
    left = pauses(handle.settings.patience_sec)
    warned = False
    while True:
        try:
            return ask()
        except ResourceExhausted as error:
            pause = next(left, None)
            if pause is None:
                raise GaveUp(handle.run_key, str(error)) from error
            if not warned:
                warn(f"{error}; trying again")
                warned = True
        time.sleep(pause)
