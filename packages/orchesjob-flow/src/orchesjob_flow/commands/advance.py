"""What `start`, `resume` and `retry` share: showing a run that is advanced here or elsewhere."""

from collections.abc import Callable

from flow_store import Run
from orchesjob_flow import exit_codes
from orchesjob_flow.home.runs import RunHandle, Snapshot
from orchesjob_flow.views.run_json import print_json, print_run, run_json


def show_foreground(handle: RunHandle, progress: str, advance: Callable[[], Run]) -> int:
    """Let `advance` bring a run to its end with its progress on stderr, and print the run."""
    from orchesjob_flow.views.progress import with_progress

    run = with_progress(progress, handle, advance)
    print_run(run)
    return exit_codes.of_run(run)


def show_background(handle: RunHandle, snapshot: Snapshot) -> int:
    """Print a run that a background process advances, and where that process logs."""
    print_json(
        {
            **run_json(*snapshot),
            "detached": True,
            "pid": None if snapshot.runner is None else snapshot.runner.pid,
            "stdout_log": str(handle.log("stdout")),
            "stderr_log": str(handle.log("stderr")),
        }
    )
    return exit_codes.DONE
