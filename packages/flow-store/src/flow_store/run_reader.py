"""`RunReader`: reading runs, each as it is at one moment.

What many runs come to is in `flow_reader`; recording them, and opening a file, in `store`.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NewType

from flow_store import sql
from flow_store.changes import RunGuard
from flow_store.columns import (
    ATTEMPT,
    GUARD,
    PAST_ATTEMPT,
    RUN,
    RUN_STATE,
    SETTLEMENT,
    STEP,
    SUMMARY,
)
from flow_store.database import Database
from flow_store.errors import StoreBroken
from flow_store.groups import LAST, read_queue
from flow_store.records import Attempt, CancelRequest, GroupPlace, Queue, Run, RunSummary
from flow_store.statuses import FlowStatus, StepStatus

RunToken = NewType("RunToken", tuple[object, ...])
"""What a run looks like from outside: two that are equal are of the same run, unchanged."""


class RunReader:
    """Reads the runs of an open database."""

    def __init__(self, database: Database) -> None:
        """Use `FlowStore.open` or `open_readonly`: they make sure that the tables exist."""
        self._database = database

    def has(self, run_key: str) -> bool:
        """Return whether there is a run of this key, without reading it."""
        return self._guard(run_key) is not None

    def run_keys(self, *, limit: int | None = None) -> tuple[str, ...]:
        """Return the keys of the runs, the one recorded last first, without reading the runs.

        If given, `limit` bounds their number.
        """
        found = self._database.query(sql.SELECT_KEYS, (-1 if limit is None else limit,))
        return tuple(key for (key,) in found)

    def run_keys_around(self, run_key: str, limit: int) -> tuple[str, ...]:
        """Return the keys that come next to one in the order of their texts.

        No more than `limit` on each side: however many runs there are, that is quick.
        """
        before = self._database.query(sql.SELECT_KEYS_BEFORE, (run_key, limit))
        after = self._database.query(sql.SELECT_KEYS_FROM, (run_key, limit))
        return tuple(key for (key,) in (*after, *before))

    def revision_of(self, run_key: str) -> int | None:
        """Return how many changes were applied to the run, or None if it is not recorded."""
        guard = self._guard(run_key)
        return None if guard is None else guard.revision

    def token_of(self, run_key: str) -> RunToken | None:
        """Return a token that differs from the last one if anything of the run has changed.

        That takes no reading of its steps: whatever changes one of them changes the revision. None
        if the run is not recorded.
        """
        with self._database.transaction("DEFERRED"):
            found = self._database.query(sql.SELECT_RUN_STATE, (run_key,))
            if not found:
                return None
            with self._readable():
                fields = RUN_STATE.fields(found[0])
            queue = self._queue_before(run_key, fields["status"], fields["group"])
        return RunToken((*found[0], queue))

    def load(self, run_key: str) -> Run | None:
        """Return the run as it is at one moment, or None if it is not recorded."""
        with self._database.transaction("DEFERRED"):
            found = self._database.query(sql.SELECT_RUN, (run_key,))
            return self._run_of(found[0]) if found else None

    def runs(
        self,
        *,
        statuses: Collection[FlowStatus] = (),
        flow_id: str | None = None,
        limit: int | None = None,
    ) -> tuple[RunSummary, ...]:
        """Return the runs as they are at one moment, the one recorded last first.

        If given, `statuses` and `flow_id` select the runs, and `limit` bounds their number.
        """
        conditions = ["TRUE"]
        values: list[object] = []
        if statuses:
            conditions.append(f"status IN ({', '.join('?' * len(statuses))})")
            values += statuses
        if flow_id is not None:
            conditions.append("flow_id = ?")
            values.append(flow_id)
        return self._summaries(" AND ".join(conditions), values, limit)

    def attempts(self, run_key: str) -> tuple[Attempt, ...]:
        """Return all attempts of the run by position and number; none if it is unknown."""
        found = self._database.query(sql.SELECT_ATTEMPTS, (run_key,))
        with self._readable():
            return tuple(map(ATTEMPT.record, found))

    def unfinished_inside(self, run_key: str) -> tuple[str, ...]:
        """Return the keys of the runs that a run has started and that have not ended.

        Those are the runs of its steps, those of the steps of these, and so on, the oldest first.
        """
        return tuple(key for (key,) in self._database.query(sql.SELECT_INNER, (run_key,)))

    def cancel_request(self, run_key: str) -> CancelRequest | None:
        """Return the recorded request, or None if there is none or no such run."""
        guard = self._guard(run_key)
        return None if guard is None else guard.cancel

    def queue(self, run_key: str) -> Queue | None:
        """Tell who is before a run that waits for its group; None for any other (rule 10.7)."""
        guard = self._guard(run_key)
        return None if guard is None else self._queue_before(run_key, guard.status, guard.group)

    def queue_of_group(self, group: str) -> Queue:
        """Tell who is before a run that joined a group now (rule 10.7)."""
        return read_queue(self._database, "", GroupPlace(group, LAST))

    def data_version(self) -> int:
        """Return a number that differs from the last one if another connection has committed."""
        ((version,),) = self._database.query("PRAGMA data_version")
        return int(version)

    @property
    def sees_changes(self) -> bool:
        """Whether what others commit from now on is seen; not where the file is read alone."""
        return self._database.sees_changes

    def damage(self) -> tuple[str, ...]:
        """Check the whole file and return what is wrong with it, in SQLite's words."""
        found = self._database.query("PRAGMA integrity_check(10)")
        return tuple(line for (line,) in found if line != "ok")

    def is_same_file(self) -> bool:
        """Whether the path still names the file that is open."""
        return self._database.is_same_file()

    def _queue_before(
        self, run_key: str, status: FlowStatus, group: GroupPlace | None
    ) -> Queue | None:
        if group is None or status is not FlowStatus.PENDING:
            return None
        return read_queue(self._database, run_key, group)

    def _summaries(
        self, condition: str, values: Sequence[object], limit: int | None = None
    ) -> tuple[RunSummary, ...]:
        query = sql.SELECT_SUMMARIES.format(condition=condition)
        with self._database.transaction("DEFERRED"):
            found = self._database.query(query, (*values, -1 if limit is None else limit))
            counts = [self._database.query(sql.COUNT_STEPS, row[:1]) for row in found]
            with self._readable():
                records = [
                    RunSummary(
                        **SUMMARY.fields(row[1:]),
                        steps={StepStatus(status): count for status, count in steps},
                        queue=None,
                    )
                    for row, steps in zip(found, counts, strict=True)
                ]
            return tuple(
                run._replace(queue=self._queue_before(run.run_key, run.status, run.group))
                for run in records
            )

    def _run_of(self, row: Sequence[Any]) -> Run:
        """Read all of a run, in the transaction in which its row was read."""
        run_id, *columns = row
        steps = self._database.query(sql.SELECT_STEPS, (run_id,))
        attempts = self._database.query(sql.SELECT_LATEST_ATTEMPTS, (run_id,))
        history = self._database.query(sql.SELECT_HISTORY, (run_id,))
        settlements = self._database.query(sql.SELECT_SETTLEMENTS, (run_id,))
        with self._readable():
            fields = RUN.fields(columns)
        queue = self._queue_before(fields["run_key"], fields["status"], fields["group"])
        with self._readable():
            latest = map(ATTEMPT.record, attempts)
            rows = tuple(map(STEP.record, steps))
            settled = tuple(map(SETTLEMENT.record, settlements))
            return Run(
                **fields,
                steps=rows,
                attempts={attempt.position: attempt for attempt in latest},
                history=tuple(map(PAST_ATTEMPT.record, history)),
                queue=queue,
                settlements=settled,
                settled={one.position: one for one in settled if one.holds_of(rows[one.position])},
            )

    def _guard(self, run_key: str) -> RunGuard | None:
        found = self._database.query(sql.SELECT_GUARD, (run_key,))
        with self._readable():
            return GUARD.record(found[0]) if found else None

    @contextmanager
    def _readable(self) -> Iterator[None]:
        """Report values that the schema does not allow: they can only come from damage."""
        try:
            yield
        except (TypeError, ValueError) as error:
            raise StoreBroken(self._database.path, str(error)) from error
