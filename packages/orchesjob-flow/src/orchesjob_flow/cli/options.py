"""Options that several commands share; how a run is named is in `run_key`."""

import click

from orchesjob_flow.cli.completion import complete_param, complete_step
from orchesjob_flow.cli.values import Setting, Variable, once_for_each_name


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
jobs_option = click.option(
    "--jobs",
    type=click.Choice(["shared", "own"]),
    default="shared",
    show_default=True,
    envvar="ORCHESJOB_FLOW_JOBS",
    help="Keep the jobs in ORCHESJOB_HOME, or in a home of the run's own.",
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
