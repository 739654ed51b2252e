"""Options that several commands share.

A run key is turned into the handle of its run at once, and travels as that.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from orchesjob_flow.cli.completion import (
    complete_param,
    complete_run_key,
    complete_step,
    settings_of,
)
from orchesjob_flow.cli.values import Setting, Variable, once_for_each_name, option_given_once

if TYPE_CHECKING:
    from orchesjob_flow.home.runs import RunHandle


def handle_of(
    ctx: click.Context, _param: click.Parameter, run_key: str | None
) -> "RunHandle | None":
    """Return the handle of the run with this key, if one is given."""
    if run_key is None:
        return None
    from orchesjob_flow.home.runs import RunHandle

    return RunHandle(run_key, settings_of(ctx))


def format_for_stdout() -> str:
    """Choose the format where none is asked for."""
    from orchesjob_flow.views import terminal

    return "table" if terminal.stdout().stream.isatty() else "json"


def refuse_progress(progress: str, *, detach: bool) -> None:
    """Refuse to show the progress of a background process.

    Raises:
        UsageError: It was asked for.
    """
    if detach and progress == "plain":
        raise click.UsageError("a background process shows no progress; `watch` does")


FLOW_FILE = click.Path()
"""Completed as a file; whether it is a flow file is the matter of `flow_spec`."""


def declare_run_key(
    explanation: str, *, required: bool
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare `--run-key`, which a command receives as the handle of the run."""
    return option_given_once(
        "--run-key",
        "handle",
        metavar="KEY",
        required=required,
        callback=handle_of,
        shell_complete=complete_run_key,
        help=explanation,
    )


run_key_option = declare_run_key("Name of the run: 1 to 255 characters.", required=True)
step_argument = click.argument(
    "step", metavar="[STEP]", required=False, shell_complete=complete_step
)
format_option = click.option(
    "--format",
    "output",
    type=click.Choice(["json", "table"]),
    default="json",
    show_default=True,
    help="For scripts or for people.",
)
table_on_terminal_option = click.option(
    "--format",
    "output",
    type=click.Choice(["json", "table"]),
    default=format_for_stdout,
    help="For scripts or for people. [default: table on a terminal, else json]",
)
env_option = click.option(
    "--env",
    "variables",
    metavar="NAME=VALUE",
    type=Variable(),
    multiple=True,
    help="Set a variable, over the flow's; repeatable.",
)
param_option = click.option(
    "--param",
    "params",
    metavar="NAME=VALUE",
    type=Setting(),
    multiple=True,
    callback=once_for_each_name,
    shell_complete=complete_param,
    help="Set a parameter of the flow; repeatable.",
)
detach_option = click.option(
    "-d", "--detach", is_flag=True, help="Return at once; run in the background."
)
progress_option = click.option(
    "--progress",
    type=click.Choice(["auto", "plain", "none"]),
    default="auto",
    show_default=True,
    help="On stderr: the table on a terminal, a line for each change, or nothing.",
)
