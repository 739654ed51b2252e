"""Where the time of a step went: it waited for a place, it waited for its next attempt, it ran.

The time that a step waited for other steps is none of its own, and is not counted here.
"""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple

from flow_store import AttemptStatus, Step, StepStatus
from orchesjob_flow.reports.attempts import AttemptFacts


class Kind(StrEnum):
    """What a step did.

    WAITED: all that it waits for had ended, and it had not begun: for a place under `max_parallel`,
    or for a call of orchesjob. DELAYED: the time between two attempts. RAN: that of an attempt.
    """

    WAITED = "waited"
    DELAYED = "delayed"
    RAN = "ran"


class Span(NamedTuple):
    """A time of a step; `attempt` is what ran, or what followed. `is_open` if it still goes on."""

    kind: Kind
    begin: float
    end: float
    attempt: int
    status: AttemptStatus | None = None
    is_open: bool = False

    @property
    def length_sec(self) -> float:
        """How long it was."""
        return self.end - self.begin


def spans_of(
    step: Step, attempts: Sequence[AttemptFacts], ready_at: float | None, now: float
) -> Iterator[Span]:
    """Yield the times of a step, in order.

    Between attempts of the time before a `retry`, and up to the first one after it, nothing is
    told: how long the run had ended in between is not recorded.
    """
    last: AttemptFacts | None = None
    for attempt in attempts:
        if last is None or last.is_earlier != attempt.is_earlier:
            if ready_at is not None and not attempt.is_earlier and attempt.is_exact:
                yield from span(Kind.WAITED, ready_at, attempt.started_at, attempt.number)
        elif not attempt.is_earlier and last.finished_at is not None:
            yield from span(between(last), last.finished_at, attempt.started_at, attempt.number)
        is_open = attempt.finished_at is None
        end = max(now, attempt.started_at) if attempt.finished_at is None else attempt.finished_at
        begin, number, status = attempt.started_at, attempt.number, attempt.status
        yield Span(Kind.RAN, begin, end, number, status, is_open)
        last = attempt
    if step.status in (StepStatus.PENDING, StepStatus.DELAYED):
        has_begun = last is not None and not last.is_earlier
        since = last.finished_at if last is not None and has_begun else ready_at
        if since is not None:
            kind = Kind.DELAYED if step.status is StepStatus.DELAYED else Kind.WAITED
            yield from span(kind, since, now, step.attempt_no + 1, is_open=True)


def span(
    kind: Kind, begin: float, end: float, attempt: int, *, is_open: bool = False
) -> Iterator[Span]:
    """Yield a span that has a length, for the wall clock may have been set."""
    if end > begin:
        yield Span(kind, begin, end, attempt, is_open=is_open)


def between(last: AttemptFacts) -> Kind:
    """Tell what a step did between an attempt and the next one."""
    return Kind.DELAYED if last.status is AttemptStatus.FAILED else Kind.WAITED


def total(spans: Sequence[Span], kind: Kind) -> float:
    """Return how long a step did this in all."""
    return sum(one.length_sec for one in spans if one.kind is kind)
