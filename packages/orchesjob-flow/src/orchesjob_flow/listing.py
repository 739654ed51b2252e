"""`list`: the runs of a database, newest first, with the process that advances each (rule 9.5)."""

from collections.abc import Collection
from typing import Any, NamedTuple

from flow_store import FlowStatus, FlowStore, RunSummary, StepStatus, StoreMissing
from orchesjob_flow.locks import holder
from orchesjob_flow.report import header_json, runner_json
from orchesjob_flow.settings import Settings


class Listed(NamedTuple):
    """A run in the list, and the process that advances it: None if there is none, 0 if unknown."""

    run: RunSummary
    runner_pid: int | None


def list_runs(
    settings: Settings,
    *,
    statuses: Collection[FlowStatus] = (),
    flow_id: str | None = None,
    limit: int | None = None,
) -> list[Listed]:
    """Read the runs; write nothing. Where there is no database there are none."""
    try:
        with FlowStore.open_readonly(settings.home.database) as store:
            runs = store.runs(statuses=statuses, flow_id=flow_id, limit=limit)
    except StoreMissing:
        return []
    return [
        Listed(
            run,
            None if run.status.is_terminal else holder(settings.home.run_lock(run.run_key)),
        )
        for run in runs
    ]


def listed_json(listed: Listed) -> dict[str, Any]:
    """Describe a run in a list; `status` tells more."""
    run, runner_pid = listed
    return {
        **header_json(run),
        "steps": {
            "total": run.total,
            "done": run.done,
            "running": run.steps.get(StepStatus.RUNNING, 0),
            "failed": run.steps.get(StepStatus.FAILED, 0),
        },
        "runner": runner_json(runner_pid),
    }
