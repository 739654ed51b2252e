"""Options that several commands share; how a run is named is in `run_key`."""

from typing import TYPE_CHECKING

import click

from orchesjob_flow.cli.completion import complete_flow_id, complete_param, complete_step
from orchesjob_flow.cli.values import (
    Report,
    Setting,
    Variable,
    once_for_each_name,
    option_given_once,
)
from orchesjob_flow.views.streams import AUTO, SPELLINGS, VARIABLE, Form, form_of_result

if TYPE_CHECKING:
    from orchesjob_flow.commands.advance import Manner


def form_of(_ctx: click.Context, _param: click.Parameter, spelling: str) -> Form:
    """Return the form in which the result is to be printed."""
    return form_of_result(spelling)


class FormatOption(click.Option):
    """An option whose value may come from a variable, which is named if that is wrong."""

    def get_error_hint(self, ctx: click.Context | None) -> str:
        """Say where the value comes from."""
        source = None if ctx is None or self.name is None else ctx.get_parameter_source(self.name)
        if source is click.core.ParameterSource.ENVIRONMENT:
            return f"'${VARIABLE}'"
        return super().get_error_hint(ctx)


def manner_of(form: Form, progress: str, *, detach: bool) -> "Manner":
    """Combine the options that say how a run is advanced and shown.

    Raises:
        UsageError: The progress of a background process was asked for.
    """
    if detach and progress == "plain":
        raise click.UsageError("a background process shows no progress; `watch` does")
    from orchesjob_flow.commands.advance import Manner

    return Manner(form, detach, progress)


FLOW_FILE = click.Path()
"""Completed as a file; whether it is a flow file is the matter of `flow_spec`."""

step_argument = click.argument(
    "step", metavar="[STEP]", required=False, shell_complete=complete_step
)
format_option = click.option(
    "--format",
    "form",
    cls=FormatOption,
    type=click.Choice(SPELLINGS),
    metavar="[auto|json|table]",
    default=AUTO,
    envvar=VARIABLE,
    callback=form_of,
    help="auto: a table on a terminal, else JSON.",
)
flow_id_option = option_given_once(
    "--flow-id", metavar="ID", shell_complete=complete_flow_id, help="Only runs of this flow."
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
report_option = click.option(
    "--report",
    "reports",
    metavar="FORMAT=FILE",
    type=Report(),
    multiple=True,
    help="Write a report when the run has ended; repeatable.",
)
progress_option = click.option(
    "--progress",
    type=click.Choice(["auto", "plain", "none"]),
    default="auto",
    show_default=True,
    help="On stderr: a table on a terminal, lines, or nothing.",
)
