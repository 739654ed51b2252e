"""The background process that drives a run, seen from its parent and from itself (rules 4.5, 6.3).

The parent takes the run's lock and hands its descriptor on to the child, so that the lock is held
without a gap. The parent returns once the child is ready, or cannot advance the run: ready means
that orchesjob has reported a job, or that nothing is asked of it.
"""

import json
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from flow_store import FlowStore, StoreError
from orchesjob_client import OrchesjobError, locate
from orchesjob_flow.errors import FlowError, NotDetached, NotReady, exhaustion_named
from orchesjob_flow.home import Holder, Lock, RunHandle, Snapshot, open_owned, wait_out
from orchesjob_flow.views.terminal import warn

READY_LINE = b"ready\n"
NOTHING_SAID = "it printed nothing"
LONGEST_CAUSE = 500
LONGEST_PATIENCE_SEC = 60.0
"""The most of `--patience` that the parent waits; the child may have more."""
MOST_RELIEVED = 4
SHORTEST_RELIEF_SEC, LONGEST_RELIEF_SEC = 1.0, 30.0
"""How many runs get a new runner at once, and the delays between two runners of the same run."""
BEGIN_ALLOWANCE_SEC = 30.0
"""What a child may need in addition to the patience: to begin, and for a hanging call."""


class StartedRunner(NamedTuple):
    """A background runner that has been started and is not known to be ready."""

    handle: RunHandle
    process: subprocess.Popen[bytes]
    pipe: int
    log_size: int
    """How many bytes of its log earlier runners have written."""
    began: float
    """When it was started, in seconds of the monotonic clock."""
    limit_sec: float
    """How long it may take to become ready or to give up."""

    def await_ready(self) -> Holder | None:
        """Return the runner once it is ready; None if the run has ended before that.

        Raises:
            NotDetached: The runner has ended, and the run has not.
            NotReady: Neither has happened within the limit.
        """
        log, pid = self.handle.log("stderr"), self.process.pid
        message = read_in_time(self.pipe, self.began + self.limit_sec)
        if message:
            self.process.returncode = 0  # it keeps running, and this process does not wait for it
            return Holder(pid)
        cause = last_line(log, self.log_size)
        if message is None:
            self.process.returncode = 0
            raise NotReady(self.handle.run_key, pid, self.limit_sec, cause, log)
        exit_code = self.process.wait()
        if self.handle.snapshot().run.status.is_terminal:
            return None
        raise NotDetached(self.handle.run_key, describe_end(exit_code, cause), log)


type Begun = StartedRunner | Holder | None
"""A runner that was started, or that was there already; None if the run has ended."""


def begin_runner(handle: RunHandle, store: FlowStore, lock: Lock | None = None) -> Begun:
    """Find the process that advances a run, or start one; None if the run has ended.

    `lock` is the run's, if this process holds it already.

    Raises:
        NotDetached: It cannot be started.
    """
    run = handle.load(store)
    if run.status.is_terminal:
        return None
    handle = handle.in_home_of(run)
    found = lock or handle.lock_or_holder()
    if isinstance(found, Holder):
        return found
    with closing(found):
        return start_child(handle, found)


def await_runner(handle: RunHandle, runner: Begun) -> Snapshot:
    """Wait until a started runner is ready; return the run and the runner.

    Raises:
        NotDetached, NotReady: It does not become ready.
    """
    if isinstance(runner, StartedRunner):
        runner = runner.await_ready()
    return Snapshot(handle.snapshot().run, runner)


class Relief:
    """Gives a background runner to runs that are to be cancelled and have none (rule 10.7).

    So a run that is to replace them does not wait for ever for the end of one whose runner died.
    """

    def __init__(self, handle: RunHandle, store: FlowStore) -> None:
        """Start none yet; `handle` is that of the run that waits for their end."""
        self._handle = handle
        self._store = store
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._next_try: dict[str, tuple[float, float]] = {}
        """When each run may be given the next runner, and the delay that follows it."""

    def end(self, run_key: str) -> bool:
        """Start a runner; return False if one was started lately, and has left the run as it is."""
        for key, process in list(self._running.items()):
            if process.poll() is not None:
                del self._running[key]
        if run_key in self._running or len(self._running) >= MOST_RELIEVED:
            return True
        mono = time.monotonic()
        at, delay_sec = self._next_try.get(run_key, (mono, SHORTEST_RELIEF_SEC))
        if mono < at:
            return False
        self._next_try[run_key] = mono + delay_sec, min(2 * delay_sec, LONGEST_RELIEF_SEC)
        try:
            run = (other := self._handle._replace(run_key=run_key)).load(self._store)
            runner = begin_runner(other.in_recorded_home_of(run), self._store)
        except (FlowError, StoreError, OrchesjobError) as error:
            warn(f"run {run_key!r} is to end and cannot be given a runner: {error}")
            return False
        if isinstance(runner, StartedRunner):
            os.close(runner.pipe)  # whether it is ready does not matter here
            self._running[run_key] = runner.process
        return True


def start_child(handle: RunHandle, lock: Lock) -> StartedRunner:
    """Start the background runner of a run whose lock this process holds.

    The handle is in the home of its run, because the child runs in another directory.

    Raises:
        NotDetached: It cannot be started.
    """
    settings = handle.settings
    settings = settings._replace(orchesjob=locate(settings.orchesjob, settings.environ))
    stdout, stderr = handle.log("stdout"), handle.log("stderr")
    pipe, pipe_in_child = os.pipe()
    descriptors = [pipe_in_child]
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND

    def spawn() -> "subprocess.Popen[bytes]":
        with exhaustion_named("cannot start a process"):
            return subprocess.Popen(
                child_command(handle._replace(settings=settings), lock, pipe_in_child),
                stdin=subprocess.DEVNULL,
                stdout=descriptors[1],
                stderr=descriptors[2],
                pass_fds=(lock.fileno(), pipe_in_child),
                start_new_session=True,
                cwd="/",
                env=dict(settings.environ),
            )

    try:
        descriptors.append(open_owned(stdout, flags))
        descriptors.append(open_owned(stderr, flags))
        log_size = stderr.stat().st_size
        process = wait_out(handle, spawn, warn=warn)
    except OSError as error:  # including a resource that was exhausted for too long
        os.close(pipe)
        raise NotDetached(handle.run_key, str(error), stderr) from error
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
    limit_sec = min(settings.patience_sec, LONGEST_PATIENCE_SEC) + BEGIN_ALLOWANCE_SEC
    return StartedRunner(handle, process, pipe, log_size, time.monotonic(), limit_sec)


def read_in_time(pipe: int, until: float) -> bytes | None:
    """Return what is written to a pipe, and close it; None if nothing comes before `until`.

    The result is empty if all writers are gone.
    """
    try:
        poll = select.poll()
        poll.register(pipe, select.POLLIN)
        left_sec = max(0.0, until - time.monotonic())
        return os.read(pipe, len(READY_LINE)) if poll.poll(left_sec * 1000) else None
    finally:
        os.close(pipe)


def child_command(handle: RunHandle, lock: Lock, pipe: int) -> list[str]:
    """Write the command line of the child."""
    return [
        sys.executable,
        "-P",  # import nothing from the current directory
        "-m",
        "orchesjob_flow",
        *handle.settings.global_options(),
        "drive",
        f"--run-key={handle.run_key}",
        f"--lock-fd={lock.fileno()}",
        f"--pipe-fd={pipe}",
    ]


def report_ready(pipe: int) -> None:
    """Report to the parent that this process is ready, so that the parent returns."""
    try:
        os.write(pipe, READY_LINE)
    except BrokenPipeError:
        pass  # the parent is gone, and the run does not need it
    finally:
        os.close(pipe)


def last_line(log: Path, size_before: int) -> str:
    """Return the last line that the child has written to its log, which had `size_before` bytes."""
    with log.open("rb") as file:
        file.seek(size_before)
        lines = file.read().decode(errors="replace").strip().splitlines()
    return sentence_in(lines[-1])[:LONGEST_CAUSE] if lines else NOTHING_SAID


def sentence_in(line: str) -> str:
    """Return the sentence of an error object, or the line as it is."""
    try:
        return str(json.loads(line)["error"])
    except (ValueError, TypeError, LookupError):
        return line


def describe_end(exit_code: int, cause: str) -> str:
    """Return why a child has ended: its own last line, or the signal, with the remedy."""
    if exit_code < 0:
        return f"{signal.Signals(-exit_code).name} has ended it; `resume` continues the run"
    return f"{cause}; `resume` continues the run" if cause == NOTHING_SAID else cause
