"""The figures of flows as tables for people (rule 12.2)."""

from collections.abc import Sequence

from orchesjob_flow.stats.series import FlowStats, Series
from orchesjob_flow.views.printed_table import fitted
from orchesjob_flow.views.table import short_duration, simple_table
from orchesjob_flow.views.text import visible

COLUMNS = ("Runs", "Failed", "Cancelled", "Retries", "Median", "95 %", "Waited")
FLOW_COLUMNS = ("Flow", *COLUMNS, "Unfinished")
STEP_COLUMNS = ("Step", *COLUMNS, "Share")
DISPENSABLE = ("Cancelled", "Waited", "Unfinished", "Retries", "95 %")
"""What is left out first where there is little room."""
NONE = "-"


def tables(flows: Sequence[FlowStats], *, with_steps: bool) -> list[Sequence[Sequence[str]]]:
    """Write a table of the flows, and one of the steps of each if that is wanted."""
    of_flows = [FLOW_COLUMNS, *(flow_row(flow) for flow in flows)]
    of_steps = [
        [STEP_COLUMNS, *map(step_row, flow.steps)] for flow in flows if with_steps and flow.steps
    ]
    return [of_flows, *of_steps]


def lines_of(tables: Sequence[Sequence[Sequence[str]]], columns: int | None) -> list[str]:
    """Draw tables one below the other, in so many columns or whole."""
    lines: list[str] = []
    for table in tables:
        drawn = (
            simple_table(table)
            if columns is None
            else fitted(table, DISPENSABLE, columns, breaks=0)
        )
        lines += [*([""] if lines else []), *drawn]
    return lines


def flow_row(flow: FlowStats) -> tuple[str, ...]:
    """Write the figures of a flow."""
    unfinished = sum(flow.unfinished.values())
    return (visible(flow.flow_id), *cells(flow.runs, flow.runs.total), number(unfinished))


def step_row(step: Series) -> tuple[str, ...]:
    """Write the figures of a step."""
    share = NONE if step.share is None else f"{100 * step.share:.0f} %"
    return (visible(step.step), *cells(step, step.begun), share)


def cells(series: Series, runs: int) -> tuple[str, ...]:
    """Write the figures that flows and steps have both."""
    return (
        str(runs),
        number(series.failed),
        number(series.cancelled),
        number(series.retries),
        time_cell(series.took and series.took.median),
        time_cell(series.took and series.took.p95),
        time_cell(series.waited and series.waited.median),
    )


def number(count: int) -> str:
    """Write a count; what there is none of should not draw the eye."""
    return str(count or NONE)


def time_cell(seconds: float | None) -> str:
    """Write a time, short ones with their tenths."""
    return NONE if seconds is None else short_duration(0.0, seconds, 0.0)
