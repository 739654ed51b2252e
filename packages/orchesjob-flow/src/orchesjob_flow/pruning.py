"""`prune`: runs that ended long ago are removed, with their logs and locks (rule 9.10)."""

import re
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Any, NamedTuple

from flow_store import FlowStatus, FlowStore, RunSummary
from orchesjob_flow.locks import Lock
from orchesjob_flow.reading import patiently
from orchesjob_flow.settings import Settings

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
AGE = re.compile(r"([0-9]+(?:\.[0-9]+)?)([smhdw])")
ENDED = tuple(status for status in FlowStatus if status.is_terminal)


class Pruning(NamedTuple):
    """What is removed: what ended `older_than_sec` ago, but not the newest `keep` of a flow."""

    older_than_sec: float
    keep: int = 0
    flow_id: str | None = None


def parse_age(text: str) -> float:
    """Read an age, such as `30d` or `12h`, in seconds.

    >>> parse_age("30d"), parse_age("1.5h")
    (2592000.0, 5400.0)

    Raises:
        ValueError: It is none.
    """
    match = AGE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no age; write a number with s, m, h, d or w, such as 30d")
    return float(match[1]) * UNITS[match[2]]


def prune(what: Pruning, settings: Settings, *, dry_run: bool) -> list[RunSummary]:
    """Remove runs and return them, the newest first; with `dry_run` only return them."""
    if not settings.home.database.exists():
        return []
    if dry_run:
        with FlowStore.open_readonly(settings.home.database) as store:
            return list(removable(store, what))
    settings.home.prepare()
    with patiently(settings, lambda: FlowStore.open(settings.home.database)) as store:
        found = list(removable(store, what))
        removed = [run for run in found if remove(store, run.run_key, settings)]
        store.checkpoint()
        return removed


def removable(store: FlowStore, what: Pruning) -> Iterator[RunSummary]:
    """Yield the runs that have ended long enough ago, the newest first."""
    limit = time.time() - what.older_than_sec
    seen: Counter[str] = Counter()
    for run in store.runs(flow_id=what.flow_id):
        seen[run.flow_id] += 1
        is_old = run.finished_at is not None and run.finished_at <= limit
        if run.status.is_terminal and is_old and seen[run.flow_id] > what.keep:
            yield run


def remove(store: FlowStore, run_key: str, settings: Settings) -> bool:
    """Remove a run, unless somebody has taken it up again."""
    home = settings.home
    lock = Lock.take(home.run_lock(run_key))
    if lock is None:
        return False
    with closing(lock):
        if not patiently(settings, lambda: store.remove(run_key)):
            return False
        logs = (home.log(run_key, stream) for stream in ("stdout", "stderr"))
        # The lock is the last to go, and is held: whoever waits for it finds that it is no more.
        for path in (*logs, home.calls_lock(run_key), home.run_lock(run_key)):
            with suppress(FileNotFoundError):
                path.unlink()
    return True


def pruned_json(removed: list[RunSummary], *, dry_run: bool) -> dict[str, Any]:
    """Describe what was removed, or would be."""
    return {
        "dry_run": dry_run,
        "removed": [
            {
                "run_key": run.run_key,
                "flow_id": run.flow_id,
                "status": run.status.value,
                "finished_at": run.finished_at,
            }
            for run in removed
        ],
    }
