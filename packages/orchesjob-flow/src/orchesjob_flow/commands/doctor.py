"""`doctor`: is everything in place that runs need, and did happen what was recorded (rule 9.11)?

The surroundings are checked here, one by one; `doctor_history` measures what orchesjob's jobs cost,
`doctor_audit` checks the recorded attempts. Nothing is fixed and nothing is written.
"""

import platform
import shutil
import sqlite3
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from functools import partial
from importlib.metadata import version
from pathlib import Path

from flow_store import FlowStore, StoreError, StoreMissing
from orchesjob_client import (
    ForkServer,
    OrchesjobClient,
    OrchesjobError,
    locate,
    usable_cgroup_folder,
)
from orchesjob_flow.commands.doctor_audit import (
    ClientOf,
    Recorded,
    Settled,
    audit,
    check_homes,
    check_settled,
    read_ledger,
)
from orchesjob_flow.commands.doctor_history import check_history, measure_calls
from orchesjob_flow.errors import UnsafePlace, UnusableOrchesjobHome
from orchesjob_flow.exit_codes import DONE, NOT_SUCCEEDED
from orchesjob_flow.home.call_slots import refuse_foreign
from orchesjob_flow.home.orchesjob_home import shared_home
from orchesjob_flow.home.paths import check_run_key, refuse_no_folder, refuse_shared
from orchesjob_flow.home.runs import UNFINISHED, Listed, RunHandle, find_runs
from orchesjob_flow.home.settings import Settings
from orchesjob_flow.views.checks import Check, Grade, check_text, checks_json
from orchesjob_flow.views.reasons import describe_given_up
from orchesjob_flow.views.run_json import print_json
from orchesjob_flow.views.streams import Form, print_lines

SUPPORTED_MAJOR = "1"
LITTLE_SPACE_MB = 100
NETWORK_FILE_SYSTEMS = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "9p", "afs", "ceph"}
MOUNTS = Path("/proc/self/mounts")


def doctor(settings: Settings, handle: RunHandle | None, form: Form, *, every: bool) -> int:
    """Check everything and print what was found.

    With a handle, only the attempts of that run are audited. With `every`, orchesjob is asked about
    each attempt, not only about the newest.
    """
    checks = []
    for check in examine(settings, handle, every=every or handle is not None):
        checks.append(check)
        if form is Form.TEXT:  # one by one: it can take long to ask about many attempts
            print_lines([check_text(check)])
    sound = all(check.grade is not Grade.PROBLEM for check in checks)
    if form is Form.JSON:
        print_json(checks_json(checks, sound=sound))
    return DONE if sound else NOT_SUCCEEDED


def examine(settings: Settings, handle: RunHandle | None, *, every: bool) -> Iterator[Check]:
    """Yield each check in turn: of the surroundings, then of one run's attempts or of all.

    Raises:
        RunNotFound: There is no such run.
        HomeMissing: There is no such home (rule 6.13).
    """
    yield Check("program", Grade.OK, describe_program())
    yield check_disk(settings)
    yield check_home(settings)
    yield check_processes()
    with ExitStack() as at_end:
        client_of = yield from check_orchesjob(settings, at_end)
        yield from examine_runs(settings, handle, client_of, every=every)


def examine_runs(
    settings: Settings, handle: RunHandle | None, client_of: ClientOf | None, *, every: bool
) -> Iterator[Check]:
    """Yield each check of what is recorded; without `client_of`, orchesjob is not asked.

    Raises:
        RunNotFound, HomeMissing: As `examine`.
    """
    try:
        with FlowStore.open_readonly(settings.home.database) as store:
            yield check_database(store, settings)
            keys = keys_to_audit(store, handle)
            ledger = [entry for key in keys for entry in read_ledger(store, key)]
    except StoreMissing as error:
        settings.home.refuse_missing()
        if handle is not None:
            raise handle.not_found() from error
        yield Check("database", Grade.NOTE, f"{settings.home.database}: nothing is recorded yet")
        return
    except StoreError as error:
        yield Check("database", Grade.PROBLEM, str(error))
        return
    yield from (entry for entry in ledger if isinstance(entry, Check))
    settled = [entry for entry in ledger if isinstance(entry, Settled)]
    yield from check_settled(settled, every=every)
    yield from check_runners(settings)
    recorded = [entry for entry in ledger if isinstance(entry, Recorded)]
    yield from check_homes(recorded)
    if client_of is not None:
        present = [one for one in recorded if not one.is_gone]
        yield from audit(present, client_of, starts=settings.starts, every=every)


def keys_to_audit(store: FlowStore, handle: RunHandle | None) -> Sequence[str]:
    """Return the key of one run, or those of all.

    Raises:
        BadRunKey, RunNotFound: There is no such run, or there can be none.
    """
    if handle is None:
        return store.run_keys()
    check_run_key(handle.run_key)
    if not store.has(handle.run_key):
        raise handle.not_found()
    return [handle.run_key]


def describe_program() -> str:
    """List the versions of what runs here."""
    return (
        f"orchesjob-flow {version('orchesjob-flow')}, Python {platform.python_version()}, "
        f"SQLite {sqlite3.sqlite_version}"
    )


def check_disk(settings: Settings) -> Check:
    """Check that the home's disk has room, and that locks work on it."""
    folder = nearest_existing(settings.home.database.parent)
    free_mb = shutil.disk_usage(folder).free // 2**20
    file_system = file_system_of(folder)
    where = f"{settings.home.database.parent}: {free_mb:,} MB free"
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
                refuse_no_folder(folder)
                refuse_shared(folder)
        for turns in (settings.call_slot_files, settings.abort_slot_files):
            refuse_foreign(turns)
    except UnsafePlace as error:
        return Check("home", Grade.PROBLEM, str(error))
    return Check("home", Grade.OK, f"{settings.home.database.parent}: nobody else can write it")


def check_processes() -> Check:
    """Tell by what the processes of an attempt are recognised on this machine."""
    try:
        folder = usable_cgroup_folder()
    except OSError as error:
        message = (
            "no cgroups can be made here, so that a process is only recognised by its environment, "
            f"its parent, its session and its group: {error.filename}: {error.strerror}"
        )
        return Check("processes", Grade.NOTE, message)
    return Check("processes", Grade.OK, f"each attempt has a cgroup of its own below {folder}")


def nearest_existing(folder: Path) -> Path:
    """Return a folder, or the nearest one above it that exists."""
    return next(path for path in (folder, *folder.parents) if path.exists())


def file_system_of(folder: Path) -> str | None:
    """Return the kind of file system that holds a folder, if the system tells."""
    try:
        lines = MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    mounts = {place: kind for _, place, kind, *_ in map(str.split, lines)}
    resolved = folder.resolve()
    return next((mounts[str(p)] for p in (resolved, *resolved.parents) if str(p) in mounts), None)


def check_orchesjob(
    settings: Settings, at_end: ExitStack
) -> Generator[Check, None, ClientOf | None]:
    """Check that orchesjob is there and answers, its version, and how it is called.

    Return what makes clients of a home, if it answers; what they use is closed `at_end`.
    """
    try:
        executable = locate(settings.orchesjob, settings.environ)
        home = shared_home(settings.environ)
        environ = {**settings.environ, "ORCHESJOB_HOME": home}
        launcher = at_end.enter_context(closing(ForkServer(executable, environ)))
        client = OrchesjobClient(executable)
        answered = measure_calls(client)
    except (OrchesjobError, UnusableOrchesjobHome) as error:
        yield Check("orchesjob", Grade.PROBLEM, str(error))
        return None
    if answered.version.partition(".")[0] != SUPPORTED_MAJOR:
        message = f"{answered.version} at {executable}: this program knows 1.x; install another one"
        yield Check("orchesjob", Grade.PROBLEM, message)
    else:
        message = f"{answered.version} at {executable}, {len(answered.active)} jobs active"
        yield Check("orchesjob", Grade.OK, message)
    yield check_calls(launcher)
    yield check_history(answered)
    return partial(client_in_home, executable, launcher)


def client_in_home(executable: str, launcher: ForkServer, home: str) -> OrchesjobClient:
    """Return a client of one orchesjob home."""
    return OrchesjobClient(executable, home=home, launcher=launcher)


def check_calls(launcher: ForkServer) -> Check:
    """Tell how orchesjob is called, and why not in the quick way (rule 5.13)."""
    obstacle = launcher.obstacle()
    if obstacle is None:
        return Check("calls", Grade.OK, "each is forked by a fork server that has loaded orchesjob")
    return Check("calls", Grade.NOTE, f"each starts orchesjob anew, which is slower: {obstacle}")


def check_database(store: FlowStore, settings: Settings) -> Check:
    """Check the database for damage."""
    damage = store.damage()
    if damage:
        return Check("database", Grade.PROBLEM, f"{settings.home.database}: {'; '.join(damage)}")
    count = len(store.run_keys())
    runs = "1 run" if count == 1 else f"{count:,} runs"
    return Check("database", Grade.OK, f"{settings.home.database}: {runs}, undamaged")


def check_runners(settings: Settings) -> Iterator[Check]:
    """Look for runs that no process advances, and for those on which a runner gave up."""
    unfinished = find_runs(settings, statuses=UNFINISHED)
    troubles = [trouble for one in unfinished if (trouble := describe_trouble(one)) is not None]
    for trouble in troubles:
        yield Check("runners", Grade.PROBLEM, trouble)
    if not troubles:
        message = f"every run that has not ended ({len(unfinished)}) has its runner"
        yield Check("runners", Grade.OK, message)


def describe_trouble(listed: Listed) -> str | None:
    """Say what to do about a run that no process advances, or only tries to; None for others."""
    run, runner = listed
    if run.gave_up is not None:
        return describe_given_up(run, runner)
    if not listed.is_abandoned:
        return None
    return (
        f"run {run.run_key!r} is {run.status.value} and no process advances it: "
        "`orchesjob-flow resume` continues it"
    )
