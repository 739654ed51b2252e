"""Starting a run's runner in the background: `start -d` (rules 4.5 and 6.3).

The parent takes the run's lock and hands its descriptor to the child, so that the lock is held
without a gap, and returns once the child has said that it is ready.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from orchesjob_client import MARK, locate
from orchesjob_flow.errors import NotDetached
from orchesjob_flow.locks import Lock, open_owned
from orchesjob_flow.settings import Settings

READY = b"ready\n"
LONGEST_CAUSE = 500


def start_child(run_key: str, settings: Settings, lock: Lock) -> int:
    """Start the background runner of a run whose lock is held; return its process id.

    Raises:
        NotDetached: It ended before it was ready.
    """
    home = settings.home
    settings = settings._replace(orchesjob=locate(settings.orchesjob, settings.environ))
    stdout, stderr = home.log(run_key, "stdout"), home.log(run_key, "stderr")
    ready, ready_in_child = os.pipe()
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    descriptors = [open_owned(stdout, flags), open_owned(stderr, flags), ready_in_child]
    said_before = stderr.stat().st_size
    try:
        child = subprocess.Popen(
            child_command(run_key, settings, lock, ready_in_child),
            stdin=subprocess.DEVNULL,
            stdout=descriptors[0],
            stderr=descriptors[1],
            pass_fds=(lock.fileno(), ready_in_child),
            start_new_session=True,
            cwd="/",
            env=child_environment(settings.environ),
        )
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
    with os.fdopen(ready, "rb") as pipe:
        if pipe.read(len(READY)) == READY:
            child.returncode = 0  # it lives on: nobody here waits for it
            return child.pid
    child.wait()
    raise NotDetached(run_key, last_words(stderr, said_before), stderr)


def child_command(run_key: str, settings: Settings, lock: Lock, ready: int) -> list[str]:
    """Spell the command line of the child."""
    return [
        sys.executable,
        "-P",  # nothing is imported from whatever directory this runs in
        "-m",
        "orchesjob_flow",
        *settings.global_options(),
        "drive",
        f"--run-key={run_key}",
        f"--lock-fd={lock.fileno()}",
        f"--ready-fd={ready}",
    ]


def child_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the caller's environment, spelled for another directory and without a step's mark."""
    child = {name: value for name, value in environ.items() if name != MARK}
    if child.get("ORCHESJOB_HOME"):
        child["ORCHESJOB_HOME"] = os.path.abspath(child["ORCHESJOB_HOME"])  # noqa: PTH100 - text
    return child


def become_background(lock_descriptor: int, path: Path) -> Lock:
    """Make this process, a child of `start -d`, the holder of the lock that it was handed."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    return Lock.inherit(lock_descriptor, path)


def say_ready(descriptor: int) -> None:
    """Let the parent return."""
    try:
        os.write(descriptor, READY)
    except BrokenPipeError:
        pass  # the parent was killed: the run goes on all the same
    finally:
        os.close(descriptor)


def last_words(log: Path, said_before: int) -> str:
    """Read the last line that the child has written to its log."""
    with log.open("rb") as file:
        file.seek(said_before)
        lines = file.read().decode(errors="replace").strip().splitlines()
    return lines[-1][:LONGEST_CAUSE] if lines else "it said nothing"
