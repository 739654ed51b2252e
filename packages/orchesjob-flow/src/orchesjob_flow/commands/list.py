"""`list`: the runs of a database, newest first, with the process that advances each (rule 9.5)."""

from collections.abc import Sequence
from typing import Any

from flow_store import FlowStatus, StepStatus
from orchesjob_flow.exit_codes import DONE
from orchesjob_flow.home.runs import Listed, find_runs
from orchesjob_flow.home.settings import Settings
from orchesjob_flow.views.run_json import header_json, print_json, runner_json
from orchesjob_flow.views.streams import Form


def list_runs(
    settings: Settings, statuses: Sequence[str], flow_id: str | None, limit: int, form: Form
) -> int:
    """Print no more than `limit` runs."""
    wanted = [FlowStatus(status) for status in statuses]
    listed = find_runs(settings, statuses=wanted, flow_id=flow_id, limit=limit)
    if form is Form.TEXT:
        from orchesjob_flow.views.table_fitting import print_runs

        print_runs(listed)
    else:
        print_json({"runs": [listed_json(one) for one in listed]})
    return DONE


def listed_json(listed: Listed) -> dict[str, Any]:
    """Describe a run in a list; `status` tells more."""
    run, runner = listed
    return {
        **header_json(run),
        "steps": {
            "total": run.total,
            "done": run.done,
            "running": run.steps.get(StepStatus.RUNNING, 0),
            "failed": run.steps.get(StepStatus.FAILED, 0),
        },
        "runner": runner_json(runner),
    }
