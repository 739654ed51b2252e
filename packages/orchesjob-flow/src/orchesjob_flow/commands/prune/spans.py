"""Having orchesjob remove many jobs in one call, and no job of anybody else (rule 9.10).

A call takes the longer the more jobs a home has, and for many jobs orchesjob knows only spans of
time: all that has ended in them goes. So a span is used only if orchesjob lists nothing there but
jobs that are to be removed.

What ends after that has ended later than any span. But a call that has read a job before its end
can write back that it has none, and then orchesjob selects the job by its beginning. So a span
includes no second in which a job began that is active, or has ended so shortly before that such a
call may still be running.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import batched
from typing import NamedTuple

from orchesjob_client import EndedJob, OrchesjobClient, OrchesjobError

FEW = 10
"""So many jobs are removed one by one: the calls that spans need would be no fewer."""

OLD_SEC = 3600
SETTLED_SEC = 120
AT_ONCE = 500
"""How many jobs are listed and removed at once; orchesjob takes over a second for them."""


class OldJob(NamedTuple):
    """A job that is to be removed, and by which time orchesjob probably selects it."""

    job_id: str
    ended_at: int


class Span(NamedTuple):
    """The first and the last second of a span, and how many jobs have ended in it."""

    first: int
    last: int
    jobs: int


class SpanCleaner:
    """Removes jobs of one home, as far as there are spans that hold no others."""

    def __init__(self, client: OrchesjobClient, now: float, *, at_once: int) -> None:
        """Ask for the jobs whose beginnings no span may include, `at_once` in parallel.

        Raises:
            OrchesjobError: No usable answer.
        """
        self._client = client
        self._until = int(now) - OLD_SEC
        self._kept = beginnings(client, int(now) - SETTLED_SEC, at_once=at_once)

    def clean(self, jobs: Iterable[OldJob]) -> Iterator[str]:
        """Remove jobs, and yield the ids of those that are gone.

        Where orchesjob cannot list jobs, say because there are too many, none is removed.

        Raises:
            OrchesjobError: No usable answer, or an output is left. Others may be gone too.
        """
        if self._kept is None:
            return
        old = sorted((job.ended_at, job.job_id) for job in jobs if 0 < job.ended_at < self._until)
        wanted = {job_id for _, job_id in old}
        for part in batched(old, AT_ONCE):
            if len(part) <= FEW:
                return
            (first, _), (last, _) = part[0], part[-1]
            try:
                listed = self._client.ended(first, last + 1)
            except OrchesjobError:
                return
            for span in find_spans(wanted, listed, self._kept):
                removed = self._client.clean_ended(span.first, span.last + 1, most=span.jobs)
                yield from (job.job_id for job in removed)


def find_spans(
    wanted: Collection[str], listed: Sequence[EndedJob], kept: Collection[int]
) -> list[Span]:
    """Find the spans that hold several of the wanted jobs, none of the others, and no kept second.

    `listed` are all jobs that have ended in that time.
    """
    walls = {job.ended_at for job in listed if job.job_id not in wanted} | set(kept)
    ends = sorted(job.ended_at for job in listed if job.job_id in wanted)
    spans: list[Span] = []
    events = sorted([(second, True) for second in walls] + [(second, False) for second in ends])
    open_span: Span | None = None
    for second, is_wall in events:
        if is_wall or second in walls:
            open_span = None
        elif open_span is None:
            open_span = Span(second, second, 1)
            spans.append(open_span)
        else:
            open_span = Span(open_span.first, second, open_span.jobs + 1)
            spans[-1] = open_span
    return [span for span in spans if span.jobs > 1]


def beginnings(client: OrchesjobClient, since: int, *, at_once: int) -> frozenset[int] | None:
    """Return in which seconds the jobs began that are active or have ended since a time.

    None if that cannot be known: orchesjob tells it only of the latest execution of a key.

    Raises:
        OrchesjobError: No usable answer.
    """
    reports = list(client.running())  # first: what begins after that has begun after every span
    ended = client.ended(since)
    with ThreadPoolExecutor(at_once) as pool:
        latest = list(pool.map(lambda job: client.status(job.job_key), ended))
    for job, report in zip(ended, latest, strict=True):
        if report is None:  # somebody has removed it
            continue
        if report.job_id != job.job_id:
            return None
        reports.append(report)
    begun = [report.started_at for report in reports]
    return None if None in begun else frozenset(int(second) for second in begun if second)
