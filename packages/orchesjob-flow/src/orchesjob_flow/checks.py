"""The checks of `doctor`: what runs need, and what is recorded against what orchesjob knows.

Nothing is fixed, and nothing is written (rule 9.11).

A long history makes each call of orchesjob slower: it reads and rewrites the rows of all its jobs.
Asked for its version, it reads none. So the difference between the two calls is what the history
costs, on any machine.
"""

import os
import platform
import shutil
import sqlite3
import time
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from flow_spec import FlowSpec, FlowSpecError, StepSpec
from flow_store import (
    Attempt,
    AttemptStatus,
    DamagedRecord,
    FlowStore,
    Hook,
    Run,
    Settlement,
    StoreBroken,
    StoreError,
    StoreMissing,
    attempt_key,
)
from orchesjob_client import (
    JobReport,
    OrchesjobClient,
    OrchesjobError,
    exit_code_of,
    locate,
    usable_cgroup_folder,
)
from orchesjob_flow.clock import now
from orchesjob_flow.engine.reopening import is_decisive, recorded_report
from orchesjob_flow.errors import UnsafePlace, UnusableOrchesjobHome
from orchesjob_flow.home import (
    UNFINISHED_STATUSES,
    Home,
    Listed,
    RunHandle,
    Settings,
    find_runs,
    is_there,
    open_to_read,
    refuse_foreign,
)
from orchesjob_flow.home.orchesjob_home import (
    HomeLoss,
    InnerFate,
    fates_of,
    holds_jobs,
    loss_of_home,
    shared_home,
)
from orchesjob_flow.reasons import describe_given_up, settled_words
from orchesjob_flow.reports.facts import cached_flow
from orchesjob_flow.runner import hook
from orchesjob_flow.views.terminal import counted, status_line

type ClientOf = Callable[[str], OrchesjobClient]
"""What makes a client of an orchesjob home."""

MOST_LISTED = 5
"""How many runs a message names."""

MOST_SETTLED = 20
"""How many of the steps that people have settled are named, unless it is about one run."""

MOST_ASKED = 100
"""About how many attempts orchesjob is asked at most by default: each is a call of some 60 ms."""
SUPPORTED_MAJOR = "1"
LITTLE_SPACE_MB = 100
NETWORK_FILE_SYSTEMS = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "9p", "afs", "ceph"}
MOUNTS = Path("/proc/self/mounts")
MUCH_SEC = 0.1
CALLS = 3


class Grade(StrEnum):
    """What came of a check."""

    OK = "ok"
    NOTE = "note"
    PROBLEM = "problem"


class Check(NamedTuple):
    """One thing that was looked at, and a sentence about it, which says how to fix a problem."""

    name: str
    grade: Grade
    message: str


def examine(settings: Settings, handle: RunHandle | None, *, every: bool) -> Iterator[Check]:
    """Yield each check in turn: of the installation, then of one run's attempts or of all.

    With `every`, orchesjob is asked about each attempt, not only about the newest.

    Raises:
        HomeMissing: There is no such home (rule 6.13).
    """
    versions = (
        f"orchesjob-flow {metadata.version('orchesjob-flow')}, "
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    )
    yield Check("program", Grade.OK, versions)
    yield check_disk(settings)
    yield check_home(settings)
    yield check_processes()
    client_of = yield from check_orchesjob(settings)
    yield from examine_runs(settings, handle, client_of, every=every)


def examine_runs(
    settings: Settings, handle: RunHandle | None, client_of: ClientOf | None, *, every: bool
) -> Iterator[Check]:
    """Yield each check of what is recorded; without `client_of`, orchesjob is not asked.

    Raises:
        HomeMissing: As `examine`.
    """
    try:
        with open_to_read(settings) as store:
            yield _check_database(store, settings)
            keys = store.run_keys() if handle is None else [handle.run_key]
            hooks = store.hooks()
            entries = [entry for key in keys for entry in read_records(store, settings.home, key)]
    except StoreMissing:
        settings.home.refuse_missing()
        yield Check("database", Grade.NOTE, f"{settings.home.database}: nothing is recorded yet")
        return
    except (StoreError, UnsafePlace) as error:
        yield Check("database", Grade.PROBLEM, str(error))
        return
    yield from (entry for entry in entries if isinstance(entry, Check))
    settled = [entry for entry in entries if isinstance(entry, SettledStep)]
    yield from _check_settled(settled, every=every)
    recorded = [entry for entry in entries if isinstance(entry, RecordedAttempt)]
    yield from check_hook(settings, hooks)
    yield from check_runners(settings, {one.run_key for one in recorded if one.loss is not None})
    yield from check_homes(recorded)
    if client_of is not None:
        present = [one for one in recorded if one.loss is None and holds_jobs(one.home)]
        yield from audit(present, client_of, starts=settings.starts, every=every)


def _check_database(store: FlowStore, settings: Settings) -> Check:
    damage = store.damage()
    if damage:
        return Check("database", Grade.PROBLEM, f"{settings.home.database}: {'; '.join(damage)}")
    runs = counted(len(store.run_keys()), "run")
    return Check("database", Grade.OK, f"{settings.home.database}: {runs}, undamaged")


def check_hook(settings: Settings, hooks: Mapping[str, Hook]) -> Iterator[Check]:
    """Tell whether the hook can be called, and for which runs it has failed (rule 12.5)."""
    program = settings.home.hook
    if os.path.lexists(program):
        flaw = hook.flaw_of(program)
        sound = f"{program} is called for each run that ends"
        yield Check("hook", Grade.PROBLEM if flaw else Grade.OK, flaw or sound)
    failed = [f"run {key!r}: {one.error}" for key, one in hooks.items() if one.error is not None]
    for failure in failed[-MOST_LISTED:]:
        yield Check("hook", Grade.NOTE, f"it failed for {failure}")


def try_hook(settings: Settings) -> Check:
    """Call the hook with a made-up run."""
    error = "1 step failed: example (made up by `doctor --hook`)"
    described = {"run_key": "made-up", "flow_id": "made-up", "status": "FAILED", "error": error}
    failure, output = hook.call(settings, {**described, "steps": []})
    printed = output.decode(errors="replace").strip() or "nothing"
    grade = Grade.OK if failure is None else Grade.PROBLEM
    return Check("hook", grade, f"{failure or 'it has succeeded'}; it printed {printed}")


def check_runners(settings: Settings, lost: Collection[str]) -> Iterator[Check]:
    """Look for runs that no process advances, and for those on which a runner gave up.

    The orchesjob homes of `lost` runs are gone, and nobody continues these.
    """
    unfinished = find_runs(settings, statuses=UNFINISHED_STATUSES)
    fates = fates_of(settings, [one.run for one in unfinished if one.is_abandoned], now().boot)
    found = [check_runner(one, fates.get(one.run.run_key), lost) for one in unfinished]
    if not any(found):
        message = f"every run that has not ended ({len(unfinished)}) has its runner"
        yield Check("runners", Grade.OK, message)
    yield from filter(None, found)


def check_runner(listed: Listed, fate: InnerFate | None, lost: Collection[str]) -> Check | None:
    """Describe a run that no process advances, or tries in vain to, with the remedy; else None.

    `fate` is that of a run which a step has started (rule 5.8a).
    """
    run = listed.run
    if fate is InnerFate.IS_LEFT:
        message = f"run {run.run_key!r} is left to the next attempt of the step that started it"
        return Check("runners", Grade.NOTE, message)
    trouble = describe_given_up(listed) if run.gave_up is not None else None
    if fate is InnerFate.ENDS:
        trouble = (
            f"run {run.run_key!r} belongs to a step that has ended: "
            "`orchesjob-flow resume --all` cancels it"
        )
    elif trouble is None and listed.is_abandoned:
        trouble = (
            f"run {run.run_key!r} is {run.status.value} and no process advances it: "
            "`orchesjob-flow resume` continues it"
        )
    if trouble is None:
        return None
    condition = " once its orchesjob home is back" if run.run_key in lost else ""
    return Check("runners", Grade.PROBLEM, trouble + condition)


def check_disk(settings: Settings) -> Check:
    """Check that the home's disk has room, and that locks work on it."""
    home = settings.home.database.parent
    folder = next(path for path in (home, *home.parents) if path.exists())
    free_mb = shutil.disk_usage(folder).free // 2**20
    file_system = _file_system_of(folder)
    where = f"{home}: {free_mb:,} MB free"
    if file_system in NETWORK_FILE_SYSTEMS:
        return Check(
            "disk",
            Grade.PROBLEM,
            f"{where}, on {file_system}: locks and SQLite need a local disk; name one with --db",
        )
    if free_mb < LITTLE_SPACE_MB:
        return Check("disk", Grade.PROBLEM, f"{where}: make room before commits fail")
    return Check("disk", Grade.OK, where)


def check_home(settings: Settings) -> Check:
    """Check that the home belongs to one user alone."""
    try:
        for folder in settings.home.folders:
            if folder.exists():
                if not folder.is_dir():
                    raise UnsafePlace(folder, "is not a folder (move it away)")
                settings.home.refuse_shared(folder)
        for jobs in settings.home.jobs.iterdir() if settings.home.jobs.exists() else ():
            is_there(jobs)
        for turns in (settings.call_slot_files, settings.abort_slot_files):
            refuse_foreign(turns.all)
    except UnsafePlace as error:
        return Check("home", Grade.PROBLEM, str(error))
    except OSError as error:
        where = error.filename or settings.home.database.parent
        return Check("home", Grade.PROBLEM, f"{where}: {error.strerror}; {settings.home.remedy}")
    return Check("home", Grade.OK, f"{settings.home.database.parent}: only you can write to it")


def check_processes() -> Check:
    """Tell by what the processes of an attempt are recognised on this machine."""
    try:
        folder = usable_cgroup_folder()
    except OSError as error:
        message = (
            "cgroups cannot be created here, so a process is recognised only by its environment, "
            f"its parent, its session and its group: {error.filename}: {error.strerror}; what "
            "a step leaves behind with a cleared environment, as under sudo, goes unnoticed"
        )
        return Check("processes", Grade.NOTE, message)
    return Check("processes", Grade.OK, f"each attempt has a cgroup of its own below {folder}")


def _file_system_of(folder: Path) -> str | None:
    try:
        lines = MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    mounts = {place: kind for _, place, kind, *_ in map(str.split, lines)}
    resolved = folder.resolve()
    return next((mounts[str(p)] for p in (resolved, *resolved.parents) if str(p) in mounts), None)


def check_orchesjob(settings: Settings) -> Generator[Check, None, ClientOf | None]:
    """Check that orchesjob is there and answers, and its version.

    Return what makes clients of a home, if it answers. Where the home has no jobs yet, these are
    not asked for: orchesjob would create it (rule 9.11).
    """
    try:
        executable = locate(settings.orchesjob, settings.environ)
        home = shared_home(settings.environ)
        client = OrchesjobClient(executable)
        version, version_sec = quickest(client.version)
        active, call_sec = quickest(client.running) if holds_jobs(home) else ((), 0.0)
    except (OrchesjobError, UnusableOrchesjobHome) as error:
        yield Check("orchesjob", Grade.PROBLEM, str(error))
        return None
    if version.partition(".")[0] != SUPPORTED_MAJOR:
        message = f"{version} at {executable}: this program knows 1.x; install another one"
        yield Check("orchesjob", Grade.PROBLEM, message)
    else:
        message = f"{version} at {executable}, {len(active)} jobs active"
        yield Check("orchesjob", Grade.OK, message)
    if holds_jobs(home):
        yield check_history(version_sec, call_sec)
    else:
        yield Check("history", Grade.OK, f"orchesjob's home {home} has no jobs yet")
    return lambda home: OrchesjobClient(executable, home=home)


def quickest[Answer](ask: Callable[[], Answer]) -> tuple[Answer, float]:
    """Ask several times, as other work may delay a call; return an answer and the least seconds."""

    def timed() -> tuple[Answer, float]:
        began = time.perf_counter()
        return ask(), time.perf_counter() - began

    return min((timed() for _ in range(CALLS)), key=lambda one: one[1])


def check_history(version_sec: float, call_sec: float) -> Check:
    """Tell what a call costs, and what helps where old jobs make it slow.

    A call that asks for the version does not read the jobs.
    """
    history_sec = max(0.0, call_sec - version_sec)
    costs = (
        f"a call takes {call_sec * 1e3:.0f} ms "
        f"({history_sec * 1e3:.0f} ms of it caused by old jobs)"
    )
    if history_sec < MUCH_SEC:
        return Check("history", Grade.OK, costs)
    return Check(
        "history",
        Grade.NOTE,
        f"{costs}, and each step pays that two or three times, as orchesjob rewrites the rows of "
        "all its jobs in each call; `prune` removes those of old runs, `orchesjob clean` others, "
        "and `start --jobs own` gives a run a home of its own",
    )


class RecordedAttempt(NamedTuple):
    """A recorded attempt, with the key under which orchesjob ran it.

    `code` is the exit code that orchesjob reported when its command exited.
    `spec` is the step as the run has it today. `decisive` means that the status of the step follows
    from this attempt, which was judged by that `spec`; an earlier attempt may have been judged by
    the exit codes of a definition that `retry --file` has replaced. `home` is the orchesjob home of
    the run, and `loss` tells why its jobs are not there. `has_ended` is said of the run.
    `is_confirmed` means that the attempt has ended, and as orchesjob reported then.
    """

    run_key: str
    attempt_key: str
    attempt: Attempt
    code: int | None
    spec: StepSpec
    decisive: bool
    home: str
    loss: HomeLoss | None
    has_ended: bool
    is_confirmed: bool = False


class SettledStep(NamedTuple):
    """What a person has decided of a step, against orchesjob's record of it (rule 12.3)."""

    run_key: str
    step_id: str
    settlement: Settlement


def read_records(
    store: FlowStore, home: Home, run_key: str
) -> Iterator[RecordedAttempt | SettledStep | Check]:
    """Yield a run's settled steps, the attempts that orchesjob must know, and each bad record.

    Nothing is yielded if the run has been removed meanwhile.
    """
    try:
        run, attempts = store.load(run_key), store.attempts(run_key)
        flow = None if run is None else cached_flow(run.definition)
    except (StoreBroken, FlowSpecError) as error:
        yield Check("database", Grade.PROBLEM, f"run {run_key!r}: {error}")
        return
    if run is None or flow is None:
        return
    loss = loss_of_home(run, home)
    for position, settlement in run.settled.items():
        yield SettledStep(run_key, run.steps[position].step_id, settlement)
    for attempt in attempts:
        if attempt.job_id is not None:
            try:
                yield read_attempt(run, flow, attempt, loss)
            except (DamagedRecord, FlowSpecError) as error:
                yield Check("database", Grade.PROBLEM, str(error))


def read_attempt(
    run: Run, flow: FlowSpec, attempt: Attempt, loss: HomeLoss | None
) -> RecordedAttempt:
    """Read what is recorded about an attempt.

    Raises:
        DamagedRecord: What orchesjob reported about it cannot be read.
        UnknownStepError: The definition has no such step.
    """
    step = run.steps[attempt.position]
    spec = flow.step(step.step_id)
    report = recorded_report(run, attempt)
    recorded = RecordedAttempt(
        run_key=run.run_key,
        attempt_key=attempt_key(run.run_key, spec.id, attempt.number),
        attempt=attempt._replace(job=None),  # which is long, and there may be many
        code=None if report is None else exit_code_of(report),
        spec=spec,
        decisive=is_decisive(run, attempt, step),
        home=run.orchesjob_home,
        loss=loss,
        has_ended=run.status.is_terminal,
    )
    return recorded._replace(is_confirmed=report is not None and fits_report(recorded, report))


def fits_report(recorded: RecordedAttempt, report: JobReport) -> bool:
    """Tell whether an attempt has ended, and whether that fits what is recorded of its job."""
    attempt = recorded.attempt
    if attempt.status.is_open or report.job_id != attempt.job_id:
        return False
    return agrees(recorded, report) if report.is_terminal else not _was_good(attempt)


def _check_settled(settled: Sequence[SettledStep], *, every: bool) -> Iterator[Check]:
    latest = sorted(settled, key=lambda one: one.settlement.at, reverse=True)
    shown = latest if every else latest[:MOST_SETTLED]
    for one in shown:
        words = settled_words(one.settlement)
        yield Check("settled", Grade.NOTE, f"step {one.step_id!r} of run {one.run_key!r}: {words}")
    if more := len(latest) - len(shown):
        yield Check("settled", Grade.NOTE, f"{more:,} more were settled before these")


def check_homes(recorded: Sequence[RecordedAttempt]) -> Iterator[Check]:
    """Look for orchesjob homes that are gone, and with them the jobs of runs (rule 4.8)."""
    gone: dict[tuple[str, HomeLoss], dict[str, bool]] = {}
    for one in recorded:
        if one.loss is not None:
            gone.setdefault((one.home, one.loss), {})[one.run_key] = one.has_ended
    for (home, loss), run_keys in gone.items():
        shown = ", ".join(map(repr, list(run_keys)[:MOST_LISTED]))
        more = len(run_keys) - MOST_LISTED
        prune = "; `prune` removes runs that have ended" if any(run_keys.values()) else ""
        yield Check(
            "homes",
            Grade.PROBLEM,
            f"orchesjob's home {home} {loss.problem} the jobs of {shown}"
            f"{f' and {more:,} more runs' if more > 0 else ''}: {loss.remedy}{prune}",
        )


def audit(
    recorded: Sequence[RecordedAttempt], client_of: ClientOf, *, starts: int, every: bool
) -> Iterator[Check]:
    """Compare each attempt with what orchesjob says about it, `starts` of them at a time.

    Each is looked for in the home of its run (rule 4.8). Without `every`, only `to_ask` are.
    """
    asked = recorded if every else to_ask(recorded)
    found = []
    with status_line() as say, ThreadPoolExecutor(starts) as pool:
        answers = pool.map(lambda one: ask(client_of, one), asked)
        for number, (one, answer) in enumerate(zip(asked, answers, strict=True), 1):
            say(f"orchesjob has answered about {number:,} of {len(asked):,} attempts")
            if (check := compare(one, answer)) is not None:
                found.append(check)
    yield from found
    confirmed = len(asked) - len(found)
    forgotten = sum(check.grade is Grade.NOTE for check in found)
    summary = f"{confirmed:,} of {len(asked):,} attempts match orchesjob's records"
    if forgotten:
        summary += f"; {forgotten:,} it no longer knows"
    if older := len(recorded) - len(asked):
        summary += (
            f"; {older:,} older ones are as it said when they ended (`doctor --all` asks again)"
        )
    yield Check("records", Grade.OK if forgotten == len(found) else Grade.PROBLEM, summary)


def to_ask(
    recorded: Sequence[RecordedAttempt], most: int = MOST_ASKED
) -> Sequence[RecordedAttempt]:
    """Choose the newest attempts, and all of whose end nothing is recorded that fits.

    An outcome that orchesjob has reported does not change any more, so the older ones are compared
    with the report that is recorded with them.
    """
    newest = sorted(recorded, key=lambda one: one.attempt.started_at, reverse=True)[:most]
    chosen = {one.attempt_key for one in newest}
    return [one for one in recorded if one.attempt_key in chosen or not one.is_confirmed]


def ask(client_of: ClientOf, one: RecordedAttempt) -> JobReport | OrchesjobError | None:
    """Ask orchesjob for the job of an attempt; return an error instead of raising it."""
    try:
        return client_of(one.home).status(one.attempt_key)
    except OrchesjobError as error:
        return error


def compare(recorded: RecordedAttempt, answer: JobReport | OrchesjobError | None) -> Check | None:
    """Say how an attempt differs from what orchesjob says about it; None if it does not."""
    attempt, key = recorded.attempt, recorded.attempt_key
    here = f"{key} is {attempt.status.value} here"
    match answer:
        case OrchesjobError():
            return Check("records", Grade.PROBLEM, f"{key}: {answer}")
        case None:
            gone = f"{here}; orchesjob no longer knows it (`orchesjob clean` removes old jobs)"
            return Check("records", Grade.NOTE, gone)
        case _ if answer.job_id != attempt.job_id:
            other = f"{here}; orchesjob has another job under that key, started by somebody else"
            return Check("records", Grade.PROBLEM, other)
        case _ if agrees(recorded, answer):
            return None
        case _:
            code = exit_code_of(answer)
            ended = "" if code is None else f" with exit code {code}"
            there = f"{here}, and {answer.status}{ended} at orchesjob"
            return Check("records", Grade.PROBLEM, there)


def agrees(recorded: RecordedAttempt, report: JobReport) -> bool:
    """Tell whether the record of an attempt fits what orchesjob says about its job."""
    status = recorded.attempt.status
    code = exit_code_of(report, was_ended=status is AttemptStatus.CANCELLED)
    if code is not None and not status.is_open:
        if not recorded.decisive or recorded.attempt.files is not None:
            return code == recorded.code  # or it has failed by what it has not written
        expected = status if _was_good(recorded.attempt) else AttemptStatus.FAILED
        return recorded.spec.outcome_of(code, is_gate=recorded.attempt.is_gate) == expected
    match status:
        case AttemptStatus.STARTING | AttemptStatus.RUNNING:
            return True  # its runner, or the next one, will ask orchesjob
        case AttemptStatus.SUCCEEDED | AttemptStatus.SKIPPED:
            return False  # only a command that ended by itself is recorded so
        case _:
            return report.status not in ("RUNNING", "STARTING")


def _was_good(attempt: Attempt) -> bool:
    return attempt.status in (AttemptStatus.SUCCEEDED, AttemptStatus.SKIPPED)
