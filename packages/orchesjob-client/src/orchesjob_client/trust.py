"""Who else could change a folder or a file, by the owners and modes of all above it (rule 6.1).

Whoever can write to orchesjob's database decides what runs, and what has run. So can whoever may
replace the folder that holds it, or one above that, or a link that leads there.
"""

import os
import shlex
import stat
from collections.abc import Iterable, Iterator
from typing import NamedTuple

ORCHESJOB_DATABASE = "orchesjob.db"
"""The file in a home in which orchesjob keeps its jobs."""
ORCHESJOB_LOGS = "logs"
"""The folder in a home in which orchesjob keeps what jobs print."""

_PARTS_OF_DATABASE = ("", "-wal", "-shm", "-journal")
"""How the names end of the files that SQLite reads as one database."""
_MOST_LINKS = 40
"""As many as Linux follows."""
_VARIABLE = "{variable}"


class Exposure(NamedTuple):
    """A folder or file that somebody else could change.

    Attributes:
        path: What could be changed.
        problem: Why, as the end of a sentence that begins with the path.
        advice: What helps; `remedy` puts a variable in its place.
    """

    path: str
    problem: str
    advice: str

    def remedy(self, variable: str) -> str:
        """Return what to do, if `variable` names the folder that was looked at."""
        return self.advice.replace(_VARIABLE, variable)


def find_exposure(
    folder: str, databases: Iterable[str] = (), folders: Iterable[str] = ()
) -> Exposure | None:
    """Find out how anybody but this user and root could change a folder or what is in it.

    The folder must belong to one of both, and nobody else may write to it. A folder above it may
    be shared if its sticky bit keeps others from replacing what is not theirs. What does not exist
    is safe, and so is what a link leads to, if that is.

    Args:
        folder: A folder, to which links may lead.
        databases: The names of SQLite files in it.
        folders: The names of folders in it.
    """
    real = os.path.realpath(folder)
    # Not `abspath`: after a link, `..` is not the folder that holds the link.
    base = "" if folder.startswith("/") else os.getcwd()  # noqa: PTH109 - text, as all here
    for place, found in _way_to(f"{base}/{folder}"):
        if exposure := _exposure_of_folder(place, found, is_above=place != real):
            return exposure
    for path in (f"{real.rstrip('/')}/{name}" for name in folders):
        found_there = _look_at(path)
        if found_there and (exposure := _exposure_of_folder(path, found_there)):
            return exposure
    inside = (f"{real.rstrip('/')}/{name}" for name in databases)
    files = (f"{path}{part}" for path in inside for part in _PARTS_OF_DATABASE)
    return next(filter(None, map(_exposure_of_file, files)), None)


def exposure_of_home(home: str) -> Exposure | None:
    """Find out how anybody but this user and root could change an orchesjob home or its jobs."""
    return find_exposure(home, [ORCHESJOB_DATABASE], [ORCHESJOB_LOGS])


def _way_to(path: str) -> Iterator[tuple[str, os.stat_result]]:
    """Yield each folder and link that leads to an absolute path, from the root on."""
    place, left, links = "/", path.split("/")[::-1], 0
    yield place, os.lstat(place)
    while left:
        name = left.pop()
        if name in {"", ".", ".."}:
            place = os.path.dirname(place) if name == ".." else place  # noqa: PTH120
            continue
        here = f"{place.rstrip('/')}/{name}"
        if (found := _look_at(here)) is None:
            return
        yield here, found
        if not stat.S_ISLNK(found.st_mode):
            place = here
        elif (links := links + 1) > _MOST_LINKS:
            return
        else:
            target = os.readlink(here)  # noqa: PTH115
            place = "/" if target.startswith("/") else place
            left += target.split("/")[::-1]


def _look_at(path: str) -> os.stat_result | None:
    """Return what is at a path; None if nobody has it yet, or the caller finds that out."""
    try:
        return os.lstat(path)
    except OSError:
        return None


def _exposure_of_folder(
    path: str, found: os.stat_result, *, is_above: bool = False
) -> Exposure | None:
    if _is_of_another_user(found):
        owner = _name_of(found.st_uid)
        advice = f"name a folder of your own with {_VARIABLE}"
        if os.geteuid() == 0:
            advice += f", or run this as its owner: `sudo -u {owner}`"
        return Exposure(path, f"belongs to another user, {owner}", advice)
    is_sticky = bool(found.st_mode & stat.S_ISVTX)
    others = stat.S_IWOTH if is_above else stat.S_IWOTH | stat.S_IWGRP
    is_shared = found.st_mode & others and not (is_above and is_sticky)
    if not stat.S_ISDIR(found.st_mode) or not is_shared:
        return None
    # With the bit, others are meant to write there, as in /tmp: no mode of it is to be changed.
    if is_sticky:
        made = shlex.quote(f"{path}/orchesjob")
        advice = (
            f"`mkdir -m 700 {made}` makes a folder of your own in it, which {_VARIABLE} can name"
        )
    elif os.geteuid() == found.st_uid:
        advice = f"`chmod {'o-w' if is_above else 'go-w'} {shlex.quote(path)}` repairs it"
    else:
        advice = f"name another folder with {_VARIABLE}"
    return Exposure(path, "can be written by others", advice)


def _exposure_of_file(path: str) -> Exposure | None:
    """Find out how somebody else could change a file that SQLite reads, or make SQLite wait."""
    found = _look_at(path)
    if found and stat.S_ISLNK(found.st_mode) and not _is_of_another_user(found):
        path = os.path.realpath(path)
        if exposure := find_exposure(os.path.dirname(path)):  # noqa: PTH120
            return exposure
        found = _look_at(path)
    if found is None:
        return None
    if _is_of_another_user(found):
        problem = f"belongs to another user, {_name_of(found.st_uid)}"
        return Exposure(path, problem, "move it away")
    if not stat.S_ISREG(found.st_mode) and not stat.S_ISDIR(found.st_mode):
        return Exposure(path, "is not a regular file", "move it away")
    if stat.S_ISREG(found.st_mode) and found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        is_own = found.st_uid == os.geteuid()
        repair = f"`chmod go-w {shlex.quote(path)}` repairs it" if is_own else "move it away"
        return Exposure(path, "can be written by others", repair)
    return None


def _is_of_another_user(found: os.stat_result) -> bool:
    return found.st_uid not in (0, os.geteuid())


def _name_of(user: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"#{user}"
