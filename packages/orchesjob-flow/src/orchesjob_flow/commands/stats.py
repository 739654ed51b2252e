"""`stats`: how the runs of each flow, and each of its steps, have gone (rule 12.2).

`metrics` prints the same figures for Prometheus, and how the newest runs stand.
"""

import time
from functools import partial
from pathlib import Path
from typing import Any

import click

from flow_store import FlowStore
from orchesjob_flow.cli.options import (
    Duration,
    flow_id_option,
    format_option,
    refuse_empty,
    tell_unknown_flow,
)
from orchesjob_flow.home import UNFINISHED_STATUSES, Settings, find_runs, read_store
from orchesjob_flow.reports.reporting import write_file
from orchesjob_flow.stats import (
    MOST_RUNS,
    FlowStats,
    Series,
    Stats,
    as_prometheus,
    flow_stats,
    table_lines,
)
from orchesjob_flow.views.terminal import (
    OutputFormat,
    as_json,
    print_json,
    status_line,
    stdout,
    write_lines,
    write_result,
)

FOR_ALL = 0o644
"""The mode of the file of `metrics`: another user's node_exporter reads it."""


@click.command()
@flow_id_option
@click.option(
    "--since",
    "since_sec",
    type=Duration(zero=True, needs_unit=True),
    metavar="AGE",
    help="Only runs that ended within this time: 30d, 12h, 90m.",
)
@format_option
@click.pass_obj
def stats(
    settings: Settings, flow_id: str | None, since_sec: float | None, output_format: OutputFormat
) -> None:
    """Show how long the runs of each flow take, how often they fail, and what they wait for.

    With --flow-id, show each step too, the largest share of the critical path first.

    \b
    Example:
      orchesjob-flow stats
      orchesjob-flow stats --flow-id nightly --since 30d
    """  # noqa: D301 - click reads \b
    since = 0.0 if since_sec is None else time.time() - since_sec
    with status_line() as say:
        ask = partial(flow_stats, flow_id=flow_id, since=since, report=say)
        found = read_store(settings, ask) or Stats([], is_truncated=False)
    if not found.flows:
        tell_unknown_flow(settings, flow_id)
    if output_format is OutputFormat.JSON:
        flows = [flow_json(flow) for flow in found.flows]
        print_json({"flows": flows, "truncated": found.is_truncated})
    else:
        print_flows(found, with_steps=flow_id is not None)


def print_flows(stats: Stats, *, with_steps: bool) -> None:
    """Print the figures as tables, or say that there are none."""
    lines = ["no runs found"]
    if stats.flows:
        lines = table_lines(stats.flows, stdout().columns, with_steps=with_steps)
    if stats.is_truncated:
        counted = f"only the newest {MOST_RUNS:,} runs that have ended are counted"
        lines += ["", f"{counted}; --flow-id and --since narrow the choice"]
    write_lines(lines)


def flow_json(flow: FlowStats) -> dict[str, Any]:
    """Describe the figures of a flow and of its steps."""
    runs = flow.runs
    return {
        "flow_id": flow.flow_id,
        "unfinished": sum(flow.unfinished.values()),
        **as_json(runs, "runs=total", "succeeded", "failed", "cancelled", "retries"),
        **_times_json(runs),
        "last_success_at": flow.last_success_at,
        "not_started": as_json(flow.not_started, "count=times", "last_at", "held_by"),
        "steps": [_series_json(step) for step in flow.steps],
    }


def _series_json(step: Series) -> dict[str, Any]:
    counts = ("id=step", "runs=begun", "succeeded", "failed", "cancelled", "skipped", "retries")
    return {
        **as_json(step, *counts),
        **_times_json(step),
        "critical_share": None if step.share is None else round(step.share, 3),
    }


def _times_json(series: Series) -> dict[str, Any]:
    return {"duration_sec": as_json(series.took), "waited_sec": as_json(series.waited)}


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
    found = read_store(settings, flow_stats)
    text = ""
    if found is not None:
        newest = read_store(settings, FlowStore.newest_runs) or ()
        text = as_prometheus(found.flows, newest, find_runs(settings, statuses=UNFINISHED_STATUSES))
    if output is None:
        write_result(text)
    else:
        write_file(Path(output), text, mode=FOR_ALL)
