"""Showing a run that this process, or one in the background, brings to its end.

`start` imports this before its fork server begins. So a function imports what only it needs.
"""

from collections.abc import Callable

from flow_store import Run
from orchesjob_flow import exit_codes
from orchesjob_flow.errors import Skipped
from orchesjob_flow.home.runs import RunHandle, Snapshot
from orchesjob_flow.views import terminal
from orchesjob_flow.views.results import background_text, print_run, run_json, show_next_steps
from orchesjob_flow.views.terminal import OutputFormat, print_json, visible, write_result


def show_foreground(
    handle: RunHandle,
    output_format: OutputFormat,
    progress: str,
    advance: Callable[[], Run],
    *,
    follow: bool = False,
) -> int:
    """Let `advance` bring a run to its end with its progress on stderr, and print the run.

    A person sees the table once, then what the failed steps printed, then what to do next (rule
    6.11).
    """
    from orchesjob_flow.views.progress import show_outcome, with_progress

    shown = with_progress(progress, handle, advance, follow=follow)
    snapshot = Snapshot(shown.run, None)
    if output_format is OutputFormat.JSON:
        show_outcome(handle, shown)
        print_run(shown.run)
        return exit_codes.of_run(shown.run)
    from orchesjob_flow.views.table import print_table

    if not (shown.was_drawn and terminal.is_one_terminal()):
        print_table(snapshot)
        shown = shown._replace(was_shown=True)
    show_outcome(handle, shown)
    show_next_steps(handle, snapshot)
    return exit_codes.of_run(shown.run)


def show_background(handle: RunHandle, snapshot: Snapshot, output_format: OutputFormat) -> int:
    """Print a run that a background process advances, and where that process logs."""
    stdout_log, stderr_log = (str(handle.log(stream)) for stream in ("stdout", "stderr"))
    if output_format is OutputFormat.TEXT:
        write_result(background_text(snapshot, [stdout_log, stderr_log]))
        show_next_steps(handle, snapshot)
        return exit_codes.DONE
    print_json(
        {
            **run_json(*snapshot),
            "detached": True,
            "pid": None if snapshot.runner is None else snapshot.runner.pid,
            "stdout_log": stdout_log,
            "stderr_log": stderr_log,
        }
    )
    return exit_codes.DONE


def show_skipped(skipped: Skipped, output_format: OutputFormat) -> int:
    """Print that no run was recorded, and why; the flow says that this is not an error."""
    if output_format is OutputFormat.JSON:
        print_json({"skipped": True, "held_by": skipped.held_by})
    else:
        write_result(f"skipped: run {visible(skipped.held_by)} of the same group is running\n")
    return exit_codes.DONE
