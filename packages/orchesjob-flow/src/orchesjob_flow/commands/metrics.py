"""`metrics`: the figures of `stats`, and how the newest runs stand, for Prometheus (rule 12.2)."""

from functools import partial
from pathlib import Path

import click

from flow_store import FlowStore
from orchesjob_flow.cli.options import refuse_empty
from orchesjob_flow.home.runs import UNFINISHED_STATUSES, find_runs, read_store
from orchesjob_flow.home.settings import Settings
from orchesjob_flow.reports.reporting import write_file
from orchesjob_flow.stats.counts import flow_stats
from orchesjob_flow.stats.formats import as_prometheus
from orchesjob_flow.views.terminal import status_line, write_result

FOR_ALL = 0o644
"""The mode of the file: another user's node_exporter reads it."""


@click.command()
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    callback=refuse_empty,
    help="Write into this file, in one step, readable by all. [default: stdout]",
)
@click.pass_obj
def metrics(settings: Settings, output: str | None) -> None:
    """Print the figures of `stats`, and how the newest runs stand, for Prometheus.

    The format is that of the textfile collector of node_exporter.

    \b
    Example:
      orchesjob-flow metrics --output /var/lib/flow-metrics/flows.prom
    """  # noqa: D301 - click reads \b
    with status_line() as line:
        stats = read_store(settings, partial(flow_stats, report=line.say))
    text = ""
    if stats is not None:
        newest = read_store(settings, FlowStore.newest_runs) or ()
        text = as_prometheus(stats.flows, newest, find_runs(settings, statuses=UNFINISHED_STATUSES))
    if output is None:
        write_result(text)
    else:
        write_file(Path(output), text, mode=FOR_ALL)
