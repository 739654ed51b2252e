"""`FlowStore`: recording runs in the file.

This is for the engine of orchesjob-flow and not public: it trusts what it is given. It can
record a run that the program later reports as damaged.

The guards are here and in the statements: only the process that knows a run's revision changes it,
what has ended is never overwritten, and nothing starts in a run that is to be cancelled. They are
checked in the transaction that writes. So are those of `groups` (rule 10.7). What a run may do next
is decided elsewhere. Reading runs is in `reading`.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from flow_store import sql
from flow_store.database import Database, create_file, upgrade
from flow_store.errors import (
    CancelRequested,
    GroupTaken,
    NotRecorded,
    NotSettleable,
    NotTerminal,
    RunTakenOver,
    StoreError,
    StoreUnavailable,
    TerminalStatus,
)
from flow_store.groups import join, refuse_taken
from flow_store.reading import RunReader
from flow_store.records import (
    Attempt,
    AttemptStatus,
    CancelRequest,
    Changes,
    GivenUp,
    Hook,
    Joining,
    NotStarted,
    Parent,
    Queue,
    Reopening,
    Run,
    RunGuard,
    RunHeader,
    RunStatus,
    Settlement,
    Step,
)

PAGES_AT_A_TIME = 2048
"""How many pages one transaction cuts off the file: 8 MiB, so that no other process waits long."""

TRIES_OF_A_COUNT = 5
"""How often it is tried to count a start, each time as long as SQLite waits for others."""


class FlowStore(RunReader):
    """The record of all runs in one SQLite file, used from the thread that opened it.

    Every method may raise `StoreUnavailable` (locked, full, read-only; see `retryable`),
    `StoreBroken` and `WrongThread`; after an error nothing of the call was written.

    Attributes:
        has_hook: Tells whether a hook is due for a run that ends or is given up (rule 12.5).
    """

    has_hook: Callable[[], bool] = staticmethod(lambda: False)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Self:
        """Open the file for reading and writing; create or upgrade it (rule 6.1).

        Its folder must exist.

        Raises:
            StoreMissing: The folder does not exist.
            StoreNewer: A later version wrote the file.
            StoreForeign, StoreBroken: It is not a flow database, or it is damaged.
            StoreUnavailable: It cannot be opened or created now.
        """
        file = Path(path).absolute()
        create_file(file)
        return cls._opened(Database(file, "rw"), upgrade)

    def create(  # noqa: PLR0913 - a run has that many facts
        self,
        *,
        run_key: str,
        flow_id: str,
        definition: str,
        directory: str,
        flow_dir: str,
        orchesjob_home: str,
        started_at: float,
        utc_offset_sec: int = 0,
        home_inode: int | None = None,
        steps: Sequence[tuple[str, int]],
        parent: Parent | None = None,
        params: Mapping[str, str] | None = None,
        joining: Joining | None = None,
        refusal: Exception | None = None,
    ) -> bool:
        """Record a new run with its steps, all PENDING; False if the key exists (rule 4.3).

        `steps` are pairs of step id and retries, in order of position. An existing run does not
        change, with one exception: if an earlier attempt at the same step started it, it now
        belongs to this attempt. A run with a group gets the last place there (rule 10.7), and may
        ask the runs before it to end. A `refusal` is raised in place of recording a new run that
        could join its group.

        Raises:
            CancelRequested: The run that starts it is to be cancelled (rule 5.8a).
            GroupTaken, CircleOfGroups: It cannot join its group (rule 10.7).
            Unstorable: A text holds a lone surrogate, or a number needs more than 64 bits.
        """
        run = Run(
            run_key=run_key,
            flow_id=flow_id,
            definition=definition,
            directory=directory,
            flow_dir=flow_dir,
            orchesjob_home=orchesjob_home,
            status=RunStatus.PENDING,
            error=None,
            started_at=started_at,
            finished_at=None,
            deadline=None,
            revision=0,
            cancel=None,
            steps=(),
            attempts={},
            parent=parent,
            params=params or None,
            utc_offset_sec=utc_offset_sec,
            home_inode=home_inode,
        )
        with self._database.transaction("IMMEDIATE"):
            outer = None if parent is None else self._guard(parent.run_key)
            if parent is not None and outer is not None and outer.forbids_starts is not None:
                raise CancelRequested(parent.run_key, outer.forbids_starts)
            if joining is not None and not self.has(run_key):
                run = run._replace(group=join(self._database, run_key, joining))
                if joining.begins is not None:
                    run = run._replace(**joining.begins._asdict())
            if refusal is not None and not self.has(run_key):
                raise refusal
            if self._database.change(sql.INSERT_RUN, sql.RUN_STATE.values(run)) == 0:
                if parent is not None:
                    heir = (parent.attempt_no, run_key, parent.run_key, parent.step_id)
                    self._database.change(sql.INHERIT_RUN, heir)
                return False
            ((run_id, *_),) = self._database.query(sql.SELECT_GUARD, (run_key,))
            self._database.change(sql.INSERT_DEFINITION, (run_id, definition))
            add_steps(self._database, run_id, steps)
            self._replace(run_key, joining)
        return True

    def record_home(self, run_key: str, inode: int, *, revision: int) -> None:
        """Record the folder of a run's orchesjob home by its inode; the revision stays the same.

        Raises:
            RunTakenOver, TerminalStatus, NotRecorded: As `record_giving_up`.
        """
        with self._database.transaction("IMMEDIATE"):
            guard = self._guard_of(run_key, revision, has_ended=False)
            self._database.change(sql.RECORD_HOME, (inode, guard.id))

    def record_giving_up(self, run_key: str, given_up: GivenUp | None, *, revision: int) -> None:
        """Record when and why a runner gave up on a run (rule 5.7).

        None clears the record, when another runner continues the run; so does the end of the run.
        The revision stays the same.

        Raises:
            RunTakenOver: The run has another revision: another process drives it (rule 4.5).
            TerminalStatus: The run has ended.
            NotRecorded: There is no such run.
        """
        with self._database.transaction("IMMEDIATE"):
            if given_up is not None and self.has_hook():
                self._database.change(sql.RECORD_HOOK_DUE, (given_up.at, run_key))
            guard = self._guard_of(run_key, revision, has_ended=False)
            write_giving_up(self._database, guard.id, given_up)

    def record_hook_called(self, run_key: str, hook: Hook, error: str | None) -> None:
        """Record that the hook was called, unless it has become due again since."""
        failed = (None, None) if error is None else sql.HOOK.values(hook._replace(error=error))
        with self._database.transaction("IMMEDIATE"):
            self._database.change(sql.RECORD_HOOK_CALLED, (*failed, run_key, hook.due_at))

    def apply(self, run_key: str, changes: Changes, *, revision: int) -> int:
        """Write `changes` in one transaction and return the run's new revision.

        `revision` is the run's revision when it was loaded or last changed. The header, and each
        step and attempt in `changes`, replaces the recorded one as a whole: a field that has its
        default erases what was recorded. All other rows stay.

        Raises:
            RunTakenOver: The run has another revision: another process drives it (rule 4.5).
            CancelRequested: The run is to be cancelled, and an attempt would start: it is STARTING
                and has no `abort_reason` (rule 5.6). Once `finally_after` is recorded, only a
                request that covers `finally` forbids starts (rule 10.1). Or the run waits for its
                group, and would begin (rule 10.7).
            GroupTaken: The run would begin while another run of its group is ahead of it.
            TerminalStatus: The run, a step or an attempt has ended already (rule 5.1).
            NotRecorded: There is no such run, or no such step at that position.
            Unstorable: SQLite or the schema cannot store a value, or an attempt has no step.
        """
        with self._database.transaction("IMMEDIATE"):
            guard = self._guard_of(run_key, revision, has_ended=False)
            RunWriter(self._database, run_key, guard).apply(changes)
            if (end := changes.header) and end.status.is_terminal and self.has_hook():
                self._database.change(sql.RECORD_HOOK_DUE, (end.finished_at, run_key))
        return revision + 1

    def reopen(
        self, run_key: str, reopening: Reopening, *, revision: int, joining: Joining | None = None
    ) -> int:
        """Open a run that has ended again, in one transaction; return its new revision.

        `revision` is the run's revision when it was loaded. Its attempts do not change; a request
        to cancel it is removed. It gets the last place in its group (rule 10.7).

        Raises:
            GroupTaken, CircleOfGroups: It cannot join its group.
            RunTakenOver: The run has another revision: another process has reopened it.
            NotTerminal: The run has not ended.
            NotSettleable: The status of a step is not what a settlement says (rule 12.3).
            NotRecorded: There is no such run, or no step at a position that is to be reset.
            Unstorable: A text holds a lone surrogate.
        """
        with self._database.transaction("IMMEDIATE"):
            guard = self._guard_of(run_key, revision, has_ended=True)
            RunWriter(self._database, run_key, guard).reopen(reopening, joining)
            self._replace(run_key, joining)
        return revision + 1

    def remove(self, revisions: Mapping[str, int], *, finished_by: float) -> frozenset[str]:
        """Remove runs with all their records, in one transaction; return the removed keys.

        A run that has changed since it was chosen stays: it must have ended by `finished_by`, and
        have this revision (rule 9.10). What orchesjob knows about its jobs stays too.
        """
        import json  # few commands remove runs

        chosen = json.dumps(dict(revisions))
        with self._database.transaction("IMMEDIATE"):
            removed = self._database.query(sql.DELETE_RUNS, (chosen, finished_by))
        return frozenset(run_key for (run_key,) in removed)

    def give_back_space(self) -> bool:
        """Cut some unused pages off the file; False if there are none."""
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

        The request also covers all runs inside the run that have not ended (rule 5.8a). The first
        request is never replaced. A second one while steps of `finally` are running, or any with
        `now`, extends it to these steps, with its own grace time if it has one (rule 10.1). Until
        then, runs inside these steps continue.

        Nothing is recorded for a run that has ended: the answer is the request it ended with, or
        None. The run's revision stays the same, so its runner may continue to write.

        Raises:
            NotRecorded: There is no such run.
        """
        with self._database.transaction("IMMEDIATE"):
            guard = self._guard(run_key)
            if guard is None:
                raise NotRecorded(run_key)
            if not guard.status.is_terminal:
                now = now or (guard.cancel is not None and guard.finally_after is not None)
                request = CancelRequest(requested_at, grace_sec, requested_at if now else None)
                self._write_cancel(run_key, guard, request)
                guard = self._guard(run_key)
        return None if guard is None else guard.cancel

    def count_not_started(self, taken: GroupTaken, flow_id: str, at: float) -> None:
        """Count a start that was turned away: one row for each key and holder (rule 10.7).

        It decides nothing: where it cannot be written, it is left out.
        """
        row = NotStarted(taken.run_key, taken.by, flow_id, taken.group, at, at)
        for _ in range(TRIES_OF_A_COUNT):
            with suppress(StoreError), self._database.transaction("IMMEDIATE"):
                self._database.change(sql.UPSERT_NOT_STARTED, sql.TURNED_AWAY.values(row))
                return

    def forget_not_started(self, *, by: float, flow_id: str | None = None) -> None:
        """Remove the rows of starts that were turned away, if their latest was by this time."""
        with self._database.transaction("IMMEDIATE"):
            self._database.change(sql.DELETE_NOT_STARTED, (by, flow_id))

    def checkpoint(self) -> None:
        """Move the write-ahead log into the file and empty it, unless it is in use.

        The process that drives a run calls this from time to time, and when the run has ended. If
        the log is not moved, nothing is lost.
        """
        with suppress(StoreUnavailable):
            self._database.checkpoint()

    def _guard_of(self, run_key: str, revision: int, *, has_ended: bool) -> RunGuard:
        """Return the facts of a run that still has this revision, and has ended or has not.

        Raises:
            NotRecorded: There is no such run.
            RunTakenOver: It has another revision.
            TerminalStatus, NotTerminal: It has ended, or it has not.
        """
        guard = self._guard(run_key)
        if guard is None:
            raise NotRecorded(run_key)
        if guard.revision != revision:
            raise RunTakenOver(run_key, revision, guard.revision)
        if guard.status.is_terminal is not has_ended:
            raise NotTerminal(run_key) if has_ended else TerminalStatus(run_key)
        return guard

    def _replace(self, run_key: str, joining: Joining | None) -> None:
        """Ask all runs ahead of a run to end, if it joins its group to replace them (10.7)."""
        if joining is None or joining.replaces_at is None:
            return
        request = CancelRequest(joining.replaces_at, None, successor=run_key)
        holder, waiting = self.queue(run_key) or Queue(None, ())
        for key in filter(None, (holder, *waiting)):
            if (guard := self._guard(key)) is not None:
                self._write_cancel(key, guard, request)

    def _write_cancel(self, run_key: str, guard: RunGuard, request: CancelRequest) -> None:
        """Record a request for a run and the runs inside it, unless they have one (rule 5.8a).

        With a `now_at` it extends an earlier one to the steps of `finally`. Until then, runs that
        these have started continue (rule 10.1).
        """
        spares_inner = guard.finally_after is not None and request.now_at is None
        inner = () if spares_inner else self.unfinished_inside(run_key)
        asked = request.requested_at, request.grace_sec
        for key in (run_key, *inner):
            successor = request.successor if key == run_key else None
            self._database.change(sql.REQUEST_CANCEL, (*asked, bool(inner), successor, key))
            if request.now_at is not None:
                self._database.change(sql.REQUEST_CANCEL_NOW, (*asked, key))


class RunWriter:
    """Writes the rows of one run, in the transaction in which `guard` was read."""

    def __init__(self, database: Database, run_key: str, guard: RunGuard) -> None:
        """Keep the open database and the facts that guard the run."""
        self._database = database
        self._run_key = run_key
        self._guard = guard

    def apply(self, changes: Changes) -> None:
        """Write the changes and the next revision; the errors are those of `FlowStore.apply`."""
        guard, run_id = self._guard, self._guard.id
        if changes.header is not None:
            self._guard_beginning(changes)
            guard = guard._replace(finally_after=changes.header.finally_after)
        request = guard.forbids_starts
        if request is not None and any(map(would_start, changes.attempts.values())):
            raise CancelRequested(self._run_key, request)
        self._database.change(sql.NEXT_REVISION, (run_id,))
        for step in changes.steps.values():
            self._write_step(step)
        for attempt in changes.attempts.values():
            self._write_attempt(attempt)
        if changes.header is not None:
            self._database.change(sql.UPDATE_HEADER, (*sql.HEADER.values(changes.header), run_id))
            if changes.header.status.is_terminal:
                write_giving_up(self._database, run_id, None)

    def reopen(self, reopening: Reopening, joining: Joining | None) -> None:
        """Open the run again; the errors are those of `FlowStore.reopen`."""
        run_id = self._guard.id
        header = RunHeader(RunStatus.PENDING)
        group: tuple[str | None, int | None] = (None, None)
        if joining is not None:
            header = joining.begins or header
            group = join(self._database, self._run_key, joining)
        flow_dir = None if reopening.flow_dir is None else sql.path_bytes(reopening.flow_dir)
        params = None if not reopening.params else sql.stored_texts(reopening.params)
        replaced = (flow_dir, params, *group)
        self._database.change(sql.REOPEN_RUN, (*sql.HEADER.values(header), *replaced, run_id))
        self._database.change(sql.UPDATE_DEFINITION, (reopening.definition, run_id))
        for settlement in reopening.settled:
            self._write_settlement(settlement)
        ((retry_no,),) = self._database.query(sql.NEXT_RETRY_NO, (run_id,))
        for position, values in reopening.ran_with.items():
            self._database.change(sql.KEEP_STEP, (sql.stored_texts(values), run_id, position))
        for position, retries in reopening.resets.items():
            waiting = Step.waiting(position, "", retries, retry_no)  # the recorded name stays
            reset = sql.STEP_RESET.values(waiting)
            if self._database.change(sql.RESET_STEP, (*reset, run_id, position)) == 0:
                raise NotRecorded(self._run_key, f"#{position}")
        ((count,),) = self._database.query(sql.COUNT_ALL_STEPS, (run_id,))
        add_steps(self._database, run_id, reopening.added, start=count, retry_no=retry_no)

    def _guard_beginning(self, changes: Changes) -> None:
        """Refuse to begin a waiting run that is cancelled, or while another run is ahead of it."""
        guard, header = self._guard, changes.header
        if guard.group is None or not guard.is_waiting:
            return
        if header is None or header.status is not RunStatus.RUNNING:
            return
        if guard.cancel is not None:
            raise CancelRequested(self._run_key, guard.cancel)
        refuse_taken(self._database, self._run_key, guard.group, changes.passes)

    def _write_step(self, step: Step) -> None:
        key = (self._guard.id, step.position, step.step_id)
        if self._database.change(sql.UPDATE_STEP, (*sql.STEP_STATE.values(step), *key)) == 1:
            return
        if self._database.query(sql.SELECT_STEP, key):
            raise TerminalStatus(self._run_key, f"step {step.step_id!r}")
        raise NotRecorded(self._run_key, step.step_id)

    def _write_settlement(self, settlement: Settlement) -> None:
        run_id, position, retry_no = self._guard.id, settlement.position, settlement.retry_no
        found = (run_id, position, retry_no, settlement.was)
        if self._database.change(sql.SETTLE_STEP, (settlement.status, *found)) == 0:
            raise NotSettleable(self._run_key, position, settlement.was.value)
        self._database.change(sql.INSERT_SETTLEMENT, (run_id, *sql.SETTLEMENT.values(settlement)))

    def _write_attempt(self, attempt: Attempt) -> None:
        values = (self._guard.id, *sql.ATTEMPT.values(attempt))
        if self._database.change(sql.UPSERT_ATTEMPT, values) == 0:
            part = f"attempt {attempt.number} at step {attempt.position + 1}"
            raise TerminalStatus(self._run_key, part)


def write_giving_up(database: Database, run_id: int, given_up: GivenUp | None) -> None:
    """Write when and why a runner gave up on a run, or that none did."""
    values = (None, None) if given_up is None else sql.GIVEN_UP.values(given_up)
    database.change(sql.RECORD_GIVING_UP, (*values, run_id))


def add_steps(
    database: Database,
    run_id: int,
    steps: Sequence[tuple[str, int]],
    *,
    start: int = 0,
    retry_no: int = 0,
) -> None:
    """Write new steps, pairs of step id and retries, at the positions from `start` on."""
    records = (
        Step.waiting(position, *step, retry_no) for position, step in enumerate(steps, start)
    )
    database.change_each(
        sql.INSERT_STEP, ((run_id, *sql.NEW_STEP.values(step)) for step in records)
    )


def would_start(attempt: Attempt) -> bool:
    """Whether a start of the job may follow this record: the first one, or another try."""
    return attempt.status is AttemptStatus.STARTING and attempt.abort_reason is None
