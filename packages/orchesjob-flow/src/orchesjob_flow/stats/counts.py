"""What each ended run adds to the figures of its flow and steps, and the sums (rule 12.2).

The figures are kept in a cache, a database beside the flow database. One process uses it at a time.
You may delete it at any time. Where it cannot be used, everything is counted in memory.
"""

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from importlib.metadata import version
from itertools import batched, takewhile
from pathlib import Path
from typing import Any, NamedTuple, Self

from flow_spec import StoredFlowError
from flow_store import (
    Attempt,
    AttemptStatus,
    DamagedRecord,
    EndMark,
    FlowStore,
    Run,
    RunStatus,
    StepStatus,
)
from orchesjob_flow.errors import UnsafePlace
from orchesjob_flow.home.locks import Lock, open_owned
from orchesjob_flow.home.paths import Home
from orchesjob_flow.reports.facts import (
    AttemptFacts,
    SpanKind,
    StepTiming,
    Timing,
    flow_of,
    timing_of,
)
from orchesjob_flow.views.terminal import status_line

THE_RUN = ""
"""Stands for the run itself where a step would be named."""
IN_MEMORY = ":memory:"
APPLICATION_ID = 0x6F6A7374
"""`PRAGMA application_id` of the cache: "ojst"."""
TABLES = f"""
    PRAGMA application_id = {APPLICATION_ID};
    CREATE TABLE made_by (version TEXT NOT NULL) STRICT;
    CREATE TABLE counted (
        run_id INTEGER PRIMARY KEY, revision INTEGER NOT NULL, finished_at REAL
    ) STRICT;
    CREATE TABLE series (
        id INTEGER PRIMARY KEY, flow_id TEXT NOT NULL, step TEXT NOT NULL, UNIQUE (flow_id, step)
    ) STRICT;
    CREATE TABLE figures (
        series INTEGER NOT NULL,
        run_id INTEGER NOT NULL,
        place INTEGER NOT NULL,
        ended_at REAL NOT NULL,
        status TEXT NOT NULL,
        has_begun INTEGER NOT NULL,
        retries INTEGER NOT NULL,
        took_ms INTEGER,
        waited_ms INTEGER,
        share_ppm INTEGER,
        PRIMARY KEY (series, run_id, place)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX figures_by_run ON figures (run_id);
    CREATE INDEX figures_by_took ON figures (series, took_ms, ended_at) WHERE took_ms IS NOT NULL;
    CREATE INDEX figures_by_waited ON figures (series, waited_ms, ended_at)
        WHERE waited_ms IS NOT NULL;
"""
SETTINGS = (
    "PRAGMA synchronous = NORMAL",  # at worst the last runs are counted again
    "PRAGMA trusted_schema = OFF",
    "PRAGMA cell_size_check = ON",
)
ADD_FIGURE = "INSERT INTO figures VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
SELECT_SERIES = "SELECT id, flow_id, step FROM series WHERE ? IS NULL OR flow_id = ? ORDER BY id"
SUM_UP = """
    SELECT count(*), sum(status = 'SUCCEEDED'), sum(status = 'FAILED'),
        sum(status = 'CANCELLED'), sum(status = 'SKIPPED'), sum(has_begun), sum(retries),
        count(took_ms), count(waited_ms), sum(share_ppm), count(share_ppm),
        max(CASE WHEN status = 'SUCCEEDED' THEN ended_at END)
    FROM figures WHERE series = ? AND ended_at >= ?
"""
AT_RANK = """
    SELECT {time} FROM figures WHERE series = ? AND {time} IS NOT NULL AND ended_at >= ?
    ORDER BY {time} LIMIT 1 OFFSET ?
"""
TOOK_AT_RANK, WAITED_AT_RANK = (AT_RANK.format(time=name) for name in ("took_ms", "waited_ms"))
TRIES = 2
"""How often a file is tried: the second time it is a new one."""
AT_ONCE = 500
"""How many runs are counted in one transaction; an interrupt loses no more."""
PATIENCE_SEC = 5.0
"""How long to wait for the file; after that, everything is counted in memory."""


class Figure(NamedTuple):
    """What a run, or one step of it, adds to a series.

    Attributes:
        step: The step's name in the flow file, without the label of a copy; or `THE_RUN`.
        status: How it ended.
        has_begun: Whether it has had an attempt.
        retries: Its attempts beyond the first.
        took_ms: How long its success took, if it succeeded.
        waited_ms: How long it waited after its dependencies had ended; None if it has not begun.
        share_ppm: The step's share of the critical path of a run that SUCCEEDED, in millionths;
            counted once for all its copies together.
    """

    step: str
    status: str
    has_begun: bool
    retries: int
    took_ms: int | None
    waited_ms: int | None
    share_ppm: int | None


class Percentiles(NamedTuple):
    """Two percentiles by nearest rank, in seconds; each is one of the measured times."""

    median: float
    p95: float


class Series(NamedTuple):
    """The figures of a step, or of the runs of a flow if its name is `THE_RUN`.

    Attributes:
        step: The step as the flow file names it, all copies of a `foreach` together.
        total: How many have ended.
        succeeded, failed, cancelled, skipped: How many ended with this status.
        begun: How many had an attempt.
        retries: How many attempts there were after the first ones.
        took: The durations of the successful ones; None if there are none.
        waited: The waiting times of the ones that have begun.
        share: The average part of the critical path in the runs that SUCCEEDED.
        last_success_at: When the latest run ended that SUCCEEDED, or in which the step did.
    """

    step: str
    total: int
    succeeded: int
    failed: int
    cancelled: int
    skipped: int
    begun: int
    retries: int
    took: Percentiles | None
    waited: Percentiles | None
    share: float | None
    last_success_at: float | None


NO_FIGURES = Series(THE_RUN, 0, 0, 0, 0, 0, 0, 0, None, None, None, None)
"""The figures of a flow without ended runs."""


class FlowStats(NamedTuple):
    """The figures of a flow: of its runs, of its steps, and its runs that have not ended.

    The steps with the largest share of the critical path come first.
    """

    flow_id: str
    runs: Series
    steps: Sequence[Series]
    unfinished: Mapping[RunStatus, int]


def figures_of(run: Run, attempts: Sequence[Attempt]) -> list[Figure]:
    """Return what a run that has ended adds: first for the run itself, then for each step.

    Where its records cannot be read, only the status of the run is known.
    """
    try:
        flow = flow_of(run.definition)
        timing = timing_of(run, flow, attempts, ended_at(run))
    except (StoredFlowError, DamagedRecord):
        return [Figure(THE_RUN, run.status, bool(run.history), 0, None, None, None)]
    names = {copy: name for name, copies in flow.copies.items() for copy in copies}
    shares = shares_of(timing, names) if run.status is RunStatus.SUCCEEDED else {}
    steps: list[Figure] = []
    for one in timing.steps:
        name = names.get(one.spec.id, one.spec.id)
        steps.append(figure_of_step(one, name, shares.pop(name, None)))
    return [figure_of_run(run, timing, steps), *steps]


def figure_of_run(run: Run, timing: Timing, steps: Sequence[Figure]) -> Figure:
    """Return what the run itself adds.

    A reopened run has no duration: for how long it had ended in between is not recorded.
    """
    on_path = set(timing.path)
    waits = [one.took(SpanKind.WAITED) for one in timing.steps if one.spec.id in on_path]
    was_opened_again = any(step.retry_no > 0 for step in run.steps)
    has_ended_once = not was_opened_again and not run.settlements
    has_duration = run.status is RunStatus.SUCCEEDED and has_ended_once
    return Figure(
        THE_RUN,
        run.status,
        bool(timing.path),
        sum(figure.retries for figure in steps),
        in_ms(max(0.0, ended_at(run) - run.started_at)) if has_duration else None,
        in_ms(sum(waits)) if waits else None,
        None,
    )


def figure_of_step(one: StepTiming, name: str, share_ppm: int | None) -> Figure:
    """Return what a step adds; its duration is that of the attempt that succeeded.

    A step that SUCCEEDED without such an attempt has no duration.
    """
    step, commands = one.step, [attempt for attempt in one.attempts if is_command(attempt)]
    last = commands[-1] if commands else None
    succeeded = step.status is StepStatus.SUCCEEDED and last is not None
    has_duration = succeeded and last is not None and last.status is AttemptStatus.SUCCEEDED
    return Figure(
        name,
        step.status,
        step.has_begun,
        max(0, len(commands) - 1),
        in_ms(last.ran_sec(0.0)) if last is not None and has_duration else None,
        in_ms(one.took(SpanKind.WAITED)) if step.has_begun else None,
        share_ppm,
    )


def is_command(attempt: AttemptFacts) -> bool:
    """Tell whether an attempt started the step's command, and not its `only_if` or nothing."""
    return not attempt.is_gate and attempt.status is not AttemptStatus.NEVER_RAN


def shares_of(timing: Timing, names: Mapping[str, str]) -> dict[str, int]:
    """Return each step's share of the critical path in millionths, its copies together.

    The time of a step on the path is from the end of the step before it to its own end.
    """
    parts = {
        step_id: timing.timed[step_id].finished_at - timing.timed[step_id].ready_at
        for step_id in timing.path
    }
    length = sum(parts.values())
    if length <= 0:
        return {}
    shares = {names.get(one.spec.id, one.spec.id): 0.0 for one in timing.steps}
    for step_id, part in parts.items():
        shares[names.get(step_id, step_id)] += part
    return {name: round(1e6 * part / length) for name, part in shares.items()}


def ended_at(run: Run) -> float:
    """Return when a run ended."""
    return run.started_at if run.finished_at is None else run.finished_at


def in_ms(seconds: float) -> int:
    """Return whole milliseconds."""
    return round(1000 * seconds)


class StatsCache:
    """The figures of runs, each of which is counted once.

    Every method may raise `sqlite3.Error`: then the file cannot be used.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Use `in_file` or `in_memory`."""
        self._connection = connection

    @classmethod
    def in_memory(cls) -> Self:
        """Create an empty cache for one call."""
        return cls._opened(IN_MEMORY)

    @classmethod
    def in_file(cls, path: Path) -> Self:
        """Open a cache file, or create it.

        Raises:
            UnsafePlace: It cannot be opened, or is not a regular file that only we can write.
            sqlite3.Error: It is damaged, or another program or version has created it.
        """
        os.close(open_owned(path, os.O_RDWR | os.O_CREAT))
        return cls._opened(path)

    @classmethod
    def _opened(cls, path: Path | str) -> Self:
        connection = sqlite3.connect(path, autocommit=True)
        try:
            for setting in SETTINGS:
                connection.execute(setting)
            cache = cls(connection)
            cache._prepare()
        except BaseException:  # raised again: only the connection must not stay open
            connection.close()
            raise
        return cache

    def _prepare(self) -> None:
        """Create the tables of a new file; refuse a file of another program or version.

        Each version may count differently, so no version continues another one's file.
        """
        ours = (version("orchesjob-flow"),)
        if not self._rows("SELECT 1 FROM sqlite_schema LIMIT 1"):
            with self.transaction():
                for statement in TABLES.split(";"):
                    self._connection.execute(statement)
                self._connection.execute("INSERT INTO made_by VALUES (?)", ours)
        if self._rows("PRAGMA application_id") != [(APPLICATION_ID,)]:
            raise sqlite3.DatabaseError("another program has made this file")
        if self._rows("SELECT version FROM made_by") != [ours]:
            raise sqlite3.DatabaseError("another version has made this file")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit all of the block, or nothing."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:  # raised again: no run may be counted by half
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def marks(self) -> tuple[EndMark, ...]:
        """Return the marks of the runs that are counted, in the order of their numbers."""
        rows = self._rows("SELECT run_id, revision, finished_at FROM counted ORDER BY run_id")
        return tuple(map(EndMark._make, rows))

    def add(self, mark: EndMark, flow_id: str, ended_at: float, figures: Sequence[Figure]) -> None:
        """Count a run that is not counted yet, in a transaction."""
        self._connection.execute("INSERT INTO counted VALUES (?, ?, ?)", mark)
        rows = (
            (self._series_id(flow_id, figure.step), mark.run_id, place, ended_at, *figure[1:])
            for place, figure in enumerate(figures)
        )
        self._connection.executemany(ADD_FIGURE, rows)

    def forget(self, run_ids: Iterable[int]) -> None:
        """Remove these runs from the counts, in a transaction."""
        for table in ("counted", "figures"):
            delete = f"DELETE FROM {table} WHERE run_id = ?"  # noqa: S608 - our names
            self._connection.executemany(delete, ((run_id,) for run_id in run_ids))

    def series(self, flow_id: str | None, since: float) -> dict[str, list[Series]]:
        """Return the figures of what ended at `since` or later, by the ids of the flows.

        The series of the runs themselves comes first. If given, `flow_id` selects the flow.
        """
        found: dict[str, list[Series]] = {}
        for number, flow, step in self._rows(SELECT_SERIES, (flow_id, flow_id)):
            series = self._sum_up(number, step, since)
            if series.total:
                of_flow = found.setdefault(flow, [])
                of_flow.insert(0 if step == THE_RUN else len(of_flow), series)
        return found

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _sum_up(self, number: int, step: str, since: float) -> Series:
        ((*counts, took, waited, share, shares, last),) = self._rows(SUM_UP, (number, since))
        total, succeeded, failed, cancelled, skipped, begun, retries = (n or 0 for n in counts)
        return Series(
            step=step,
            total=total,
            succeeded=succeeded,
            failed=failed,
            cancelled=cancelled,
            skipped=skipped,
            begun=begun,
            retries=retries,
            took=self._percentiles(TOOK_AT_RANK, number, since, took),
            waited=self._percentiles(WAITED_AT_RANK, number, since, waited),
            share=share / shares / 1e6 if shares else None,
            last_success_at=last,
        )

    def _percentiles(self, query: str, number: int, since: float, of: int) -> Percentiles | None:
        if of == 0:
            return None
        places = (nearest_rank(percent, of) - 1 for percent in (50, 95))
        found = (self._rows(query, (number, since, place)) for place in places)
        return Percentiles(*(ms / 1000 for ((ms,),) in found))

    def _series_id(self, flow_id: str, step: str) -> int:
        names = (flow_id, step)
        found = self._rows("SELECT id FROM series WHERE flow_id = ? AND step = ?", names)
        if found:
            return int(found[0][0])
        insert = "INSERT INTO series (flow_id, step) VALUES (?, ?) RETURNING id"
        ((number,),) = self._rows(insert, names)
        return int(number)

    def _rows(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql, parameters).fetchall()


def nearest_rank(percent: int, of: int) -> int:
    """Return the rank of a percentile, from 1 on, among so many sorted values.

    >>> nearest_rank(50, 1), nearest_rank(50, 4), nearest_rank(50, 5), nearest_rank(95, 20)
    (1, 2, 3, 19)
    """
    return -(-percent * of // 100)


def flow_stats(
    store: FlowStore,
    home: Home,
    *,
    flow_id: str | None = None,
    since: float = 0.0,
    patience_sec: float = PATIENCE_SEC,
) -> list[FlowStats]:
    """Return the figures of all flows that have runs, or of one, in the order of their ids.

    Runs that ended before `since` are left out. The cache is brought up to date. If another process
    uses it, this one waits for `patience_sec`.
    """
    found = ask(store, home, patience_sec, lambda cache: cache.series(flow_id, since))
    unfinished = store.unfinished()
    flow_ids = sorted({*found, *unfinished} if flow_id is None else {flow_id})
    return [
        FlowStats(one, runs, in_order_of_share(steps), unfinished.get(one, {}))
        for one in flow_ids
        if one in found or one in unfinished
        for runs, *steps in [found.get(one, [NO_FIGURES])]
    ]


def in_order_of_share(steps: Sequence[Series]) -> list[Series]:
    """Sort steps by their share of the critical path, the largest first."""
    return sorted(steps, key=lambda one: (-(one.share or 0.0), one.step))


def ask[Answer](
    store: FlowStore, home: Home, patience_sec: float, question: Callable[[StatsCache], Answer]
) -> Answer:
    """Bring the cache up to date, and return what `question` finds in it."""
    with locked_cache_file(home, patience_sec) as file:
        for path in [] if file is None else [file] * TRIES:
            with suppress(sqlite3.Error, UnsafePlace), closing(StatsCache.in_file(path)) as cache:
                bring_up_to_date(cache, store)
                return question(cache)
            delete_cache(path)
    with closing(StatsCache.in_memory()) as cache:
        bring_up_to_date(cache, store)
        return question(cache)


@contextmanager
def locked_cache_file(home: Home, patience_sec: float) -> Iterator[Path | None]:
    """Lock the cache file within this block; yield None where that fails."""
    try:
        lock = Lock.take(home.stats_cache_lock, wait_sec=patience_sec)
    except UnsafePlace:  # the folder cannot be written
        lock = None
    if lock is None:
        yield None
        return
    with closing(lock):
        yield home.stats_cache


def delete_cache(path: Path) -> None:
    """Delete an unusable file, and its journal."""
    for file in (path, path.with_name(f"{path.name}-journal")):
        with suppress(OSError):
            file.unlink()


def bring_up_to_date(cache: StatsCache, store: FlowStore) -> None:
    """Count each run that has ended exactly once, as it ended last."""
    marks = store.end_marks(), cache.marks()
    # Most have not changed since, and to compare them is quicker than to hash them.
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(*marks, strict=False)))
    ended, counted = (set(found[same:]) for found in marks)
    if gone := [mark.run_id for mark in counted - ended]:
        with cache.transaction():
            cache.forget(gone)
    missing = sorted(mark.run_id for mark in ended - counted)
    with status_line() as line:
        for number, batch in enumerate(batched(missing, AT_ONCE)):
            line.say(f"{number * AT_ONCE:,} of {len(missing):,} runs counted")
            with cache.transaction():
                for run_id in batch:
                    count_run(cache, store, run_id)


def count_run(cache: StatsCache, store: FlowStore, run_id: int) -> None:
    """Count a run, unless it was deleted or reopened in the meantime."""
    found = store.load_ended(run_id)
    if found is not None:
        mark, run, attempts = found
        cache.add(mark, run.flow_id, ended_at(run), figures_of(run, attempts))
