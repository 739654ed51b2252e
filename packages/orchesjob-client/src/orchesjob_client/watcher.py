"""Being told when a job's worker has exited, without asking.

orchesjob's worker records the outcome and then exits, and a pidfd of it becomes readable at that
moment. Readable means "ask for the status now" and never says what the outcome is. Nothing here
calls orchesjob.
"""

import contextlib
import errno
import os
import select
import threading
from collections.abc import Callable
from enum import Enum
from pathlib import Path

from orchesjob_client.report import JobReport


class Watch(Enum):
    """What became of the wish to watch a job."""

    WATCHING = "watching"
    """The worker lives; its exit will be told."""

    GONE = "gone"
    """The worker has exited, or its PID is another's by now: ask for the status at once."""

    UNSUPPORTED = "unsupported"
    """The worker cannot be watched from here: ask for the status now and then."""


class JobWatcher:
    """Calls `on_exit(token)` once when the worker of a watched job has exited."""

    def __init__(self, on_exit: Callable[[object], None], *, use_pidfd: bool = True) -> None:
        """Start the one thread that waits.

        Args:
            on_exit: Called in that thread, so it must be quick and must not raise; putting the
                token into a queue is what it is made for.
            use_pidfd: False makes every job UNSUPPORTED, as a system without pidfds does.
        """
        self._on_exit = on_exit
        self._lock = threading.Lock()
        self._pidfds: dict[object, int] = {}
        self._tokens: dict[int, object] = {}
        self._supported = use_pidfd and hasattr(os, "pidfd_open") and hasattr(select, "epoll")
        if self._supported:
            self._epoll = select.epoll()
            self._wake_reader, self._wake_writer = os.pipe()
            self._epoll.register(self._wake_reader, select.EPOLLIN)
            self._thread = threading.Thread(target=self._wait, name="job-watcher", daemon=True)
            self._thread.start()

    def watch(self, token: object, report: JobReport) -> Watch:
        """Watch the worker of `report` under `token`, a hashable value of the caller's choice.

        A token that is in use already changes to the new job. `on_exit` may be called before this
        returns.
        """
        self.unwatch(token)
        if not self._supported or report.worker_pid is None:
            return Watch.UNSUPPORTED
        try:
            pidfd = os.pidfd_open(report.worker_pid)
        except OSError as error:
            # EINVAL, ENOENT: the PID is now the id of some process's second thread.
            gone = error.errno in {errno.ESRCH, errno.EINVAL, errno.ENOENT}
            return Watch.GONE if gone else Watch.UNSUPPORTED
        state = _state(pidfd, report.worker_pid, report.job_id)
        if state is Watch.WATCHING:
            state = self._register(token, pidfd)
        if state is not Watch.WATCHING:
            os.close(pidfd)
        return state

    def unwatch(self, token: object) -> None:
        """Forget a token; unknown ones are no error. A call of `on_exit` may be under way."""
        with self._lock:
            self._forget(token)

    def close(self) -> None:
        """Forget everything and end the thread; later wishes are UNSUPPORTED."""
        with self._lock:
            supported, self._supported = self._supported, False
            for token in tuple(self._pidfds):
                self._forget(token)
        if supported:
            os.close(self._wake_writer)
            if threading.current_thread() is not self._thread:
                self._thread.join()

    def _register(self, token: object, pidfd: int) -> Watch:
        with self._lock:
            if not self._supported:
                return Watch.UNSUPPORTED
            try:
                self._epoll.register(pidfd, select.EPOLLIN)
            except OSError:  # the user's share of epoll entries is used up
                return Watch.UNSUPPORTED
            self._pidfds[token] = pidfd
            self._tokens[pidfd] = token
        return Watch.WATCHING

    def _forget(self, token: object) -> None:
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
                    # Since the poll the number may have been closed and given to another worker.
                    if pidfd not in self._tokens or not _is_readable(pidfd):
                        continue
                    token = self._tokens[pidfd]
                    self._forget(token)
                self._on_exit(token)


def _state(pidfd: int, pid: int, job_id: str) -> Watch:
    """Tell whether the process behind `pidfd` is the living worker of the job.

    The order makes it certain: as long as the pidfd is not readable the PID cannot be reused, so
    the command line that was read between opening and this last look is that of the same process.
    """
    command_line = None
    with contextlib.suppress(OSError):  # no /proc, or one that hides other users' processes
        command_line = Path(f"/proc/{pid}/cmdline").read_bytes()
    if _is_readable(pidfd):
        return Watch.GONE
    if command_line is None:
        return Watch.UNSUPPORTED
    return Watch.WATCHING if job_id.encode() in command_line else Watch.GONE


def _is_readable(pidfd: int) -> bool:
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(0))
