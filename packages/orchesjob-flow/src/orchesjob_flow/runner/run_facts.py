"""What a run tells the words and the processes of its steps about itself (rules 10.2 and 10.6).

Nothing of this changes while the run is advanced, whoever advances it, and after a retry.
"""

from datetime import UTC, datetime

from flow_store import Run
from orchesjob_flow.home.runs import RunHandle


def built_in_names(flow_dir: str, handle: RunHandle) -> dict[str, str]:
    """Return the values of the names that every flow has, for its words."""
    return {
        "FLOW_DIR": flow_dir,
        "RUN_DIR": str(handle.directory),
        "RUN_KEY": handle.run_key,
    }


def built_in_variables(run: Run, handle: RunHandle) -> dict[str, str]:
    """Return the variables that every command of the run has."""
    began = datetime.fromtimestamp(run.started_at, UTC)
    return {
        "ORCHESJOB_FLOW_DIR": run.flow_dir,
        "ORCHESJOB_FLOW_RUN_DIR": str(handle.directory),
        "ORCHESJOB_FLOW_STARTED": began.isoformat(timespec="seconds"),
    }
