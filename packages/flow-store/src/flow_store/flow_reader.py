"""`FlowReader`: reading what all runs of a flow, or of each flow, come to.

Reading single runs is in `run_reader`.
"""

from collections.abc import Mapping

from flow_store import sql
from flow_store.columns import ENDED
from flow_store.records import Attempt, EndedRun, EndMark, Run, RunSummary
from flow_store.run_reader import RunReader
from flow_store.statuses import FlowStatus


class FlowReader(RunReader):
    """Reads the runs of an open database, one by one and all of a flow."""

    def flow_ids(self) -> tuple[str, ...]:
        """Return the ids of all flows that have runs, in the order of their texts."""
        return tuple(flow_id for (flow_id,) in self._database.query(sql.SELECT_FLOW_IDS))

    def newest_runs(self) -> tuple[RunSummary, ...]:
        """Return of each flow the run that was recorded last, the latest of them first."""
        return self._summaries(sql.IS_NEWEST, ())

    def unfinished(self) -> Mapping[str, Mapping[FlowStatus, int]]:
        """Count the runs that have not ended, by flow and status."""
        counts: dict[str, dict[FlowStatus, int]] = {}
        found = self._database.query(sql.COUNT_UNFINISHED)
        with self._readable():
            for flow_id, status, count in found:
                counts.setdefault(flow_id, {})[FlowStatus(status)] = count
        return counts

    def ended_runs(
        self, *, finished_by: float, keep: int = 0, flow_id: str | None = None
    ) -> tuple[EndedRun, ...]:
        """Return the runs that had ended by this time, the newest first (rule 9.10).

        The newest `keep` of each flow are left out. If given, `flow_id` selects the runs.
        """
        found = self._database.query(sql.SELECT_ENDED, (flow_id, flow_id, finished_by, keep))
        with self._readable():
            return tuple(map(ENDED.record, found))

    def end_marks(self) -> frozenset[EndMark]:
        """Return the marks of all runs that have ended, without reading the runs."""
        return frozenset(map(EndMark._make, self._database.query(sql.SELECT_END_MARKS)))

    def load_ended(self, run_id: int) -> tuple[EndMark, Run, tuple[Attempt, ...]] | None:
        """Return a run that has ended, by the number in its mark, with all its attempts.

        Its mark is that of what was read. None if it was removed or opened again meanwhile.
        """
        with self._database.transaction("DEFERRED"):
            found = self._database.query(sql.SELECT_RUN_NUMBERED, (run_id,))
            run = self._run_of(found[0]) if found else None
            if run is None or not run.status.is_terminal:
                return None
            attempts = self.attempts(run.run_key)
        return EndMark(run_id, run.revision, run.finished_at), run, attempts
