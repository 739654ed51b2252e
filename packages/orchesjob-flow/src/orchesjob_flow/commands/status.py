"""`status`: a run as it is now (rule 6.4); `main` answers its plainest spelling.

`wait` first waits for the end of a run that another process advances, and writes nothing (rule
9.9).
"""

import math

import click

from orchesjob_flow.cli.options import CommandOnRun, Duration, format_option, run_key_option
from orchesjob_flow.home import Observer, RunHandle, Snapshot
from orchesjob_flow.reasons import describe_given_up
from orchesjob_flow.views.results import run_exit_code, show_run
from orchesjob_flow.views.terminal import OutputFormat, warn


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


@click.command(cls=CommandOnRun)
@run_key_option
@click.option(
    "--timeout", type=Duration(zero=True), help="Give up after this long, with exit code 8."
)
@format_option
def wait(handle: RunHandle, timeout: float | None, output_format: OutputFormat) -> int:
    """Wait until a run has ended, and print it.

    The exit code is 0 if it SUCCEEDED, 1 if it ended otherwise, 8 if it has not ended in time.

    \b
    Example:
      orchesjob-flow wait nightly-2026-05-07 --timeout 3600
    """  # noqa: D301 - click reads \b
    reported: set[object] = set()

    def report_giving_up(snapshot: Snapshot) -> None:
        described = describe_given_up(snapshot)
        if described is not None and snapshot.run.gave_up not in reported:
            warn(described)
            reported.add(snapshot.run.gave_up)

    with Observer(handle) as observer:
        run, runner = observer.snapshot()
        # Somebody may resume it later, so it is waited for as well.
        if runner is None and not run.status.is_terminal and run.gave_up is None:
            warn(
                f"no process advances run {run.run_key!r} at present; "
                "`resume` or `start` continues it"
            )
        observer.await_end(math.inf if timeout is None else timeout, report_giving_up)
        snapshot = observer.snapshot()
    show_run(handle, snapshot, output_format)
    return run_exit_code(snapshot.run)
