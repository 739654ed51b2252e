"""A process that the helper has begun, seen from the client: its end, its exit code, its death.

The helper tells of its end; a pidfd tells too, and does so whatever becomes of the helper.
"""

import contextlib
import os
import select
import signal
import socket
import time
from typing import IO, NamedTuple, Protocol

from orchesjob_client.forkserver import server
from orchesjob_client.launching import REAP_SEC
from orchesjob_client.processes.pidfd import has_ended


class Channel(NamedTuple):
    """Our ends of what connects us with a process: its status socket and its outputs."""

    status: socket.socket
    stdout: IO[bytes]
    stderr: IO[bytes]


class Helper(Protocol):
    """What a process needs of its helper."""

    patience_sec: float

    def retire(self, obstacle: str) -> None:
        """Launch no more from it."""

    def let_go(self) -> None:
        """Forget one of its calls."""


class ForkedProcess:
    """A process that the helper has begun; `Launched`."""

    def __init__(self, helper: Helper, pid: int, pidfd: int | None, channel: Channel) -> None:
        """Take over what has been opened for it; `pidfd` may be missing."""
        self._helper = helper
        self._pid = pid
        self._pidfd = pidfd
        self._status, self.stdout, self.stderr = channel
        self._is_told = True
        self._is_over = False
        self.exit_code: int | None = None

    def has_ended(self, wait_sec: float = 0.0) -> bool:
        """Wait for the helper's word or, once there can be none, for the end alone."""
        deadline = time.monotonic() + wait_sec
        while not self._is_over:
            left_sec = max(0.0, deadline - time.monotonic())
            if not (self._listen(left_sec) if self._is_told else self._look(left_sec)):
                return False
        return True

    def _listen(self, wait_sec: float) -> bool:
        """Hear what the helper says; tell whether anything has become known."""
        ends = () if self._pidfd is None else (self._pidfd,)
        if not is_readable(self._status, wait_sec, *ends):
            return False
        self._hear()
        return True

    def _hear(self) -> None:
        # Whoever has ended is reaped at once, unless the helper is stopped.
        is_told = is_readable(self._status, self._helper.patience_sec)
        message = self._status.recv(64) if is_told else b""
        if message.startswith(server.EXITED):
            self.exit_code = int(message.removeprefix(server.EXITED))
            self._is_over = True
        else:
            self._lose_touch()

    def _look(self, wait_sec: float) -> bool:
        """Look at the process itself; tell whether it has ended."""
        pidfd = self._open()
        self._is_over = pidfd is None or has_ended(pidfd, wait_sec)
        return self._is_over

    def _open(self) -> int | None:
        """Return the pidfd; None if the process has ended."""
        if self._pidfd is None:
            with contextlib.suppress(ProcessLookupError):
                self._pidfd = os.pidfd_open(self._pid)
        return self._pidfd

    def _lose_touch(self) -> None:
        self._is_told = False
        self._helper.retire("the helper has ended, or does not answer")

    def kill(self) -> None:
        """Have the helper kill the group, which only it can do without ever hitting others."""
        if self._is_told:
            with contextlib.suppress(OSError):
                self._status.send(server.KILL, socket.MSG_DONTWAIT)
            if self.has_ended(self._helper.patience_sec):
                return
            self._lose_touch()
        pidfd = self._open()
        if pidfd is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        self.has_ended(REAP_SEC)

    def close(self) -> None:
        """Close what is ours."""
        self.stdout.close()
        self.stderr.close()
        self._status.close()
        if self._pidfd is not None:
            os.close(self._pidfd)
        self._helper.let_go()


def is_readable(stream: socket.socket, wait_sec: float, *others: int) -> bool:
    """Wait until something can be read from a socket, or another descriptor is ready."""
    poll = select.poll()
    for descriptor in (stream.fileno(), *others):
        poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(wait_sec * 1000))
