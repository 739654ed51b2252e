"""Options that several commands share, and what a command returns: the exit code of a run."""

import math
from typing import TYPE_CHECKING, Any

import click

from orchesjob_flow.cli.completing import complete_run_key
from orchesjob_flow.exit_codes import DONE, NOT_SUCCEEDED, UNFINISHED

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


FLOW_FILE = click.Path()
"""Completed as a file; whether it is one is `flow_spec`'s matter."""

run_key_option = click.option(
    "--run-key",
    metavar="KEY",
    required=True,
    shell_complete=complete_run_key,
    help="Name of the run: 1 to 255 characters.",
)


format_option = click.option(
    "--format",
    "output",
    type=click.Choice(["json", "table"]),
    default="json",
    show_default=True,
    help="For scripts or for eyes.",
)
table_on_terminal_option = click.option(
    "--format",
    "output",
    type=click.Choice(["json", "table"]),
    help="For scripts or for eyes. [default: table on a terminal, else json]",
)


def show_outcome(run: "Run") -> int:
    """Print a run that this process does not advance any more."""
    from orchesjob_flow.report import print_json, run_json

    print_json(run_json(run, None))
    return outcome(run)


def outcome(run: "Run") -> int:
    """Say by the exit code how a run ended, or that it has not (rules 6.9 and 9.9)."""
    if not run.status.is_terminal:
        return UNFINISHED
    return DONE if run.status == "SUCCEEDED" else NOT_SUCCEEDED
