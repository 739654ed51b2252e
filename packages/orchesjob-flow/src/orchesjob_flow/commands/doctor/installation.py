"""What `doctor` checks before it looks at runs: the machine, the folders and orchesjob.

A long history makes each call of orchesjob slower: it reads and rewrites the rows of all its jobs.
Asked for its version, it reads none. So the difference between the two calls is what the history
costs, on any machine.
"""

import platform
import shutil
import sqlite3
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, closing
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from orchesjob_client import (
    ForkServer,
    JobReport,
    OrchesjobClient,
    OrchesjobError,
    locate,
    usable_cgroup_folder,
)
from orchesjob_flow.commands.doctor.audit import Check, ClientOf, Grade
from orchesjob_flow.errors import UnsafePlace, UnusableOrchesjobHome
from orchesjob_flow.home.locks import refuse_foreign
from orchesjob_flow.home.orchesjob_home import holds_jobs, shared_home
from orchesjob_flow.home.paths import ORCHESJOB_HOME, Settings, is_there, names_in, refuse_no_folder

SUPPORTED_MAJOR = "1"
LITTLE_SPACE_MB = 100
NETWORK_FILE_SYSTEMS = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "9p", "afs", "ceph"}
MOUNTS = Path("/proc/self/mounts")
MUCH_SEC = 0.1
_ROUNDS = 3


def check_program() -> Check:
    """List the versions of what runs here."""
    message = (
        f"orchesjob-flow {version('orchesjob-flow')}, Python {platform.python_version()}, "
        f"SQLite {sqlite3.sqlite_version}"
    )
    return Check("program", Grade.OK, message)


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
                settings.home.refuse_shared(folder)
        for name in names_in(settings.home.jobs):
            is_there(settings.home.jobs / name)
        for turns in (settings.call_slot_files, settings.abort_slot_files):
            refuse_foreign(turns.all)
    except UnsafePlace as error:
        return Check("home", Grade.PROBLEM, str(error))
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

    Return what makes clients of a home, if it answers; what they use is closed `at_end`. Where the
    home has no jobs yet, these are not asked for: orchesjob would create it (rule 9.11).
    """
    try:
        executable = locate(settings.orchesjob, settings.environ)
        home = shared_home(settings.environ)
        environ = {**settings.environ, ORCHESJOB_HOME: home}
        launcher = at_end.enter_context(closing(ForkServer(executable, environ)))
        client = OrchesjobClient(executable)
        if holds_jobs(home):
            answered = measure_calls(client)
        else:
            answered = Answered(client.version(), (), 0.0, 0.0)
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
    if holds_jobs(home):
        yield check_history(answered)
    else:
        message = f"orchesjob's home {home} has no jobs yet"
        yield Check("history", Grade.OK, message)
    return lambda home: OrchesjobClient(executable, home=home, launcher=launcher)


def check_calls(launcher: ForkServer) -> Check:
    """Tell how orchesjob is called, and why not in the quick way (rule 5.13)."""
    obstacle = launcher.obstacle()
    if obstacle is None:
        return Check("calls", Grade.OK, "each is forked by a fork server that has loaded orchesjob")
    return Check("calls", Grade.NOTE, f"each starts a new orchesjob, which is slower: {obstacle}")


class Answered(NamedTuple):
    """What orchesjob has answered, and in how many seconds at its quickest."""

    version: str
    active: tuple[JobReport, ...]
    version_sec: float
    call_sec: float

    @property
    def history_sec(self) -> float:
        """How much of a call goes into the jobs of the home."""
        return max(0.0, self.call_sec - self.version_sec)


def measure_calls(
    client: OrchesjobClient, clock: Callable[[], float] = time.perf_counter
) -> Answered:
    """Ask for the version and for the active jobs, and take the time of both.

    Where the history seems to cost much, both are repeated: other work may have delayed a call, but
    probably not each of them.

    Raises:
        OrchesjobError: No usable answer.
    """
    answered = _measure_once(client, clock)
    for _ in range(_ROUNDS - 1):
        if answered.history_sec < MUCH_SEC:
            break
        again = _measure_once(client, clock)
        answered = again._replace(
            version_sec=min(answered.version_sec, again.version_sec),
            call_sec=min(answered.call_sec, again.call_sec),
        )
    return answered


def _measure_once(client: OrchesjobClient, clock: Callable[[], float]) -> Answered:
    began = clock()
    version = client.version()
    between = clock()
    active = client.running()
    return Answered(version, active, between - began, clock() - between)


def check_history(answered: Answered) -> Check:
    """Tell what a call costs, and what helps where old jobs make it slow."""
    costs = (
        f"a call takes {answered.call_sec * 1e3:.0f} ms "
        f"({answered.history_sec * 1e3:.0f} ms of it caused by old jobs)"
    )
    if answered.history_sec < MUCH_SEC:
        return Check("history", Grade.OK, costs)
    return Check(
        "history",
        Grade.NOTE,
        f"{costs}, and each step pays that two or three times, as orchesjob rewrites the rows of "
        "all its jobs in each call; `prune` removes those of old runs, `orchesjob clean` others, "
        "and `start --jobs own` gives a run a home of its own",
    )
