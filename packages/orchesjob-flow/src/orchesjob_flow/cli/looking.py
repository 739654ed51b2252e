"""The commands that show runs: `status`, `watch`, `wait`, `logs`, `explain` and `list`."""

import sys

import click

from orchesjob_flow.cli.completing import complete_step
from orchesjob_flow.cli.options import (
    Seconds,
    format_option,
    outcome,
    run_key_option,
    table_on_terminal_option,
)
from orchesjob_flow.exit_codes import DONE
from orchesjob_flow.settings import Settings

STATUSES = ("PENDING", "RUNNING", "SUCCEEDED", "FAILED", "CANCELLED")


@click.command()
@run_key_option
@format_option
@click.option(
    "--exit-status",
    "by_outcome",
    is_flag=True,
    help="Exit with 0 if the run SUCCEEDED, 1 if it ended otherwise, 8 if it has not ended.",
)
@click.pass_obj
def status(settings: Settings, run_key: str, output: str, by_outcome: bool) -> int:
    """Print how a run stands.

    \b
    Example:
      orchesjob-flow status --run-key nightly-2026-05-07 --format table
    """  # noqa: D301 - click reads \b
    from orchesjob_flow.reading import read

    run, runner_pid = read(run_key, settings)
    if output == "json":
        from orchesjob_flow.report import print_json, run_json

        print_json(run_json(run, runner_pid))
    else:
        from orchesjob_flow.table import print_table

        print_table(run, runner_pid)
    return outcome(run) if by_outcome else DONE


@click.command()
@run_key_option
@click.option(
    "--interval",
    type=Seconds(zero=False),
    default=2.0,
    show_default=True,
    help="Seconds between two looks.",
)
@click.option(
    "--mode",
    type=click.Choice(["screen", "append"]),
    help="Redraw in place (the default on a terminal), or print one table below the other.",
)
@click.option("--advance", is_flag=True, help="Advance the run too, where no other process does.")
@click.pass_obj
def watch(
    settings: Settings, run_key: str, interval: float, mode: str | None, advance: bool
) -> int:
    """Show a run until it ends.

    \b
    Example:
      orchesjob-flow watch --run-key nightly-2026-05-07
    """  # noqa: D301 - click reads \b
    from orchesjob_flow import terminal
    from orchesjob_flow.watch import watch, watch_and_advance

    screen = terminal.stdout().can_draw if mode is None else mode == "screen"
    look = watch_and_advance if advance else watch
    return outcome(look(run_key, settings, interval_sec=interval, screen=screen))


@click.command()
@run_key_option
@click.option("--timeout", type=Seconds(zero=True), help="Give up after so long, with exit code 8.")
@click.pass_obj
def wait(settings: Settings, run_key: str, timeout: float | None) -> int:
    """Wait until a run has ended, and print it.

    The exit code is 0 if it SUCCEEDED, 1 if it ended otherwise, 8 if the time is over.

    \b
    Example:
      orchesjob-flow wait --run-key nightly-2026-05-07 --timeout 3600
    """  # noqa: D301 - click reads \b
    from orchesjob_flow.report import print_json, run_json
    from orchesjob_flow.waiting import wait

    run, runner_pid = wait(run_key, settings, timeout)
    print_json(run_json(run, runner_pid))
    return outcome(run)


@click.command("list")
@click.option(
    "--status",
    "statuses",
    type=click.Choice(STATUSES, case_sensitive=False),
    multiple=True,
    help="Only runs of this status; may be repeated.",
)
@click.option("--flow-id", metavar="ID", help="Only runs of this flow.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    default=30,
    show_default=True,
    help="No more than so many runs.",
)
@table_on_terminal_option
@click.pass_obj
def list_command(
    settings: Settings,
    statuses: tuple[str, ...],
    flow_id: str | None,
    limit: int,
    output: str | None,
) -> int:
    """List the runs, newest first.

    \b
    Example:
      orchesjob-flow list --status FAILED --limit 10
    """  # noqa: D301 - click reads \b
    from flow_store import FlowStatus
    from orchesjob_flow import terminal
    from orchesjob_flow.listing import list_runs, listed_json
    from orchesjob_flow.output import write_result
    from orchesjob_flow.report import print_json
    from orchesjob_flow.table import runs_text

    wanted = [FlowStatus(status) for status in statuses]
    listed = list_runs(settings, statuses=wanted, flow_id=flow_id, limit=limit)
    if output == "table" or (output is None and sys.stdout.isatty()):
        write_result(runs_text(listed, colour=terminal.stdout().colour))
    else:
        print_json({"runs": [listed_json(one) for one in listed]})
    return DONE


@click.command(short_help="Say why the steps of a run wait, run or were skipped.")
@run_key_option
@click.argument("step", metavar="[STEP]", required=False, shell_complete=complete_step)
@table_on_terminal_option
@click.pass_obj
def explain(settings: Settings, run_key: str, step: str | None, output: str | None) -> int:
    """Say why each step of a run, or one, waits, runs, or was skipped.

    \b
    Example:
      orchesjob-flow explain --run-key nightly-2026-05-07 load
    """  # noqa: D301 - click reads \b
    from orchesjob_flow.explaining import explain, explained_json, explained_text
    from orchesjob_flow.output import write_result
    from orchesjob_flow.reading import read
    from orchesjob_flow.report import print_json, runner_json

    run, runner_pid = read(run_key, settings)
    explained = explain(run, step)
    if output == "table" or (output is None and sys.stdout.isatty()):
        advanced = runner_pid is not None or run.status.is_terminal
        write_result(explained_text(explained, advanced=advanced))
    else:
        print_json(
            {
                "run_key": run.run_key,
                "flow_id": run.flow_id,
                "status": run.status.value,
                "runner": runner_json(runner_pid),
                "steps": [explained_json(one) for one in explained],
            }
        )
    return DONE


@click.command()
@run_key_option
@click.argument("step", metavar="[STEP]", required=False, shell_complete=complete_step)
@click.option("--attempt", type=click.IntRange(min=1), metavar="N", help="[default: the latest]")
@click.option(
    "--stream",
    type=click.Choice(["stdout", "stderr", "both"]),
    default="both",
    show_default=True,
    help="What to show.",
)
@click.option(
    "--tail", type=click.IntRange(min=0), metavar="N", help="Only the last N lines of each file."
)
@click.option("-f", "--follow", is_flag=True, help="Go on until the run has ended.")
@click.pass_obj
def logs(  # noqa: PLR0913, PLR0917 - its options
    settings: Settings,
    run_key: str,
    step: str | None,
    attempt: int | None,
    stream: str,
    tail: int | None,
    follow: bool,
) -> int:
    """Show what the steps of a run, or one of them, have printed.

    \b
    Example:
      orchesjob-flow logs --run-key nightly-2026-05-07 --tail 20 --follow
      orchesjob-flow logs --run-key nightly-2026-05-07 load --stream stderr
    """  # noqa: D301 - click reads \b
    from orchesjob_flow.logs import Choice, show_logs

    streams = ("stdout", "stderr") if stream == "both" else (stream,)
    choice = Choice(step, attempt, streams, tail)
    show_logs(run_key, choice, settings, follow=follow, terminal=sys.stdout.isatty())
    return DONE
