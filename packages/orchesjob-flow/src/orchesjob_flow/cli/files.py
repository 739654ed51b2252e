"""The commands that are about flow files: `validate`, `schema` and `example`."""

from pathlib import Path

import click

from orchesjob_flow.cli.options import format_option
from orchesjob_flow.exit_codes import DONE, WRONG
from orchesjob_flow.output import write_result

EXAMPLE = Path(__file__).parent.with_name("example.yaml")


@click.command()
@format_option
@click.argument("flow_files", metavar="FLOW_FILE...", nargs=-1, required=True)
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


@click.command()
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
