"""Noticing that a process of a job has ended, without asking orchesjob.

orchesjob's worker records the outcome and then exits; a pidfd of it becomes readable at that
moment. That means "ask for the status now" and never says what the outcome is.
"""

import contextlib
import errno
import os
import select
import threading
from collections.abc import Callable, Hashable
from enum import Enum
from pathlib import Path
from typing import Self

from orchesjob_client.processes.proc import Process, has_ended, is_alive
from orchesjob_client.report import JobReport

_NO_PROCESS = frozenset({errno.ESRCH, errno.EINVAL, errno.ENOENT})
"""What `pidfd_open` says of a PID that no process has, only perhaps another one's second thread."""


class Watch(Enum):
    """Whether a job can be watched."""

    WATCHING = "watching"
    """The worker lives; its exit will be reported."""

    GONE = "gone"
    """The worker has exited, or its PID belongs to another process: ask for the status at once."""

    UNSUPPORTED = "unsupported"
    """The worker cannot be watched from here: ask for the status from time to time."""


class JobWatcher[Token: Hashable]:
    """Calls `on_exit(token)` once when a watched process has ended, mostly the worker of a job."""

    def __init__(self, on_exit: Callable[[Token], object], *, use_pidfd: bool = True) -> None:
        """Start the one thread that waits for all jobs.

        Args:
            on_exit: Called in that thread, so it must be quick, such as the `put` of a queue. If it
                raises an exception, `threading.excepthook` is told, and the thread goes on.
            use_pidfd: If false, every job is UNSUPPORTED, as on a system without pidfds.

        Raises:
            OSError, RuntimeError, MemoryError: There is no descriptor or thread left for it.
        """
        self._on_exit = on_exit
        self._lock = threading.Lock()
        self._pidfds: dict[Token, int] = {}
        self._tokens: dict[int, Token] = {}
        self._supported = use_pidfd and hasattr(os, "pidfd_open") and hasattr(select, "epoll")
        if self._supported:
            with contextlib.ExitStack() as unless_started:
                self._epoll = select.epoll()
                unless_started.callback(self._epoll.close)
                self._wake_reader, self._wake_writer = os.pipe()
                unless_started.callback(os.close, self._wake_reader)
                unless_started.callback(os.close, self._wake_writer)
                self._epoll.register(self._wake_reader, select.EPOLLIN)
                self._thread = threading.Thread(target=self._wait, name="job-watcher", daemon=True)
                self._thread.start()
                unless_started.pop_all()

    def watch(self, token: Token, report: JobReport) -> Watch:
        """Watch the worker of `report` under `token`, a hashable value that the caller chooses.

        A token that is in use already changes to the new job. `on_exit` may be called before this
        method returns.
        """
        pid = report.worker_pid
        if pid is None:
            self.unwatch(token)
            return Watch.UNSUPPORTED
        return self._watch(token, pid, lambda pidfd: _state(pidfd, pid, report.job_id))

    def watch_process(self, token: Token, process: Process) -> Watch:
        """Watch a process under `token`, in the same way as a worker."""
        return self._watch(token, process.pid, lambda pidfd: _state_of_process(pidfd, process))

    def _watch(self, token: Token, pid: int, look: Callable[[int], Watch]) -> Watch:
        """Watch the process with this PID, unless `look`, given its pidfd, says otherwise."""
        self.unwatch(token)
        if not self._supported:
            return Watch.UNSUPPORTED
        try:
            pidfd = os.pidfd_open(pid)
        except OSError as error:
            return Watch.GONE if error.errno in _NO_PROCESS else Watch.UNSUPPORTED
        state = look(pidfd)
        if state is Watch.WATCHING:
            state = self._register(token, pidfd)
        if state is not Watch.WATCHING:
            os.close(pidfd)
        return state

    def unwatch(self, token: Token) -> None:
        """Forget a token, if it is known. A call of `on_exit` may be in progress."""
        with self._lock:
            self._forget(token)

    def close(self) -> None:
        """Forget everything and end the thread; every later `watch` is UNSUPPORTED."""
        with self._lock:
            supported, self._supported = self._supported, False
            for token in tuple(self._pidfds):
                self._forget(token)
        if supported:
            os.close(self._wake_writer)
            if threading.current_thread() is not self._thread:
                self._thread.join()

    def __enter__(self) -> Self:
        """Return the watcher; the end of the block closes it."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Close it."""
        self.close()

    def _register(self, token: Token, pidfd: int) -> Watch:
        with self._lock:
            if not self._supported:
                return Watch.UNSUPPORTED
            try:
                self._epoll.register(pidfd, select.EPOLLIN)
            except OSError:  # the user has no epoll entries left
                return Watch.UNSUPPORTED
            self._pidfds[token] = pidfd
            self._tokens[pidfd] = token
        return Watch.WATCHING

    def _forget(self, token: Token) -> None:
        pidfd = self._pidfds.pop(token, None)
        if pidfd is not None:
            del self._tokens[pidfd]
            self._epoll.unregister(pidfd)
            os.close(pidfd)

    def _wait(self) -> None:
        while True:
            for pidfd, _ in self._epoll.poll():
                if pidfd == self._wake_reader:
                    self._epoll.close()
                    os.close(self._wake_reader)
                    return
                with self._lock:
                    # Since the poll the descriptor may have been closed and its number used again.
                    if pidfd not in self._tokens or not has_ended(pidfd):
                        continue
                    token = self._tokens[pidfd]
                    self._forget(token)
                self._tell(token)

    def _tell(self, token: Token) -> None:
        try:
            self._on_exit(token)
        except Exception as error:  # noqa: BLE001 - the other jobs must still be watched
            threading.excepthook(
                threading.ExceptHookArgs((type(error), error, error.__traceback__, self._thread))
            )


def has_exited(worker_pid: int, job_id: str) -> bool:
    """Tell whether the worker of a job has certainly exited; false where that cannot be seen."""
    if not hasattr(os, "pidfd_open"):
        try:
            os.kill(worker_pid, 0)
        except OSError as error:
            return error.errno == errno.ESRCH
        return False
    try:
        pidfd = os.pidfd_open(worker_pid)
    except OSError as error:
        return error.errno in _NO_PROCESS
    try:
        return _state(pidfd, worker_pid, job_id) is Watch.GONE
    finally:
        os.close(pidfd)


def _state(pidfd: int, pid: int, job_id: str) -> Watch:
    """Tell whether the process of `pidfd` is the living worker of the job.

    The order of the steps matters: while the pidfd is not readable, the PID cannot be reused, so
    the command line that was read before this check is that of the same process.
    """
    command_line = None
    with contextlib.suppress(OSError):  # no /proc, or one that hides other users' processes
        command_line = Path(f"/proc/{pid}/cmdline").read_bytes()
    if has_ended(pidfd):
        return Watch.GONE
    if command_line is None:
        return Watch.UNSUPPORTED
    return Watch.WATCHING if job_id.encode() in command_line else Watch.GONE


def _state_of_process(pidfd: int, process: Process) -> Watch:
    """Tell whether the process of `pidfd` is this very one, and lives.

    As in `_state`: while the pidfd is not readable, what was read belongs to the same process.
    """
    try:
        alive = is_alive(process)
    except OSError:  # no descriptors left
        return Watch.UNSUPPORTED
    return Watch.WATCHING if alive and not has_ended(pidfd) else Watch.GONE
