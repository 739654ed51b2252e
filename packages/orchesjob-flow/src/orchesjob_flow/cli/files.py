"""The section "Files": `validate`, `simulate`, `graph`, `schema` and `example`."""

from typing import TYPE_CHECKING

import click

from orchesjob_flow.cli.completion import complete_step_of_file
from orchesjob_flow.cli.options import FLOW_FILE, format_option, param_option
from orchesjob_flow.cli.run_key import declare_key_option
from orchesjob_flow.cli.values import WarningCodes, option_given_once

if TYPE_CHECKING:
    from orchesjob_flow.home.runs import RunHandle
    from orchesjob_flow.views.streams import Form


@click.command(short_help="Check flow files, and warn of what was hardly meant.")
@click.option("--strict", is_flag=True, help="Exit with 2 if there are warnings, too.")
@click.option(
    "--allow",
    "allowed",
    metavar="CODE",
    type=WarningCodes(),
    multiple=True,
    help="Leave out the warnings with this code; may be repeated.",
)
@param_option
@format_option
@click.argument("flow_files", metavar="FLOW_FILE...", nargs=-1, required=True, type=FLOW_FILE)
def validate(
    strict: bool,
    allowed: tuple[str, ...],
    params: dict[str, str],
    form: "Form",
    flow_files: tuple[str, ...],
) -> int:
    """Check flow files: every problem of each, and what was hardly meant, with its place.

    Nothing is recorded. The exit code is 2 if anything is wrong; warnings alone leave it at 0.

    \b
    Example:
      orchesjob-flow validate flows/*.yaml
    """  # noqa: D301 - click reads \b
    from orchesjob_flow.commands.validate import Strictness, validate

    return validate(flow_files, params, form, Strictness(strict, allowed))


@click.command(short_help="Show how a run of a flow file would go, and run nothing.")
@click.option(
    "--fail",
    metavar="STEP",
    multiple=True,
    shell_complete=complete_step_of_file,
    help="Let a step fail in every attempt; repeatable.",
)
@click.option(
    "--skip",
    metavar="STEP",
    multiple=True,
    shell_complete=complete_step_of_file,
    help="Let a step be skipped by its exit code or its only_if; repeatable.",
)
@option_given_once(
    "--cancel-at",
    metavar="STEP",
    shell_complete=complete_step_of_file,
    help="Cancel the run when a step begins.",
)
@click.option("--all", "every", is_flag=True, help="Show all ways in which a run can end.")
@param_option
@format_option
@click.argument("flow_file", metavar="FLOW_FILE", type=FLOW_FILE)
def simulate(  # noqa: PLR0913, PLR0917 - its options
    fail: tuple[str, ...],
    skip: tuple[str, ...],
    cancel_at: str | None,
    every: bool,
    params: dict[str, str],
    form: "Form",
    flow_file: str,
) -> int:
    """Play FLOW_FILE in virtual time: what would start when, and how it would end.

    Every command succeeds unless it is named. Nothing is run or recorded. The exit code is that of
    the run; with --all it is 0.

    \b
    Example:
      orchesjob-flow simulate nightly.yaml --fail load
    """  # noqa: D301 - click reads \b
    from orchesjob_flow.commands.simulate import Wanted, simulate, simulate_all

    show = simulate_all if every else simulate
    return show(flow_file, params, Wanted(fail, skip, cancel_at), form)


@click.command(short_help="Draw the steps of a flow file, or of a run.")
@declare_key_option("Draw a recorded run, with its steps' statuses.")
@click.option(
    "--format",
    "output",
    type=click.Choice(["text", "mermaid", "dot"]),
    default="text",
    show_default=True,
    help="For people, for Mermaid, or for Graphviz.",
)
@param_option
@click.argument("flow_file", metavar="[FLOW_FILE]", required=False, type=FLOW_FILE)
def graph(
    output: str,
    params: dict[str, str],
    flow_file: str | None,
    handle: "RunHandle | None" = None,
) -> int:
    """Draw the steps of a flow file, or of a run, in the order in which they can run.

    \b
    Example:
      orchesjob-flow graph nightly.yaml
      orchesjob-flow graph -k nightly-2026-05-07 --format dot > run.dot
    """  # noqa: D301 - click reads \b
    from orchesjob_flow.commands.graph import graph

    source = handle if flow_file is None else flow_file
    if source is None or None not in (handle, flow_file):
        raise click.UsageError("name a flow file, or a run with -k")
    if params and flow_file is None:
        raise click.UsageError("--param is for a flow file: a run has its values")
    return graph(source, output, params)


@click.command(short_help="Print the JSON Schema of flow files, for editors.")
def schema() -> int:
    """Print the JSON Schema of flow files, with which editors complete and check them.

    \b
    Example:
      orchesjob-flow schema > flow.schema.json
    """  # noqa: D301 - click reads \b
    from orchesjob_flow.commands.schema import schema

    return schema()


@click.command()
def example() -> int:
    """Print a commented flow that this program runs.

    \b
    Example:
      orchesjob-flow example > flow.yaml
    """  # noqa: D301 - click reads \b
    from orchesjob_flow.commands.example import example

    return example()
