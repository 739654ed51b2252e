"""The rows of one run, while a transaction that changes them is open.

Here is guarded what may never be overwritten: who drives the run, what has ended, and that nothing
starts in a run that is to be cancelled.
"""

from flow_store import rows, statements
from flow_store.database import Database
from flow_store.errors import (
    CancelRequested,
    NotRecorded,
    NotTerminal,
    RunTakenOver,
    TerminalStatus,
)
from flow_store.records import (
    Attempt,
    AttemptStatus,
    CancelRequest,
    Changes,
    FlowStatus,
    Reopening,
    Step,
)


class RunRows:
    """The rows of a run that has the revision of whoever is about to change them."""

    def __init__(self, database: Database, run_key: str, revision: int) -> None:
        """Look the run up.

        Raises:
            NotRecorded: There is no such run.
            RunTakenOver: It has another revision.
        """
        run = database.query(statements.SELECT_GUARDS, (run_key,))
        if not run:
            raise NotRecorded(run_key)
        ((run_id, found, status, *cancel),) = run
        if found != revision:
            raise RunTakenOver(run_key, revision, found)
        self._database = database
        self._run_key = run_key
        self._run_id: int = run_id
        self._status = FlowStatus(status)
        self._request: CancelRequest | None = rows.cancel_request(*cancel)

    def apply(self, changes: Changes) -> None:
        """Write what one event changes, and the next revision.

        Raises:
            TerminalStatus: The run, a step or an attempt has ended already (rule 5.1).
            CancelRequested: An attempt would start although the run is to be cancelled (rule 5.6).
            NotRecorded: There is no such step at that position.
        """
        if self._status.is_terminal:
            raise TerminalStatus(self._run_key)
        if self._request is not None and any(map(would_start, changes.attempts.values())):
            raise CancelRequested(self._run_key, self._request)
        self._database.change(statements.NEXT_REVISION, (self._run_id,))
        for step in changes.steps.values():
            self._write_step(step)
        for attempt in changes.attempts.values():
            self._write_attempt(attempt)
        if changes.header is not None:
            header = rows.header_values(changes.header)
            self._database.change(statements.UPDATE_HEADER, (*header, self._run_id))

    def reopen(self, reopening: Reopening) -> None:
        """Let the run go on, and write its next revision.

        Raises:
            NotTerminal: It has not ended.
        """
        if not self._status.is_terminal:
            raise NotTerminal(self._run_key)
        self._database.change(statements.REOPEN_RUN, (reopening.definition, self._run_id))
        for position, retries in reopening.resets.items():
            self._database.change(statements.REOPEN_STEP, (retries, self._run_id, position))
        ((count,),) = self._database.query(statements.COUNT_ALL_STEPS, (self._run_id,))
        added = enumerate(reopening.added, start=count)
        self._database.change_each(
            statements.INSERT_STEP, ((self._run_id, position, *step) for position, step in added)
        )

    def _write_step(self, step: Step) -> None:
        key = (self._run_id, step.position, step.step_id)
        if self._database.change(statements.UPDATE_STEP, (*rows.step_values(step), *key)) == 1:
            return
        if self._database.query(statements.SELECT_STEP, key):
            raise TerminalStatus(self._run_key, f"step {step.step_id!r}")
        raise NotRecorded(self._run_key, step.step_id)

    def _write_attempt(self, attempt: Attempt) -> None:
        values = (self._run_id, *rows.attempt_values(attempt))
        if self._database.change(statements.UPSERT_ATTEMPT, values) == 0:
            part = f"attempt {attempt.number} at step {attempt.position + 1}"
            raise TerminalStatus(self._run_key, part)


def would_start(attempt: Attempt) -> bool:
    """Whether a start may follow from the record: a first one, or one that is tried again."""
    return attempt.status is AttemptStatus.STARTING and attempt.abort_reason is None
