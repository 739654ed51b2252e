"""`schema`: the JSON Schemas of flow files and of their cases, for editors (rule 9.2)."""

import click

from flow_spec import cases_schema, json_schema
from orchesjob_flow.views.terminal import dump_json, write_result


@click.command()
@click.option(
    "--cases", "of_cases", is_flag=True, help="Print the schema of the files that test flows."
)
def schema(of_cases: bool) -> None:
    """Print the JSON Schema of flow files, so that editors complete and check them.

    \b
    Example:
      orchesjob-flow schema > flow.schema.json
    """  # noqa: D301 - click reads \b
    write_result(f"{dump_json(cases_schema() if of_cases else json_schema(), indent=2)}\n")
