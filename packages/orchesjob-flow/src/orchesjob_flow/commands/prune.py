"""`prune`: runs that ended long ago, or that are named, are removed with all that is theirs (9.10).

orchesjob removes what their steps have printed, with their jobs. Only jobs that are recorded with
the run are removed: many in one call if that is possible, the others by their ids. The more jobs a
home holds, the slower each call, and for many jobs orchesjob knows only spans of time: all that has
ended in them goes. So a span is used only if orchesjob lists nothing there but jobs that are to be
removed.

What ends after that has ended later than any span. But a call that has read a job before its end
can write back that it has none, and then orchesjob selects the job by its beginning. So a span
includes no second in which a job began that is active, or has ended so shortly before that such a
call may still be running.

Runs are removed many in each transaction. Between its transactions the deletion yields the database
to other writers. A process that finds SQLite's lock taken asks again after 1 ms, then less and less
often, and never more than 100 ms later. Beside a process that takes the lock again at once, it
would hardly ever find it free. So the deletion pauses for the longest interval between two such
questions of those that have come meanwhile: then each of them finds the lock free once.
"""

import math
import os
import shlex
import stat
import time
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Sized
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import partial
from itertools import batched, chain
from typing import Any, NamedTuple

import click

from flow_store import Attempt, DamagedRecord, EndedRun, FlowStore, Run, StoreBroken, reported_job
from orchesjob_client import (
    EndedJob,
    OrchesjobClient,
    OrchesjobError,
    discard_empty_cgroups,
    locate,
)
from orchesjob_flow.cli.completion import NEWEST, complete_ended_run, named_run
from orchesjob_flow.cli.options import (
    Duration,
    Misused,
    flow_id_option,
    format_option,
    option_given_once,
)
from orchesjob_flow.errors import NotPruned, RunnerBusy, RunNotTerminal, UnsafePlace
from orchesjob_flow.home.orchesjob_home import flow_home_before, has_own_home
from orchesjob_flow.home.paths import Settings, encode_run_key, remove_run_directory
from orchesjob_flow.home.runs import RunHandle, open_store, patiently
from orchesjob_flow.views.terminal import (
    OutputFormat,
    clock_time,
    print_json,
    print_lines,
    size_text,
    status_line,
    visible,
    warn,
)

HOLD_SEC = 0.08
"""For how long the lock is taken again at once before there is a pause."""

_PAUSES_SEC = ((0.128, 0.03), (0.228, 0.055))
_LONGEST_PAUSE_SEC = 0.11
"""A process that has waited for less than so long asks again within 25, 50 or 100 ms."""


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


@click.command()
@option_given_once(
    "--older-than",
    "older_than_sec",
    type=Duration(zero=True, needs_unit=True),
    metavar="AGE",
    help="Remove runs that ended at least this long ago: 30d, 12h, 90m.",
)
@click.option(
    "--keep",
    type=click.IntRange(min=0),
    metavar="N",
    help="Keep the N newest runs of each flow, however old.",
)
@flow_id_option
@click.option("--keep-output", is_flag=True, help="Keep orchesjob's jobs and their output.")
@click.option("--dry-run", is_flag=True, help="Print what would be removed, without removing it.")
@format_option
@click.argument("run_keys", metavar="[KEY...]", nargs=-1, shell_complete=complete_ended_run)
@click.pass_obj
def prune(  # noqa: PLR0913, PLR0917 - its options
    settings: Settings,
    older_than_sec: float | None,
    keep: int | None,
    flow_id: str | None,
    keep_output: bool,
    dry_run: bool,
    output_format: OutputFormat,
    run_keys: tuple[str, ...],
) -> None:
    """Remove the named runs, or all that ended long ago, with their logs and output.

    A run that has not ended stays. Steps of a removed run may run again under its key.

    \b
    Example:
      orchesjob-flow prune --older-than 30d --keep 10 --dry-run
      orchesjob-flow prune nightly-2026-05-07
    """  # noqa: D301 - click reads \b
    age = None if older_than_sec is None else f"{older_than_sec:g}s"
    selection = {"--older-than": age, "--keep": keep, "--flow-id": flow_id}
    given = {name: str(value) for name, value in selection.items() if value is not None}
    check_selection(run_keys, given)
    handles = [named_run(run_key, settings) for run_key in dict.fromkeys(run_keys)]
    if NEWEST in run_keys:
        warn(f"the newest run is {handles[run_keys.index(NEWEST)].run_key}")
    now = time.time()
    ended_by = math.inf if older_than_sec is None else now - older_than_sec
    pruned: Sequence[Pruned] = ()
    not_pruned: dict[str, str] = {}

    def choose(store: FlowStore) -> Sequence[EndedRun]:
        if handles:
            return [ended_run(store, handle) for handle in handles]
        return store.ended_runs(finished_by=ended_by, keep=keep or 0, flow_id=flow_id)

    if not settings.home.database.exists():
        settings.home.refuse_missing()
        if handles:
            raise handles[0].not_found()
    elif dry_run:
        with FlowStore.open_readonly(settings.home.database) as store:
            pruned = [
                Pruned(run, Output() if keep_output else output_of(store, run.run_key))
                for run in choose(store)
            ]
    else:
        with open_store(settings) as store, status_line() as line:
            cleaner = None if keep_output else Cleaner(settings, now)
            yielder = Yielder()
            chosen = choose(store)
            deletion = Deletion(store, settings, ended_by, cleaner, yielder, report=line.say)
            removed = deletion.remove(chosen, not_pruned)
            line.say("giving the space back to the disk")
            shrink(store, yielder)
        discard_empty_cgroups()
        pruned = [Pruned(run, removed[run.run_key]) for run in chosen if run.run_key in removed]
    if output_format is OutputFormat.JSON:
        print_json(pruned_json(pruned, dry_run=dry_run))
    else:
        print_lines(pruned_lines(pruned, dry_run=dry_run))
    if not_pruned:
        raise NotPruned(not_pruned)
    for handle in handles:
        if not dry_run and handle.is_recorded():  # somebody has used it meanwhile
            runner = handle.holder()
            raise RunnerBusy(handle.run_key, None if runner is None else runner.pid)


def check_selection(run_keys: Sequence[str], options: Mapping[str, str]) -> None:
    """Refuse a call that names runs and chooses others too, or that does neither.

    Raises:
        Misused: The selection is missing, or is made twice.
    """
    kept = None if run_keys else options.get("--keep")
    chosen = chain.from_iterable({"--older-than": "0s" if kept else "30d", **options}.items())
    by_age = shlex.join(["orchesjob-flow", "prune", *chosen, "--dry-run"])
    given = " and ".join(sorted(options))
    if run_keys and options:
        named = shlex.join(["orchesjob-flow", "prune", *run_keys])
        raise Misused(
            f"give either the keys of runs or {given}",
            f"{named}  # removes only the named runs; to remove old runs instead: {by_age}",
        )
    if not run_keys and "--older-than" not in options:
        needs = f"{given} {'need' if len(options) > 1 else 'needs'} --older-than"
        about = "without --dry-run it removes them"
        if kept:
            about = f"all that have ended but the newest {kept} of each flow; {about}"
        raise Misused(
            needs if options else "say which runs to remove: give their keys, or --older-than",
            f"{by_age}  # {about}{'' if kept else '; to remove one run, give its key'}",
        )


def ended_run(store: FlowStore, handle: RunHandle) -> EndedRun:
    """Return a run to remove.

    Raises:
        RunNotFound: It is not recorded.
        RunNotTerminal: It has not ended.
    """
    found = store.ended_run(handle.run_key)
    if found is None:
        handle.load(store)
        has_runner = handle.holder() is not None
        raise RunNotTerminal(handle.run_key, has_runner=has_runner, to_remove=True)
    return found


def pruned_lines(removed: Sequence[Pruned], *, dry_run: bool) -> list[str]:
    """Name the runs that were removed, or would be, and count them and their output."""
    lines = [f"{visible(run.run_key)}  {clock_time(run.finished_at)}" for run, _ in removed]
    would = "would be " if dry_run else ""
    noun = "run" if len(removed) == 1 else "runs"
    total = f"{len(removed)} {noun} {would}removed"
    if any(output.jobs for _, output in removed):
        size = sum(output.size for _, output in removed)
        total += f", {size_text(size)} of output {would}freed"
    return [*lines, total]


def pruned_json(removed: Sequence[Pruned], *, dry_run: bool) -> dict[str, Any]:
    """Describe what was removed, or would be."""
    return {
        "dry_run": dry_run,
        "removed": [
            {
                "run_key": run.run_key,
                "flow_id": run.flow_id,
                "status": run.status.value,
                "finished_at": run.finished_at,
                "jobs": output.jobs,
                "output_bytes": output.size,
            }
            for run, output in removed
        ],
    }


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
