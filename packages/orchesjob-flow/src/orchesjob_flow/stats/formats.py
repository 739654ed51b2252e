"""The figures of flows in the text format of Prometheus, and as tables (rule 12.2)."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from flow_store import RunStatus, RunSummary
from orchesjob_flow.home.runs import UNFINISHED_STATUSES, Listed
from orchesjob_flow.stats.counts import MOST_RUNS, FlowStats, Series
from orchesjob_flow.views.table import Table, draw_table, fit
from orchesjob_flow.views.terminal import duration_text, visible

type Labels = tuple[tuple[str, str], ...]
type Sample = tuple[Labels, float]

PREFIX = "orchesjob_flow_"
RUNS_COUNTED = f"the newest {MOST_RUNS:,} recorded runs that have ended"


class Gauge(NamedTuple):
    """A metric: its name, its description, and its values with their labels."""

    name: str
    about: str
    samples: Sequence[Sample]


def as_prometheus(
    flows: Sequence[FlowStats], newest: Sequence[RunSummary], unfinished: Sequence[Listed]
) -> str:
    """Write the figures of flows, the newest run of each, and the runs that have not ended."""
    gauges = (*gauges_of_flows(flows), *gauges_of_steps(flows), *gauges_of_now(newest, unfinished))
    return "".join(line for gauge in gauges if gauge.samples for line in exposition_lines(gauge))


def exposition_lines(gauge: Gauge) -> Iterator[str]:
    """Write a metric with its help, its type and its values."""
    name = f"{PREFIX}{gauge.name}"
    yield f"# HELP {name} {gauge.about}\n# TYPE {name} gauge\n"
    for labels, value in gauge.samples:
        written = ",".join(f'{label}="{escaped_label(text)}"' for label, text in labels)
        yield f"{name}{{{written}}} {value!r}\n"


def escaped_label(text: str) -> str:
    r"""Write the value of a label.

    >>> print(escaped_label('a "b" \\ c'))
    a \"b\" \\ c
    """
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def gauges_of_flows(flows: Sequence[FlowStats]) -> Iterator[Gauge]:
    """Write the figures of the runs of each flow."""
    series = [(of_flow(flow.flow_id), flow.runs) for flow in flows]
    ended = ("SUCCEEDED", "FAILED", "CANCELLED")
    yield Gauge("runs", f"How runs ended: {RUNS_COUNTED}.", by_status(series, ended))
    yield Gauge(
        "unfinished_runs",
        "Runs that have not ended.",
        [
            (of_flow(flow.flow_id, status=status), flow.unfinished.get(status, 0))
            for flow in flows
            for status in UNFINISHED_STATUSES
        ],
    )
    yield Gauge(
        "run_retries",
        f"Attempts beyond the first, of all steps of {RUNS_COUNTED}.",
        [(labels, runs.retries) for labels, runs in series],
    )
    about = f"Duration of the runs that succeeded, among {RUNS_COUNTED}"
    yield from percentiles("run_duration", about, series, "took")
    about = f"Waiting of the steps on the critical path of a run, among {RUNS_COUNTED}"
    yield from percentiles("run_waiting", about, series, "waited")
    yield Gauge(
        "last_success_timestamp_seconds",
        "When the latest recorded run that succeeded had ended.",
        present((of_flow(flow.flow_id), flow.last_success_at) for flow in flows),
    )


def gauges_of_steps(flows: Sequence[FlowStats]) -> Iterator[Gauge]:
    """Write the figures of each step."""
    series = [(of_flow(flow.flow_id, step=one.step), one) for flow in flows for one in flow.steps]
    ended = ("SUCCEEDED", "FAILED", "CANCELLED", "SKIPPED")
    yield Gauge("step_runs", f"How a step ended in {RUNS_COUNTED}.", by_status(series, ended))
    yield Gauge(
        "step_retries",
        f"Attempts of a step beyond the first, in {RUNS_COUNTED}.",
        [(labels, step.retries) for labels, step in series],
    )
    about = f"Duration of the attempts of a step that succeeded, in {RUNS_COUNTED}"
    yield from percentiles("step_duration", about, series, "took")
    about = f"Waiting of a step for a place, in {RUNS_COUNTED}"
    yield from percentiles("step_waiting", about, series, "waited")
    yield Gauge(
        "step_critical_path_ratio",
        "Part of the critical path that was this step, on average of the runs that succeeded,"
        f" among {RUNS_COUNTED}.",
        present((labels, step.share) for labels, step in series),
    )


def gauges_of_now(newest: Sequence[RunSummary], unfinished: Sequence[Listed]) -> Iterator[Gauge]:
    """Write the status of the newest run of each flow, and the runs that no process advances."""
    runs = sorted(newest, key=lambda run: run.flow_id)
    yield Gauge(
        "last_run_status",
        "1 for the status of the run that was recorded last, 0 for the others.",
        [
            (of_flow(run.flow_id, status=status), int(run.status is status))
            for run in runs
            for status in RunStatus
        ],
    )
    yield Gauge(
        "last_run_start_timestamp_seconds",
        "When the run that was recorded last began.",
        [(of_flow(run.flow_id), run.started_at) for run in runs],
    )
    yield Gauge(
        "last_run_end_timestamp_seconds",
        "When the run that was recorded last ended, if it has.",
        present((of_flow(run.flow_id), run.finished_at) for run in runs),
    )
    abandoned = [one.run for one in unfinished if one.is_abandoned]
    gave_up = [run for run in abandoned if run.gave_up is not None]
    for name, about, found in (
        ("runs_without_runner", "Runs that have not ended and that nobody advances.", abandoned),
        ("given_up_runs", "Runs that nobody advances since a runner gave up on them.", gave_up),
    ):
        counts = Counter(run.flow_id for run in found)
        yield Gauge(name, about, [(of_flow(run.flow_id), counts[run.flow_id]) for run in runs])


def of_flow(flow_id: str, **more: str) -> Labels:
    """Make labels that begin with the flow."""
    return ("flow_id", flow_id), *more.items()


def by_status(labelled: Iterable[tuple[Labels, Series]], statuses: Iterable[str]) -> list[Sample]:
    """Write the number of runs in each status."""
    return [
        ((*labels, ("status", status)), getattr(series, status.lower()))
        for labels, series in labelled
        for status in statuses
    ]


def percentiles(
    name: str, about: str, labelled: Iterable[tuple[Labels, Series]], times: str
) -> Iterator[Gauge]:
    """Write each percentile of some times as a metric: the label `quantile` is for summaries."""
    both = [(labels, getattr(series, times)) for labels, series in labelled]
    for field, words in (("median", "the median"), ("p95", "the 95th percentile")):
        found = [(labels, getattr(one, field)) for labels, one in both if one is not None]
        yield Gauge(f"{name}_{field}_seconds", f"{about}: {words}.", found)


def present(samples: Iterable[tuple[Labels, float | None]]) -> list[Sample]:
    """Leave out values that are unknown."""
    return [(labels, value) for labels, value in samples if value is not None]


FIGURE_COLUMNS = ("Runs", "Failed", "Cancelled", "Retries", "Median", "95 %", "Waited")
FLOW_COLUMNS = ("Flow", *FIGURE_COLUMNS, "Unfinished")
STEP_COLUMNS = ("Step", *FIGURE_COLUMNS, "Share")
DISPENSABLE_FIGURES = ("Cancelled", "Waited", "Unfinished", "Retries", "95 %")
"""The columns that are left out where there is little room, the first ones first."""
NONE = "-"


def table_lines(flows: Sequence[FlowStats], columns: int | None, *, with_steps: bool) -> list[str]:
    """Draw a table of the flows, and `with_steps` one of the steps of each, in so many columns."""
    tables: list[Table] = [[FLOW_COLUMNS, *map(flow_row, flows)]]
    if with_steps:
        tables += [[STEP_COLUMNS, *map(series_row, flow.steps)] for flow in flows if flow.steps]
    lines: list[str] = []
    for table in tables:
        fitted = table
        if columns is not None:
            fitted = fit(table, columns, DISPENSABLE_FIGURES, table[0][:1])
        lines += [*([""] if lines else []), *draw_table(fitted)]
    return lines


def flow_row(flow: FlowStats) -> tuple[str, ...]:
    """Write the figures of a flow."""
    unfinished = sum(flow.unfinished.values())
    return (visible(flow.flow_id), *cells(flow.runs, flow.runs.total), number(unfinished))


def series_row(step: Series) -> tuple[str, ...]:
    """Write the figures of a step."""
    share = NONE if step.share is None else f"{100 * step.share:.0f} %"
    return (visible(step.step), *cells(step, step.begun), share)


def cells(series: Series, runs: int) -> tuple[str, ...]:
    """Write the figures that flows and steps share."""
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
    """Write a count; a dash for 0, which should not draw attention."""
    return str(count or NONE)


def time_cell(seconds: float | None) -> str:
    """Write a duration, a short one with its tenths."""
    return NONE if seconds is None else duration_text(seconds)
