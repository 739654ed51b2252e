"""`FlowStore`: recording runs and reading them again.

What a run may do next is the caller's business; what may never be overwritten is guarded here, in
the transaction that writes.
"""

import errno
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from flow_store import rows, schema, statements
from flow_store.database import Database, create_file, has_wal
from flow_store.errors import (
    NotRecorded,
    StoreBroken,
    StoreUnavailable,
)
from flow_store.records import (
    Attempt,
    CancelRequest,
    Changes,
    FlowStatus,
    Reopening,
    Run,
    RunSummary,
)
from flow_store.run_rows import RunRows


class FlowStore:
    """The record of all runs in one SQLite file, used from the thread that opened it.

    Every method may raise `StoreUnavailable` (locked, full, read-only; see `retryable`) and
    `StoreBroken`; after an error nothing of the call was written.
    """

    def __init__(self, database: Database) -> None:
        """Use `open` or `open_readonly`: they see to it that the tables are there."""
        self._database = database

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Self:
        """Open the file for reading and writing; create it or bring it up to date (rule 6.1).

        Its folder must exist.

        Raises:
            StoreMissing: The folder does not exist.
            StoreNewer: A later version wrote the file.
            StoreForeign, StoreBroken: It is no flow database, or no longer an intact one.
            StoreUnavailable: It cannot be opened or created now.
        """
        file = Path(path).absolute()
        create_file(file)
        return cls._opened(Database(file, "rw"), schema.upgrade)

    @classmethod
    def open_readonly(cls, path: str | os.PathLike[str]) -> Self:
        """Open the file for reading; create, migrate and record nothing (rule 6.1).

        Where SQLite cannot even keep its index beside the file (a read-only folder, a full disk),
        the file is read as it stands, provided that no commit waits in a write-ahead log.

        Raises:
            StoreMissing: There is no file, or an empty one.
            StoreNewer, StoreForeign, StoreBroken, StoreUnavailable: As `open`.
        """
        file = Path(path).absolute()
        try:
            return cls._opened(Database(file, "ro"), schema.require_recorded)
        except StoreUnavailable as error:
            if error.errno == errno.EAGAIN or has_wal(file):  # locked, or not all in the file
                raise
        return cls._opened(Database(file, "ro&immutable=1"), schema.require_recorded)

    @classmethod
    def _opened(cls, database: Database, make_sure: Callable[[Database], None]) -> Self:
        """Make a store of a database once its tables are sure to be there; else close it."""
        with ExitStack() as unless_sure:
            unless_sure.callback(database.close)
            make_sure(database)
            unless_sure.pop_all()
        return cls(database)

    def create(  # noqa: PLR0913 - a run has that many facts
        self,
        *,
        run_key: str,
        flow_id: str,
        definition: str,
        directory: str,
        started_at: float,
        steps: Sequence[tuple[str, int]],
    ) -> bool:
        """Record a new run with its steps, all PENDING; False if the key exists (rule 4.3).

        `steps` are pairs of step id and retries, in order of position. An existing run is left as
        it is.

        Raises:
            Unstorable: A text holds a lone surrogate, or a number needs more than 64 bits.
        """
        with self._database.transaction("IMMEDIATE"):
            run = (run_key, flow_id, definition, rows.path_bytes(directory), started_at)
            if self._database.change(statements.INSERT_RUN, run) == 0:
                return False
            ((run_id, *_),) = self._database.query(statements.SELECT_GUARDS, (run_key,))
            self._database.change_each(
                statements.INSERT_STEP,
                ((run_id, position, *step) for position, step in enumerate(steps)),
            )
        return True

    def load(self, run_key: str) -> Run | None:
        """Return the run as it stands at one moment, or None if it is not recorded."""
        with self._database.transaction("DEFERRED"):
            found = self._database.query(statements.SELECT_RUN, (run_key,))
            if not found:
                return None
            ((run_id, *run),) = found
            steps = self._database.query(statements.SELECT_STEPS, (run_id,))
            attempts = self._database.query(statements.SELECT_LATEST_ATTEMPTS, (run_id,))
            history = self._database.query(statements.SELECT_HISTORY, (run_id,))
        with self._readable():
            return rows.run_from(
                run,
                tuple(map(rows.step_from, steps)),
                {row[0]: rows.attempt_from(row) for row in attempts},
                tuple(map(rows.past_attempt_from, history)),
            )

    def runs(
        self,
        *,
        statuses: Collection[FlowStatus] = (),
        flow_id: str | None = None,
        limit: int | None = None,
    ) -> tuple[RunSummary, ...]:
        """Return the runs as they stand at one moment, the one recorded last first.

        Where these are given, only those of any of the `statuses`, of this `flow_id`, and no more
        than `limit`.
        """
        conditions = ["TRUE"]
        values: list[object] = []
        if statuses:
            conditions.append(f"status IN ({', '.join('?' * len(statuses))})")
            values += statuses
        if flow_id is not None:
            conditions.append("flow_id = ?")
            values.append(flow_id)
        query = statements.SELECT_SUMMARIES.format(conditions=" AND ".join(conditions))
        with self._database.transaction("DEFERRED"):
            found = self._database.query(query, (*values, -1 if limit is None else limit))
            counts = [self._database.query(statements.COUNT_STEPS, row[:1]) for row in found]
        with self._readable():
            return tuple(
                rows.summary_from(row[1:], steps) for row, steps in zip(found, counts, strict=True)
            )

    def attempts(self, run_key: str) -> tuple[Attempt, ...]:
        """Return every attempt of the run by position and number; none for an unknown run."""
        found = self._database.query(statements.SELECT_ATTEMPTS, (run_key,))
        with self._readable():
            return tuple(map(rows.attempt_from, found))

    def apply(self, run_key: str, changes: Changes, *, revision: int) -> int:
        """Write `changes` in one transaction and return the run's new revision.

        `revision` is the one that the run had when it was loaded or last changed. Only the rows
        named in `changes` are touched.

        Raises:
            RunTakenOver: The run has another revision: somebody else drives it (rule 4.5).
            CancelRequested: An attempt would be STARTING, and not to be aborted, although the run
                is to be cancelled (rule 5.6).
            TerminalStatus: The run, a step or an attempt has ended already (rule 5.1).
            NotRecorded: There is no such run, or no such step at that position.
            Unstorable: A value that SQLite or the schema cannot take.
        """
        with self._database.transaction("IMMEDIATE"):
            RunRows(self._database, run_key, revision).apply(changes)
        return revision + 1

    def reopen(self, run_key: str, reopening: Reopening, *, revision: int) -> int:
        """Let a run that has ended go on, in one transaction; return its new revision.

        `revision` is the one that the run had when it was loaded. Its attempts stay as they are; a
        request to cancel it is forgotten.

        Raises:
            RunTakenOver: The run has another revision: somebody else has reopened it.
            NotTerminal: The run has not ended.
            NotRecorded: There is no such run.
            Unstorable: A text holds a lone surrogate.
        """
        with self._database.transaction("IMMEDIATE"):
            RunRows(self._database, run_key, revision).reopen(reopening)
        return revision + 1

    def remove(self, run_key: str) -> bool:
        """Remove a run with all that is recorded of it; False if it has not ended, or is not there.

        What orchesjob knows of its jobs stays.
        """
        with self._database.transaction("IMMEDIATE"):
            return self._database.change(statements.REMOVE_RUN, (run_key,)) == 1

    def request_cancel(
        self, run_key: str, *, requested_at: float, grace_sec: float | None
    ) -> CancelRequest | None:
        """Record that the run is to be cancelled and return the request that holds (rule 5.6).

        The first request is never replaced. On a run that has ended nothing is recorded: the answer
        is the request it ended with, or None. The run's revision stays: its runner goes on.

        Raises:
            NotRecorded: There is no such run.
        """
        with self._database.transaction("IMMEDIATE"):
            self._database.change(statements.REQUEST_CANCEL, (requested_at, grace_sec, run_key))
            run = self._database.query(statements.SELECT_GUARDS, (run_key,))
        if not run:
            raise NotRecorded(run_key)
        ((_, _, _, *cancel),) = run
        return rows.cancel_request(*cancel)

    def cancel_request(self, run_key: str) -> CancelRequest | None:
        """Return the recorded request, or None if there is none or no such run."""
        run = self._database.query(statements.SELECT_GUARDS, (run_key,))
        return rows.cancel_request(*run[0][3:]) if run else None

    def data_version(self) -> int:
        """Return a number that differs from the last one if another connection has committed."""
        ((version,),) = self._database.query("PRAGMA data_version")
        return int(version)

    def checkpoint(self) -> None:
        """Move the write-ahead log into the file and empty it, unless somebody uses it just now.

        For a process that drives a run: now and then, and when the run has ended. What is not moved
        is not lost.
        """
        with suppress(StoreUnavailable):
            self._database.checkpoint()

    def damage(self) -> tuple[str, ...]:
        """Look through the whole file and return what is wrong with it, in SQLite's words."""
        found = self._database.query("PRAGMA integrity_check(10)")
        return tuple(line for (line,) in found if line != "ok")

    def is_same_file(self) -> bool:
        """Whether the path still names the file that is open, and not nothing or another file."""
        return self._database.is_same_file()

    def close(self) -> None:
        """Close the file. Closing again does nothing."""
        self._database.close()

    def __enter__(self) -> Self:
        """Return the store; leaving the block closes it."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file, whatever happened."""
        self.close()

    @contextmanager
    def _readable(self) -> Iterator[None]:
        """Values that the schema does not allow can only come from damage to the file."""
        try:
            yield
        except (TypeError, ValueError) as error:
            raise StoreBroken(self._database.path, str(error)) from error
