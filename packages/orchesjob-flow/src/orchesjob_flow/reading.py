"""Finding a recorded run: the beginning of every command but `start`, and all of `status`."""

import time
from collections.abc import Callable

from flow_store import FlowStore, Run, StoreMissing, StoreUnavailable
from orchesjob_flow.backoff import FIRST_BACKOFF_SEC, longer
from orchesjob_flow.errors import RunNotFound
from orchesjob_flow.home import check_run_key
from orchesjob_flow.locks import holder
from orchesjob_flow.settings import Settings


def read(run_key: str, settings: Settings) -> tuple[Run, int | None]:
    """Read a run and the process that advances it; write nothing (rule 6.1).

    The process is None if there is none, and 0 if it has not told its id yet.
    """
    with open_for_reading(run_key, settings) as store:
        return load(store, run_key, settings), holder(settings.home.run_lock(run_key))


def open_for_reading(run_key: str, settings: Settings) -> FlowStore:
    """Open the store of a run that must be there, and write nothing."""
    check_run_key(run_key)
    try:
        return FlowStore.open_readonly(settings.home.database)
    except StoreMissing as error:
        raise RunNotFound(run_key, settings.home.database) from error


def open_existing(run_key: str, settings: Settings) -> FlowStore:
    """Open the store of a run that must be there, for writing; create no database."""
    check_run_key(run_key)
    if not settings.home.database.exists():
        raise RunNotFound(run_key, settings.home.database)
    settings.home.prepare()
    return patiently(settings, lambda: FlowStore.open(settings.home.database))


def patiently[Answer](settings: Settings, ask: Callable[[], Answer]) -> Answer:
    """Try again while the database is locked or full, as long as the patience lasts (rule 5.7)."""
    end, backoff = time.monotonic() + settings.patience_sec, FIRST_BACKOFF_SEC
    while True:
        try:
            return ask()
        except StoreUnavailable as error:
            if not error.retryable or time.monotonic() + backoff > end:
                raise
        time.sleep(backoff)
        backoff = longer(backoff)


def load(store: FlowStore, run_key: str, settings: Settings) -> Run:
    """Load a run that must be there.

    Raises:
        RunNotFound: It is not.
    """
    run = store.load(run_key)
    if run is None:
        raise RunNotFound(run_key, settings.home.database)
    return run
