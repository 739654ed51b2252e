"""The processes that a job has left alive: finding and ending them by the job's mark (rule 5.8).

Every call of orchesjob carries the mark of its job in its environment. The launcher, the worker,
the command and whatever the command starts inherit it, in whatever session they run.
"""

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence

from orchesjob_client.processes.ending import end_processes
from orchesjob_client.processes.finding import marked_processes
from orchesjob_client.processes.identity import Process

MARK = "ORCHESJOB_FLOW_MARK"
"""The environment variable that holds a job's mark."""


def orchesjob_home(environ: Mapping[str, str]) -> str:
    """Return the real path of the orchesjob home that an environment names."""
    return os.path.realpath(environ.get("ORCHESJOB_HOME") or "/var/lib/orchesjob")


def mark(home: str, job_key: str) -> str:
    """Return the mark of a job, which follows from its home and its key alone."""
    identity = os.fsencode(home) + b"\0" + job_key.encode()
    return hashlib.sha256(identity).hexdigest()[:32]


def marked_environment(environ: Mapping[str, str], job_key: str) -> dict[str, str]:
    """Return the environment for the calls that concern a job."""
    return {**environ, MARK: mark(orchesjob_home(environ), job_key)}


def find_survivors(home: str, job_keys: Iterable[str]) -> Sequence[Process]:
    """Find the living processes of some jobs.

    It takes two looks to find none: a process has no environment in the instant in which it begins
    another program, and one that ends during the first look may leave a child behind.
    """
    marks = {mark(home, key) for key in job_keys}
    return marked_processes(MARK, marks) or marked_processes(MARK, marks)


def end_survivors(home: str, job_keys: Sequence[str], grace_sec: float) -> Sequence[Process]:
    """End the living processes of some jobs; return those that could not be ended."""
    found = find_survivors(home, job_keys)
    if not found:
        return []
    end_processes(found, grace_sec)
    return find_survivors(home, job_keys)
