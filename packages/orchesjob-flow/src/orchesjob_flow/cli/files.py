"""The commands that are about flow files: `validate`, `graph`, `schema` and `example`."""

from pathlib import Path

import click

from orchesjob_flow.cli.completing import complete_run_key
from orchesjob_flow.cli.options import FLOW_FILE, format_option
from orchesjob_flow.exit_codes import DONE, WRONG
from orchesjob_flow.output import write_result
from orchesjob_flow.settings import Settings

EXAMPLE = Path(__file__).parent.with_name("example.yaml")


@click.command()
@format_option
@click.argument("flow_files", metavar="FLOW_FILE...", nargs=-1, required=True, type=FLOW_FILE)
def validate(output: str, flow_files: tuple[str, ...]) -> int:
    """Check flow files: every problem of each, with line and column. Nothing is recorded.

    The exit code is 2 if anything is wrong.

    \b
    Example:
      orchesjob-flow validate --format table flows/*.yaml
    """  # noqa: D301 - click reads \b
    from orchesjob_flow.report import print_json
    from orchesjob_flow.validation import finding_json, finding_text, validate

    findings = validate(flow_files)
    if output == "json":
        print_json({"files": [finding_json(finding) for finding in findings]})
    else:
        write_result("".join(f"{finding_text(finding)}\n" for finding in findings))
    return DONE if all(finding.is_valid for finding in findings) else WRONG


@click.command(short_help="Draw the steps of a flow file, or of a run.")
@click.option(
    "--run-key",
    metavar="KEY",
    shell_complete=complete_run_key,
    help="Draw a recorded run, with its steps' statuses.",
)
@click.option(
    "--format",
    "output",
    type=click.Choice(["text", "mermaid", "dot"]),
    default="text",
    show_default=True,
    help="For eyes, for Mermaid, or for Graphviz.",
)
@click.argument("flow_file", metavar="[FLOW_FILE]", required=False, type=FLOW_FILE)
@click.pass_obj
def graph(settings: Settings, run_key: str | None, output: str, flow_file: str | None) -> int:
    """Draw the steps of a flow file, or of a run, in the order in which they can run.

    \b
    Example:
      orchesjob-flow graph nightly.yaml
      orchesjob-flow graph --run-key nightly-2026-05-07 --format dot > run.dot
    """  # noqa: D301 - click reads \b
    from flow_spec import FlowSpec, load_flow
    from orchesjob_flow import terminal
    from orchesjob_flow.graph import as_dot, as_mermaid, as_text
    from orchesjob_flow.reading import read

    statuses = {}
    if (flow_file is None) == (run_key is None):
        raise click.UsageError("name a flow file, or a run with --run-key")
    if run_key is None:
        flow = load_flow(str(flow_file))
    else:
        run, _ = read(run_key, settings)
        flow = FlowSpec.from_json(run.definition)
        statuses = {step.step_id: step.status for step in run.steps}
    match output:
        case "mermaid":
            write_result(as_mermaid(flow, statuses))
        case "dot":
            write_result(as_dot(flow, statuses))
        case _:
            write_result(as_text(flow, statuses, colour=terminal.stdout().colour))
    return DONE


@click.command(short_help="Print the JSON Schema of flow files, for editors.")
def schema() -> int:
    """Print the JSON Schema of flow files, by which editors complete and check them.

    \b
    Example:
      orchesjob-flow schema > flow.schema.json
    """  # noqa: D301 - click reads \b
    from flow_spec import json_schema
    from orchesjob_flow.text import dump_json

    write_result(f"{dump_json(json_schema(), indent=2)}\n")
    return DONE


@click.command()
def example() -> int:
    """Print a commented flow that this program runs.

    \b
    Example:
      orchesjob-flow example > flow.yaml
    """  # noqa: D301 - click reads \b
    write_result(EXAMPLE.read_text(encoding="utf-8"))
    return DONE
