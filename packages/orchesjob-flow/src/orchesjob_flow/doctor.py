"""`doctor`: is everything here that runs need, and did happen what was recorded (rule 9.11)?

The surroundings are looked at one by one, and every attempt is held against what orchesjob knows of
it. Nothing is mended and nothing is written here.
"""

import platform
import shutil
import sqlite3
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from flow_spec import FlowSpec, StepSpec
from flow_store import (
    Attempt,
    AttemptStatus,
    FlowStatus,
    FlowStore,
    RunSummary,
    StoreError,
    StoreMissing,
)
from orchesjob_client import JobReport, OrchesjobClient, OrchesjobError, exit_code_of, locate
from orchesjob_flow.errors import RunNotFound, UnsafePlace
from orchesjob_flow.home import check_run_key, refuse_shared
from orchesjob_flow.listing import list_runs
from orchesjob_flow.retrying import is_decisive, recorded_code
from orchesjob_flow.settings import Settings

SUPPORTED_MAJOR = "1"
LITTLE_SPACE_MB = 100
NETWORK_FILE_SYSTEMS = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "9p", "afs", "ceph"}
MOUNTS = Path("/proc/self/mounts")


class Verdict(StrEnum):
    """What came of a check."""

    OK = "ok"
    NOTE = "note"
    PROBLEM = "problem"


class Check(NamedTuple):
    """One thing that was looked at, and a sentence about it that says how to mend it."""

    name: str
    verdict: Verdict
    message: str


class Recorded(NamedTuple):
    """An attempt of a run, with the key by which orchesjob knows it.

    `spec` is the step as the run has it today. `decisive` means that the step stands as it does
    because of this attempt, so that it was judged by that; an earlier one may have been judged by
    the exit codes of a definition that `retry --file` has replaced.
    """

    run_key: str
    key: str
    attempt: Attempt
    spec: StepSpec
    decisive: bool


def examine(settings: Settings, run_key: str | None) -> Iterator[Check]:
    """Yield every check in turn: of the surroundings, then of one run's attempts or of all.

    Raises:
        RunNotFound: There is no such run.
    """
    yield Check("program", Verdict.OK, describe_program())
    yield check_disk(settings)
    yield check_home(settings)
    orchesjob = yield from check_orchesjob(settings)
    try:
        with FlowStore.open_readonly(settings.home.database) as store:
            yield check_database(store, settings)
            if run_key is not None:
                check_run_key(run_key)
                if store.load(run_key) is None:
                    raise RunNotFound(run_key, settings.home.database)
            recorded = list(attempts(store, run_key))
    except StoreMissing as error:
        if run_key is not None:
            raise RunNotFound(run_key, settings.home.database) from error
        yield Check("database", Verdict.NOTE, f"{settings.home.database}: nothing is recorded yet")
        return
    except StoreError as error:
        yield Check("database", Verdict.PROBLEM, str(error))
        return
    yield from check_runners(settings)
    if orchesjob is not None:
        yield from audit(recorded, orchesjob, settings)


def describe_program() -> str:
    """Name the versions of what runs here."""
    return (
        f"orchesjob-flow {version('orchesjob-flow')}, Python {platform.python_version()}, "
        f"SQLite {sqlite3.sqlite_version}"
    )


def check_disk(settings: Settings) -> Check:
    """Look whether the home's disk has room, and is one on which locks work."""
    folder = nearest_existing(settings.home.database.parent)
    free_mb = shutil.disk_usage(folder).free // 2**20
    file_system = file_system_of(folder)
    where = f"{settings.home.database.parent}: {free_mb:,} MB free"
    if file_system in NETWORK_FILE_SYSTEMS:
        return Check(
            "disk",
            Verdict.PROBLEM,
            f"{where}, on {file_system}: locks and SQLite need a local disk; name one with --db",
        )
    if free_mb < LITTLE_SPACE_MB:
        return Check("disk", Verdict.PROBLEM, f"{where}: make room before commits fail")
    return Check("disk", Verdict.OK, where)


def check_home(settings: Settings) -> Check:
    """Look whether the home is one user's alone."""
    try:
        for folder in settings.home.folders:
            if folder.exists():
                refuse_shared(folder)
    except UnsafePlace as error:
        return Check("home", Verdict.PROBLEM, str(error))
    return Check("home", Verdict.OK, f"{settings.home.database.parent}: nobody else can write it")


def nearest_existing(folder: Path) -> Path:
    """Return a folder, or the nearest one above it that exists."""
    return next(path for path in (folder, *folder.parents) if path.exists())


def file_system_of(folder: Path) -> str | None:
    """Name the kind of file system on which a folder lies, where the system tells."""
    try:
        lines = MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    mounts = {place: kind for _, place, kind, *_ in map(str.split, lines)}
    resolved = folder.resolve()
    return next((mounts[str(p)] for p in (resolved, *resolved.parents) if str(p) in mounts), None)


def check_orchesjob(settings: Settings) -> Generator[Check, None, OrchesjobClient | None]:
    """Look for orchesjob, its version, and whether it answers; return a client if it does."""
    try:
        executable = locate(settings.orchesjob, settings.environ)
        client = OrchesjobClient(executable)
        found = client.version()
        active = client.running()
    except OrchesjobError as error:
        yield Check("orchesjob", Verdict.PROBLEM, str(error))
        return None
    if found.partition(".")[0] != SUPPORTED_MAJOR:
        message = f"{found} at {executable}: this program knows 1.x; install another one"
        yield Check("orchesjob", Verdict.PROBLEM, message)
    else:
        message = f"{found} at {executable}, {len(active)} jobs active"
        yield Check("orchesjob", Verdict.OK, message)
    return client


def check_database(store: FlowStore, settings: Settings) -> Check:
    """Look through the database."""
    damage = store.damage()
    if damage:
        return Check("database", Verdict.PROBLEM, f"{settings.home.database}: {'; '.join(damage)}")
    count = len(store.runs())
    runs = "1 run" if count == 1 else f"{count:,} runs"
    return Check("database", Verdict.OK, f"{settings.home.database}: {runs}, undamaged")


def check_runners(settings: Settings) -> Iterator[Check]:
    """Look for runs that nobody advances."""
    unfinished = list_runs(settings, statuses=(FlowStatus.PENDING, FlowStatus.RUNNING))
    stranded = [listed.run for listed in unfinished if listed.runner_pid is None]
    for run in stranded:
        yield Check("runners", Verdict.PROBLEM, describe_stranded(run))
    if not stranded:
        message = f"every run that has not ended ({len(unfinished)}) has its runner"
        yield Check("runners", Verdict.OK, message)


def describe_stranded(run: RunSummary) -> str:
    """Say what to do about a run that nobody advances."""
    return (
        f"run {run.run_key!r} is {run.status.value} and nobody advances it: "
        "`orchesjob-flow resume` goes on with it"
    )


def attempts(store: FlowStore, run_key: str | None) -> Iterator[Recorded]:
    """Yield the attempts, of one run or of all, of which orchesjob must know."""
    keys = [run.run_key for run in store.runs()] if run_key is None else [run_key]
    for key in keys:
        run = store.load(key)
        if run is None:
            continue
        flow = FlowSpec.from_json(run.definition)
        for attempt in store.attempts(key):
            if attempt.job_id is not None:
                step = run.steps[attempt.position]
                spec = flow.step(step.step_id)
                physical_key = f"{key}:{spec.id}:{attempt.number}"
                yield Recorded(key, physical_key, attempt, spec, is_decisive(attempt, step))


def audit(
    recorded: Sequence[Recorded], orchesjob: OrchesjobClient, settings: Settings
) -> Iterator[Check]:
    """Hold each attempt against what orchesjob says of it, several at once."""
    with ThreadPoolExecutor(settings.starts) as pool:
        answers = pool.map(lambda one: ask(orchesjob, one.key), recorded)
        found = [
            check
            for one, answer in zip(recorded, answers, strict=True)
            if (check := compare(one, answer)) is not None
        ]
    yield from found
    confirmed = len(recorded) - len(found)
    forgotten = sum(check.verdict is Verdict.NOTE for check in found)
    said = f"{confirmed:,} of {len(recorded):,} attempts are as orchesjob says"
    if forgotten:
        said += f"; {forgotten:,} it no longer knows"
    yield Check("ledgers", Verdict.OK if forgotten == len(found) else Verdict.PROBLEM, said)


def ask(orchesjob: OrchesjobClient, key: str) -> JobReport | OrchesjobError | None:
    """Ask orchesjob for a job; return what is wrong instead of raising it."""
    try:
        return orchesjob.status(key)
    except OrchesjobError as error:
        return error


def compare(recorded: Recorded, answer: JobReport | OrchesjobError | None) -> Check | None:
    """Say how an attempt differs from what orchesjob knows; None if it does not."""
    attempt, key = recorded.attempt, recorded.key
    here = f"{key} is {attempt.status.value} here"
    match answer:
        case OrchesjobError():
            return Check("ledgers", Verdict.PROBLEM, f"{key}: {answer}")
        case None:
            gone = f"{here}; orchesjob no longer knows it (`orchesjob clean` removes old jobs)"
            return Check("ledgers", Verdict.NOTE, gone)
        case _ if answer.job_id != attempt.job_id:
            other = f"{here}; orchesjob has another job of that key, started by somebody else"
            return Check("ledgers", Verdict.PROBLEM, other)
        case _ if agrees(recorded, answer):
            return None
        case _:
            code = exit_code_of(answer)
            ended = "" if code is None else f" with exit code {code}"
            there = f"{here}, and {answer.status}{ended} at orchesjob"
            return Check("ledgers", Verdict.PROBLEM, there)


def agrees(recorded: Recorded, report: JobReport) -> bool:
    """Tell whether an attempt may stand so, given what orchesjob says of its job."""
    status, code = recorded.attempt.status, exit_code_of(report)
    if code is not None and not status.is_open:
        if not recorded.decisive:
            return code == recorded_code(recorded.attempt)
        well = status in (AttemptStatus.SUCCEEDED, AttemptStatus.SKIPPED)
        return recorded.spec.outcome_of(code) == (status if well else AttemptStatus.FAILED)
    match status:
        case AttemptStatus.STARTING | AttemptStatus.RUNNING:
            return True  # its runner, or the next one, will ask
        case AttemptStatus.SUCCEEDED | AttemptStatus.SKIPPED:
            return False  # only a command that ended by itself does so
        case _:
            return report.status not in ("RUNNING", "STARTING")
