"""The variables of orchesjob and of this package: its home, its executable, the marks of jobs.

A job's mark is in the environment of each of its processes. A job that is started inside another
job adds its mark to those that are there, so it is found by the outer mark too (rule 5.8).
"""

import hashlib
import os
import shutil
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

from orchesjob_client.errors import OrchesjobMissing

type StrPath = str | os.PathLike[str]

HOME = "ORCHESJOB_HOME"
"""The folder of orchesjob's jobs."""

DEFAULT_HOME = "/var/lib/orchesjob"
"""The home that orchesjob uses where none is named."""

EXECUTABLE = "ORCHESJOB_BIN"
"""The executable to use where no other is named."""

MARK = "ORCHESJOB_FLOW_MARK"
"""The marks of the jobs that a process belongs to, the outermost first, joined by `:`."""

LEFT = "ORCHESJOB_FLOW_LEFT"
"""The marks of the jobs that a process is about to leave, because it does not belong to them."""


_JOIN = ":"


def named_home(environ: Mapping[str, str]) -> str:
    """Return the path of the orchesjob home as an environment names it, or orchesjob's default."""
    return environ.get(HOME) or DEFAULT_HOME


def orchesjob_home(environ: Mapping[str, str]) -> str:
    """Return the real path of the orchesjob home that an environment names."""
    return os.path.realpath(named_home(environ))


class HomeFolder(NamedTuple):
    """The folder that a home's path named at one moment: another one may take the path later."""

    device: int
    inode: int


def folder_of_home(environ: Mapping[str, str]) -> HomeFolder:
    """Return the folder of the orchesjob home that an environment names.

    Raises:
        OSError: There is none, or it cannot be seen.
    """
    found = os.stat(named_home(environ))  # noqa: PTH116 - text, before every call
    return HomeFolder(found.st_dev, found.st_ino)


def mark(home: str, job_key: str) -> str:
    """Return the mark of a job: 32 hexadecimal digits that depend on its home and key alone."""
    identity = os.fsencode(home) + b"\0" + job_key.encode()
    return hashlib.sha256(identity).hexdigest()[:32]


def marked_environment(
    environ: Mapping[str, str], job_key: str, *, home: str | None = None
) -> dict[str, str]:
    """Return the environment for the calls about a job: `environ` with the job's mark added.

    `home` is the real path of its orchesjob home, if the caller knows it already.
    """
    own, outer = mark(home or orchesjob_home(environ), job_key), environ.get(MARK, "")
    inherited = {name: value for name, value in environ.items() if name != LEFT}
    return {**inherited, MARK: f"{outer}{_JOIN}{own}" if outer else own}


def is_marked(environ: Mapping[str, str], home: str, job_key: str) -> bool:
    """Tell whether an environment is that of a process of this job, or of a job inside it."""
    return mark(home, job_key) in environ.get(MARK, "").split(_JOIN)


def left_marks(environ: Mapping[str, str]) -> list[str]:
    """Return the marks of the jobs that a process with this environment leaves."""
    return [left for left in environ.get(LEFT, "").split(_JOIN) if left]


def unmarked(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment for a process that does not belong to the marked jobs and leaves them.

    Without a mark nothing is known, and nothing is left: a step may have cleared its environment.
    """
    others = {name: value for name, value in environ.items() if name != MARK}
    return {**others, LEFT: environ[MARK]} if environ.get(MARK) else others


class WantedMarks:
    """The marks to look for, in one variable."""

    def __init__(self, variable: str, marks: Collection[str]) -> None:
        """Look for any of these marks."""
        self._name = f"{variable}=".encode(errors="surrogateescape")
        self._marks: Mapping[bytes, str] = {
            mark.encode(errors="surrogateescape"): mark for mark in marks
        }

    def find(self, environment: bytes) -> str | None:
        """Return the first wanted mark in an environment as the system shows it, or None."""
        if self._name not in environment:
            return None  # nearly all processes, and every one is read
        for line in environment.split(b"\0"):
            if line.startswith(self._name):
                for mark in line.removeprefix(self._name).split(_JOIN.encode()):
                    if mark in self._marks:
                        return self._marks[mark]
        return None


_NAME = "orchesjob"
_BESIDE = Path(sys.executable).parent


def locate(
    explicit: StrPath | None, environ: Mapping[str, str], *, beside: StrPath = _BESIDE
) -> str:
    """Return the absolute path of the orchesjob to use, without running it (rule 6.2).

    It is `explicit` if given, else `ORCHESJOB_BIN`, else `orchesjob` on `PATH`, else the one in the
    folder `beside`, which is that of this Python. One that is named must exist: no other is taken
    instead. A name without a folder is looked up on `PATH`.

    Raises:
        OrchesjobMissing: None is found, or the one that is named cannot be executed.
    """
    search_path = environ.get("PATH", os.defpath)
    for origin, named in (
        ("as asked for", explicit and os.fspath(explicit)),
        (f"from {EXECUTABLE}", environ.get(EXECUTABLE)),
    ):
        if named:
            return _executable(shutil.which(named, path=search_path), named, origin)
    found = shutil.which(_NAME, path=search_path) or shutil.which(Path(beside, _NAME))
    return _executable(found, _NAME, f"neither on PATH nor in {beside}")


def _executable(found: StrPath | None, name: str, origin: str) -> str:
    if found is None:
        raise OrchesjobMissing(_NAME, f"{name} ({origin}) is not an executable file", name)
    return os.path.abspath(found)  # noqa: PTH100 - text, and `..` after a link stays as it is
