"""The processes that a job has left alive: finding and ending them by the job's mark (rule 5.8).

Every call of orchesjob carries the mark of its job in its environment. The launcher, the worker,
the command and whatever the command starts inherit it, in whatever session they run. Where a job
has a cgroup, whoever is in it is the job's too.
"""

import hashlib
import os
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from itertools import count
from pathlib import Path

from orchesjob_client.errors import ProcessesKeepAppearing
from orchesjob_client.processes import cgroups
from orchesjob_client.processes.census import LIMIT_SEC, OnSight
from orchesjob_client.processes.ending import end_processes, kill_at_sight
from orchesjob_client.processes.finding import marked_families
from orchesjob_client.processes.identity import Process
from orchesjob_client.processes.marks import joined, split

MARK = "ORCHESJOB_FLOW_MARK"
"""The environment variable that holds a job's mark, after those of the jobs that it is inside."""

_LOOKS = 2
_HUNT_SEC = 2.0
_TICK_SEC = 0.05


def orchesjob_home(environ: Mapping[str, str]) -> str:
    """Return the real path of the orchesjob home that an environment names."""
    return os.path.realpath(environ.get("ORCHESJOB_HOME") or "/var/lib/orchesjob")


def mark(home: str, job_key: str) -> str:
    """Return the mark of a job, which follows from its home and its key alone."""
    identity = os.fsencode(home) + b"\0" + job_key.encode()
    return hashlib.sha256(identity).hexdigest()[:32]


def marked_environment(environ: Mapping[str, str], job_key: str) -> dict[str, str]:
    """Return the environment for the calls that concern a job.

    The job is inside whatever `environ` is marked as: it has those marks too.
    """
    own = mark(orchesjob_home(environ), job_key)
    return {**environ, MARK: joined(environ.get(MARK, ""), own)}


def is_marked(environ: Mapping[str, str], home: str, job_key: str) -> bool:
    """Tell whether an environment is that of a process of this job, or of one inside it."""
    return mark(home, job_key) in split(environ.get(MARK, ""))


def unmarked(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment of no job, for what goes on when the job has ended."""
    return {name: value for name, value in environ.items() if name != MARK}


def find_survivors(home: str, job_keys: Iterable[str]) -> Sequence[Process]:
    """Find the living processes of some jobs, and of their kin those that live beside them.

    It takes two looks to find none, each a whole census: while the PIDs of the system begin anew, a
    look may miss a process that has just been given a low one.

    Raises:
        ProcessesKeepAppearing: Processes come and go too fast to say anything.
        OSError: The process table cannot be read.
    """
    return _look({mark(home, key) for key in job_keys})


def end_survivors(home: str, job_keys: Sequence[str], grace_sec: float) -> Sequence[Process]:
    """End the living processes of some jobs; return those that could not be ended.

    Who appears while others have their grace time has what is left of it. After that, whoever
    appears is killed at sight, so that not even a chain of processes that fork and exit escapes.

    Raises:
        ProcessesKeepAppearing, OSError: As `find_survivors`.
    """
    marks = {mark(home, key) for key in job_keys}
    try:
        found = _look(marks)
    except ProcessesKeepAppearing:
        _kill_cgroups(marks)
        found = _look(marks)
    known: dict[Process, None] = {}
    grace_ends = time.monotonic() + grace_sec
    while found and (now := time.monotonic()) < grace_ends + _HUNT_SEC:
        known |= dict.fromkeys(found)
        end_processes(found, max(0, grace_ends - now))
        if now < grace_ends:
            found = _look(marks, known)
            time.sleep(_TICK_SEC if found else 0)
        else:
            _kill_cgroups(marks)
            found = _look(marks, known, kill_at_sight)
    return found


def own_cgroup(environ: Mapping[str, str], job_key: str) -> AbstractContextManager[int | None]:
    """Make a cgroup for a job; give what `OrchesjobClient.start` needs, None if it cannot be.

    It is in the cgroups of those jobs only as which `environ` is marked.
    """
    return cgroups.joinable(mark(orchesjob_home(environ), job_key), split(environ.get(MARK, "")))


def discard_cgroup(environ: Mapping[str, str], job_key: str) -> None:
    """Remove the cgroup of a job that has ended, unless the job has left somebody in it."""
    cgroups.discard(mark(orchesjob_home(environ), job_key), split(environ.get(MARK, "")))


def leave_cgroups(environ: Mapping[str, str]) -> None:
    """Leave the cgroups of all jobs but those as which `environ` is marked."""
    cgroups.leave(split(environ.get(MARK, "")))


def _look(
    marks: set[str], known: Collection[Process] = (), on_sight: OnSight | None = None
) -> Sequence[Process]:
    """Find whoever lives; a second census confirms that it is nobody.

    The kernel knows whether anybody is in a cgroup, but names only who is there for long enough.
    """
    folders = cgroups.find_folders(marks)
    deadline = time.monotonic() + LIMIT_SEC
    for looks in count(1):
        in_cgroups = partial(_members, folders)
        if found := marked_families(MARK, marks, known, on_sight, in_cgroups):
            return found
        if looks >= _LOOKS and not any(map(cgroups.is_populated, folders)):
            break
        if looks > _LOOKS and time.monotonic() > deadline:
            raise ProcessesKeepAppearing("the search for processes")
    for folder in folders:
        cgroups.remove(folder)
    return []


def _members(folders: Iterable[Path]) -> dict[int, str]:
    return {pid: cgroups.mark_of(folder) for folder in folders for pid in cgroups.members(folder)}


def _kill_cgroups(marks: set[str]) -> None:
    for folder in cgroups.find_folders(marks):
        cgroups.kill_all(folder)
