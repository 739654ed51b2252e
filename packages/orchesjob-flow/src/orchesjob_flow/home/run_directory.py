"""The directory of a run, in which its steps leave files for each other (rule 10.6).

Where it is, is in `paths`; when it is made and removed is up to whoever holds the run's lock.
"""

import errno
import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path

from orchesjob_flow.errors import UnsafePlace
from orchesjob_flow.home.paths import make_private


def make_run_directory(path: Path) -> bool:
    """Make the directory for its owner only; False if there is one.

    Raises:
        UnsafePlace: It cannot be made, or something else is in its place.
    """
    if is_there(path):
        return False
    try:
        make_private(path)
    except OSError as error:
        raise UnsafePlace(path, f"cannot be made: {error.strerror}") from error
    return True


def remove_run_directory(path: Path) -> None:
    """Remove the directory and all that is in it; a link in it is removed, not followed.

    Raises:
        UnsafePlace: Something else is in its place.
        OSError: Something in it belongs to somebody else, is in use, or lies too deep.
    """
    if not is_there(path):
        return
    # A step may have left folders that not even their owner can empty.
    for folder, names, _ in path.walk():
        for name in names:
            with suppress(OSError):
                (folder / name).chmod(0o700)
    try:
        shutil.rmtree(path)
    except RecursionError:  # before Python 3.13
        why = "has folders nested too deep for this Python; remove it with `rm -r`"
        raise OSError(errno.ENAMETOOLONG, why, str(path)) from None


def is_there(path: Path) -> bool:
    """Whether the directory exists.

    Raises:
        UnsafePlace: Something else is in its place, such as a link.
    """
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return False
    if not stat.S_ISDIR(found.st_mode):
        raise UnsafePlace(path, "is not a folder (move it away)")
    return True
