"""What each ended run adds to the figures of its flow and steps, and the sums (rule 12.2).

The newest runs are read in each call, and nothing is kept.
"""

from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from flow_spec import StoredFlowError
from flow_store import (
    Attempt,
    AttemptStatus,
    DamagedRecord,
    FlowStore,
    Run,
    RunStatus,
    StepStatus,
)
from orchesjob_flow.reports.facts import AttemptFacts, Facts, SpanKind, StepFacts, facts_of

MOST_RUNS = 5_000
"""How many runs are counted: a few seconds' work for those of some steps."""
ENDED_STATUSES = tuple(status for status in RunStatus if status.is_terminal)
THE_RUN = ""
"""Stands for the run itself where a step would be named."""


class Figure(NamedTuple):
    """What a run, or one step of it, adds to a series.

    Attributes:
        step: The step's name in the flow file, without the label of a copy; or `THE_RUN`.
        status: How it ended.
        has_begun: Whether it has had an attempt.
        retries: Its attempts beyond the first.
        took_ms: How long its success took, if it succeeded.
        waited_ms: How long it waited after its dependencies had ended; None if it has not begun.
        share_ppm: The step's share of the critical path of a run that SUCCEEDED, in millionths;
            counted once for all its copies together.
    """

    step: str
    status: str
    has_begun: bool
    retries: int
    took_ms: int | None
    waited_ms: int | None
    share_ppm: int | None


class Percentiles(NamedTuple):
    """Two percentiles by nearest rank, in seconds; each is one of the measured times."""

    median: float
    p95: float


class Series(NamedTuple):
    """The figures of a step, or of the runs of a flow if its name is `THE_RUN`.

    Attributes:
        step: The step as the flow file names it, all copies of a `foreach` together.
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
    """

    flow_id: str
    runs: Series
    steps: Sequence[Series]
    unfinished: Mapping[RunStatus, int]
    last_success_at: float | None


class Stats(NamedTuple):
    """The figures of flows, and whether more runs have ended than were counted."""

    flows: Sequence[FlowStats]
    is_truncated: bool


def figures_of(run: Run, attempts: Sequence[Attempt]) -> list[Figure]:
    """Return what a run that has ended adds: first for the run itself, then for each step.

    Where its records cannot be read, only the status of the run is known.
    """
    ended_at = run.started_at if run.finished_at is None else run.finished_at
    try:
        facts = facts_of(run, attempts, {}, {}, ended_at)
    except (StoredFlowError, DamagedRecord):
        return [Figure(THE_RUN, run.status, bool(run.history), 0, None, None, None)]
    names = {copy: name for name, copies in facts.flow.copies.items() for copy in copies}
    shares = shares_of(facts, names) if run.status is RunStatus.SUCCEEDED else {}
    steps: list[Figure] = []
    for one in facts.steps:
        name = names.get(one.id, one.id)
        steps.append(figure_of_step(one, name, shares.pop(name, None)))
    return [figure_of_run(facts, steps), *steps]


def figure_of_run(facts: Facts, steps: Sequence[Figure]) -> Figure:
    """Return what the run itself adds.

    A reopened run has no duration: for how long it had ended in between is not recorded.
    """
    run = facts.run
    waits = [one.took(SpanKind.WAITED) for one in facts.steps if one.is_critical]
    is_reopened = bool(run.settlements) or any(step.retry_no > 0 for step in run.steps)
    has_duration = run.status is RunStatus.SUCCEEDED and not is_reopened
    return Figure(
        THE_RUN,
        run.status,
        bool(facts.path),
        sum(figure.retries for figure in steps),
        in_ms(facts.took_sec) if has_duration else None,
        in_ms(sum(waits)) if waits else None,
        None,
    )


def figure_of_step(one: StepFacts, name: str, share_ppm: int | None) -> Figure:
    """Return what a step adds; its duration is that of the attempt that succeeded.

    A step that SUCCEEDED without such an attempt has no duration.
    """
    step, commands = one.step, [attempt for attempt in one.attempts if is_command(attempt)]
    last, took_ms = commands[-1] if commands else None, None
    if step.status is StepStatus.SUCCEEDED and last and last.status is AttemptStatus.SUCCEEDED:
        took_ms = in_ms(last.ran_sec(0.0))
    retries = max(0, len(commands) - 1)
    waited_ms = in_ms(one.took(SpanKind.WAITED)) if step.has_begun else None
    return Figure(name, step.status, step.has_begun, retries, took_ms, waited_ms, share_ppm)


def is_command(attempt: AttemptFacts) -> bool:
    """Tell whether an attempt started the step's command, and not its `only_if` or nothing."""
    return not attempt.is_gate and attempt.status is not AttemptStatus.NEVER_RAN


def shares_of(facts: Facts, names: Mapping[str, str]) -> dict[str, int]:
    """Return each step's share of the critical path in millionths, its copies together.

    The time of a step on the path is from the end of the step before it to its own end.
    """
    shares: dict[str, float] = defaultdict(float)
    for one in facts.steps:
        part = one.finished_at - one.ready_at if one.is_critical else 0.0
        shares[names.get(one.id, one.id)] += part
    length = sum(shares.values())
    if length <= 0:
        return {}
    return {name: round(1e6 * part / length) for name, part in shares.items()}


def in_ms(seconds: float) -> int:
    """Return whole milliseconds."""
    return round(1000 * seconds)


class Tally:
    """Adds up figures to a series."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._statuses: Counter[str] = Counter()
        self._begun = self._retries = 0
        self._took_ms, self._waited_ms, self._shares_ppm = array("q"), array("q"), array("q")

    def add(self, figure: Figure) -> None:
        """Add what a run, or a step of it, adds."""
        self._statuses[figure.status] += 1
        self._begun += figure.has_begun
        self._retries += figure.retries
        for values, value in (
            (self._took_ms, figure.took_ms),
            (self._waited_ms, figure.waited_ms),
            (self._shares_ppm, figure.share_ppm),
        ):
            if value is not None:
                values.append(value)

    def series(self, step: str) -> Series:
        """Return the sums."""
        shares = self._shares_ppm
        return Series(
            step=step,
            total=self._statuses.total(),
            succeeded=self._statuses["SUCCEEDED"],
            failed=self._statuses["FAILED"],
            cancelled=self._statuses["CANCELLED"],
            skipped=self._statuses["SKIPPED"],
            begun=self._begun,
            retries=self._retries,
            took=percentiles_of(self._took_ms),
            waited=percentiles_of(self._waited_ms),
            share=sum(shares) / len(shares) / 1e6 if shares else None,
        )


def percentiles_of(times_ms: Sequence[int]) -> Percentiles | None:
    """Return the median and the 95th percentile of times; None if there are none."""
    if not times_ms:
        return None
    ordered = sorted(times_ms)
    ranks = (nearest_rank(percent, len(ordered)) for percent in (50, 95))
    return Percentiles(*(ordered[rank - 1] / 1000 for rank in ranks))


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
    report: Callable[[str], None],
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
            for figure in figures_of(*found):
                tallies[summary.flow_id][figure.step].add(figure)
    unfinished, successes = store.unfinished(), store.last_successes(since=since)
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
        )
        for one in sorted({*tallies, *unfinished, *successes})
        if flow_id in (None, one)
    ]
    return Stats(flows, is_truncated=len(ended) > most)
