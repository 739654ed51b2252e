"""Who else could change a folder or a file, by the owners and modes of all above it (rule 6.1).

Whoever can write to orchesjob's database decides what runs, and what has run. So can whoever may
replace the folder that holds it, or one above that.
"""

import os
import shlex
import stat
from collections.abc import Iterable
from pathlib import PurePath
from typing import NamedTuple

ORCHESJOB_DATABASE = "orchesjob.db"
"""The file in a home in which orchesjob keeps its jobs."""


class Exposure(NamedTuple):
    """A folder or file that somebody else could change.

    Attributes:
        path: What could be changed.
        problem: Why, as the end of a sentence that begins with the path.
        repair: The command that helps; empty if there is none.
    """

    path: str
    problem: str
    repair: str

    def remedy(self, variable: str) -> str:
        """Return what to do, if `variable` names the folder that was looked at."""
        if self.repair.startswith("chmod"):
            return f"`{self.repair}` repairs it"
        if self.repair:
            return f"`{self.repair}` makes a folder of your own in it, which {variable} can name"
        return f"name a folder of your own with {variable}, or run this as its owner"


def find_exposure(folder: str, databases: Iterable[str] = ()) -> Exposure | None:
    """Find out how anybody but this user and root could change a folder or SQLite files in it.

    The folder must belong to one of both, and nobody else may write to it. A folder above it may
    be shared if its sticky bit keeps others from replacing what is not theirs. What does not exist
    is safe, and so is what a link leads to, if that is.

    Args:
        folder: A folder, of which links are resolved.
        databases: The names of files in it, each with its write-ahead log and shared memory.
    """
    real = os.path.realpath(folder)
    for place in (real, *map(str, PurePath(real).parents)):
        if (exposure := _exposure_of(place, is_above=place != real)) is not None:
            return exposure
    files = (f"{name}{ending}" for name in databases for ending in ("", "-wal", "-shm"))
    for path in (f"{real}/{name}" for name in files):
        target = os.path.realpath(path)
        exposure = _exposure_of(target)
        if exposure is None and target != path:
            exposure = find_exposure(os.path.dirname(target))  # noqa: PTH120 - text, as all here
        if exposure is not None:
            return exposure
    return None


def exposure_of_home(home: str) -> Exposure | None:
    """Find out how anybody but this user and root could change an orchesjob home or its jobs."""
    return find_exposure(home, [ORCHESJOB_DATABASE])


def _exposure_of(path: str, *, is_above: bool = False) -> Exposure | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - text, before every call of orchesjob
    except OSError:  # nobody has it yet, or the caller finds that it cannot be seen
        return None
    if found.st_uid not in (0, os.geteuid()):
        return Exposure(path, f"belongs to another user, {_name_of(found.st_uid)}", "")
    is_sticky = bool(found.st_mode & stat.S_ISVTX)
    others = stat.S_IWOTH if is_above else stat.S_IWOTH | stat.S_IWGRP
    if not found.st_mode & others or (is_above and is_sticky):
        return None
    # With the bit, others are meant to write there, as in /tmp; what is root's is not for one user.
    if os.geteuid() == found.st_uid and not (is_sticky and found.st_uid == 0):
        repair = f"chmod {'o-w' if is_above else 'go-w'} {shlex.quote(path)}"
    else:
        repair = "" if is_above else f"mkdir -m 700 {shlex.quote(f'{path}/orchesjob')}"
    return Exposure(path, "can be written by others", repair)


def _name_of(user: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"with the id {user}"
