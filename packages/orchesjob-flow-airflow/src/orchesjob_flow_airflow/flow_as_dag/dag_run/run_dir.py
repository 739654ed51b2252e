"""The directory of a run, in which its steps leave files for each other (rule 10.6).

Any worker may run any task. So the directory is in a folder that all workers see, which the DAG
file names, and it is made by the first task that needs it. Nothing here removes it.
"""

import hashlib
import os
import re
import stat

from orchesjob_flow_airflow.errors import RunDirUnusable

_LONGEST_READABLE = 150
_UNREADABLE = re.compile(r"[^A-Za-z0-9_+=@,.-]")


def run_dir_of(run_dirs: str, *ids: str) -> str:
    """Return where the directory of a run is.

    Whatever the ids of DAG, run and group hold, and however long they are: they make its name
    readable, and their digest makes it that of one run.

    Args:
        run_dirs: The folder that all workers see.
        *ids: What tells the run from all others.
    """
    readable = _UNREADABLE.sub("_", ".".join(ids))[:_LONGEST_READABLE]
    digest = hashlib.sha256("\0".join(ids).encode()).hexdigest()[:32]
    return os.path.join(run_dirs, f"{readable}.{digest}")  # noqa: PTH118 - text, as given


def make_run_dir(path: str) -> None:
    """Make the directory of a run for its owner only, or find it: tasks may do it at once.

    Raises:
        RunDirUnusable: It cannot be made, or something else is in its place.
    """
    try:
        os.mkdir(path, 0o700)  # noqa: PTH102 - text, as given
        os.chmod(path, 0o700)  # noqa: PTH101 - the umask may have taken something away
    except FileExistsError:
        _check_is_ours(path)
    except OSError as error:
        raise RunDirUnusable(path, f"cannot be made: {error.strerror}") from error


def _check_is_ours(path: str) -> None:
    found = os.lstat(path)
    if not stat.S_ISDIR(found.st_mode):
        raise RunDirUnusable(path, "is not a folder")
    if found.st_uid != os.geteuid():
        raise RunDirUnusable(path, f"belongs to another user, with the number {found.st_uid}")
