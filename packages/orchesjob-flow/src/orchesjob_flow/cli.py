"""The command line: the commands, their options, and what each prints.

What a command does lies elsewhere, and so does what becomes of its errors (`door`). At the top only
click and the standard library are imported; each command imports what it needs, so that `status`
stays quick.
"""

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchesjob_flow.exit_codes import DONE, NOT_SUCCEEDED
from orchesjob_flow.output import write_result
from orchesjob_flow.settings import DEFAULT_PATIENCE_SEC, DEFAULT_POLL_INTERVAL_SEC, Settings

if TYPE_CHECKING:
    from flow_store import Run


class Seconds(click.ParamType[float]):
    """A finite number of seconds, of at least or of more than zero."""

    name = "seconds"

    def __init__(self, *, zero: bool) -> None:
        """Say whether zero is allowed."""
        self.zero = zero

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Read the number, or say what is expected."""
        try:
            seconds = float(value)
        except ValueError:
            seconds = math.nan
        if not math.isfinite(seconds) or seconds < 0 or (seconds == 0 and not self.zero):
            least = "0 or more" if self.zero else "more than 0"
            self.fail(f"{value!r} is not a number of seconds, {least}", param, ctx)
        return seconds


def refuse_empty(_ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Refuse an empty value: it comes from an unset variable more often than not."""
    if value == "":
        raise click.BadParameter("is empty; name a path, or leave the option out", param=param)
    return value


run_key_option = click.option(
    "--run-key", metavar="KEY", required=True, help="Name of the run: 1 to 255 characters."
)


@click.group(
    name="orchesjob-flow",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(
    package_name="orchesjob-flow", prog_name="orchesjob-flow", message="%(prog)s %(version)s"
)
@click.option(
    "--db",
    metavar="PATH",
    callback=refuse_empty,
    help="Database of the runs. [default: orchesjob-flow.sqlite3 in $ORCHESJOB_FLOW_HOME, "
    "$ORCHESJOB_HOME, or ~/.local/share/orchesjob-flow]",
)
@click.option(
    "--orchesjob-bin",
    metavar="PATH",
    callback=refuse_empty,
    help="orchesjob executable. [default: $ORCHESJOB_BIN, or the one on PATH, or our own]",
)
@click.option(
    "--poll-interval",
    type=Seconds(zero=False),
    default=DEFAULT_POLL_INTERVAL_SEC,
    show_default=True,
    help="How stale a status may be where the system cannot announce a job's end.",
)
@click.option(
    "--patience",
    type=Seconds(zero=True),
    default=DEFAULT_PATIENCE_SEC,
    show_default=True,
    help="For how long calls that fail are tried again.",
)
@click.pass_context
def cli(
    ctx: click.Context,
    db: str | None,
    orchesjob_bin: str | None,
    poll_interval: float,
    patience: float,
) -> None:
    """Run a small graph of dependent commands through orchesjob.

    \b
    Example:
      orchesjob-flow example > flow.yaml
      orchesjob-flow start --run-key first-try flow.yaml
      orchesjob-flow status --run-key first-try --format table
    """  # noqa: D301 - click reads \b
    ctx.obj = Settings.from_options(db, orchesjob_bin, poll_interval, patience)


@cli.command()
@run_key_option
@click.option("-d", "--detach", is_flag=True, help="Return at once; a background process goes on.")
@click.argument("flow_file", metavar="FLOW_FILE")
@click.pass_obj
def start(settings: Settings, run_key: str, detach: bool, flow_file: str) -> int:
    """Start a run of FLOW_FILE, or go on with it.

    Repeating it is safe: a run that has ended is only reported, one that is under way is waited
    for, and one whose runner died is taken up where it stands.

    \b
    Example:
      orchesjob-flow start --run-key nightly-2026-05-07 -d nightly.yaml
    """  # noqa: D301 - click reads \b
    from orchesjob_flow import commands
    from orchesjob_flow.report import print_json, run_json

    if not detach:
        return show_outcome(commands.start(run_key, flow_file, settings))
    detached = commands.start_detached(run_key, flow_file, settings)
    print_json(
        {
            **run_json(detached.run, detached.pid),
            "detached": True,
            "pid": detached.pid,
            "stdout_log": str(detached.stdout_log),
            "stderr_log": str(detached.stderr_log),
        }
    )
    return DONE


@cli.command()
@run_key_option
@click.option(
    "--format",
    "output",
    type=click.Choice(["json", "table"]),
    default="json",
    show_default=True,
    help="For scripts or for eyes.",
)
@click.pass_obj
def status(settings: Settings, run_key: str, output: str) -> int:
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
    return DONE


@cli.command()
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
    from orchesjob_flow.watch import watch, watch_and_advance

    screen = sys.stdout.isatty() if mode is None else mode == "screen"
    look = watch_and_advance if advance else watch
    return outcome(look(run_key, settings, interval_sec=interval, screen=screen))


@cli.command(short_help="End a run and return when nothing of it is left.")
@run_key_option
@click.option(
    "--grace-seconds",
    type=Seconds(zero=True),
    metavar="SECONDS",
    help="For how long a step may tidy up before it is killed (orchesjob's default: 5).",
)
@click.pass_obj
def cancel(settings: Settings, run_key: str, grace_seconds: float | None) -> int:
    """End a run: start nothing more, end what runs, return when nothing is left.

    \b
    Example:
      orchesjob-flow cancel --run-key nightly-2026-05-07 --grace-seconds 10
    """  # noqa: D301 - click reads \b
    from orchesjob_flow import commands

    show_outcome(commands.cancel(run_key, grace_seconds, settings))
    return DONE


@cli.command()
def example() -> int:
    """Print a commented flow that this program runs.

    \b
    Example:
      orchesjob-flow example > flow.yaml
    """  # noqa: D301 - click reads \b
    write_result(Path(__file__).with_name("example.yaml").read_text(encoding="utf-8"))
    return DONE


@cli.command(hidden=True)
@run_key_option
@click.pass_obj
def tick(settings: Settings, run_key: str) -> int:
    """Advance a run as far as it goes without waiting, and print how it stands."""
    from orchesjob_flow import commands

    show_outcome(commands.tick(run_key, settings))
    return DONE


@cli.command(hidden=True)
@run_key_option
@click.option("--lock-fd", type=int, required=True)
@click.option("--ready-fd", type=int, required=True)
@click.pass_obj
def drive(settings: Settings, run_key: str, lock_fd: int, ready_fd: int) -> int:
    """Be the background process of `start -d`."""
    from orchesjob_flow import commands

    return show_outcome(
        commands.drive_in_background(
            run_key, settings, lock_descriptor=lock_fd, ready_descriptor=ready_fd
        )
    )


def show_outcome(run: "Run") -> int:
    """Print a run that this process does not advance any more."""
    from orchesjob_flow.report import print_json, run_json

    print_json(run_json(run, None))
    return outcome(run)


def outcome(run: "Run") -> int:
    """Say by the exit code how a run ended (rule 6.9)."""
    return DONE if run.status == "SUCCEEDED" else NOT_SUCCEEDED
