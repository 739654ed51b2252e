"""The figures of a flow and of its steps, over many runs (rule 12.2)."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from flow_store import FlowStatus
from orchesjob_flow.stats.figures import THE_RUN


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
