"""The figures of flows and of their steps, and their formats: for Prometheus, and as tables (12.2).

The newest runs are read in each call, and nothing is kept.
"""

from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from flow_spec import StoredFlowError
from flow_store import (
    Attempt,
    AttemptStatus,
    DamagedRecord,
    FlowStore,
    NotStarted,
    Run,
    RunStatus,
    RunSummary,
    StepStatus,
)
from orchesjob_flow.home import UNFINISHED_STATUSES, Listed
from orchesjob_flow.reasons import not_started_text
from orchesjob_flow.reports.facts import Facts, SpanKind, facts_of
from orchesjob_flow.views.table import Table, draw_table, fit
from orchesjob_flow.views.terminal import duration_text, visible

MOST_RUNS = 5_000
"""How many runs are counted: a few seconds' work for those of some steps."""
ENDED_STATUSES = tuple(status for status in RunStatus if status.is_terminal)
THE_RUN = ""
"""Stands for the run itself where a step would be named."""

type Labels = tuple[tuple[str, str], ...]
type Sample = tuple[Labels, float]

PREFIX = "orchesjob_flow_"
RUNS_COUNTED = f"the newest {MOST_RUNS:,} recorded runs that have ended"


class Percentiles(NamedTuple):
    """Two percentiles by nearest rank, in seconds; each is one of the measured times."""

    median: float
    p95: float


class Series(NamedTuple):
    """The figures of a step, or of the runs of a flow if its name is `THE_RUN`.

    Attributes:
        step: The id in the flow file; it stands for all copies of a `foreach`.
        total: How many have ended.
        succeeded, failed, cancelled, skipped: How many ended with this status.
        begun: How many had an attempt.
        retries: How many attempts there were after the first ones.
        took: The durations of the successful ones; None if there are none.
        waited: The waiting times of the ones that have begun.
        share: The average part of the critical path in the runs that SUCCEEDED.
    """

    step: str
    total: int
    succeeded: int
    failed: int
    cancelled: int
    skipped: int
    begun: int
    retries: int
    took: Percentiles | None
    waited: Percentiles | None
    share: float | None


class FlowStats(NamedTuple):
    """The figures of a flow.

    Attributes:
        runs: Those of its runs that have ended and were counted.
        steps: Those of its steps, the largest share of the critical path first.
        unfinished: How many of its runs have not ended, by status.
        last_success_at: When the latest of all its runs that SUCCEEDED had ended.
        not_started: Its starts that were turned away, all together; None if there were none.
    """

    flow_id: str
    runs: Series
    steps: Sequence[Series]
    unfinished: Mapping[RunStatus, int]
    last_success_at: float | None
    not_started: NotStarted | None = None


class Stats(NamedTuple):
    """The figures of flows, and whether more runs have ended than were counted."""

    flows: Sequence[FlowStats]
    is_truncated: bool


class Tally:
    """Adds up runs of a flow, or what one of its steps did in them."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._statuses: Counter[str] = Counter()
        self._begun = self._retries = 0
        self._values: dict[str, array[float]] = defaultdict(lambda: array("d"))

    def add(self, status: str, *, has_begun: bool, retries: int, **values: float | None) -> None:
        """Add one that has ended, with its `took`, `waited` and `share`; None is not counted."""
        self._statuses[status] += 1
        self._begun += has_begun
        self._retries += retries
        for name, value in values.items():
            if value is not None:
                self._values[name].append(value)

    def series(self, step: str) -> Series:
        """Return the sums."""
        shares = self._values["share"]
        return Series(
            step=step,
            total=self._statuses.total(),
            succeeded=self._statuses["SUCCEEDED"],
            failed=self._statuses["FAILED"],
            cancelled=self._statuses["CANCELLED"],
            skipped=self._statuses["SKIPPED"],
            begun=self._begun,
            retries=self._retries,
            took=_percentiles_of(self._values["took"]),
            waited=_percentiles_of(self._values["waited"]),
            share=round(sum(shares) / len(shares), 6) if shares else None,
        )


def add_run(tallies: Mapping[str, Tally], run: Run, attempts: Sequence[Attempt]) -> None:
    """Add a run that has ended, and its steps, all copies of one together.

    Where its records cannot be read, only the status of the run is known. A step's duration is that
    of the attempt that succeeded. A reopened run has no duration: for how long it had ended in
    between is not recorded.
    """
    ended_at = run.started_at if run.finished_at is None else run.finished_at
    try:
        facts = facts_of(run, attempts, {}, {}, ended_at)
    except (StoredFlowError, DamagedRecord):
        tallies[THE_RUN].add(run.status, has_begun=bool(run.history), retries=0)
        return
    is_good = run.status is RunStatus.SUCCEEDED
    names = {copy: name for name, copies in facts.flow.copies.items() for copy in copies}
    shares = shares_of(facts, names) if is_good else {}
    retries = 0
    for one in facts.steps:
        name, has_begun = names.get(one.id, one.id), one.step.has_begun
        commands = [
            attempt
            for attempt in one.attempts
            if not attempt.is_gate and attempt.status is not AttemptStatus.NEVER_RAN
        ]
        again, took_sec = max(0, len(commands) - 1), None
        retries += again
        if one.status is StepStatus.SUCCEEDED and commands:
            last = commands[-1]
            took_sec = last.ran_sec(0.0) if last.status is AttemptStatus.SUCCEEDED else None
        waited_sec = one.took(SpanKind.WAITED) if has_begun else None
        times = {"took": took_sec, "waited": waited_sec, "share": shares.pop(name, None)}
        tallies[name].add(one.status, has_begun=has_begun, retries=again, **times)
    waits = [one.took(SpanKind.WAITED) for one in facts.steps if one.is_critical]
    is_reopened = bool(run.settlements) or any(step.retry_no > 0 for step in run.steps)
    tallies[THE_RUN].add(
        run.status,
        has_begun=bool(facts.path),
        retries=retries,
        took=facts.took_sec if is_good and not is_reopened else None,
        waited=sum(waits) if waits else None,
    )


def shares_of(facts: Facts, names: Mapping[str, str]) -> dict[str, float]:
    """Return each step's share of the critical path, its copies together.

    The time of a step on the path is from the end of the step before it to its own end.
    """
    shares: dict[str, float] = defaultdict(float)
    for one in facts.steps:
        part = one.finished_at - one.ready_at if one.is_critical else 0.0
        shares[names.get(one.id, one.id)] += part
    length = sum(shares.values())
    return {name: part / length for name, part in shares.items()} if length > 0 else {}


def _percentiles_of(times_sec: Sequence[float]) -> Percentiles | None:
    if not times_sec:
        return None
    ordered = sorted(times_sec)
    ranks = (nearest_rank(percent, len(ordered)) for percent in (50, 95))
    return Percentiles(*(round(ordered[rank - 1], 3) for rank in ranks))


def nearest_rank(percent: int, of: int) -> int:
    """Return the rank of a percentile, from 1 on, among so many sorted values.

    >>> nearest_rank(50, 1), nearest_rank(50, 4), nearest_rank(50, 5), nearest_rank(95, 20)
    (1, 2, 3, 19)
    """
    return -(-percent * of // 100)


def flow_stats(
    store: FlowStore,
    *,
    flow_id: str | None = None,
    since: float = 0.0,
    most: int = MOST_RUNS,
    report: Callable[[str], object] = lambda _: None,
) -> Stats:
    """Return the figures of all flows that have runs, or of one, in the order of their ids.

    Counted are the newest `most` of the runs that have ended, at `since` or later. `report` is told
    the progress in words.
    """
    ended = store.runs(statuses=ENDED_STATUSES, flow_id=flow_id, since=since, limit=most + 1)
    tallies: dict[str, dict[str, Tally]] = defaultdict(lambda: defaultdict(Tally))
    for number, summary in enumerate(ended[:most]):
        if number % 100 == 0:
            report(f"{number:,} of {len(ended[:most]):,} runs counted")
        found = store.load_ended(summary.run_key)
        if found is not None:  # otherwise it was removed or opened again just now
            add_run(tallies[summary.flow_id], *found)
    unfinished, successes = store.unfinished(), store.last_successes(since=since)
    not_started = {one.flow_id: one for one in store.not_started(since=since, by_flow=True)}
    flows = [
        FlowStats(
            one,
            tallies[one].pop(THE_RUN, Tally()).series(THE_RUN),
            sorted(
                (tally.series(step) for step, tally in tallies[one].items()),
                key=lambda series: (-(series.share or 0.0), series.step),
            ),
            unfinished.get(one, {}),
            successes.get(one),
            not_started.get(one),
        )
        for one in sorted({*tallies, *unfinished, *successes, *not_started})
        if flow_id in (None, one)
    ]
    return Stats(flows, is_truncated=len(ended) > most)


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
    return "".join(line for gauge in gauges if gauge.samples for line in _exposition_lines(gauge))


def _exposition_lines(gauge: Gauge) -> Iterator[str]:
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
    yield Gauge("runs", f"How runs ended: {RUNS_COUNTED}.", _by_status(series, ended))
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
    for name, about, field in (
        ("not_started", "Starts that another run of the group turned away.", "times"),
        ("last_not_started_timestamp_seconds", "When the latest was turned away.", "last_at"),
    ):
        found = ((of_flow(one.flow_id), getattr(one.not_started, field, None)) for one in flows)
        yield Gauge(name, about, present(found))


def gauges_of_steps(flows: Sequence[FlowStats]) -> Iterator[Gauge]:
    """Write the figures of each step."""
    series = [(of_flow(flow.flow_id, step=one.step), one) for flow in flows for one in flow.steps]
    ended = ("SUCCEEDED", "FAILED", "CANCELLED", "SKIPPED")
    yield Gauge("step_runs", f"How a step ended in {RUNS_COUNTED}.", _by_status(series, ended))
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


def _by_status(labelled: Iterable[tuple[Labels, Series]], statuses: Iterable[str]) -> list[Sample]:
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
    tables: list[Table] = [[FLOW_COLUMNS, *map(_flow_row, flows)]]
    if with_steps:
        tables += [[STEP_COLUMNS, *map(_series_row, flow.steps)] for flow in flows if flow.steps]
    lines: list[str] = []
    for table in tables:
        fitted = fit(table, columns, DISPENSABLE_FIGURES, table[0][:1])
        lines += [*([""] if lines else []), *draw_table(fitted)]
    found = filter(None, (one.not_started for one in flows))
    return lines + [visible(not_started_text(f"runs of {one.flow_id} were", one)) for one in found]


def _flow_row(flow: FlowStats) -> tuple[str, ...]:
    unfinished = sum(flow.unfinished.values())
    return (visible(flow.flow_id), *cells(flow.runs, flow.runs.total), number(unfinished))


def _series_row(step: Series) -> tuple[str, ...]:
    share = NONE if step.share is None else f"{100 * step.share:.0f} %"
    return (visible(step.step), *cells(step, step.begun), share)


def cells(series: Series, runs: int) -> tuple[str, ...]:
    """Write the figures that flows and steps share."""
    return (
        str(runs),
        number(series.failed),
        number(series.cancelled),
        number(series.retries),
        _time_cell(series.took and series.took.median),
        _time_cell(series.took and series.took.p95),
        _time_cell(series.waited and series.waited.median),
    )


def number(count: int) -> str:
    """Write a count; a dash for 0, which should not draw attention."""
    return str(count or NONE)


def _time_cell(seconds: float | None) -> str:
    return NONE if seconds is None else duration_text(seconds)
