"""Counting what has ended since the last call, and asking what all of it comes to (rule 12.2).

What is counted is kept in a file beside the database, which one process uses at a time. The file
may be thrown away at any time; where it cannot be used, everything is counted in memory.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from itertools import batched
from pathlib import Path

from flow_store import FlowStore
from orchesjob_flow.errors import UnsafePlace
from orchesjob_flow.home.locks import Lock
from orchesjob_flow.home.paths import Home
from orchesjob_flow.stats.figures import ended_at, figures_of
from orchesjob_flow.stats.series import NOTHING, FlowStats, in_order_of_share
from orchesjob_flow.stats.tally import Tally
from orchesjob_flow.views.status_line import status_line

TRIES = 2
"""How often a file is used: the second time it is a new one."""
AT_ONCE = 500
"""How many runs are counted in one transaction; who interrupts loses no more."""
PATIENCE_SEC = 5.0
"""For how long the file is waited for; then counting everything is the surer way."""


def flow_stats(
    store: FlowStore,
    home: Home,
    *,
    flow_id: str | None = None,
    since: float = 0.0,
    patience_sec: float = PATIENCE_SEC,
) -> list[FlowStats]:
    """Return the figures of all flows that have runs, or of one, in the order of their ids.

    What ended before `since` is left out. The file that is kept is brought up to date; it is waited
    for `patience_sec` if another process uses it.
    """
    found = ask(store, home, patience_sec, lambda tally: tally.series(flow_id, since))
    unfinished = store.unfinished()
    flow_ids = sorted({*found, *unfinished} if flow_id is None else {flow_id})
    return [
        FlowStats(one, runs, in_order_of_share(steps), unfinished.get(one, {}))
        for one in flow_ids
        if one in found or one in unfinished
        for runs, *steps in [found.get(one, [NOTHING])]
    ]


def ask[Answer](
    store: FlowStore, home: Home, patience_sec: float, question: Callable[[Tally], Answer]
) -> Answer:
    """Bring a tally up to date and ask it something."""
    with turn_at(home, patience_sec) as file:
        for path in [] if file is None else [file] * TRIES:
            with suppress(sqlite3.Error, UnsafePlace), closing(Tally.in_file(path)) as tally:
                bring_up_to_date(tally, store)
                return question(tally)
            throw_away(path)
    with closing(Tally.in_memory()) as tally:
        bring_up_to_date(tally, store)
        return question(tally)


@contextmanager
def turn_at(home: Home, patience_sec: float) -> Iterator[Path | None]:
    """Let this process alone use the file; None where it cannot be had."""
    try:
        lock = Lock.take(home.tally_lock, wait_sec=patience_sec)
    except UnsafePlace:  # the folder cannot be written
        lock = None
    if lock is None:
        yield None
        return
    with closing(lock):
        yield home.tally


def throw_away(path: Path) -> None:
    """Remove a file that is of no use, and what SQLite has left beside it."""
    for file in (path, path.with_name(f"{path.name}-journal")):
        with suppress(OSError):
            file.unlink()


def bring_up_to_date(tally: Tally, store: FlowStore) -> None:
    """Count each run that has ended exactly once, as it ended last."""
    ended, counted = store.end_marks(), tally.marks()
    if gone := [mark.run_id for mark in counted - ended]:
        with tally.transaction():
            tally.forget(gone)
    missing = sorted(mark.run_id for mark in ended - counted)
    with status_line() as line:
        for number, batch in enumerate(batched(missing, AT_ONCE)):
            line.say(f"{number * AT_ONCE:,} of {len(missing):,} runs counted")
            with tally.transaction():
                for run_id in batch:
                    count(tally, store, run_id)


def count(tally: Tally, store: FlowStore, run_id: int) -> None:
    """Count a run, unless it was removed or opened again meanwhile."""
    found = store.load_ended(run_id)
    if found is not None:
        mark, run, attempts = found
        tally.add(mark, run.flow_id, ended_at(run), figures_of(run, attempts))
