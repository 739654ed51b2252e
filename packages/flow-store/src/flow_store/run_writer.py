"""Writing the rows of one run, in a transaction that is open.

The guards are here: only the process that knows the run's revision changes it, what has ended is
never overwritten, and nothing starts in a run that is to be cancelled. The transaction belongs to
`store`.
"""

from collections.abc import Sequence

from flow_store import sql
from flow_store.changes import Changes, Joining, Reopening, RunHeader
from flow_store.columns import (
    ATTEMPT,
    GIVEN_UP,
    GUARD,
    HEADER,
    NEW_STEP,
    SETTLEMENT,
    STEP_RESET,
    STEP_STATE,
    path_bytes,
    stored_texts,
)
from flow_store.database import Database
from flow_store.errors import (
    CancelRequested,
    NotRecorded,
    NotSettleable,
    NotTerminal,
    RunTakenOver,
    TerminalStatus,
)
from flow_store.groups import join, refuse_taken
from flow_store.records import Attempt, GivenUp, Settlement, Step
from flow_store.statuses import AttemptStatus, FlowStatus


class RunWriter:
    """Writes to a run that has the revision its caller knows."""

    def __init__(self, database: Database, run_key: str, revision: int) -> None:
        """Look the run up.

        Raises:
            NotRecorded: There is no such run.
            RunTakenOver: It has another revision.
        """
        found = database.query(sql.SELECT_GUARD, (run_key,))
        if not found:
            raise NotRecorded(run_key)
        guard = GUARD.record(found[0])
        if guard.revision != revision:
            raise RunTakenOver(run_key, revision, guard.revision)
        self._database = database
        self._run_key = run_key
        self._guard = guard

    def apply(self, changes: Changes) -> None:
        """Write what one event changes, and the next revision.

        Raises:
            TerminalStatus: The run, a step or an attempt has ended already (rule 5.1).
            CancelRequested: An attempt would start although the run is to be cancelled (rule 5.6),
                and is none of `finally`, or these are to be ended too (rule 10.1); or it would
                begin after it has waited for its group (rule 10.7).
            GroupTaken: It would begin while another one of its group is before it (rule 10.7).
            NotRecorded: There is no such step at that position.
        """
        guard, run_id = self._guard, self._guard.id
        if guard.status.is_terminal:
            raise TerminalStatus(self._run_key)
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
            self._database.change(sql.UPDATE_HEADER, (*HEADER.values(changes.header), run_id))
            if changes.header.status.is_terminal:
                self._write_giving_up(None)

    def record_giving_up(self, given_up: GivenUp | None) -> None:
        """Write when and why the runner gave up; None takes the place of what is recorded.

        Raises:
            TerminalStatus: The run has ended.
        """
        if self._guard.status.is_terminal:
            raise TerminalStatus(self._run_key)
        self._write_giving_up(given_up)

    def reopen(self, reopening: Reopening, joining: Joining | None) -> None:
        """Open the run again, and write its next revision.

        Raises:
            NotTerminal: It has not ended.
            NotSettleable: A step that is to be settled is not as its settlement says.
            GroupTaken, InsideItsGroup: It cannot join its group (rule 10.7).
        """
        run_id = self._guard.id
        if not self._guard.status.is_terminal:
            raise NotTerminal(self._run_key)
        header = RunHeader(FlowStatus.PENDING)
        group: tuple[str | None, int | None] = (None, None)
        if joining is not None:
            header = joining.begins or header
            group = join(self._database, self._run_key, joining)
        flow_dir = None if reopening.flow_dir is None else path_bytes(reopening.flow_dir)
        params = None if not reopening.params else stored_texts(reopening.params)
        replaced = (flow_dir, params, *group)
        self._database.change(sql.REOPEN_RUN, (*HEADER.values(header), *replaced, run_id))
        self._database.change(sql.UPDATE_DEFINITION, (reopening.definition, run_id))
        for settlement in reopening.settled:
            self._write_settlement(settlement)
        ((retry_no,),) = self._database.query(sql.NEXT_RETRY_NO, (run_id,))
        for position, retries in reopening.resets.items():
            reset = STEP_RESET.values(Step.waiting(position, "", retries, retry_no))  # no new name
            self._database.change(sql.RESET_STEP, (*reset, run_id, position))
        ((count,),) = self._database.query(sql.COUNT_ALL_STEPS, (run_id,))
        add_steps(self._database, run_id, reopening.added, start=count, retry_no=retry_no)

    def _guard_beginning(self, changes: Changes) -> None:
        """Let a run that waits begin only if nobody is before it, and not once it is cancelled."""
        guard, header = self._guard, changes.header
        if guard.group is None or not guard.is_waiting:
            return
        if header is None or header.status is not FlowStatus.RUNNING:
            return
        if guard.cancel is not None:
            raise CancelRequested(self._run_key, guard.cancel)
        refuse_taken(self._database, self._run_key, guard.group, changes.passes)

    def _write_giving_up(self, given_up: GivenUp | None) -> None:
        values = (None, None) if given_up is None else GIVEN_UP.values(given_up)
        self._database.change(sql.RECORD_GIVING_UP, (*values, self._guard.id))

    def _write_step(self, step: Step) -> None:
        key = (self._guard.id, step.position, step.step_id)
        if self._database.change(sql.UPDATE_STEP, (*STEP_STATE.values(step), *key)) == 1:
            return
        if self._database.query(sql.SELECT_STEP, key):
            raise TerminalStatus(self._run_key, f"step {step.step_id!r}")
        raise NotRecorded(self._run_key, step.step_id)

    def _write_settlement(self, settlement: Settlement) -> None:
        run_id, position, retry_no = self._guard.id, settlement.position, settlement.retry_no
        found = (run_id, position, retry_no, settlement.was)
        if self._database.change(sql.SETTLE_STEP, (settlement.status, *found)) == 0:
            raise NotSettleable(self._run_key, position, settlement.was.value)
        self._database.change(sql.INSERT_SETTLEMENT, (run_id, *SETTLEMENT.values(settlement)))

    def _write_attempt(self, attempt: Attempt) -> None:
        values = (self._guard.id, *ATTEMPT.values(attempt))
        if self._database.change(sql.UPSERT_ATTEMPT, values) == 0:
            part = f"attempt {attempt.number} at step {attempt.position + 1}"
            raise TerminalStatus(self._run_key, part)


def add_steps(
    database: Database,
    run_id: int,
    steps: Sequence[tuple[str, int]],
    *,
    start: int = 0,
    retry_no: int | None = None,
) -> None:
    """Write new steps, pairs of step id and retries, at the positions from `start` on."""
    records = (
        Step.waiting(position, *step, retry_no) for position, step in enumerate(steps, start)
    )
    database.change_each(sql.INSERT_STEP, ((run_id, *NEW_STEP.values(step)) for step in records))


def would_start(attempt: Attempt) -> bool:
    """Whether a start may follow this record: the first, or one that is tried again."""
    return attempt.status is AttemptStatus.STARTING and attempt.abort_reason is None
