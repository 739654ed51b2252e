"""`status`: a run as it is now (rule 6.4); `fast_status` answers its plainest spelling."""

from orchesjob_flow import exit_codes
from orchesjob_flow.home.runs import RunHandle


def status(handle: RunHandle, output: str, *, by_outcome: bool) -> int:
    """Print a run as `json` or as a `table`; with `by_outcome`, return how it ended."""
    snapshot = handle.snapshot()
    if output == "json":
        from orchesjob_flow.views.run_json import print_run

        print_run(*snapshot)
    else:
        from orchesjob_flow.views.table import print_table

        print_table(snapshot)
    return exit_codes.of_run(snapshot.run) if by_outcome else exit_codes.DONE
