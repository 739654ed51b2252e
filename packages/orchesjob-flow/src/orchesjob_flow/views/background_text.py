"""What `start -d` and its like say to a person: what was started, by which process, its logs."""

from collections.abc import Sequence

from orchesjob_flow.home.runs import Snapshot
from orchesjob_flow.views.text import visible
from orchesjob_flow.views.wrapping import fitted


def background_text(snapshot: Snapshot, logs: Sequence[str]) -> str:
    """Say who advances a run, and where that process logs; or that the run has ended already."""
    run, runner = snapshot
    words = f"Run {visible(run.run_key)} of flow {visible(run.flow_id)}"
    if runner is None:
        ended = "has ended" if run.status.is_terminal else "has no runner"
        return f"{words} {ended}: {run.status.value}\n"
    pid = "another process" if runner.pid is None else f"process {runner.pid}"
    begun = f"{words} is {run.status.value}; {pid} advances it in the background."
    paths = [f"  its log: {visible(log)}" for log in logs]  # which stay whole, to be copied
    return "".join(f"{line}\n" for line in (*fitted([begun], indent="  "), *paths))
