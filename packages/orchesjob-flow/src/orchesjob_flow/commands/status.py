"""`status`: a run as it is now (rule 6.4); `fast_status` answers its plainest spelling."""

from orchesjob_flow import exit_codes
from orchesjob_flow.home.runs import RunHandle
from orchesjob_flow.views.results import show_run
from orchesjob_flow.views.streams import Form


def status(handle: RunHandle, form: Form, *, by_outcome: bool) -> int:
    """Print a run; with `by_outcome`, return how it ended."""
    snapshot = handle.snapshot()
    show_run(handle, snapshot, form)
    return exit_codes.of_run(snapshot.run) if by_outcome else exit_codes.DONE
