"""Finding and ending the processes of an attempt, by the mark that they inherit (rule 5.8).

Every call of orchesjob carries the mark of its attempt in its environment; launcher, worker,
command and whatever the command starts inherit it, in whatever session they are.
"""

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence

from orchesjob_client.process import Process
from orchesjob_client.processes import end_processes, marked_processes

MARK = "ORCHESJOB_FLOW_MARK"


def orchesjob_home(environ: Mapping[str, str]) -> str:
    """Name the orchesjob home that an environment leads to, by its real path."""
    return os.path.realpath(environ.get("ORCHESJOB_HOME") or "/var/lib/orchesjob")


def mark(home: str, physical_key: str) -> str:
    """Name an attempt, the same after the flow database is lost, and different in every home."""
    identity = os.fsencode(home) + b"\0" + physical_key.encode()
    return hashlib.sha256(identity).hexdigest()[:32]


def marked_environment(environ: Mapping[str, str], physical_key: str) -> dict[str, str]:
    """Return the environment for the calls of an attempt."""
    return {**environ, MARK: mark(orchesjob_home(environ), physical_key)}


def find_survivors(home: str, physical_keys: Iterable[str]) -> Sequence[Process]:
    """Find the living processes of some attempts.

    Nobody is said to be gone after one look: a process has no environment for the instant in which
    it begins another program, and one that ends during the look may have left a child behind it.
    """
    marks = {mark(home, key) for key in physical_keys}
    return marked_processes(MARK, marks) or marked_processes(MARK, marks)


def end_survivors(home: str, physical_keys: Sequence[str], grace_sec: float) -> Sequence[Process]:
    """End the living processes of some attempts; return those that could not be ended."""
    found = find_survivors(home, physical_keys)
    if not found:
        return []
    end_processes(found, grace_sec)
    return find_survivors(home, physical_keys)
