"""`status`: a run as it is now (rule 6.4); `main` answers its plainest spelling."""

import click

from orchesjob_flow.cli.options import CommandOnRun, format_option, run_key_option
from orchesjob_flow.home import RunHandle
from orchesjob_flow.views.results import run_exit_code, show_run
from orchesjob_flow.views.terminal import OutputFormat


@click.command(cls=CommandOnRun)
@run_key_option
@format_option
@click.option(
    "--exit-status",
    "by_outcome",
    is_flag=True,
    help="Exit with 0 if the run SUCCEEDED, 1 if it ended otherwise, 8 if it has not ended.",
)
def status(handle: RunHandle, output_format: OutputFormat, by_outcome: bool) -> int | None:
    """Print the status of a run and of its steps.

    \b
    Example:
      orchesjob-flow status nightly-2026-05-07
    """  # noqa: D301 - click reads \b
    snapshot = handle.snapshot()
    show_run(handle, snapshot, output_format)
    return run_exit_code(snapshot.run) if by_outcome else None
