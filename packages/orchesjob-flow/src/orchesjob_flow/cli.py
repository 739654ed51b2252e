"""The command line: options, output, and the one door where errors become exit codes.

At the top only click and the standard library are imported; each command imports what it needs, so
that `status` stays quick.
"""

import math
import os
import shlex
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from orchesjob_flow.errors import FlowError, Interrupted
from orchesjob_flow.output import (
    ResultLost,
    reopen_standard_streams,
    write_message,
    write_result,
)
from orchesjob_flow.text import dump_json

if TYPE_CHECKING:
    from flow_store import Run

    from orchesjob_flow.settings import Settings

DONE, NOT_SUCCEEDED, WRONG = 0, 1, 2
SIGNALLED = 128


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
@click.option("--db", metavar="PATH", help="Database of the runs (see the manual for the default).")
@click.option("--orchesjob-bin", metavar="PATH", help="orchesjob executable.")
@click.option(
    "--poll-interval",
    type=Seconds(zero=False),
    default=5.0,
    show_default=True,
    help="How stale a status may be where the system cannot announce a job's end.",
)
@click.option(
    "--patience",
    type=Seconds(zero=True),
    default=60.0,
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
    from orchesjob_flow.settings import Settings

    ctx.obj = Settings.from_options(db, orchesjob_bin, poll_interval, patience)


@cli.command()
@run_key_option
@click.option("-d", "--detach", is_flag=True, help="Return at once; a background process goes on.")
@click.argument("flow_file", metavar="FLOW_FILE")
@click.pass_obj
def start(settings: "Settings", run_key: str, detach: bool, flow_file: str) -> int:
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
def status(settings: "Settings", run_key: str, output: str) -> int:
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
    settings: "Settings", run_key: str, interval: float, mode: str | None, advance: bool
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


@cli.command()
@run_key_option
@click.option(
    "--grace-seconds",
    type=Seconds(zero=True),
    metavar="SECONDS",
    help="For how long a step may tidy up before it is killed (orchesjob's default: 5).",
)
@click.pass_obj
def cancel(settings: "Settings", run_key: str, grace_seconds: float | None) -> int:
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
def tick(settings: "Settings", run_key: str) -> int:
    """Advance a run as far as it goes without waiting, and print how it stands."""
    from orchesjob_flow import commands

    show_outcome(commands.tick(run_key, settings))
    return DONE


@cli.command(hidden=True)
@run_key_option
@click.option("--lock-fd", type=int, required=True)
@click.option("--ready-fd", type=int, required=True)
@click.pass_obj
def drive(settings: "Settings", run_key: str, lock_fd: int, ready_fd: int) -> int:
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code (rule 6.9): the one door for errors."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    reopen_standard_streams()
    # Inherited as ignored from some parents, and handed on, it would hide from orchesjob's worker
    # how its command ended.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, interrupt)
    try:
        return run_command(words)
    except (click.Abort, KeyboardInterrupt):
        return interrupted(signal.SIGINT, words)
    except Interrupted as stop:
        return interrupted(stop.signum, words)
    except BrokenPipeError:
        forget_output()
        return NOT_SUCCEEDED
    except ResultLost as error:
        forget_output()
        write_message(dump_json({"error": str(error)}, indent=None))
        return NOT_SUCCEEDED
    except Exception as error:  # noqa: BLE001 - no traceback reaches a user
        if "drive" in words and not is_expected(error):
            traceback.print_exc()  # into the log of the background process
        forget_output()
        write_message(dump_json(explain(error), indent=None))
        return WRONG


def run_command(words: list[str]) -> int:
    """Let click do its work; help and version are printed and done."""
    colour = False if "NO_COLOR" in os.environ else None
    try:
        result = cli.main(words, standalone_mode=False, color=colour)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help(), color=colour)
        result = DONE
    sys.stdout.flush()
    return result if isinstance(result, int) else DONE


def interrupt(signum: int, _frame: FrameType | None) -> None:
    """End what is being done, where no runner takes the signal."""
    raise Interrupted(signum)


def interrupted(signum: int, words: Sequence[str]) -> int:
    """Say how to go on after a signal (rule 6.9)."""
    described = {"error": f"interrupted by {signal.Signals(signum).name}"}
    if "start" in words:
        described["error"] += "; steps that have begun run on under orchesjob"
        described["resume"] = shlex.join(["orchesjob-flow", *words])
    write_message(dump_json(described, indent=None))
    return SIGNALLED + signum


def forget_output() -> None:
    """Let Python not try once more, at its end, to write what cannot be written."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def explain(error: Exception) -> dict[str, Any]:
    """Describe an error in one sentence, with whatever data a script can use."""
    if isinstance(error, click.ClickException):
        described: dict[str, Any] = {"error": error.format_message()}
        if isinstance(error, click.UsageError):
            command = cli.name if error.ctx is None else error.ctx.command_path
            described["help"] = f"{command} --help"
        return described
    if not is_expected(error):
        return {
            "error": f"internal error, a bug worth reporting: {error!r}; every run is as it was"
        }
    described = {"error": str(error)}
    problems = getattr(error, "problems", None)
    if problems is not None:
        described["problems"] = [
            {
                "message": problem.message,
                "path": problem.path,
                "line": problem.line,
                "column": problem.column,
            }
            for problem in problems
        ]
    return described


def is_expected(error: Exception) -> bool:
    """Tell an error that was foreseen from a bug."""
    from flow_spec import FlowSpecError
    from flow_store import StoreError
    from orchesjob_client import OrchesjobError

    foreseen = (FlowError, FlowSpecError, StoreError, OrchesjobError, OSError)
    return isinstance(error, foreseen)
