# ruff: noqa: PTH123, PTH208 - importing pathlib takes as long as half a call
"""The process beside each command: it starts the command, waits for it, records how it ended."""

from __future__ import annotations

import os
import signal
import sys
import time

from .faults import Faults
from .jobs import Jobs, command_of
from .journal import write_execution

TYPE_CHECKING = False  # as in `typing`, which takes longer to import than all the rest
if TYPE_CHECKING:
    from .jobs import Row

_FIRST_OTHER_DESCRIPTOR = 3
_TERM_TO_KILL_SEC = 2.0


def launch(jobs: Jobs, job_id: str) -> int:
    """Start a worker in a session of its own, without the caller's descriptors.

    It goes on in this program, to spare the start of another, if it can show the words of a worker.
    SQLite knows no fork, so the database is closed meanwhile.
    """
    jobs.close()
    pid = os.fork()
    if pid == 0:
        try:
            os.setsid()
            null = os.open(os.devnull, os.O_RDWR)
            for number in range(_FIRST_OTHER_DESCRIPTOR):
                os.dup2(null, number)
            _close_others()
            words = [sys.executable, "-SE", sys.argv[0], "_worker", "--job-id", job_id]
            if not _show(words):
                os.execv(words[0], words)  # noqa: S606
            jobs.open()
            run_worker(jobs, job_id)
        finally:
            os._exit(0)
    jobs.open()
    return pid


def _show(words: list[str]) -> bool:
    """Let the system show other words of this process than those of its start, if it can."""
    try:
        with open("/proc/self/stat", "rb") as file:
            start, end = map(int, file.read().rpartition(b")")[2].split()[45:47])
        text = b"".join(os.fsencode(word) + b"\0" for word in words)
        if len(text) > end - start:
            return False
        with open("/proc/self/mem", "r+b", buffering=0) as memory:
            memory.seek(start)
            memory.write(text.ljust(end - start, b"\0"))
    except OSError:  # a system without /proc
        return False
    return True


def run_worker(jobs: Jobs, job_id: str) -> None:
    """Be the worker of one job."""
    row = jobs.by_id(job_id)
    if row is None:
        return
    faults = Faults(jobs, "worker", row["run_key"])
    faults.about(job_id)
    faults.at("before")
    if not jobs.update(job_id, only=("STARTING",), worker_pid=os.getpid()):
        return
    target = _spawn(row)
    if target is None:
        jobs.update(job_id, status="FAILED", exit_code=-1)
        return
    command = command_of(row)
    write_execution(jobs.home, "begin", row["run_key"], command, target)
    faults.at("spawned")
    if not jobs.update(job_id, only=("STARTING",), status="RUNNING", target_pid=target):
        _end_unwanted(target)
        return
    exit_code = os.waitstatus_to_exitcode(os.waitpid(target, 0)[1])
    write_execution(jobs.home, "end", row["run_key"], command, target, exit_code=exit_code)
    status = "FAILED" if exit_code else "SUCCEEDED"
    jobs.update(job_id, status=status, exit_code=exit_code)


def _spawn(row: Row) -> int | None:
    """Start the command in a session of its own; None if it cannot be executed."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    stdout = os.open(row["stdout_file"], flags, 0o666)
    stderr = os.open(row["stderr_file"], flags, 0o666)
    # The writing end closes itself when the command is executed; a byte says that it was not.
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(stdout, 1)
        os.dup2(stderr, 2)
        for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python itself ignores these
            signal.signal(number, signal.SIG_DFL)
        command = command_of(row)
        try:
            os.execvp(command[0], command)  # noqa: S606
        except (OSError, ValueError):
            os.write(writer, b"!")
            os._exit(255)
    os.close(writer)
    failed = os.read(reader, 1)
    if failed:
        os.waitpid(pid, 0)
    return None if failed else pid


def _end_unwanted(target: int) -> None:
    """End a command whose job was aborted while it was being started."""
    os.killpg(target, signal.SIGTERM)
    deadline = time.monotonic() + _TERM_TO_KILL_SEC
    while os.waitpid(target, os.WNOHANG)[0] == 0:
        if time.monotonic() > deadline:
            os.killpg(target, signal.SIGKILL)
            os.waitpid(target, 0)
            return
        time.sleep(0.02)  # there is no wait for a child with a time limit


def _close_others() -> None:
    for name in os.listdir("/dev/fd"):
        if int(name) >= _FIRST_OTHER_DESCRIPTOR:
            try:
                os.close(int(name))
            except OSError:  # the descriptor of the listing itself
                continue
