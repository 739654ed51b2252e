"""The section "Inspect": what a run does or did, from `status` to `report`, and what all do."""

from typing import TYPE_CHECKING

import click

from orchesjob_flow.cli.options import flow_id_option, format_option, step_argument
from orchesjob_flow.cli.run_key import CommandOnRun, declare_run_key, run_key_option
from orchesjob_flow.cli.values import Age, Report, Seconds, option_given_once, refuse_empty
from orchesjob_flow.home.settings import Settings

if TYPE_CHECKING:
    from orchesjob_flow.home.runs import RunHandle
    from orchesjob_flow.views.streams import Form

STATUSES = ("PENDING", "RUNNING", "SUCCEEDED", "FAILED", "CANCELLED")


@click.command(cls=CommandOnRun)
@run_key_option
@format_option
@click.option(
    "--exit-status",
    "by_outcome",
    is_flag=True,
    help="Exit with 0 if the run SUCCEEDED, 1 if it ended otherwise, 8 if it has not ended.",
)
def status(handle: "RunHandle", form: "Form", by_outcome: bool) -> int:
    """Print the status of a run and of its steps.

    \b
    Example:
      orchesjob-flow status nightly-2026-05-07
    """  # noqa: D301 - click reads \b
    from orchesjob_flow.commands.status import status

    return status(handle, form, by_outcome=by_outcome)


@click.command(cls=CommandOnRun)
@run_key_option
@click.option(
    "--interval",
    type=Seconds(zero=False),
    default=2.0,
    show_default=True,
    help="Seconds between refreshes.",
)
@click.option(
    "--mode",
    type=click.Choice(["screen", "append"]),
    help="Redraw in place (the default on a terminal), or print one table below the other.",
)
@click.option("--advance", is_flag=True, help="Advance the run too, if no other process does.")
def watch(handle: "RunHandle", interval: float, mode: str | None, advance: bool) -> int:
    """Show a run until it ends.

    \b
    Example:
      orchesjob-flow watch nightly-2026-05-07
    """  # noqa: D301 - click reads \b
    from orchesjob_flow.commands.watch import watch

    return watch(handle, interval_sec=interval, mode=mode, advance=advance)


@click.command(cls=CommandOnRun)
@run_key_option
@click.option(
    "--timeout", type=Seconds(zero=True), help="Give up after this long, with exit code 8."
)
@format_option
def wait(handle: "RunHandle", timeout: float | None, form: "Form") -> int:
    """Wait until a run has ended, and print it.

    The exit code is 0 if it SUCCEEDED, 1 if it ended otherwise, 8 if the time is over.

    \b
    Example:
      orchesjob-flow wait nightly-2026-05-07 --timeout 3600
    """  # noqa: D301 - click reads \b
    from orchesjob_flow.commands.wait import wait

    return wait(handle, timeout, form)


@click.command(cls=CommandOnRun)
@run_key_option
@step_argument
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
@click.option("-f", "--follow", is_flag=True, help="Show new output until the run has ended.")
def logs(  # noqa: PLR0913, PLR0917 - its options
    handle: "RunHandle",
    step: str | None,
    attempt: int | None,
    stream: str,
    tail: int | None,
    follow: bool,
) -> int:
    """Show what the steps of a run, or one of them, have printed.

    \b
    Example:
      orchesjob-flow logs nightly-2026-05-07 --tail 20 --follow
      orchesjob-flow logs nightly-2026-05-07 load --stream stderr
    """  # noqa: D301 - click reads \b
    from orchesjob_flow.commands.logs import logs
    from orchesjob_flow.home.runs import Choice

    streams = ("stdout", "stderr") if stream == "both" else (stream,)
    return logs(handle, Choice(step, attempt, streams, tail), follow=follow)


@click.command(
    short_help="Explain why the steps of a run wait, run or were skipped.", cls=CommandOnRun
)
@run_key_option
@step_argument
@format_option
def explain(handle: "RunHandle", step: str | None, form: "Form") -> int:
    """Explain why each step of a run, or one of them, waits, runs or was skipped.

    \b
    Example:
      orchesjob-flow explain nightly-2026-05-07 load
    """  # noqa: D301 - click reads \b
    from orchesjob_flow.commands.explain import explain

    return explain(handle, step, form)


@click.command(short_help="Report what happened in a run, for people or for CI.", cls=CommandOnRun)
@run_key_option
@click.option(
    "--format",
    "form",
    type=click.Choice(Report.formats),
    default="html",
    show_default=True,
    help="A page, test cases of JUnit, a summary in Markdown, or a trace for Perfetto.",
)
@option_given_once(
    "-o",
    "--output",
    metavar="FILE",
    callback=refuse_empty,
    help="Write into this file, in one step. [default: stdout; a page on a terminal: KEY.html]",
)
def report(handle: "RunHandle", form: str, output: str | None) -> int:
    """Report what happened in a run, at any time, from what is recorded.

    \b
    Example:
      orchesjob-flow report nightly-2026-05-07
      orchesjob-flow report nightly-2026-05-07 --format junit -o junit.xml
    """  # noqa: D301 - click reads \b
    from orchesjob_flow.commands.report import report

    return report(handle, form, output)


@click.command("list")
@click.option(
    "--status",
    "statuses",
    type=click.Choice(STATUSES, case_sensitive=False),
    multiple=True,
    help="Only runs with this status; may be repeated.",
)
@flow_id_option
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    default=30,
    show_default=True,
    help="Show at most N runs.",
)
@format_option
@click.pass_obj
def list_runs(
    settings: Settings, statuses: tuple[str, ...], flow_id: str | None, limit: int, form: "Form"
) -> int:
    """List the runs, newest first.

    \b
    Example:
      orchesjob-flow list --status FAILED --limit 10
    """  # noqa: D301 - click reads \b
    from orchesjob_flow.commands.list import list_runs

    return list_runs(settings, statuses, flow_id, limit, form)


@click.command(short_help="Tell how long runs take, how often they fail, and at which step.")
@flow_id_option
@option_given_once(
    "--since",
    "since_sec",
    type=Age(),
    metavar="AGE",
    help="Only runs that ended within this time: 30d, 12h, 90m.",
)
@format_option
@click.pass_obj
def stats(settings: Settings, flow_id: str | None, since_sec: float | None, form: "Form") -> int:
    """Tell how long the runs of each flow take, how often they fail, and what they wait for.

    With --flow-id also of each step, the largest share of the critical path first.

    \b
    Example:
      orchesjob-flow stats
      orchesjob-flow stats --flow-id nightly --since 30d
    """  # noqa: D301 - click reads \b
    from orchesjob_flow.commands.stats import stats

    return stats(settings, flow_id, since_sec, form)


@click.command(short_help="Print the figures of stats for Prometheus.")
@option_given_once(
    "-o",
    "--output",
    metavar="FILE",
    callback=refuse_empty,
    help="Write into this file, in one step, readable by all. [default: stdout]",
)
@click.pass_obj
def metrics(settings: Settings, output: str | None) -> int:
    """Print the figures of `stats`, and how the newest runs stand, for Prometheus.

    The format is that of the textfile collector of node_exporter.

    \b
    Example:
      orchesjob-flow metrics --output /var/lib/flow-metrics/flows.prom
    """  # noqa: D301 - click reads \b
    from orchesjob_flow.commands.metrics import metrics

    return metrics(settings, output)


@click.command(short_help="Check the surroundings, and audit what is recorded.", cls=CommandOnRun)
@declare_run_key("Audit this run only, which is quicker if there are many.", required=False)
@click.option(
    "--all",
    "every",
    is_flag=True,
    help="Ask orchesjob about every attempt of all runs, not only about the newest 100.",
)
@format_option
@click.pass_obj
def doctor(settings: Settings, handle: "RunHandle | None", every: bool, form: "Form") -> int:
    """Check the surroundings, and audit the recorded attempts against what orchesjob knows.

    Nothing is changed. The exit code is 1 if there is a problem.

    \b
    Example:
      orchesjob-flow doctor
    """  # noqa: D301 - click reads \b
    from orchesjob_flow.commands.doctor import doctor

    if every and handle is not None:
        raise click.UsageError("audit one run, or all of them with --all")
    return doctor(settings, handle, form, every=every)
