"""`doctor`: checks what runs need, and audits the recorded attempts (rule 9.11).

This module checks the machine, the folders and orchesjob; `audit` the recorded attempts. Nothing is
fixed, and nothing is written.

A long history makes each call of orchesjob slower: it reads and rewrites the rows of all its jobs.
Asked for its version, it reads none. So the difference between the two calls is what the history
costs, on any machine.
"""

import platform
import shutil
import sqlite3
import time
from collections.abc import Callable, Collection, Generator, Iterator
from contextlib import suppress
from importlib import metadata
from pathlib import Path

import click

from flow_store import FlowStore, StoreError, StoreMissing
from orchesjob_client import (
    OrchesjobClient,
    OrchesjobError,
    locate,
    usable_cgroup_folder,
)
from orchesjob_flow.cli.options import CommandOnRun, Misused, declare_run_key, format_option
from orchesjob_flow.clock import now
from orchesjob_flow.commands.doctor.audit import (
    Check,
    ClientOf,
    Grade,
    RecordedAttempt,
    SettledStep,
    audit,
    check_homes,
    check_settled,
    read_records,
)
from orchesjob_flow.errors import UnsafePlace, UnusableOrchesjobHome
from orchesjob_flow.exit_codes import DONE, NOT_SUCCEEDED
from orchesjob_flow.home.locks import refuse_foreign
from orchesjob_flow.home.orchesjob_home import InnerFate, fates_of, holds_jobs, shared_home
from orchesjob_flow.home.paths import is_there
from orchesjob_flow.home.runs import UNFINISHED_STATUSES, Listed, RunHandle, find_runs, open_to_read
from orchesjob_flow.home.settings import Settings
from orchesjob_flow.reasons import describe_given_up
from orchesjob_flow.views.terminal import OutputFormat, as_json, print_json, print_lines, visible

GRADE_WIDTH = max(map(len, Grade))
SUPPORTED_MAJOR = "1"
LITTLE_SPACE_MB = 100
NETWORK_FILE_SYSTEMS = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "9p", "afs", "ceph"}
MOUNTS = Path("/proc/self/mounts")
MUCH_SEC = 0.1
CALLS = 3


@click.command(cls=CommandOnRun)
@declare_run_key("Audit only this run, which is quicker if there are many.", required=False)
@click.option(
    "--all",
    "every",
    is_flag=True,
    help="Ask orchesjob about every attempt of all runs, not only about the newest 100.",
)
@format_option
@click.pass_obj
def doctor(
    settings: Settings, handle: RunHandle | None, every: bool, output_format: OutputFormat
) -> int:
    """Check the installation, and audit the recorded attempts against what orchesjob knows.

    Nothing is changed. The exit code is 1 if there is a problem.

    \b
    Example:
      orchesjob-flow doctor
    """  # noqa: D301 - click reads \b
    if every and handle is not None:
        raise Misused(
            "give either a run or --all",
            "orchesjob-flow doctor KEY  # every attempt of all runs: orchesjob-flow doctor --all",
        )
    if handle is not None:
        refuse_unknown(handle)
    checks = []
    for check in examine(settings, handle, every=every or handle is not None):
        checks.append(check)
        if output_format is OutputFormat.TEXT:  # one by one: many attempts take long
            print_lines([f"{check.grade:{GRADE_WIDTH}}  {check.name}: {visible(check.message)}"])
    sound = all(check.grade is not Grade.PROBLEM for check in checks)
    if output_format is OutputFormat.JSON:
        described = [as_json(check, "check=name", "verdict=grade", "message") for check in checks]
        print_json({"sound": sound, "checks": described})
    return DONE if sound else NOT_SUCCEEDED


def refuse_unknown(handle: RunHandle) -> None:
    """Refuse a run that is not recorded, before anything is checked.

    Raises:
        BadRunKey, RunNotFound: The key is not valid, or there is no such run.
        HomeMissing: There is no such home (rule 6.13).
    """
    with suppress(StoreError), handle.open_readonly() as store:  # a check says what is wrong
        if not store.has(handle.run_key):
            raise handle.not_found()


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
    yield from check_settled(settled, every=every)
    recorded = [entry for entry in entries if isinstance(entry, RecordedAttempt)]
    yield from check_runners(settings, {one.run_key for one in recorded if one.loss is not None})
    yield from check_homes(recorded)
    if client_of is not None:
        present = [one for one in recorded if one.loss is None and holds_jobs(one.home)]
        yield from audit(present, client_of, starts=settings.starts, every=every)


def _check_database(store: FlowStore, settings: Settings) -> Check:
    damage = store.damage()
    if damage:
        return Check("database", Grade.PROBLEM, f"{settings.home.database}: {'; '.join(damage)}")
    count = len(store.run_keys())
    runs = f"{count:,} run{'' if count == 1 else 's'}"
    return Check("database", Grade.OK, f"{settings.home.database}: {runs}, undamaged")


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
    file_system = file_system_of(folder)
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


def file_system_of(folder: Path) -> str | None:
    """Return the kind of file system that holds a folder, if the system tells."""
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
    took = []
    while True:
        began = time.perf_counter()
        answer = ask()
        took.append(time.perf_counter() - began)
        if len(took) == CALLS:
            return answer, min(took)


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
