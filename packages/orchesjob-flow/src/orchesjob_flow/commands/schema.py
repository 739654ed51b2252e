"""`schema`: the JSON Schema of flow files, by which editors complete and check them (9.2)."""

import click

from flow_spec import json_schema
from orchesjob_flow.exit_codes import DONE
from orchesjob_flow.views.terminal import dump_json, write_result


@click.command()
def schema() -> int:
    """Print the JSON Schema of flow files, with which editors complete and check them.

    \b
    Example:
      orchesjob-flow schema > flow.schema.json
    """  # noqa: D301 - click reads \b
    write_result(f"{dump_json(json_schema(), indent=2)}\n")
    return DONE
