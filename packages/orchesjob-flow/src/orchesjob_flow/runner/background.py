"""The background process that drives a run, seen from its parent and from itself (rules 4.5, 6.3).

The parent takes the run's lock and hands its descriptor on to the child, so that the lock is held
without a gap. It returns once the child has reported that it is ready.
"""

import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from flow_store import FlowStore
from orchesjob_client import locate
from orchesjob_flow.errors import NotDetached
from orchesjob_flow.home.locks import Holder, Lock, open_owned
from orchesjob_flow.home.runs import RunHandle, Snapshot
from orchesjob_flow.runner.shortage import wait_out
from orchesjob_flow.scarcity import scarcity_named

READY = b"ready\n"
LONGEST_CAUSE = 500


def ensure_runner(handle: RunHandle, store: FlowStore) -> Snapshot:
    """See to it that a process advances a run that has not ended: there is one, or it is started.

    Return the run and that process.
    """
    runner = None
    run = handle.load(store)
    if not run.status.is_terminal:
        handle = handle.in_home_of(run)
        lock = handle.lock()
        if lock is None:
            runner = handle.holder()
        else:
            with closing(lock):
                runner = start_child(handle, lock)
    return Snapshot(handle.load(store), runner)


def start_child(handle: RunHandle, lock: Lock) -> Holder:
    """Start the background runner of a run whose lock this process holds; return the runner.

    The handle is in the home of its run, because the child runs in another directory.

    Raises:
        NotDetached: It ended before it was ready.
    """
    settings = handle.settings
    settings = settings._replace(orchesjob=locate(settings.orchesjob, settings.environ))
    stdout, stderr = handle.log("stdout"), handle.log("stderr")
    ready, ready_in_child = os.pipe()
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    descriptors = [open_owned(stdout, flags), open_owned(stderr, flags), ready_in_child]
    size_before = stderr.stat().st_size

    def spawn() -> "subprocess.Popen[bytes]":
        with scarcity_named("cannot start a process"):
            return subprocess.Popen(
                child_command(handle._replace(settings=settings), lock, ready_in_child),
                stdin=subprocess.DEVNULL,
                stdout=descriptors[0],
                stderr=descriptors[1],
                pass_fds=(lock.fileno(), ready_in_child),
                start_new_session=True,
                cwd="/",
                env=dict(settings.environ),
            )

    try:
        child = wait_out(handle, spawn)
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
    with os.fdopen(ready, "rb") as pipe:
        if pipe.read(len(READY)) == READY:
            child.returncode = 0  # it keeps running, and nobody here waits for it
            return Holder(child.pid)
    child.wait()
    raise NotDetached(handle.run_key, last_line(stderr, size_before), stderr)


def child_command(handle: RunHandle, lock: Lock, ready: int) -> list[str]:
    """Write the command line of the child."""
    return [
        sys.executable,
        "-P",  # nothing is imported from whatever directory this runs in
        "-m",
        "orchesjob_flow",
        *handle.settings.global_options(),
        "drive",
        f"--run-key={handle.run_key}",
        f"--lock-fd={lock.fileno()}",
        f"--ready-fd={ready}",
    ]


def inherit_lock(handle: RunHandle, descriptor: int) -> Lock:
    """Take over the run's lock from the parent, and outlive the terminal that it runs on."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    return Lock.inherit(descriptor, handle.lock_path)


def say_ready(descriptor: int) -> None:
    """Tell the parent that this process is ready, so that it returns."""
    try:
        os.write(descriptor, READY)
    except BrokenPipeError:
        pass  # the parent was killed, which does not concern the run
    finally:
        os.close(descriptor)


def last_line(log: Path, size_before: int) -> str:
    """Return the last line that the child has written to its log, which had `size_before` bytes."""
    with log.open("rb") as file:
        file.seek(size_before)
        lines = file.read().decode(errors="replace").strip().splitlines()
    return lines[-1][:LONGEST_CAUSE] if lines else "it printed nothing"
