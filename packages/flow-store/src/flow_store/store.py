"""`FlowStore`: opening the file, and recording runs; reading them is in `flow_reader`.

What a run may do next is the caller's business. What a change may not overwrite is guarded in
`run_writer`, inside the transaction that is opened here.
"""

import errno
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from flow_store import schema, sql
from flow_store.changes import Changes, Joining, Reopening
from flow_store.columns import RUN_STATE, path_bytes
from flow_store.database import Database, create_file, has_wal
from flow_store.errors import CancelRequested, NotRecorded, StoreUnavailable
from flow_store.flow_reader import FlowReader
from flow_store.groups import join
from flow_store.records import CancelRequest, GivenUp, Parent, Run
from flow_store.run_writer import RunWriter, add_steps
from flow_store.statuses import FlowStatus

PAGES_AT_A_TIME = 2048
"""How many pages are cut off the file in one transaction: 8 MiB, which keeps nobody waiting."""


class FlowStore(FlowReader):
    """The record of all runs in one SQLite file, used from the thread that opened it.

    Every method may raise `StoreUnavailable` (locked, full, read-only; see `retryable`) and
    `StoreBroken`; after an error nothing of the call was written.
    """

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

        Where SQLite cannot create its index beside the file (a read-only folder, a full disk), the
        file is read alone, provided that the write-ahead log holds no commit that is missing in it.
        In a file of an older version, columns that were added later read as NULL.

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
        """Make a store of a database when its tables are sure to exist; close it otherwise."""
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
        orchesjob_home: str | None = None,
        parent: Parent | None = None,
        flow_dir: str | None = None,
        params: Mapping[str, str] | None = None,
        joining: Joining | None = None,
    ) -> bool:
        """Record a new run with its steps, all PENDING; False if the key exists (rule 4.3).

        `steps` are pairs of step id and retries, in order of position. An existing run stays as it
        is; but where an earlier attempt at the same step has started it, it is this attempt's now.
        A run of a group has the last place there (rule 10.7).

        Raises:
            CancelRequested: The run that starts it is to be cancelled (rule 5.8a).
            GroupTaken, InsideItsGroup: It cannot join its group (rule 10.7).
            Unstorable: A text holds a lone surrogate, or a number needs more than 64 bits.
        """
        run = Run(
            run_key=run_key,
            flow_id=flow_id,
            definition=definition,
            directory=directory,
            status=FlowStatus.PENDING,
            error=None,
            started_at=started_at,
            finished_at=None,
            deadline=None,
            revision=0,
            cancel=None,
            steps=(),
            attempts={},
            orchesjob_home=orchesjob_home,
            parent=parent,
            flow_dir=flow_dir,
            params=params or None,
        )
        with self._database.transaction("IMMEDIATE"):
            if parent is not None:
                self._refuse_cancelled(parent.run_key)
            if joining is not None and not self.has(run_key):
                run = run._replace(group=join(self._database, run_key, joining))
                if joining.begins is not None:
                    run = run._replace(**joining.begins._asdict())
            if self._database.change(sql.INSERT_RUN, RUN_STATE.values(run)) == 0:
                if parent is not None:
                    heir = (parent.attempt_no, run_key, parent.run_key, parent.step_id)
                    self._database.change(sql.INHERIT_RUN, heir)
                return False
            ((run_id, *_),) = self._database.query(sql.SELECT_GUARD, (run_key,))
            self._database.change(sql.INSERT_DEFINITION, (run_id, definition))
            add_steps(self._database, run_id, steps)
        return True

    def record_orchesjob_home(self, run_key: str, home: str) -> None:
        """Record the home of a run that has none; one that is recorded never changes (rule 4.8).

        Raises:
            Unstorable: The path holds a surrogate that stands for no byte.
        """
        with self._database.transaction("IMMEDIATE"):
            self._database.change(sql.RECORD_ORCHESJOB_HOME, (path_bytes(home), run_key))

    def record_giving_up(self, run_key: str, given_up: GivenUp | None, *, revision: int) -> None:
        """Record when and why a runner gave up on a run, or with None that one goes on (rule 5.7).

        The end of the run removes it too. The revision stays the same.

        Raises:
            RunTakenOver: The run has another revision: another process drives it (rule 4.5).
            TerminalStatus: The run has ended.
            NotRecorded: There is no such run.
        """
        with self._database.transaction("IMMEDIATE"):
            RunWriter(self._database, run_key, revision).record_giving_up(given_up)

    def apply(self, run_key: str, changes: Changes, *, revision: int) -> int:
        """Write `changes` in one transaction and return the run's new revision.

        `revision` is the one that the run had when it was loaded or last changed. Only the rows
        named in `changes` are touched.

        Raises:
            RunTakenOver: The run has another revision: another process drives it (rule 4.5).
            CancelRequested: An attempt would start although the run is to be cancelled: it is
                STARTING and has no `abort_reason` (rule 5.6). Once `finally_after` is recorded,
                only a request to end `finally` too keeps it from that (rule 10.1). Or it waits for
                its group, and would begin (rule 10.7).
            GroupTaken: It would begin while another one of its group is before it (rule 10.7).
            TerminalStatus: The run, a step or an attempt has ended already (rule 5.1).
            NotRecorded: There is no such run, or no such step at that position.
            Unstorable: A value that SQLite or the schema cannot take.
        """
        with self._database.transaction("IMMEDIATE"):
            RunWriter(self._database, run_key, revision).apply(changes)
        return revision + 1

    def reopen(
        self, run_key: str, reopening: Reopening, *, revision: int, joining: Joining | None = None
    ) -> int:
        """Open a run that has ended again, in one transaction; return its new revision.

        `revision` is the one that the run had when it was loaded. Its attempts stay as they are; a
        request to cancel it is removed. In its group it has the last place (rule 10.7).

        Raises:
            GroupTaken, InsideItsGroup: It cannot join its group.
            RunTakenOver: The run has another revision: another process has reopened it.
            NotTerminal: The run has not ended.
            NotSettleable: A step that is to be settled is not as its settlement says (rule 12.3).
            NotRecorded: There is no such run.
            Unstorable: A text holds a lone surrogate.
        """
        with self._database.transaction("IMMEDIATE"):
            RunWriter(self._database, run_key, revision).reopen(reopening, joining)
        return revision + 1

    def remove(self, revisions: Mapping[str, int], *, finished_by: float) -> frozenset[str]:
        """Remove runs with all their records, in one transaction; return which were removed.

        Left are those that are gone or have changed since they were chosen: a run must have ended,
        at `finished_by` at the latest, and have this revision (rule 9.10). What orchesjob knows
        about their jobs stays.
        """
        import json  # few commands remove runs

        chosen = json.dumps(dict(revisions))
        with self._database.transaction("IMMEDIATE"):
            removed = self._database.query(sql.REMOVE_RUNS, (chosen, finished_by))
        return frozenset(run_key for (run_key,) in removed)

    def give_back_space(self) -> bool:
        """Make the file smaller by a part of what it does not use; False if there was nothing.

        A file that was created by a version before 0.1.0 keeps its size, and fills the space again.
        """
        try:
            is_smaller = self._database.release_pages(PAGES_AT_A_TIME)
        except StoreUnavailable:
            return False
        self.checkpoint()
        return is_smaller

    def request_cancel(
        self, run_key: str, *, requested_at: float, grace_sec: float | None, now: bool = False
    ) -> CancelRequest | None:
        """Record that the run is to be cancelled, and return the valid request (rule 5.6).

        So are all runs inside it that have not ended (rule 5.8a). The first request is never
        replaced. A second one while the steps of `finally` are under way, or any with `now`, adds
        that these are to be ended too, within its own grace time if it gives one (rule 10.1); what
        is inside them is left alone until then. For a run that has ended nothing is recorded: the
        answer is the request it ended with, or None. The run's revision stays the same, so its
        runner may continue to write.

        Raises:
            NotRecorded: There is no such run.
        """
        with self._database.transaction("IMMEDIATE"):
            guard = self._guard(run_key)
            if guard is None:
                raise NotRecorded(run_key)
            if not guard.status.is_terminal:
                now = now or (guard.cancel is not None and guard.finally_after is not None)
                # What a step of `finally` has started is to run on, until that is to be ended too.
                spares_inner = guard.finally_after is not None and not now
                inner = () if spares_inner else self.unfinished_inside(run_key)
                for key in (run_key, *inner):
                    self._database.change(sql.REQUEST_CANCEL, (requested_at, grace_sec, key))
                    if now:
                        asked = (requested_at, grace_sec, key)
                        self._database.change(sql.REQUEST_CANCEL_NOW, asked)
                guard = self._guard(run_key)
        return None if guard is None else guard.cancel

    def checkpoint(self) -> None:
        """Move the write-ahead log into the file and empty it, unless it is in use.

        The process that drives a run calls this from time to time and when the run has ended.
        Nothing is lost if the log is not moved.
        """
        with suppress(StoreUnavailable):
            self._database.checkpoint()

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

    def _refuse_cancelled(self, run_key: str) -> None:
        guard = self._guard(run_key)
        if guard is not None and (request := guard.forbids_starts) is not None:
            raise CancelRequested(run_key, request)
