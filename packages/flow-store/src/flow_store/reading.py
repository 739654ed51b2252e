"""Reading runs: `RunReader`, and what orchesjob reported about a job.

Each method reads one moment's state. What a report means is decided elsewhere. Recording runs is in
`store`.
"""

import errno
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple, NewType, Self

from flow_store import sql
from flow_store.database import Database, has_wal, require_recorded
from flow_store.errors import DamagedRecord, NotRecorded, StoreBroken, StoreUnavailable
from flow_store.groups import LAST, read_queue
from flow_store.records import (
    Attempt,
    CancelRequest,
    EndedRun,
    GroupPlace,
    Hook,
    NotStarted,
    PastAttempt,
    Queue,
    Run,
    RunGuard,
    RunStatus,
    RunSummary,
    StepStatus,
)

RunToken = NewType("RunToken", tuple[object, ...])
"""An opaque value: two equal tokens of a run mean that the run has not changed in between."""


class RunReader:
    """Reads the runs in one SQLite file, used from the thread that opened it.

    Every method may raise `StoreUnavailable` (locked, not permitted; see `retryable`),
    `StoreBroken` and `WrongThread`.
    """

    def __init__(self, database: Database) -> None:
        """Read from a database whose tables exist: `open_readonly` makes sure of that."""
        self._database = database

    @classmethod
    def open_readonly(cls, path: str | os.PathLike[str]) -> Self:
        """Open the file for reading; create, upgrade and record nothing (rule 6.1).

        Where SQLite cannot create its index beside the file (a read-only folder, a full disk), the
        file is read without its write-ahead log, unless that log may hold newer commits. In a file
        of an older version, columns that were added later read as NULL.

        Raises:
            StoreMissing: There is no file, or an empty one.
            StoreNewer: A later version wrote the file.
            StoreForeign, StoreBroken: It is not a flow database, or it is damaged.
            StoreUnavailable: It cannot be opened now.
        """
        file = Path(path).absolute()
        try:
            return cls._opened(Database(file, "ro"), require_recorded)
        except StoreUnavailable as error:
            if error.errno == errno.EAGAIN or has_wal(file):  # locked, or not all in the file
                raise
        return cls._opened(Database(file, "ro&immutable=1"), require_recorded)

    @classmethod
    def _opened(cls, database: Database, check_tables: Callable[[Database], None]) -> Self:
        """Return a reader of a database whose tables exist; close the database on an error."""
        with ExitStack() as unless_checked:
            unless_checked.callback(database.close)
            check_tables(database)
            unless_checked.pop_all()
        return cls(database)

    def close(self) -> None:
        """Close the file. Closing again does nothing."""
        self._database.close()

    def __enter__(self) -> Self:
        """Return the reader; the end of the block closes it."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Close the file."""
        self.close()

    def has(self, run_key: str) -> bool:
        """Whether a run of this key is recorded; the run itself is not read."""
        return self._guard(run_key) is not None

    def run_keys(self, *, limit: int | None = None) -> tuple[str, ...]:
        """Return the keys of the runs, the latest recorded first, at most `limit` of them.

        The runs themselves are not read.
        """
        found = self._database.query(sql.SELECT_KEYS, (_row_limit(limit),))
        return tuple(key for (key,) in found)

    def revision_of(self, run_key: str) -> int | None:
        """Return how many changes were applied to the run; None if it is not recorded."""
        guard = self._guard(run_key)
        return None if guard is None else guard.revision

    def token_of(self, run_key: str) -> RunToken | None:
        """Return a token that differs from an earlier one if the run has changed since.

        The steps are not read: each change of a step changes the revision. None if the run is not
        recorded.
        """
        with self._database.transaction("DEFERRED"):
            found = self._database.query(sql.SELECT_RUN_STATE, (run_key,))
            if not found:
                return None
            with self._readable():
                fields = sql.RUN_STATE.fields(found[0])
            queue = self._queue_before(run_key, fields["status"], fields["group"])
        return RunToken((*found[0], queue))

    def load(self, run_key: str) -> Run | None:
        """Return the whole run; None if it is not recorded."""
        with self._database.transaction("DEFERRED"):
            return self._loaded(run_key)

    def runs(
        self,
        *,
        statuses: Collection[RunStatus] = (),
        flow_id: str | None = None,
        since: float | None = None,
        before: str | None = None,
        limit: int | None = None,
    ) -> tuple[RunSummary, ...]:
        """Return the runs, the latest recorded first.

        Args:
            statuses: Only runs with one of these; all if there are none.
            flow_id: Only runs of this flow.
            since: Only runs that ended at this time or later, and runs that have not ended.
            before: Only runs that were recorded before this one. Pass the key of the last run of a
                page to get the next page. An empty page is the end.
            limit: How many runs to return at most.

        Raises:
            NotRecorded: The run `before` is not recorded, or was removed meanwhile.
            TypeError, ValueError: An argument is something else, such as a single status.
        """
        if isinstance(statuses, str):
            raise TypeError(f"statuses must be a collection, such as [{statuses!r}]")
        conditions = ["TRUE"]
        values: list[object] = []
        if statuses:
            conditions.append(f"status IN ({', '.join('?' * len(statuses))})")
            values += map(RunStatus, statuses)
        if flow_id is not None:
            conditions.append("flow_id = ?")
            values.append(flow_id)
        if since is not None:
            conditions.append("(finished_at IS NULL OR finished_at >= ?)")
            values.append(_timestamp(since))
        if before is not None:
            guard = self._guard(before)
            if guard is None:
                raise NotRecorded(before)
            conditions.append("id < ?")
            values.append(guard.id)
        return self._summaries(" AND ".join(conditions), values, limit)

    def attempts(self, run_key: str) -> tuple[Attempt, ...]:
        """Return all attempts of the run by position and number; none if it is not recorded."""
        return self._found(sql.ATTEMPT, sql.SELECT_ATTEMPTS, (run_key,))

    def unfinished_inside(self, run_key: str) -> tuple[str, ...]:
        """Return the keys of the runs inside a run that have not ended, the oldest first.

        These are the runs that its steps started, the runs that their steps started, and so on.
        """
        return tuple(key for (key,) in self._database.query(sql.SELECT_INNER, (run_key,)))

    def cancel_request(self, run_key: str) -> CancelRequest | None:
        """Return the request to cancel the run; None if there is no request or no such run."""
        guard = self._guard(run_key)
        return None if guard is None else guard.cancel

    def queue(self, run_key: str) -> Queue | None:
        """Return the runs ahead of a run that waits for its group (rule 10.7); else None."""
        guard = self._guard(run_key)
        return None if guard is None else self._queue_before(run_key, guard.status, guard.group)

    def queue_of_group(self, group: str) -> Queue:
        """Return the runs that would be ahead of a run that joins the group now (rule 10.7)."""
        return read_queue(self._database, "", GroupPlace(group, LAST))

    def not_started(
        self,
        *,
        run_key: str | None = None,
        flow_id: str | None = None,
        since: float = 0.0,
        by_flow: bool = False,
        limit: int | None = None,
    ) -> tuple[NotStarted, ...]:
        """Return the starts that were turned away, the latest first (rule 10.7).

        Only those of a key or of a flow, or with a start at `since` or later. `by_flow` adds up all
        of a flow; key, holder and group are then those of its latest.
        """
        query = sql.SELECT_NOT_STARTED.format(columns="flow_id" if by_flow else "run_key, held_by")
        values = (run_key, flow_id, since, -1 if limit is None else limit)
        return self._found(sql.TURNED_AWAY, query, values)

    def hooks(self) -> Mapping[str, Hook]:
        """Return the hooks that are due or have failed, by run key, the earliest first."""
        found = self._database.query(sql.SELECT_HOOKS)
        with self._readable():
            return {run_key: sql.HOOK.record(row) for run_key, *row in found}

    def data_version(self) -> int:
        """Return a number that changes whenever another connection commits."""
        ((version,),) = self._database.query("PRAGMA data_version")
        return int(version)

    @property
    def sees_changes(self) -> bool:
        """Whether later commits of others are seen; not if the file is read without its log."""
        return self._database.sees_changes

    def damage(self) -> tuple[str, ...]:
        """Check the whole file and return SQLite's messages about its damage."""
        found = self._database.query("PRAGMA integrity_check(10)")
        return tuple(line for (line,) in found if line != "ok")

    def is_same_file(self) -> bool:
        """Whether the path still names the file that is open."""
        return self._database.is_same_file()

    def flow_ids(self) -> tuple[str, ...]:
        """Return the ids of all flows that have runs, in the order of their texts."""
        return tuple(flow_id for (flow_id,) in self._database.query(sql.SELECT_FLOW_IDS))

    def newest_runs(self) -> tuple[RunSummary, ...]:
        """Return the latest recorded run of each flow, the latest of them first."""
        return self._summaries(sql.IS_NEWEST, ())

    def unfinished(self) -> Mapping[str, Mapping[RunStatus, int]]:
        """Count the runs that have not ended, by flow and status."""
        counts: dict[str, dict[RunStatus, int]] = {}
        found = self._database.query(sql.COUNT_UNFINISHED)
        with self._readable():
            for flow_id, status, count in found:
                counts.setdefault(flow_id, {})[RunStatus(status)] = count
        return counts

    def ended_runs(
        self, *, finished_by: float, keep: int = 0, flow_id: str | None = None
    ) -> tuple[EndedRun, ...]:
        """Return the runs that had ended by this time, the newest first (rule 9.10).

        The newest `keep` runs of each flow are left out. `flow_id` selects the runs of one flow.
        """
        chosen = (flow_id, flow_id, finished_by, keep)
        return self._found(sql.ENDED_RUN_ROW, sql.SELECT_ENDED, chosen)

    def ended_run(self, run_key: str) -> EndedRun | None:
        """Return the run of this key; None if it has not ended, or is not recorded."""
        found = self._found(sql.ENDED_RUN_ROW, sql.SELECT_ENDED_RUN, (run_key,))
        return found[0] if found else None

    def last_successes(self, *, since: float = 0.0) -> Mapping[str, float]:
        """Return by flow when its latest run that SUCCEEDED had ended, if that was not before."""
        return dict(self._database.query(sql.SELECT_LAST_SUCCESSES, (_timestamp(since),)))

    def load_ended(self, run_key: str) -> tuple[Run, tuple[Attempt, ...]] | None:
        """Return a run that has ended, with all its attempts; None if there is none (any more)."""
        with self._database.transaction("DEFERRED"):
            run = self._loaded(run_key)
            if run is None or not run.status.is_terminal:
                return None
            return run, self.attempts(run_key)

    def _queue_before(
        self, run_key: str, status: RunStatus, group: GroupPlace | None
    ) -> Queue | None:
        if group is None or status is not RunStatus.PENDING:
            return None
        return read_queue(self._database, run_key, group)

    def _summaries(
        self, condition: str, values: Sequence[object], limit: int | None = None
    ) -> tuple[RunSummary, ...]:
        query = sql.SELECT_SUMMARIES.format(condition=condition)
        with self._database.transaction("DEFERRED"):
            found = self._database.query(query, (*values, _row_limit(limit)))
            counts = [self._database.query(sql.COUNT_STEPS, row[:1]) for row in found]
            with self._readable():
                records = [
                    RunSummary(
                        **sql.SUMMARY.fields(row[1:]),
                        steps={StepStatus(status): count for status, count in steps},
                        queue=None,
                        allowed=self._count_allowed(row[0]) if "FAILED" in dict(steps) else 0,
                    )
                    for row, steps in zip(found, counts, strict=True)
                ]
            return tuple(
                run._replace(queue=self._queue_before(run.run_key, run.status, run.group))
                for run in records
            )

    def _count_allowed(self, run_id: int) -> int:
        count: int = self._database.query(sql.COUNT_ALLOWED, (run_id, run_id))[0][0]
        return count

    def _loaded(self, run_key: str) -> Run | None:
        """Read a whole run, in the transaction of the caller."""
        found = self._database.query(sql.SELECT_RUN, (run_key,))
        if not found:
            return None
        run_id, *columns = found[0]
        with self._readable():
            fields = sql.RUN_ROW.fields(columns)
        steps = self._found(sql.STEP_ROW, sql.SELECT_STEPS, (run_id,))
        latest = self._found(sql.ATTEMPT, sql.SELECT_LATEST_ATTEMPTS, (run_id,))
        settlements = self._found(sql.SETTLEMENT, sql.SELECT_SETTLEMENTS, (run_id,))
        return Run(
            **fields,
            steps=steps,
            attempts={attempt.position: attempt for attempt in latest},
            history=self._found(sql.PAST_ATTEMPT, sql.SELECT_HISTORY, (run_id,)),
            queue=self._queue_before(run_key, fields["status"], fields["group"]),
            settlements=settlements,
            settled={one.position: one for one in settlements if one.holds_of(steps[one.position])},
        )

    def _guard(self, run_key: str) -> RunGuard | None:
        found = self._found(sql.GUARD, sql.SELECT_GUARD, (run_key,))
        return found[0] if found else None

    def _found[Record: NamedTuple](
        self, columns: sql.Columns[Record], query: str, values: Sequence[object]
    ) -> tuple[Record, ...]:
        """Return the records that a statement finds."""
        found = self._database.query(query, values)
        with self._readable():
            return tuple(map(columns.record, found))

    @contextmanager
    def _readable(self) -> Iterator[None]:
        """Report values that the schema does not allow: the file is damaged then."""
        try:
            yield
        except (TypeError, ValueError) as error:
            raise StoreBroken(self._database.path, str(error)) from error


def _timestamp(since: object) -> float:
    if not isinstance(since, int | float):
        raise TypeError(f"since must be a Unix timestamp (moment.timestamp()), not {since!r}")
    return since


def _row_limit(limit: object) -> int:
    """Return the LIMIT of a statement; -1 sets none."""
    if limit is None:
        return -1
    if not isinstance(limit, int) or limit < 0:
        raise ValueError(f"limit must be an integer >= 0 or None, not {limit!r}")
    return limit


def reported_job(run: Run, attempt: Attempt) -> dict[str, Any] | None:
    """Return the last job object that orchesjob reported; None if there is none yet.

    Raises:
        DamagedRecord: The text in the database is not a JSON object.
    """
    import json  # many processes that look at a run need no job

    if attempt.job is None:
        return None
    try:
        job = json.loads(attempt.job)
        if not isinstance(job, dict):
            raise ValueError(f"expected a JSON object, got {type(job).__name__}")
    except (ValueError, RecursionError) as error:
        step_id = run.steps[attempt.position].step_id
        raise DamagedRecord(run.run_key, step_id, attempt.number, str(error)) from error
    return job


def was_found(run: Run, attempt: Attempt | PastAttempt) -> bool:
    """Tell whether orchesjob had finished the job of an attempt before the attempt began here.

    This happens if the same run was recorded before and its record was lost or removed. The times
    alone do not prove it, because the clock may have been set back. So the report of a step's
    latest attempt, which a run holds, must say the same.
    """
    if attempt.finished_at is None or attempt.finished_at > attempt.started_at:
        return False
    latest = run.attempts.get(attempt.position)
    if latest is None or latest.number != attempt.number:
        return True
    try:
        job = reported_job(run, latest) or {}
    except DamagedRecord:  # it proves nothing; callers that need the report refuse it
        return False
    return job.get("existing") is True
