"""What the steps of a pruned run have printed: orchesjob removes it, with their jobs (rule 9.10).

Only jobs that are recorded with the run are removed, many together where `prune_spans` finds that
possible, the others by their ids. Which runs are pruned is decided in `prune`.
"""

import os
import stat
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from flow_store import Attempt, DamagedRecord, EndedRun, FlowStore, Run, StoreBroken, reported_job
from orchesjob_client import OrchesjobClient, OrchesjobError, locate
from orchesjob_flow.commands.prune.spans import FEW, OldJob, SpanCleaner
from orchesjob_flow.home.orchesjob_home import has_own_home
from orchesjob_flow.home.paths import remove_run_directory
from orchesjob_flow.home.settings import Settings
from orchesjob_flow.views.terminal import warn


class Output(NamedTuple):
    """How many jobs there are of a run, and how many bytes they have printed."""

    jobs: int = 0
    size: int = 0


class Pruned(NamedTuple):
    """A run that was removed, or would be, and what of its output."""

    run: EndedRun
    output: Output


class Job(NamedTuple):
    """A job that is recorded with a run, what orchesjob has named as its files and as its end.

    `ended_at` is None where it has named none.
    """

    job_id: str
    files: tuple[str, ...]
    ended_at: int | None = None

    @property
    def size(self) -> int:
        """Return how many bytes its files hold now."""
        return sum(map(size_of, self.files))


type Found = tuple[Run, list[Job]]
"""A run, and the jobs that are recorded with it."""


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
        by_home: dict[str, list[Job]] = defaultdict(list)
        for run, jobs in found:
            if self._is_shared_home_of(run):
                by_home[run.orchesjob_home] += jobs
        for home, jobs in by_home.items():
            old = [OldJob(job.job_id, job.ended_at) for job in jobs if job.ended_at is not None]
            if len(old) <= FEW or home in self._failed:
                continue
            sizes = {job.job_id: job.size for job in jobs}
            try:
                spans = self._span_cleaner(home)
            except OrchesjobError:  # `clean` fails likewise, and reports it
                continue
            try:
                self._freed |= {job_id: sizes.get(job_id, 0) for job_id in spans.clean(old)}
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

    def clean(self, run: Run, jobs: list[Job]) -> Output:
        """Remove jobs of a run, and return how many there were and what they had printed.

        A home in which that has failed is not tried again: it would take as long for each run.

        Raises:
            OrchesjobError, UnsafePlace, OSError: At least one may be left.
        """
        home = run.orchesjob_home
        if has_own_home(self._settings.home, run):
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
        warn(f"what run {run_key!r} has printed is left in orchesjob's home: {error}")
        return None
    return run, found


def output_of(store: FlowStore, run_key: str) -> Output:
    """Return what there is of a run's output, which orchesjob may have removed already."""
    found = jobs_of(store, run_key)
    jobs = [] if found is None else found[1]
    return Output(len(jobs), sum(job.size for job in jobs))


def job_of(run: Run, attempt: Attempt) -> Job:
    """Return the job of an attempt that has one, as far as the record can be read."""
    job_id = str(attempt.job_id)
    try:
        job = reported_job(run, attempt) or {}
    except DamagedRecord:  # orchesjob finds it by its id
        return Job(job_id, ())
    files = (job.get(name) for name in ("stdout_file", "stderr_file"))
    ended_at = job.get("finished_at") or job.get("started_at")
    return Job(
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
