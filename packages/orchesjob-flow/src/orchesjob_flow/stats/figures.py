"""The figures of a flow and of its steps: what one ended run adds, and the sums (rule 12.2)."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from flow_spec import FlowSpec, StoredFlowError
from flow_store import (
    Attempt,
    AttemptStatus,
    DamagedRecord,
    FlowStatus,
    Run,
    StepStatus,
)
from orchesjob_flow.reports.facts import AttemptFacts, SpanKind, StepTiming, Timing, timing_of

THE_RUN = ""
"""Stands for the run itself where a step would be named."""


class Figure(NamedTuple):
    """What a run, or one step of it, adds to a series.

    Attributes:
        step: The step as the flow file names it, whatever copy of a `foreach` it is; or the run.
        status: How it ended.
        has_begun: Whether it has had an attempt.
        retries: Its attempts beyond the first.
        took_ms: How long its success took, if it succeeded.
        waited_ms: How long it waited for nothing but a place; None if it has not begun.
        share_ppm: The step's share of the critical path of a run that SUCCEEDED, all its copies
            together; it is added once for all of them.
    """

    step: str
    status: str
    has_begun: bool
    retries: int
    took_ms: int | None
    waited_ms: int | None
    share_ppm: int | None


def figures_of(run: Run, attempts: Sequence[Attempt]) -> list[Figure]:
    """Return what a run that has ended adds: that of the run itself, then that of each step.

    Where what is recorded of it is no longer readable, only its own status is known.
    """
    try:
        flow = flow_of(run.definition)
        timing = timing_of(run, flow, attempts, ended_at(run))
    except (StoredFlowError, DamagedRecord):
        return [Figure(THE_RUN, run.status, bool(run.history), 0, None, None, None)]
    names = {copy: name for name, copies in flow.copies.items() for copy in copies}
    shares = shares_of(timing, names) if run.status is FlowStatus.SUCCEEDED else {}
    steps: list[Figure] = []
    for one in timing.steps:
        name = names.get(one.spec.id, one.spec.id)
        steps.append(figure_of_step(one, name, shares.pop(name, None)))
    return [figure_of_run(run, timing, steps), *steps]


def figure_of_run(run: Run, timing: Timing, steps: Sequence[Figure]) -> Figure:
    """Return what the run itself adds.

    Of one that was opened again, no duration: how long it had ended in between is not recorded.
    """
    on_path = set(timing.path)
    waits = [one.took(SpanKind.WAITED) for one in timing.steps if one.spec.id in on_path]
    was_opened_again = any(step.retry_no > 0 for step in run.steps)
    has_ended_once = not was_opened_again and not run.settlements
    has_duration = run.status is FlowStatus.SUCCEEDED and has_ended_once
    return Figure(
        THE_RUN,
        run.status,
        bool(timing.path),
        sum(figure.retries for figure in steps),
        in_ms(max(0.0, ended_at(run) - run.started_at)) if has_duration else None,
        in_ms(sum(waits)) if waits else None,
        None,
    )


def figure_of_step(one: StepTiming, name: str, share_ppm: int | None) -> Figure:
    """Return what a step adds; the duration of its success is that of the attempt that succeeded.

    A step that SUCCEEDED without such an attempt has none.
    """
    step, commands = one.step, [attempt for attempt in one.attempts if is_command(attempt)]
    last = commands[-1] if commands else None
    succeeded = step.status is StepStatus.SUCCEEDED and last is not None
    has_duration = succeeded and last is not None and last.status is AttemptStatus.SUCCEEDED
    return Figure(
        name,
        step.status,
        step.has_begun,
        max(0, len(commands) - 1),
        in_ms(last.ran_sec(0.0)) if last is not None and has_duration else None,
        in_ms(one.took(SpanKind.WAITED)) if step.has_begun else None,
        share_ppm,
    )


def is_command(attempt: AttemptFacts) -> bool:
    """Tell whether the step's command was started: not its gate, and not nothing at all."""
    return not attempt.is_gate and attempt.status is not AttemptStatus.NEVER_RAN


def shares_of(timing: Timing, names: Mapping[str, str]) -> dict[str, int]:
    """Return each step's share of the critical path, its copies together; 0 of those beside it.

    The time on the path of a step is from the end of the one before it to its own end.
    """
    parts = {
        step_id: timing.timed[step_id].finished_at - timing.timed[step_id].ready_at
        for step_id in timing.path
    }
    length = sum(parts.values())
    if length <= 0:
        return {}
    shares = {names.get(one.spec.id, one.spec.id): 0.0 for one in timing.steps}
    for step_id, part in parts.items():
        shares[names.get(step_id, step_id)] += part
    return {name: round(1e6 * part / length) for name, part in shares.items()}


@lru_cache(maxsize=64)
def flow_of(definition: str) -> FlowSpec:
    """Read a stored definition, of which most runs of a flow have the same.

    Raises:
        StoredFlowError: It is damaged.
    """
    return FlowSpec.from_json(definition)


def ended_at(run: Run) -> float:
    """Return when a run ended."""
    return run.started_at if run.finished_at is None else run.finished_at


def in_ms(seconds: float) -> int:
    """Return whole milliseconds."""
    return round(1000 * seconds)


class Percentiles(NamedTuple):
    """Two percentiles by nearest rank, each of them a time that was measured, in seconds."""

    median: float
    p95: float


class Series(NamedTuple):
    """The figures of a step, or with `THE_RUN` as its name of the runs of a flow.

    Attributes:
        step: The step as the flow file names it, all copies of a `foreach` together.
        total: How many have ended.
        succeeded, failed, cancelled, skipped: How many of them ended like this.
        begun: How many of them had an attempt.
        retries: The attempts beyond the first of each.
        took: How long those took that succeeded; None if none did.
        waited: How long those waited that have begun.
        share: The part of the critical path, on average of the runs that SUCCEEDED.
        last_success_at: When the latest run that SUCCEEDED, or in which the step did, had ended.
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
    last_success_at: float | None


NOTHING = Series(THE_RUN, 0, 0, 0, 0, 0, 0, 0, None, None, None, None)
"""The figures of a flow of which no run has ended."""


class FlowStats(NamedTuple):
    """The figures of a flow: of its runs, of its steps, and how many runs have not ended.

    The steps with the largest share of the critical path come first.
    """

    flow_id: str
    runs: Series
    steps: Sequence[Series]
    unfinished: Mapping[FlowStatus, int]


def in_order_of_share(steps: Sequence[Series]) -> list[Series]:
    """Sort steps so that what makes runs long comes first."""
    return sorted(steps, key=lambda one: (-(one.share or 0.0), one.step))
