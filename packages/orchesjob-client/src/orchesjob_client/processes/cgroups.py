"""A cgroup for each job, where the kernel and our rights allow one (cgroup v2, Linux).

The process of `orchesjob start` enters the job's cgroup before it runs, and all its descendants are
in it, with any environment, session or parent. Leaving it takes the same rights as making it. It
lies below the cgroup of the process that starts the job, so that limits and the ends of services,
sessions and containers stay as they are; no controller is enabled. Its name is the job's mark, by
which a later runner finds it anywhere. Other users may make folders of that name where they can
write, so only those count that this user has made. A job that is started inside another one is in
the other one's cgroup too, even if its starter has lost its mark. Where there can be none, nobody
is told, and only marks and process trees show the job's processes; `usable_cgroup_folder` says why.
"""

import contextlib
import errno
import fcntl
import os
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from orchesjob_client.environment import left_marks, mark

_PREFIX = "orchesjob-flow-"
_TRIES = 5
_MOUNTS = Path("/proc/self/mountinfo")
_OWN = Path("/proc/self/cgroup")
"""Files of the kernel: what is mounted where, and in which cgroups this process is."""


class JobCgroups:
    """The cgroups of the jobs that a process starts, below its own; several threads may use it."""

    def __init__(self, home: str) -> None:
        """Keep the real path of the orchesjob home, which is in the marks of its jobs."""
        self._home = home
        self._made: dict[str, str] = {}
        """The folders of the jobs that have not ended."""

    @contextlib.contextmanager
    def joinable(self, job_key: str) -> Iterator[int | None]:
        """Make a job's cgroup; yield the descriptor of its folder, or None.

        None means that there can be none here. Nobody removes the folder while the block is being
        executed.
        """
        with contextlib.ExitStack() as stack:
            descriptor = None
            with contextlib.suppress(OSError):
                folder = self._folder_of(job_key)
                descriptor = _make(folder, stack)
                self._made[job_key] = folder
            yield descriptor

    def discard(self, job_key: str) -> None:
        """Remove the cgroup of a job that has ended, unless a process is left in it."""
        with contextlib.suppress(OSError):
            folder = self._made.pop(job_key, None) or self._folder_of(job_key)
            if _is_made_by_us(folder) and not _is_removed(folder):
                remove(Path(folder))

    def _folder_of(self, job_key: str) -> str:
        return f"{own_folder()}/{_PREFIX}{mark(self._home, job_key)}"


def _make(folder: str, stack: contextlib.ExitStack) -> int:
    """Make a folder, or find the one that this user has made, and return its descriptor."""
    for _ in range(_TRIES):
        with contextlib.suppress(FileNotFoundError):  # somebody has removed it while it was empty
            with contextlib.suppress(FileExistsError):
                # Private: anybody who can open it could hold a lock that `_held` waits for.
                os.mkdir(folder, 0o700)  # noqa: PTH102 - each job does this
            descriptor = stack.enter_context(_held(folder))
            if os.fstat(descriptor).st_uid != os.geteuid():
                raise PermissionError(errno.EPERM, "belongs to another user", folder)
            return descriptor
    raise FileNotFoundError(errno.ENOENT, "was removed again and again", folder)


def enter(folder: int) -> None:
    """Enter the cgroup with this folder; if that is refused, stay where we are.

    A new process calls this between fork and exec, beside threads that are not there any more: it
    may do no more than these system calls.
    """
    with contextlib.suppress(OSError):
        os.write(os.open("cgroup.procs", os.O_WRONLY | os.O_CLOEXEC, dir_fd=folder), b"0")


def own_folder(mounts: Path = _MOUNTS, own: Path = _OWN) -> Path:
    """Return the folder of the cgroup in which this process is.

    Raises:
        OSError: There is none, or it is out of sight.
    """
    root, place = _tree(mounts)
    ours = re.search(r"(?m)^0::(.*)$", own.read_text(encoding="utf-8", errors="surrogateescape"))
    if ours is None or not Path(ours[1]).is_relative_to(root):
        raise FileNotFoundError(errno.ENOENT, "no cgroup of version 2 can be seen", str(own))
    return place / Path(ours[1]).relative_to(root)


def leave_cgroups(environ: Mapping[str, str]) -> None:
    """Leave the cgroups of the jobs that `environ` says are left: we go on when they have ended."""
    left = left_marks(environ)
    with contextlib.suppress(OSError):
        for folder in _enclosing_folders() if left else ():
            if mark_of(folder) in left:
                (folder.parent / "cgroup.procs").write_text("0", "ascii")
                break


def enclosing_marks() -> list[str]:
    """Return the marks of the jobs in whose cgroups this process is, the outermost first."""
    with contextlib.suppress(OSError):
        return list(map(mark_of, filter(_is_made_by_us, _enclosing_folders())))
    return []


def _enclosing_folders() -> list[Path]:
    own = own_folder()
    return [path for path in reversed((own, *own.parents)) if path.name.startswith(_PREFIX)]


def _is_made_by_us(folder: Path | str) -> bool:
    try:
        return os.stat(folder).st_uid == os.geteuid()  # noqa: PTH116 - each job does this
    except OSError:  # removed meanwhile
        return False


def usable_cgroup_folder() -> Path:
    """Return the folder below which cgroups can be made.

    Raises:
        OSError: There is none; it says why.
    """
    folder = own_folder()
    for path in (folder, folder / "cgroup.procs"):
        if not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, "cannot be written", str(path))
    return folder


def find_folders(marks: Collection[str]) -> list[Path]:
    """Find the folders of some jobs, wherever in the tree they are."""
    names = {f"{_PREFIX}{mark}" for mark in marks}
    return [folder for folder in _folders() if folder.name in names]


def mark_of(folder: Path) -> str:
    """Return the mark of the job whose cgroup this is."""
    return folder.name.removeprefix(_PREFIX)


def members(folder: Path) -> set[int]:
    """Return the PIDs of all that live in a cgroup and in those below it, but not our own."""
    pids: set[int] = set()
    for path in (folder, *_below(folder)):
        with contextlib.suppress(OSError):  # removed meanwhile, and so empty
            pids.update(map(int, (path / "cgroup.procs").read_text("ascii").split()))
    return pids - {os.getpid()}


def is_populated(folder: Path) -> bool:
    """Tell whether anybody but us lives in a cgroup or below it; the kernel knows at any moment."""
    try:
        events = (folder / "cgroup.events").read_text("ascii")
    except OSError:  # removed meanwhile, and so empty
        return False
    return "populated 1" in events and (not _is_ours(folder) or bool(members(folder)))


def kill_all(folder: Path) -> None:
    """Kill all that live in a cgroup at once, unless we are among them.

    Linux before 5.14 cannot; there nothing happens.
    """
    if not _is_ours(folder):
        with contextlib.suppress(OSError):
            (folder / "cgroup.kill").write_text("1", "ascii")


def discard_empty_cgroups() -> None:
    """Remove all folders of jobs in which nobody lives."""
    for folder in reversed(list(_folders())):
        remove(folder)


def remove(folder: Path) -> None:
    """Remove the folder of a cgroup, unless somebody lives in it or is about to join it.

    The folders that the job itself has made below it go too: those of containers, say.
    """
    if is_populated(folder):
        return
    for path in reversed((folder, *_below(folder))):
        _is_removed(path)


def _is_removed(folder: Path | str) -> bool:
    """Remove one folder, unless anything is in it; tell whether it is gone now."""
    with contextlib.suppress(OSError), _held(folder, fcntl.LOCK_EX | fcntl.LOCK_NB):
        os.rmdir(folder)  # noqa: PTH106 - each job does this
        return True
    return False


@contextlib.contextmanager
def _held(folder: Path | str, kind: int = fcntl.LOCK_SH) -> Iterator[int]:
    """Hold a folder, and yield its descriptor.

    Who is about to join shares it, who removes it has it alone.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, kind)
        yield descriptor
    finally:
        os.close(descriptor)


def _is_ours(folder: Path) -> bool:
    """Whether this process is in a cgroup or below it; not if its own is out of sight."""
    try:
        return own_folder().is_relative_to(folder)
    except OSError:
        return False


def _folders() -> Iterator[Path]:
    """Yield the folders of all jobs of this user, each before those below it."""
    with contextlib.suppress(OSError):
        _, place = _tree()
        named = (path for path in _below(place) if path.name.startswith(_PREFIX))
        yield from filter(_is_made_by_us, named)


def _below(folder: Path) -> Iterator[Path]:
    for parent, names, _ in os.walk(folder):
        yield from (Path(parent, name) for name in names)


def _tree(mounts: Path = _MOUNTS) -> tuple[Path, Path]:
    """Return which cgroup is the root of the tree that is mounted, and where."""
    for line in mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        places, _, kind = line.partition(" - ")
        if kind.startswith("cgroup2 "):
            root, place = (_unescaped(word) for word in places.split()[3:5])
            return Path(root), Path(place)
    raise FileNotFoundError(errno.ENOENT, "no cgroups of version 2 are mounted", str(mounts))


def _unescaped(word: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), word)
