"""Where the program keeps its files (rules 6.1 and 10.6).

The flow home holds the database and, beside it, folders of locks, logs, and one directory for each
run. Steps leave files for each other in that directory; the holder of the run's lock creates and
removes it.
"""

import errno
import os
import re
import stat
import sys
import unicodedata
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from orchesjob_flow.errors import BadRunKey, HomeMissing, UnsafePlace

FLOW_HOME = "ORCHESJOB_FLOW_HOME"
"""The variable that names the folder of the database."""
ORCHESJOB_HOME = "ORCHESJOB_HOME"
"""The variable that names orchesjob's folder, and that of the database if the other is unset."""
DATABASE_NAME = "orchesjob-flow.sqlite3"
DATABASE_OPTION = "--db"
LONGEST_RUN_KEY = 255
LONGEST_READABLE_NAME = 150
READABLE = re.compile(r"[A-Za-z0-9_.~+=@,:-]*")
LONGEST_PLACE = 400
"""How much of the path of what cannot be removed an error names: folders may be nested deep."""
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
"""Open a folder and nothing else, not even a link to one."""
UNPRINTABLE = {"Cc", "Cf", "Cs", "Cn", "Zl", "Zp"}
SIDE_FILES = ("-wal", "-shm", "-journal")
"""How the names end of the files that SQLite reads beside a database."""
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class SlotFiles(NamedTuple):
    """The lock files by which the runners of all runs share the calls of orchesjob (rule 5.11)."""

    queue: Path
    slots: list[Path]

    @property
    def all(self) -> tuple[Path, ...]:
        """All of these files."""
        return (self.queue, *self.slots)


class Home(NamedTuple):
    """The files of one flow home: the database and the folders beside it.

    `named_by` is the option or the variable that names it; None for the default.
    """

    database: Path
    named_by: str | None = None

    @property
    def logs(self) -> Path:
        """The folder of the background runners' logs."""
        return self.database.parent / "logs"

    @property
    def locks(self) -> Path:
        """The folder of the runs' locks."""
        return self.database.parent / "locks"

    @property
    def runs(self) -> Path:
        """The folder of the runs' own directories."""
        return self.database.parent / "runs"

    @property
    def jobs(self) -> Path:
        """The folder of the runs' own orchesjob homes (rule 4.8)."""
        return self.database.parent / "jobs"

    @property
    def hook(self) -> Path:
        """The program that is told of each run that has ended, if there is one (rule 12.5)."""
        return self.database.parent / "hooks" / "run-finished"

    def own_jobs(self, run_key: str) -> Path:
        """Return the path of a run's own orchesjob home, if it has one."""
        return self.jobs / f"{encode_run_key(run_key)}.jobs"

    def run_directory(self, run_key: str) -> Path:
        """Return the directory in which the steps of a run leave files for each other (10.6).

        The ending keeps the run keys `.` and `..` from being the names of other folders.
        """
        return self.runs / f"{encode_run_key(run_key)}.run"

    def slot_files(self, kind: str, count: int) -> SlotFiles:
        """Return the lock files that let `count` calls of a kind be made at once.

        No run's lock has such a name.
        """
        slots = [self.locks / f"{kind}-{number}.slot" for number in range(1, count + 1)]
        return SlotFiles(self.locks / f"{kind}.queue", slots)

    @property
    def folders(self) -> tuple[Path, ...]:
        """The folders in which the program keeps its files."""
        return (self.database.parent, self.logs, self.locks, self.runs, self.jobs)

    def refuse_missing(self) -> None:
        """Refuse a home that was named explicitly and does not exist (rule 6.13).

        A folder without a database is an empty home, and so is the default.

        Raises:
            HomeMissing: The file of the option, or the folder of the variable, does not exist.
        """
        named = self.database if self.named_by == DATABASE_OPTION else self.database.parent
        if self.named_by is not None and not named.exists():
            raise HomeMissing(named, self.named_by)

    def prepare(self) -> None:
        """Create the folders that are missing, for their owner only.

        Raises:
            UnsafePlace: A folder cannot be created, or others own it or can write it.
        """
        self.refuse_shared(self.database.parent)  # before anything is made in it
        for folder in self.folders:
            try:
                make_private(folder, parents=True)
            except OSError as error:
                problem = f"cannot be created: {error.strerror}"
                raise UnsafePlace(folder, problem, self.remedy) from error
            self.refuse_shared(folder)

    @property
    def remedy(self) -> str:
        """What to do if this home cannot be used."""
        if self.named_by is None:
            return UnsafePlace.remedy
        return f"check {self.named_by}, which names this flow home"

    def refuse_exposed(self) -> None:
        """Refuse to read a database that another user owns or that others can write to (rule 6.1).

        It might say what they like, or never come to an end. Reading asks for no more; `prepare`
        does.

        Raises:
            UnsafePlace: Somebody else could change the folder or the files of the database.
        """
        beside = (self.database.with_name(f"{self.database.name}{end}") for end in SIDE_FILES)
        for path in (self.database.parent, self.database, *beside):
            try:
                found = path.stat()
            except OSError:  # it is not there, or whoever opens it says what is wrong
                continue
            is_right = stat.S_ISDIR if path == self.database.parent else stat.S_ISREG
            is_odd = not is_right(found.st_mode)
            if is_odd or found.st_mode & OTHERS_WRITE or found.st_uid not in (0, os.geteuid()):
                self.refuse_shared(self.database.parent)

    def refuse_shared(self, folder: Path) -> None:
        """Refuse one of the folders if it is not one user's alone.

        Anybody who can write the database can have commands executed. A sticky bit does not prevent
        others from creating the files that SQLite reads beside it.

        Raises:
            UnsafePlace: Others own it, or can change it or the database, or that is a folder.
        """
        named_by, is_main = self.named_by or FLOW_HOME, folder == self.database.parent
        if is_main and self.database.is_dir():
            remedy = "move it away"
            if named_by == DATABASE_OPTION:
                remedy = f"name a file, such as {self.database / DATABASE_NAME}"
            raise UnsafePlace(self.database, "is a folder", remedy)
        from orchesjob_client import find_exposure  # `status` of a safe home does without

        databases = [self.database.name] if is_main else []
        if (found := find_exposure(str(folder), databases)) is not None:
            named = f"--db FOLDER/{DATABASE_NAME}" if named_by == DATABASE_OPTION else named_by
            raise UnsafePlace(Path(found.path), found.problem, found.remedy(named))
        if folder.exists() and folder.stat().st_uid != os.geteuid():
            raise UnsafePlace(folder, "belongs to another user", self.remedy)


def make_private(folder: Path, *, parents: bool = False) -> None:
    """Create a folder for its owner only, whatever the umask; keep one that exists.

    With `parents`, those that are missing are created likewise.
    """
    for missing in reversed(folder.parents) if parents else ():
        if not missing.exists():
            make_private(missing)
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        if not folder.is_dir():
            raise
    else:
        folder.chmod(0o700)  # the umask may have removed permissions


def find_home(database: str | None, environ: Mapping[str, str]) -> Home:
    """Find the database: as named, else in the homes that the environment names (rule 6.1)."""
    path, named_by = name_database(database, environ)
    try:
        return Home(path.absolute(), named_by)
    except FileNotFoundError as error:
        problem = "cannot be found: the current directory has been removed"
        raise UnsafePlace(path, problem) from error


def name_database(database: str | None, environ: Mapping[str, str]) -> tuple[Path, str | None]:
    """Return the path of the database, perhaps a relative one, and what names it."""
    if database:
        return Path(database), DATABASE_OPTION
    for variable in (FLOW_HOME, ORCHESJOB_HOME):
        if environ.get(variable):
            return Path(environ[variable]) / DATABASE_NAME, variable
    try:
        user = Path.home()
    except RuntimeError as error:
        problem = "cannot be found: HOME is not set and the user has none"
        raise UnsafePlace(Path("~"), problem) from error
    return user / ".local" / "share" / "orchesjob-flow" / DATABASE_NAME, None


def check_run_key(run_key: str) -> None:
    """Refuse what cannot name a run (rule 4.1).

    Raises:
        BadRunKey: It is empty, too long, or holds a character that cannot be seen.
    """
    if not run_key:
        raise BadRunKey(run_key, "is empty")
    if len(run_key) > LONGEST_RUN_KEY:
        raise BadRunKey(run_key, f"has {len(run_key)} characters")
    for number, character in enumerate(run_key, start=1):
        if unicodedata.category(character) in UNPRINTABLE:
            raise BadRunKey(run_key, f"holds {character!a} as character {number}")


def key_for_flow(flow_id: str, ending: str) -> str:
    """Return a run key that begins with a flow's id, as far as a key can hold it."""
    name = "".join("_" if unicodedata.category(c) in UNPRINTABLE else c for c in flow_id)
    return name[: LONGEST_RUN_KEY - len(ending)] + ending


def encode_run_key(run_key: str) -> str:
    """Turn a run key into a file name, no two keys into one (rule 4.1).

    >>> encode_run_key("scheduled__2026-05-07T00:00:00+00:00")
    'scheduled__2026-05-07T00:00:00+00:00'
    >>> encode_run_key("a/b"), encode_run_key("a_b")
    ('a%2Fb', 'a_b')

    A name that would be too long for a file system ends with a digest. Quoting never produces
    `%%`, so no other name equals it.
    """
    name = run_key
    if not READABLE.fullmatch(run_key):
        from urllib.parse import quote  # slower to import than the rest of this module

        name = quote(run_key, safe="+=@,:")
    if len(name) <= LONGEST_READABLE_NAME:
        return name
    import hashlib

    digest = hashlib.sha256(run_key.encode()).hexdigest()
    return f"{name[: LONGEST_READABLE_NAME - 70]}%%{digest}"


def make_run_directory(path: Path) -> bool:
    """Create the directory for its owner only; return False if it exists.

    Raises:
        UnsafePlace: It cannot be created, is another user's, or the path is not a folder.
    """
    if is_there(path):
        if path.stat().st_uid != os.geteuid():
            raise UnsafePlace(path, "belongs to another user (move it away)")
        return False
    try:
        make_private(path)
    except OSError as error:
        raise UnsafePlace(path, f"cannot be created: {error.strerror}") from error
    return True


def remove_run_directory(path: Path) -> None:
    """Remove the directory and its contents; a link in it is removed, not followed.

    A process that a step has left behind may swap folders for links meanwhile. So a folder is
    entered by its descriptor, and left by `..` only if that leads back to where it was entered. One
    descriptor is open, however deep the folders are nested.

    Raises:
        UnsafePlace: The path is not a folder.
        OSError: Something in it belongs to somebody else, is in use, or was moved meanwhile.
    """
    if not is_there(path):
        return
    here = open_folder(str(path))
    trail: list[tuple[os.stat_result, list[str]]] = []  # each outer folder, and what is left in it
    try:
        folders = unlink_files(here)
        while folders or trail:
            if folders:
                outer = os.fstat(here)
                _move_to(here, open_folder(folders[-1], here))
                trail.append((outer, folders))
                if os.fstat(here).st_dev != outer.st_dev:
                    raise OSError(errno.EXDEV, "is another file system (unmount it)", ".")
                folders = unlink_files(here)
            else:
                _move_to(here, os.open("..", FOLDER, dir_fd=here))
                outer, folders = trail[-1]
                if not os.path.samestat(os.fstat(here), outer):
                    raise OSError(errno.EBUSY, "was moved meanwhile", ".")
                trail.pop()
                os.rmdir(folders.pop(), dir_fd=here)
    except OSError as error:
        where = str(path.joinpath(*(names[-1] for _, names in trail), str(error.filename)))
        error.filename = where if len(where) <= LONGEST_PLACE else f"{where[:LONGEST_PLACE]}..."
        raise
    finally:
        os.close(here)
    path.rmdir()


def unlink_files(folder: int) -> list[str]:
    """Remove all from a folder but the folders in it; return their names."""
    with suppress(OSError):  # it belongs to somebody else
        os.fchmod(folder, 0o700)
    folders: list[str] = []
    with os.scandir(folder) as entries:
        for entry in list(entries):
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.name)
            else:
                os.unlink(entry.name, dir_fd=folder)
    return folders


def _move_to(descriptor: int, folder: int) -> None:
    os.dup2(folder, descriptor, inheritable=False)
    os.close(folder)


def open_folder(name: str, parent: int | None = None) -> int:
    """Open a folder, not a link; a step may have locked it even for its owner."""
    try:
        return os.open(name, FOLDER, dir_fd=parent)
    except PermissionError:
        with suppress(OSError):
            unlock(name, parent)
        return os.open(name, FOLDER, dir_fd=parent)


def unlock(name: str, parent: int | None) -> None:
    """Give its owner all rights to a folder that cannot be read.

    Linux opens it nevertheless, with `O_PATH`: so what is changed is that folder and nothing else.
    """
    if sys.platform != "linux":
        os.chmod(name, 0o700, dir_fd=parent, follow_symlinks=False)
        return
    folder = os.open(name, FOLDER | os.O_PATH, dir_fd=parent)
    try:
        os.chmod(f"/proc/self/fd/{folder}", 0o700)  # noqa: PTH101 - by descriptor
    finally:
        os.close(folder)


def is_there(path: Path) -> bool:
    """Whether the directory exists.

    Raises:
        UnsafePlace: The path is something else, such as a link.
    """
    try:
        found = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    if not stat.S_ISDIR(found.st_mode):
        raise UnsafePlace(path, "is not a folder (move it away)")
    return True
