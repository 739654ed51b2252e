"""`overview`: a page about the last runs of each flow, with their reports (rule 12.4)."""

from pathlib import Path

import click

from orchesjob_flow.cli.options import refuse_empty
from orchesjob_flow.home import Settings
from orchesjob_flow.reports.overview import write_overview
from orchesjob_flow.views.terminal import counted, paragraph, stderr, visible, write_message


@click.command()
@click.option(
    "-o",
    "--output",
    metavar="FOLDER",
    required=True,
    callback=refuse_empty,
    help="Write index.html and the reports into this folder.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    default=20,
    show_default=True,
    help="Show the last N runs of each flow.",
)
@click.pass_obj
def overview(settings: Settings, output: str, limit: int) -> None:
    """Write a page about the last runs of each flow, and the reports of these runs.

    Any file server can serve the folder. Only reports of new and changed runs are rewritten.

    \b
    Example:
      orchesjob-flow overview --output /srv/www/flows
    """  # noqa: D301 - click reads \b
    written = write_overview(settings, Path(output), limit)
    if stderr().stream.isatty():
        counts = f"{counted(written.flows, 'flow')}, {counted(written.reports, 'report')} written"
        page = visible(str(written.page.absolute()))
        write_message(paragraph(f"The overview is in {page}: {counts}"))
