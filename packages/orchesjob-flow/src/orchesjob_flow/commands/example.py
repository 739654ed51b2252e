"""`example`: a commented flow that this program runs."""

from pathlib import Path

import click

from orchesjob_flow.views.terminal import write_result

EXAMPLE = Path(__file__).parents[1] / "example.yaml"


@click.command()
def example() -> None:
    """Print a commented flow that this program runs.

    \b
    Example:
      orchesjob-flow example > flow.yaml
    """  # noqa: D301 - click reads \b
    write_result(EXAMPLE.read_text(encoding="utf-8"))
