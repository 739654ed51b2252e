"""Deleting the runs that `prune` has chosen, many in each transaction (rule 9.10).

Between its transactions the deletion yields the database to other writers. A process that finds
SQLite's lock taken asks again after 1 ms, then less and less often, and never more than 100 ms
later. Beside a process that takes the lock again at once, it would hardly ever find it free. So the
deletion pauses for the longest interval between two such questions of those that have come
meanwhile: then each of them finds the lock free once.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence, Sized
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import partial
from itertools import batched
from typing import NamedTuple

from flow_store import EndedRun, FlowStore
from orchesjob_client import OrchesjobError
from orchesjob_flow.commands.prune.output import Cleaner, Found, Output, jobs_of
from orchesjob_flow.errors import UnsafePlace
from orchesjob_flow.home.paths import Settings, encode_run_key, remove_run_directory
from orchesjob_flow.home.runs import RunHandle, patiently

HOLD_SEC = 0.08
"""For how long the lock is taken again at once before there is a pause."""

_PAUSES_SEC = ((0.128, 0.03), (0.228, 0.055))
_LONGEST_PAUSE_SEC = 0.11
"""A process that has waited for less than so long asks again within 25, 50 or 100 ms."""


class Yielder:
    """Counts how long the database's lock was held, and pauses when others should have it."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """Begin with a lock for which nobody has had to wait."""
        self._clock = clock
        self._sleep = sleep
        self._held_sec = 0.0

    @contextmanager
    def holding(self, tidy_up: Callable[[], object] = int) -> Iterator[None]:
        """Hold the lock during the block, or again and again; pause after it if that is due.

        Before a pause, `tidy_up` is called, which may hold the lock too.
        """
        began = self._clock()
        yield
        if self._held_sec + self._clock() - began < HOLD_SEC:
            self._held_sec += self._clock() - began
            return
        tidy_up()
        self._sleep(pause_after(self._held_sec + self._clock() - began))
        self._held_sec = 0.0


def pause_after(held_sec: float) -> float:
    """Return for how long to pause when the lock was held for so long."""
    enough = (pause_sec for limit_sec, pause_sec in _PAUSES_SEC if held_sec < limit_sec)
    return next(enough, _LONGEST_PAUSE_SEC)


def report_nothing(_words: str) -> None:
    """Report no progress."""


class Deletion(NamedTuple):
    """Removes runs that had ended by a time.

    `cleaner` removes their output; None leaves it. `records_at_once` runs are removed in one
    transaction, which takes some 20 ms; of runs whose locks are held meanwhile, `locks_at_once`, or
    fewer that have `jobs_at_once` jobs. `report` is called with the progress in words.
    """

    store: FlowStore
    settings: Settings
    ended_by: float
    cleaner: Cleaner | None
    yielder: Yielder
    records_at_once: int = 1000
    locks_at_once: int = 100
    jobs_at_once: int = 500
    report: Callable[[str], None] = report_nothing

    def remove(self, runs: Sequence[EndedRun], not_removed: dict[str, str]) -> dict[str, Output]:
        """Remove runs; return by run key what went of their output.

        A run that has changed since it was chosen is left: somebody may have retried it, and it may
        have ended again. `not_removed` receives, by run key, why others were left.
        """
        with_files = self.settings.home.encoded_keys()
        records: list[EndedRun] = []
        others: deque[EndedRun] = deque()
        for run in runs:
            has_output = self.cleaner is not None and run.has_jobs
            has_more = has_output or encode_run_key(run.run_key) in with_files
            (others if has_more else records).append(run)
        removed: dict[str, Output] = {}
        for batch in batched(records, self.records_at_once):
            self._report(removed, runs)
            removed |= dict.fromkeys(self._remove_records(batch), Output())
        while others:
            self._report(removed, runs)
            removed |= self._remove_all(others, not_removed)
        return removed

    def _report(self, removed: Sized, runs: Sized) -> None:
        self.report(f"{len(removed):,} of {len(runs):,} runs removed")

    def _remove_records(self, runs: Sequence[EndedRun]) -> frozenset[str]:
        """Remove the records of runs, where they have not changed; return which were removed.

        That is safe without their locks: the transaction decides, and no file is touched.
        """
        revisions = {run.run_key: run.revision for run in runs}
        remove = partial(self.store.remove, revisions, finished_by=self.ended_by)
        with self.yielder.holding(self.store.checkpoint):
            return patiently(self.settings, remove)

    def _remove_all(
        self, waiting: deque[EndedRun], not_removed: dict[str, str]
    ) -> dict[str, Output]:
        """Remove the first runs that wait, with all that is theirs, while their locks are held."""
        emptied: dict[EndedRun, Output] = {}
        with ExitStack() as locks:
            taken = self._take(waiting, locks)
            if self.cleaner is not None:
                self.cleaner.clean_together(found for found in taken.values() if found is not None)
            for run, found in taken.items():
                try:
                    emptied[run] = self._empty(RunHandle(run.run_key, self.settings), found)
                except (OrchesjobError, UnsafePlace) as error:
                    not_removed[run.run_key] = str(error)
                except OSError as error:
                    not_removed[run.run_key] = f"{error.filename}: {error.strerror}"
            removed = self._remove_records(list(emptied))
            for run_key in removed:
                remove_files(RunHandle(run_key, self.settings))
        return {run.run_key: freed for run, freed in emptied.items() if run.run_key in removed}

    def _take(self, waiting: deque[EndedRun], locks: ExitStack) -> dict[EndedRun, Found | None]:
        """Take and lock the runs that are deleted together, with their jobs; drop changed ones.

        Of a run that keeps its output, or whose record cannot be read, no jobs are known.
        """
        taken: dict[EndedRun, Found | None] = {}
        jobs = 0
        while waiting and len(taken) < self.locks_at_once and jobs < self.jobs_at_once:
            run = waiting.popleft()
            lock = RunHandle(run.run_key, self.settings).lock()
            if lock is None:
                continue
            locks.enter_context(closing(lock))
            if self.store.revision_of(run.run_key) != run.revision:
                continue
            taken[run] = None if self.cleaner is None else jobs_of(self.store, run.run_key)
            jobs += 0 if (found := taken[run]) is None else len(found[1])
        return taken

    def _empty(self, handle: RunHandle, found: Found | None) -> Output:
        """Remove the output and the directory of a run, and return what went of the output.

        That comes first: for a run that is not recorded any more, nobody could remove them later.

        Raises:
            OrchesjobError, UnsafePlace, OSError: They could not be removed; so the run is left too.
        """
        output = Output()
        if self.cleaner is not None and found is not None:
            output = self.cleaner.clean(*found)
        remove_run_directory(handle.directory)
        return output


def remove_files(handle: RunHandle) -> None:
    """Remove the logs and the locks of a run that is not recorded any more.

    The run's own lock goes last, while it is held: a process that waits for it finds it gone.
    """
    logs = (handle.log(stream) for stream in ("stdout", "stderr"))
    for path in (*logs, handle.calls_lock_path, handle.lock_path):
        with suppress(FileNotFoundError):
            path.unlink()


def shrink(store: FlowStore, yielder: Yielder) -> None:
    """Give the space that the runs took back to the file system, as far as the file can do that."""
    is_smaller = True
    while is_smaller:
        with yielder.holding():
            is_smaller = store.give_back_space()
