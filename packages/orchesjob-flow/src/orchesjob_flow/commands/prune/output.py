"""What the steps of a pruned run have printed: orchesjob removes it, with their jobs (rule 9.10).

Only jobs that are recorded with the run are removed: many in one call if that is possible, the
others by their ids. Which runs are pruned is decided in `prune`.

The more jobs a home holds, the slower each call, and for many jobs orchesjob knows only spans of
time: all that has ended in them goes. So a span is used only if orchesjob lists nothing there but
jobs that are to be removed.

What ends after that has ended later than any span. But a call that has read a job before its end
can write back that it has none, and then orchesjob selects the job by its beginning. So a span
includes no second in which a job began that is active, or has ended so shortly before that such a
call may still be running.
"""

import os
import stat
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import batched
from typing import NamedTuple

from flow_store import Attempt, DamagedRecord, EndedRun, FlowStore, Run, StoreBroken, reported_job
from orchesjob_client import EndedJob, OrchesjobClient, OrchesjobError, locate
from orchesjob_flow.home.orchesjob_home import flow_home_before, has_own_home
from orchesjob_flow.home.paths import Settings, remove_run_directory
from orchesjob_flow.views.terminal import warn

FEW = 10
"""So many jobs are removed one by one: the calls that spans need would be no fewer."""

OLD_SEC = 3600
LONGEST_CALL_SEC = 120
AT_ONCE = 500
"""How many jobs are listed and removed at once; orchesjob takes over a second for them."""


class Output(NamedTuple):
    """How many jobs there are of a run, and how many bytes they have printed."""

    jobs: int = 0
    size: int = 0


class Pruned(NamedTuple):
    """A run that was removed, or would be, and what of its output."""

    run: EndedRun
    output: Output


class PrintedJob(NamedTuple):
    """A job that is recorded with a run, what orchesjob has named as its files and as its end.

    `ended_at` is the second by which orchesjob probably selects it; None where it has named none.
    """

    job_id: str
    files: tuple[str, ...]
    ended_at: int | None = None

    @property
    def size(self) -> int:
        """Return how many bytes its files hold now."""
        return sum(map(size_of, self.files))


type Found = tuple[Run, list[PrintedJob]]
"""A run, and the jobs that are recorded with it."""


class JobSpan(NamedTuple):
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
        self._kept = beginnings(client, int(now) - LONGEST_CALL_SEC, at_once=at_once)

    def clean(self, jobs: Iterable[PrintedJob]) -> Iterator[str]:
        """Remove jobs, and yield the ids of those that are gone.

        Where orchesjob cannot list jobs, say because there are too many, none is removed.

        Raises:
            OrchesjobError: No usable answer, or an output is left. Others may be gone too.
        """
        if self._kept is None:
            return
        ends = ((job.ended_at or 0, job.job_id) for job in jobs)
        old = sorted(one for one in ends if 0 < one[0] < self._until)
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
) -> list[JobSpan]:
    """Find the spans that hold several of the wanted jobs, none of the others, and no kept second.

    `listed` are all jobs that have ended in that time.
    """
    walls = {job.ended_at for job in listed if job.job_id not in wanted} | set(kept)
    ends = sorted(job.ended_at for job in listed if job.job_id in wanted)
    spans: list[JobSpan] = []
    events = sorted([(second, True) for second in walls] + [(second, False) for second in ends])
    open_span: JobSpan | None = None
    for second, is_wall in events:
        if is_wall or second in walls:
            open_span = None
        elif open_span is None:
            open_span = JobSpan(second, second, 1)
            spans.append(open_span)
        else:
            open_span = JobSpan(open_span.first, second, open_span.jobs + 1)
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


class Cleaner:
    """Has orchesjob remove the jobs of runs, each in the home of its run (rule 4.8).

    A home that a run has for itself is removed as a whole.
    """

    def __init__(self, settings: Settings, now: float) -> None:
        """Remember the settings; the executable is looked for when there is something to remove."""
        self._settings = settings
        self._now = now
        self._failed: dict[str, OrchesjobError] = {}
        self._span_cleaners: dict[str, SpanCleaner] = {}
        self._freed: dict[str, int] = {}
        """How much was freed with each job that was removed together with others."""

    def clean_together(self, found: Iterable[Found]) -> None:
        """Remove the jobs of runs that can be removed together; `clean` does the rest."""
        by_home: dict[str, list[PrintedJob]] = defaultdict(list)
        for run, jobs in found:
            if self._is_shared_home_of(run):
                by_home[run.orchesjob_home] += jobs
        for home, jobs in by_home.items():
            if sum(job.ended_at is not None for job in jobs) <= FEW or home in self._failed:
                continue
            sizes = {job.job_id: job.size for job in jobs}
            try:
                spans = self._span_cleaner(home)
            except OrchesjobError:  # `clean` fails likewise, and reports it
                continue
            try:
                self._freed |= {job_id: sizes.get(job_id, 0) for job_id in spans.clean(jobs)}
            except OrchesjobError as error:
                self._failed[home] = error

    def _is_shared_home_of(self, run: Run) -> bool:
        is_gone = not os.path.isdir(run.orchesjob_home)  # noqa: PTH112 - text
        return not is_gone and not has_own_home(self._settings.home, run)

    def _span_cleaner(self, home: str) -> SpanCleaner:
        if home not in self._span_cleaners:
            self._span_cleaners[home] = SpanCleaner(
                self._client(home), self._now, at_once=self._settings.starts
            )
        return self._span_cleaners[home]

    def _client(self, home: str) -> OrchesjobClient:
        executable = locate(self._settings.orchesjob, self._settings.environ)
        return OrchesjobClient(executable, home=home)

    def clean(self, run: Run, jobs: list[PrintedJob]) -> Output:
        """Remove jobs of a run, and return how many there were and what they had printed.

        A home in which that has failed is not tried again: it would take as long for each run.

        Raises:
            OrchesjobError, UnsafePlace, OSError: At least one may be left.
        """
        home = run.orchesjob_home
        is_moved = flow_home_before(self._settings.home, run) is not None
        if is_moved or has_own_home(self._settings.home, run):
            freed = sum(job.size for job in jobs)
            remove_run_directory(self._settings.home.own_jobs(run.run_key))
            return Output(len(jobs), freed)
        gone = [self._freed[job.job_id] for job in jobs if job.job_id in self._freed]
        jobs = [job for job in jobs if job.job_id not in self._freed]
        if not jobs or not self._is_shared_home_of(run):
            return Output(len(gone), sum(gone))
        if home in self._failed:
            raise self._failed[home]
        try:
            client = self._client(home)
            with ThreadPoolExecutor(self._settings.starts) as pool:
                before = [job.size for job in jobs]
                removed = list(pool.map(lambda job: client.clean(job.job_id), jobs))
        except OrchesjobError as error:
            self._failed[home] = error
            raise
        freed = sum(was - job.size for was, job in zip(before, jobs, strict=True))
        return Output(len(gone) + sum(removed), sum(gone) + freed)


def jobs_of(store: FlowStore, run_key: str) -> Found | None:
    """Return a run with its jobs; None if it is gone, or if its record cannot be read.

    An attempt under whose key orchesjob had a job of somebody else has none (rule 5.9).
    """
    try:
        run, attempts = store.load(run_key), store.attempts(run_key)
        if run is None:
            return None
        found = [job_of(run, attempt) for attempt in attempts if attempt.job_id is not None]
    except StoreBroken as error:
        warn(f"the output of run {run_key!r} remains in orchesjob's home: {error}")
        return None
    return run, found


def output_of(store: FlowStore, run_key: str) -> Output:
    """Return what there is of a run's output, which orchesjob may have removed already."""
    found = jobs_of(store, run_key)
    jobs = [] if found is None else found[1]
    return Output(len(jobs), sum(job.size for job in jobs))


def job_of(run: Run, attempt: Attempt) -> PrintedJob:
    """Return the job of an attempt that has one, as far as the record can be read."""
    job_id = str(attempt.job_id)
    try:
        job = reported_job(run, attempt) or {}
    except DamagedRecord:  # orchesjob finds it by its id
        return PrintedJob(job_id, ())
    files = (job.get(name) for name in ("stdout_file", "stderr_file"))
    ended_at = job.get("finished_at") or job.get("started_at")
    return PrintedJob(
        job_id,
        tuple(path for path in files if isinstance(path, str)),
        ended_at if isinstance(ended_at, int) else None,
    )


def size_of(path: str) -> int:
    """Return how many bytes a file holds; 0 if there is no regular file."""
    try:
        found = os.lstat(path)
    except (OSError, ValueError):
        return 0
    return found.st_size if stat.S_ISREG(found.st_mode) else 0
