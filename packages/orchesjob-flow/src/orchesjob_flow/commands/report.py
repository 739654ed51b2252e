"""`report`: what happened in a run, as a page or a file for other programs (rule 12.1).

`overview` writes a page about the last runs of each flow, with their reports (rule 12.4).
"""

from pathlib import Path

import click

from orchesjob_flow.cli.options import REPORTS, CommandOnRun, refuse_empty, run_key_option
from orchesjob_flow.home import RunHandle, Settings, encode_run_key
from orchesjob_flow.reports.overview import write_overview
from orchesjob_flow.reports.reporting import read_head, refuse_destination, report_of, write_file
from orchesjob_flow.views.terminal import (
    counted,
    paragraph,
    stderr,
    stdout,
    visible,
    warn,
    write_message,
    write_result,
)

ENDINGS = {".html": "html", ".xml": "junit", ".md": "markdown", ".json": "trace"}
"""The formats that the endings of files suggest."""


@click.command(cls=CommandOnRun)
@run_key_option
@click.option(
    "--format",
    "report_format",
    type=click.Choice((*REPORTS, "github")),
    default="html",
    show_default=True,
    help="A page, JUnit, a Markdown summary, a trace, or annotations for GitHub Actions.",
)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    callback=refuse_empty,
    help="Write into this file, in one step. [default: stdout; a page on a terminal: KEY.html]",
)
def report(handle: RunHandle, report_format: str, output: str | None) -> None:
    """Report what happened in a run, from its records.

    \b
    Example:
      orchesjob-flow report nightly-2026-05-07
      orchesjob-flow report nightly-2026-05-07 --format junit -o junit.xml
    """  # noqa: D301 - click reads \b
    if output is not None:
        refuse_destination(Path(output))
    text = report_of(handle, report_format)
    if output is not None:
        write_file(Path(output), text)
        meant = ENDINGS.get(Path(output).suffix, report_format)
        if meant != report_format:
            warn(f"{output} holds the format {report_format}; --format {meant} writes {meant}")
    elif report_format == "html" and stdout().stream.isatty():
        # Nobody reads HTML there. The file may replace an earlier report, but nothing else.
        path = Path(f"{encode_run_key(handle.run_key)}.html")
        read_head(path, follows_link=True)
        write_file(path, text)
        write_message(f"The report is in {visible(str(path.absolute()))}")
    else:
        write_result(text)


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
