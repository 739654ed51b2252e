"""Removing the runs that `prune` has chosen, many in each transaction (rule 9.10).

What they are chosen by, and how they are shown, is in `prune`.
"""

from collections import deque
from collections.abc import Callable, Sequence, Sized
from contextlib import ExitStack, closing, suppress
from functools import partial
from itertools import batched
from typing import NamedTuple

from flow_store import EndedRun, FlowStore
from orchesjob_client import OrchesjobError
from orchesjob_flow.commands.prune_output import Cleaner, Found, Output, jobs_of
from orchesjob_flow.commands.rests import Rests
from orchesjob_flow.errors import UnsafePlace
from orchesjob_flow.home.paths import encode_run_key, remove_run_directory
from orchesjob_flow.home.runs import RunHandle, patiently
from orchesjob_flow.home.settings import Settings


def no_words(_words: str) -> None:
    """Tell nobody."""


class Removal(NamedTuple):
    """Removes runs that had ended by a time.

    `cleaner` removes their output; None leaves it. `records_at_once` runs are removed in one
    transaction, which takes some 20 ms; of runs whose locks are held meanwhile, `locks_at_once`, or
    fewer that have `jobs_at_once` jobs. `say` is told how far that has come.
    """

    store: FlowStore
    settings: Settings
    ended_by: float
    cleaner: Cleaner | None
    rests: Rests
    records_at_once: int = 1000
    locks_at_once: int = 100
    jobs_at_once: int = 500
    say: Callable[[str], None] = no_words

    def remove(self, runs: Sequence[EndedRun], kept: dict[str, str]) -> dict[str, Output]:
        """Remove runs; return by run key what went of their output.

        Left are those that have changed since they were chosen: somebody may have retried one
        meanwhile, and it may have ended again. Into `kept` comes why others were left.
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
            self._tell(removed, runs)
            removed |= dict.fromkeys(self._remove_records(batch), Output())
        while others:
            self._tell(removed, runs)
            removed |= self._remove_all(others, kept)
        return removed

    def _tell(self, removed: Sized, runs: Sized) -> None:
        self.say(f"{len(removed):,} of {len(runs):,} runs removed")

    def _remove_records(self, runs: Sequence[EndedRun]) -> frozenset[str]:
        """Remove the records of runs, where they have not changed; return which were removed.

        That is safe without their locks: the transaction decides, and no file is touched.
        """
        revisions = {run.run_key: run.revision for run in runs}
        remove = partial(self.store.remove, revisions, finished_by=self.ended_by)
        with self.rests.turn(self.store.checkpoint):
            return patiently(self.settings, remove)

    def _remove_all(self, waiting: deque[EndedRun], kept: dict[str, str]) -> dict[str, Output]:
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
                    kept[run.run_key] = str(error)
                except OSError as error:
                    kept[run.run_key] = f"{error.filename}: {error.strerror}"
            removed = self._remove_records(list(emptied))
            for run_key in removed:
                remove_files(RunHandle(run_key, self.settings))
        return {run.run_key: freed for run, freed in emptied.items() if run.run_key in removed}

    def _take(self, waiting: deque[EndedRun], locks: ExitStack) -> dict[EndedRun, Found | None]:
        """Take so many runs as go at once, with their jobs, and lock them; drop those that changed.

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

    The run's own lock goes last, while it is held: whoever waits for it sees it gone.
    """
    logs = (handle.log(stream) for stream in ("stdout", "stderr"))
    for path in (*logs, handle.calls_lock_path, handle.lock_path):
        with suppress(FileNotFoundError):
            path.unlink()


def shrink(store: FlowStore, rests: Rests) -> None:
    """Give the space that the runs took back to the file system, as far as the file can do that."""
    is_smaller = True
    while is_smaller:
        with rests.turn():
            is_smaller = store.give_back_space()
