"""Removing runs that have ended, with all that belongs to them (rule 9.10).

While a run's lock is held, orchesjob removes its jobs with their output, one by one. Then the
directory goes, the record, and last the logs and the locks. If `prune` is interrupted in between,
the next one finds the run and finishes the work.
"""

import os
import stat
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from functools import partial
from itertools import batched
from typing import NamedTuple

from flow_store import Attempt, DamagedRecord, EndedRun, FlowStore, Run, StoreBroken, reported_job
from orchesjob_client import OrchesjobClient, OrchesjobError, discard_empty_cgroups, locate
from orchesjob_flow.errors import UnsafePlace
from orchesjob_flow.home import RunHandle, Settings, patiently, remove_run_directory
from orchesjob_flow.home.orchesjob_home import flow_home_before, has_own_home

AT_ONCE = 20
"""How many records are removed in one transaction, which keeps other writers out for some ms."""
PAUSE_SEC = 0.1
"""A process that waits for SQLite's lock looks at it again within 100 ms."""


class Output(NamedTuple):
    """How many jobs there are of a run, and how many bytes they have printed."""

    jobs: int = 0
    size: int = 0


class Pruned(NamedTuple):
    """A run that was removed, or would be, and what of its output."""

    run: EndedRun
    output: Output


class PrintedJob(NamedTuple):
    """A job that is recorded with a run, and what orchesjob has named as its files."""

    job_id: str
    files: tuple[str, ...]

    @property
    def size(self) -> int:
        """Return how many bytes its files hold now."""
        return sum(map(_size_of, self.files))


class Pruner:
    """Removes runs, and their jobs unless it `keeps_output`.

    `warn` is told about output that remains because the record of a run cannot be read.

    Attributes:
        failed: Why runs were left that could not be removed, by run key.
    """

    def __init__(
        self,
        store: FlowStore,
        settings: Settings,
        *,
        keeps_output: bool,
        warn: Callable[[str], None],
    ) -> None:
        """Remove nothing yet; orchesjob is looked up when there is a job to remove."""
        self.failed: dict[str, str] = {}
        self._store = store
        self._settings = settings
        self._keeps_output = keeps_output
        self._warn = warn
        self._unusable: dict[str, OrchesjobError] = {}
        """Homes in which orchesjob has failed: each further run would take as long to fail."""

    def foresee(self, runs: Sequence[EndedRun]) -> list[Pruned]:
        """Return what `remove` would remove."""
        found = ((run, self._jobs_of(run.run_key)) for run in runs)
        return [Pruned(run, Output() if jobs is None else total(jobs[1])) for run, jobs in found]

    def remove(
        self, runs: Sequence[EndedRun], *, ended_by: float, report: Callable[[str], None]
    ) -> list[Pruned]:
        """Remove runs that had ended by a time, and return those that are gone.

        A run is left if it has a runner, or has changed since it was chosen: somebody may have
        retried it, and it may have ended again. `report` is told the progress in words.
        """
        removed: list[Pruned] = []
        for few in batched(runs, AT_ONCE):
            report(f"{len(removed):,} of {len(runs):,} runs removed")
            removed += self._remove(few, ended_by)
            self._store.checkpoint()
        report("giving the space back to the disk")
        while self._store.give_back_space():
            time.sleep(PAUSE_SEC)
        discard_empty_cgroups()
        return removed

    def _remove(self, runs: Sequence[EndedRun], ended_by: float) -> list[Pruned]:
        emptied: list[Pruned] = []
        with ExitStack() as locks:
            for run in runs:
                handle = RunHandle(run.run_key, self._settings)
                lock = handle.lock()
                if lock is None:
                    continue
                locks.enter_context(closing(lock))
                if self._store.revision_of(run.run_key) != run.revision:
                    continue
                try:
                    output = self._remove_output(run.run_key)
                    remove_run_directory(handle.directory)
                    emptied.append(Pruned(run, output))
                except (OrchesjobError, UnsafePlace) as error:
                    self.failed[run.run_key] = str(error)
                except OSError as error:
                    self.failed[run.run_key] = f"{error.filename}: {error.strerror}"
            revisions = {run.run_key: run.revision for run, _ in emptied}
            forget = partial(self._store.remove, revisions, finished_by=ended_by)
            gone = patiently(self._settings, forget)
            for run_key in gone:
                remove_files(RunHandle(run_key, self._settings))
        return [one for one in emptied if one.run.run_key in gone]

    def _remove_output(self, run_key: str) -> Output:
        found = self._jobs_of(run_key)
        if found is None:
            return Output()
        run, jobs = found
        home = run.orchesjob_home
        is_moved = flow_home_before(self._settings.home, run) is not None
        if is_moved or has_own_home(self._settings.home, run):
            output = total(jobs)
            remove_run_directory(self._settings.home.own_jobs(run_key))
            return output
        if not jobs or not os.path.isdir(home):  # noqa: PTH112 - text
            return Output()
        if home in self._unusable:
            raise self._unusable[home]
        before = total(jobs).size
        try:
            client = OrchesjobClient(
                locate(self._settings.orchesjob, self._settings.environ), home=home
            )
            with ThreadPoolExecutor(self._settings.starts) as pool:
                removed = list(pool.map(client.clean, [job.job_id for job in jobs]))
        except OrchesjobError as error:
            self._unusable[home] = error
            raise
        return Output(sum(removed), before - total(jobs).size)

    def _jobs_of(self, run_key: str) -> tuple[Run, list[PrintedJob]] | None:
        """Return a run with the jobs to remove; None if its jobs are kept or cannot be known.

        An attempt under whose key orchesjob had a job of somebody else has none (rule 5.9).
        """
        if self._keeps_output:
            return None
        try:
            run, attempts = self._store.load(run_key), self._store.attempts(run_key)
            if run is None:
                return None
            return run, [job_of(run, one) for one in attempts if one.job_id is not None]
        except StoreBroken as error:
            self._warn(f"the output of run {run_key!r} remains in orchesjob's home: {error}")
            return None


def job_of(run: Run, attempt: Attempt) -> PrintedJob:
    """Return the job of an attempt that has one, as far as the record can be read."""
    try:
        job = reported_job(run, attempt) or {}
    except DamagedRecord:  # orchesjob finds it by its id
        job = {}
    files = (job.get(name) for name in ("stdout_file", "stderr_file"))
    return PrintedJob(str(attempt.job_id), tuple(path for path in files if isinstance(path, str)))


def total(jobs: Sequence[PrintedJob]) -> Output:
    """Return what there is of the output of jobs, which orchesjob may have removed already."""
    return Output(len(jobs), sum(job.size for job in jobs))


def _size_of(path: str) -> int:
    try:
        found = os.lstat(path)
    except (OSError, ValueError):
        return 0
    return found.st_size if stat.S_ISREG(found.st_mode) else 0


def remove_files(handle: RunHandle) -> None:
    """Remove the logs and the locks of a run that is not recorded any more.

    The run's own lock goes last, while it is held: a process that waits for it finds it gone.
    """
    logs = (handle.log(stream) for stream in ("stdout", "stderr"))
    for path in (*logs, handle.calls_lock_path, handle.hook_lock_path, handle.lock_path):
        with suppress(FileNotFoundError):
            path.unlink()
