"""What the steps of a pruned run have printed: orchesjob removes it, with their jobs (rule 9.10).

Only jobs that are recorded with the run are removed, each by its id. Which runs are pruned is
decided in `prune`.
"""

import os
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from flow_store import Attempt, DamagedRecord, EndedRun, FlowStore, Run, StoreBroken, reported_job
from orchesjob_client import OrchesjobClient, OrchesjobError, locate
from orchesjob_flow.home.orchesjob_home import has_own_home
from orchesjob_flow.home.run_directory import remove_run_directory
from orchesjob_flow.home.settings import Settings
from orchesjob_flow.views.streams import warn


class Output(NamedTuple):
    """How many jobs there are of a run, and how many bytes they have printed."""

    jobs: int = 0
    size: int = 0


class Pruned(NamedTuple):
    """A run that was removed, or would be, and what of its output."""

    run: EndedRun
    output: Output


class Job(NamedTuple):
    """A job that is recorded with a run, and the files that orchesjob has named."""

    job_id: str
    files: tuple[str, ...]

    @property
    def size(self) -> int:
        """Return how many bytes its files hold now."""
        return sum(map(size_of, self.files))


class Cleaner:
    """Has orchesjob remove the jobs of runs, each in the home of its run (rule 4.8).

    A home that a run has for itself is removed as a whole.
    """

    def __init__(self, settings: Settings) -> None:
        """Remember the settings; the executable is looked for when there is something to remove."""
        self._settings = settings
        self._failed: dict[str | None, OrchesjobError] = {}

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
        if not jobs or (home is not None and not os.path.isdir(home)):  # noqa: PTH112 - text
            return Output()
        if home in self._failed:
            raise self._failed[home]
        try:
            executable = locate(self._settings.orchesjob, self._settings.environ)
            client = OrchesjobClient(executable, home=home)
            with ThreadPoolExecutor(self._settings.starts) as pool:
                before = [job.size for job in jobs]
                removed = list(pool.map(lambda job: client.clean(job.job_id), jobs))
        except OrchesjobError as error:
            self._failed[home] = error
            raise
        freed = sum(was - job.size for was, job in zip(before, jobs, strict=True))
        return Output(sum(removed), freed)


def jobs_of(store: FlowStore, run_key: str) -> tuple[Run, list[Job]] | None:
    """Return a run with its jobs; None if it is gone, or if its record cannot be read.

    An attempt under whose key orchesjob had a job of somebody else has none (rule 5.9).
    """
    try:
        run, attempts = store.load(run_key), store.attempts(run_key)
        if run is None:
            return None
        found = [
            Job(attempt.job_id, tuple(output_files(run, attempt)))
            for attempt in attempts
            if attempt.job_id is not None
        ]
    except StoreBroken as error:
        warn(f"what run {run_key!r} has printed is left in orchesjob's home: {error}")
        return None
    return run, found


def output_of(store: FlowStore, run_key: str) -> Output:
    """Return what there is of a run's output, which orchesjob may have removed already."""
    found = jobs_of(store, run_key)
    jobs = [] if found is None else found[1]
    return Output(len(jobs), sum(job.size for job in jobs))


def output_files(run: Run, attempt: Attempt) -> Iterator[str]:
    """Yield the files that hold what an attempt has printed, as far as the record can be read."""
    try:
        job = reported_job(run, attempt) or {}
    except DamagedRecord:  # orchesjob finds them by the job's id
        return
    for name in ("stdout_file", "stderr_file"):
        if isinstance(path := job.get(name), str):
            yield path


def size_of(path: str) -> int:
    """Return how many bytes a file holds; 0 if there is none, or it is no file."""
    try:
        found = os.lstat(path)
    except (OSError, ValueError):
        return 0
    return found.st_size if stat.S_ISREG(found.st_mode) else 0
