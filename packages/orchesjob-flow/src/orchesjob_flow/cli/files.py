"""The section "Files", which is about flow files: `validate`, `graph`, `schema` and `example`."""

from typing import TYPE_CHECKING

import click

from orchesjob_flow.cli.options import FLOW_FILE, format_option, param_option
from orchesjob_flow.cli.run_key import declare_key_option

if TYPE_CHECKING:
    from orchesjob_flow.home.runs import RunHandle
    from orchesjob_flow.views.form import Form


@click.command()
@param_option
@format_option
@click.argument("flow_files", metavar="FLOW_FILE...", nargs=-1, required=True, type=FLOW_FILE)
def validate(params: dict[str, str], form: "Form", flow_files: tuple[str, ...]) -> int:
    """Check flow files: every problem of each, with line and column. Nothing is recorded.

    The exit code is 2 if anything is wrong.

    \b
    Example:
      orchesjob-flow validate flows/*.yaml
    """  # noqa: D301 - click reads \b
    from orchesjob_flow.commands.validate import validate

    return validate(flow_files, params, form)


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
