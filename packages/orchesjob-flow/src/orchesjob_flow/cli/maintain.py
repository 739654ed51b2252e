"""The section "Maintain": `resume`, `retry`, `settle` and `prune`."""

from typing import TYPE_CHECKING

import click

from orchesjob_flow.cli.completion import complete_step, complete_step_to_settle
from orchesjob_flow.cli.options import (
    FLOW_FILE,
    detach_option,
    env_option,
    flow_id_option,
    format_option,
    manner_of,
    param_option,
    progress_option,
)
from orchesjob_flow.cli.run_key import CommandOnRun, declare_run_key, run_key_option
from orchesjob_flow.cli.values import Age, Reason, option_given_once
from orchesjob_flow.home.settings import Settings

if TYPE_CHECKING:
    from orchesjob_flow.home.runs import RunHandle
    from orchesjob_flow.views.streams import Form


@click.command(cls=CommandOnRun)
@declare_run_key("Name of the run.", required=False)
@click.option(
    "--all",
    "every",
    is_flag=True,
    help="Every run that has not ended and has no runner, each in the background.",
)
@detach_option
@progress_option
@format_option
@click.pass_obj
def resume(  # noqa: PLR0913, PLR0917 - its options
    settings: Settings,
    handle: "RunHandle | None",
    every: bool,
    detach: bool,
    progress: str,
    form: "Form",
) -> int:
    """Resume a run, or all runs, whose runner is gone. No flow file is needed.

    With --all in a crontab line that runs each minute, no run is left without a runner.

    \b
    Example:
      orchesjob-flow resume nightly-2026-05-07 -d
      orchesjob-flow resume --all
    """  # noqa: D301 - click reads \b
    from orchesjob_flow.commands.resume import resume, resume_all

    if every == (handle is not None):
        raise click.UsageError("name one run, or resume all of them with --all")
    manner = manner_of(form, progress, detach=detach or every)
    return resume_all(settings, form) if handle is None else resume(handle, manner)


@click.command(short_help="Run again what FAILED or was cancelled in a run.", cls=CommandOnRun)
@run_key_option
@click.option(
    "--step",
    "steps",
    metavar="ID",
    multiple=True,
    shell_complete=complete_step,
    help="Run this step again; may be repeated.",
)
@click.option("--only", is_flag=True, help="With --step: leave out what depends on them.")
@option_given_once(
    "--file",
    "flow_file",
    metavar="FLOW_FILE",
    type=FLOW_FILE,
    help="Continue with this flow instead.",
)
@param_option
@env_option
@detach_option
@progress_option
@format_option
def retry(  # noqa: PLR0913, PLR0917 - its options
    handle: "RunHandle",
    steps: tuple[str, ...],
    only: bool,
    flow_file: str | None,
    params: dict[str, str],
    variables: tuple[tuple[str, str], ...],
    detach: bool,
    progress: str,
    form: "Form",
) -> int:
    """Run again what FAILED or was cancelled in a run, and what depends on it.

    What else succeeded keeps its outcome. All attempts stay visible.

    \b
    Example:
      orchesjob-flow retry nightly-2026-05-07
      orchesjob-flow retry nightly-2026-05-07 --step load --only
      orchesjob-flow retry nightly-2026-05-07 --file fixed.yaml -d
    """  # noqa: D301 - click reads \b
    from orchesjob_flow.commands.retry import Repeat, retry

    manner = manner_of(form, progress, detach=detach)
    if only and not steps:
        raise click.UsageError("--only limits a retry to the steps named by --step: name one")
    repeat = Repeat(steps, only, flow_file, dict(variables), params)
    return retry(handle, repeat, manner)


@click.command(short_help="Decide how a failed step ended, and continue its run.", cls=CommandOnRun)
@run_key_option
@click.argument("step", shell_complete=complete_step_to_settle)
@option_given_once(
    "--as",
    "outcome",
    type=click.Choice(["succeeded", "skipped"], case_sensitive=False),
    required=True,
    help="The outcome that the step has from now on.",
)
@option_given_once(
    "--reason",
    type=Reason(),
    metavar="TEXT",
    required=True,
    help="Why, in one line; shown wherever the step is.",
)
@detach_option
@progress_option
@format_option
def settle(  # noqa: PLR0913, PLR0917 - its options
    handle: "RunHandle",
    step: str,
    outcome: str,
    reason: str,
    detach: bool,
    progress: str,
    form: "Form",
) -> int:
    """Decide how a step ended that FAILED or was cancelled, and continue its run.

    What depends on it is decided again, as by `retry`. Who decided, when and why is recorded.

    \b
    Example:
      orchesjob-flow settle nightly-7 load --as skipped --reason "no data today"
    """  # noqa: D301 - click reads \b
    from orchesjob_flow.commands.settle import settle

    return settle(handle, step, outcome, reason, manner_of(form, progress, detach=detach))


@click.command()
@option_given_once(
    "--older-than",
    "older_than_sec",
    type=Age(),
    metavar="AGE",
    required=True,
    help="How long ago a run must have ended: 30d, 12h, 90m.",
)
@click.option(
    "--keep",
    type=click.IntRange(min=0),
    metavar="N",
    default=0,
    help="Keep the N newest runs of each flow, however old.",
)
@flow_id_option
@click.option("--keep-output", is_flag=True, help="Leave orchesjob's jobs, and what they printed.")
@click.option("--dry-run", is_flag=True, help="Print what would be removed, and remove nothing.")
@format_option
@click.pass_obj
def prune(  # noqa: PLR0913, PLR0917 - its options
    settings: Settings,
    older_than_sec: float,
    keep: int,
    flow_id: str | None,
    keep_output: bool,
    dry_run: bool,
    form: "Form",
) -> int:
    """Remove runs that ended long ago, with their logs and output.

    A run that has not ended stays. Steps of a removed run may run again under its key.

    \b
    Example:
      orchesjob-flow prune --older-than 30d --keep 10 --dry-run
    """  # noqa: D301 - click reads \b
    from orchesjob_flow.commands.prune import Pruning, prune

    pruning = Pruning(older_than_sec, keep, flow_id, keep_output)
    return prune(settings, pruning, form, dry_run=dry_run)
