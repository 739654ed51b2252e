"""The section "Run": `start`, `run` and `cancel`; with them the hidden `tick` and `drive`."""

from functools import partial
from typing import TYPE_CHECKING

import click

from orchesjob_flow.cli.completion import settings_of
from orchesjob_flow.cli.options import (
    FLOW_FILE,
    detach_option,
    env_option,
    format_option,
    jobs_option,
    manner_of,
    param_option,
    progress_option,
    report_option,
)
from orchesjob_flow.cli.run_key import CommandOnRun, CommandThatNames, name_run, run_key_option
from orchesjob_flow.cli.values import Seconds

if TYPE_CHECKING:
    from orchesjob_flow.home.runs import RunHandle
    from orchesjob_flow.views.streams import Form


def reports_of(reports: tuple[tuple[str, str], ...], detach: bool) -> tuple[tuple[str, str], ...]:
    """Return the reports that are to be written when a run has ended.

    Raises:
        UsageError: Nobody would be there to write them.
    """
    if reports and detach:
        raise click.UsageError(
            "a background process writes no report; `report` does, once the run has ended"
        )
    return reports


@click.command(cls=CommandThatNames)
@run_key_option
@param_option
@env_option
@jobs_option
@detach_option
@report_option
@progress_option
@format_option
@click.argument("flow_file", metavar="FLOW_FILE", type=FLOW_FILE)
def start(  # noqa: PLR0913, PLR0917 - its options
    handle: "RunHandle",
    params: dict[str, str],
    variables: tuple[tuple[str, str], ...],
    jobs: str,
    detach: bool,
    reports: tuple[tuple[str, str], ...],
    progress: str,
    form: "Form",
    flow_file: str,
) -> int:
    """Start a run of FLOW_FILE, or continue it.

    Repeating the command is safe: a run that has ended is only reported, one that is under way is
    waited for, and one whose runner died is resumed where it stopped.

    \b
    Example:
      orchesjob-flow start nightly-2026-05-07 -d nightly.yaml
    """  # noqa: D301 - click reads \b
    from orchesjob_flow.commands.given import Given
    from orchesjob_flow.commands.start import StartOptions, start

    given = Given(dict(variables), params)
    manner = manner_of(form, progress, detach=detach)
    options = StartOptions(manner, own_jobs=jobs == "own", reports=reports_of(reports, detach))
    return start(handle, flow_file, given, options)


@click.command(short_help="Run FLOW_FILE once, under a key made for that.")
@param_option
@env_option
@jobs_option
@detach_option
@report_option
@progress_option
@format_option
@click.argument("flow_file", metavar="FLOW_FILE", type=FLOW_FILE)
@click.pass_context
def run(  # noqa: PLR0913, PLR0917 - its options
    ctx: click.Context,
    params: dict[str, str],
    variables: tuple[tuple[str, str], ...],
    jobs: str,
    detach: bool,
    reports: tuple[tuple[str, str], ...],
    progress: str,
    form: "Form",
    flow_file: str,
) -> int:
    """Start a run of FLOW_FILE under a fresh key: the flow's id, the time, and a random mark.

    The key is shown first. Each call is another run: what may be repeated is `start`.

    \b
    Example:
      orchesjob-flow run nightly.yaml
    """  # noqa: D301 - click reads \b
    from orchesjob_flow.commands.given import Given
    from orchesjob_flow.commands.run import run
    from orchesjob_flow.commands.start import StartOptions

    given = Given(dict(variables), params)
    manner = manner_of(form, progress, detach=detach)
    options = StartOptions(manner, own_jobs=jobs == "own", reports=reports_of(reports, detach))
    return run(settings_of(ctx), flow_file, given, options, partial(name_run, ctx))


@click.command(short_help="Cancel a run, and return when nothing of it is left.", cls=CommandOnRun)
@run_key_option
@click.option(
    "--grace-seconds",
    type=Seconds(zero=True),
    metavar="SECONDS",
    help="How long a step may clean up before it is killed (orchesjob's default: 5).",
)
@click.option("--now", is_flag=True, help="End the steps of `finally` too, or let none begin.")
@format_option
def cancel(handle: "RunHandle", grace_seconds: float | None, now: bool, form: "Form") -> int:
    """Cancel a run: start nothing more, end what runs, and return when nothing is left.

    The steps of `finally` run, and are waited for; a second `cancel` meanwhile ends these too.

    \b
    Example:
      orchesjob-flow cancel nightly-2026-05-07 --grace-seconds 10
    """  # noqa: D301 - click reads \b
    from orchesjob_flow.commands.cancel import cancel

    return cancel(handle, grace_seconds, form, now=now)


@click.command(hidden=True, cls=CommandOnRun)
@run_key_option
@format_option
def tick(handle: "RunHandle", form: "Form") -> int:
    """Advance a run as far as it goes without waiting, and print it."""
    from orchesjob_flow.commands.tick import tick

    return tick(handle, form)


@click.command(hidden=True, cls=CommandOnRun)
@run_key_option
@click.option("--lock-fd", type=int, required=True)
@click.option("--pipe-fd", type=int, required=True)
def drive(handle: "RunHandle", lock_fd: int, pipe_fd: int) -> int:
    """Be the background process of `start -d`."""
    from orchesjob_flow.commands.drive import drive

    return drive(handle, lock_descriptor=lock_fd, pipe=pipe_fd)
