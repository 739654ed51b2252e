"""`status`: a run as it is now (rule 6.4); `main` answers its plainest spelling.

`wait` first waits for the end of a run that another process advances, and writes nothing (rule
9.9). `list` prints the runs of a database, newest first, with the process that advances each (rule
9.5).
"""

import math
from functools import partial
from typing import Any

import click

from flow_store import FlowStore, RunStatus, StepStatus
from orchesjob_flow.cli.options import (
    CommandOnRun,
    Count,
    Duration,
    flow_id_option,
    format_option,
    limited,
    run_key_option,
    tell_unknown_flow,
)
from orchesjob_flow.home import (
    Listed,
    Observer,
    RunHandle,
    Settings,
    Snapshot,
    find_runs,
    read_store,
)
from orchesjob_flow.reasons import describe_given_up, not_started_text
from orchesjob_flow.views.results import header_json, run_exit_code, runner_json, show_run
from orchesjob_flow.views.terminal import (
    OutputFormat,
    as_json,
    print_json,
    print_lines,
    stdout,
    visible,
    warn,
)

AROUND = 4
"""The lines of a screen that are not for runs: two above them, the last one, and the prompt."""


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


@click.command()
@click.option(
    "--status",
    "statuses",
    type=click.Choice([status.value for status in RunStatus], case_sensitive=False),
    multiple=True,
    help="Only runs with this status; repeatable.",
)
@flow_id_option
@click.option(
    "--limit",
    type=Count(1),
    metavar="N",
    default=30,
    show_default=True,
    help="Show at most N runs, or all.",
)
@format_option
@click.pass_obj
def list(  # noqa: A001 - named as the command
    settings: Settings,
    statuses: tuple[str, ...],
    flow_id: str | None,
    limit: int | str,
    output_format: OutputFormat,
) -> None:
    """List the runs, newest first.

    \b
    Example:
      orchesjob-flow list --status FAILED --limit 10
    """  # noqa: D301 - click reads \b
    wanted = [RunStatus(status) for status in statuses]
    listed = find_runs(settings, statuses=wanted, flow_id=flow_id, limit=limited(limit))
    ask = partial(FlowStore.not_started, flow_id=flow_id, limit=limited(limit))
    not_started = () if statuses else read_store(settings, ask) or ()
    if not listed and not not_started:
        tell_unknown_flow(settings, flow_id)
    if output_format is OutputFormat.TEXT:
        from orchesjob_flow.views.table import print_runs

        room, source = len(listed), click.get_current_context().get_parameter_source("limit")
        if stdout().stream.isatty() and source is click.core.ParameterSource.DEFAULT:
            room = max(1, stdout().size().lines - AROUND)
        print_runs(listed[:room])
        if more := len(listed[room:]):
            print_lines([f"... and {more} more: --limit {limit} shows them too"])
        print_lines(visible(not_started_text(f"{one.run_key} was", one)) for one in not_started)
    else:
        runs = [_listed_json(one) for one in listed]
        who = ("run_key", "flow_id", "held_by", "group=group_name")
        rows = [as_json(one, *who, "first_at", "last_at", "count=times") for one in not_started]
        print_json({"runs": runs, "not_started": rows})


def _listed_json(listed: Listed) -> dict[str, Any]:
    run = listed.run
    return {
        **header_json(run),
        "steps": {
            "total": run.total,
            "done": run.done,
            "running": run.steps.get(StepStatus.RUNNING, 0),
            "failed": run.steps.get(StepStatus.FAILED, 0),
            "allowed": run.allowed,
        },
        "runner": runner_json(listed),
    }
