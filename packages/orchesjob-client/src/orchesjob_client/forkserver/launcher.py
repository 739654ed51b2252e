"""The client of the fork server: it starts and ends the server, and asks it for processes.

The server only saves time. The first call is a plain one, and the server starts once that is on its
way. Calls are plain as long as the server is not ready, and once it has gone or its script has
changed, as an installer changes it. A forked call whose exit code is lost has failed, and may be
repeated like any other.
"""

import contextlib
import os
import re
import select
import socket
import subprocess
import sys
from collections.abc import Mapping
from threading import Lock
from typing import IO

from orchesjob_client.call import PLAIN, REAP_SEC, Launched, LaunchRequest
from orchesjob_client.encoding import in_utf8
from orchesjob_client.environment import FORK_SERVER
from orchesjob_client.forkserver import server

_INTERPRETER = re.compile(rb"#! ?(/(?:\S*/)?python[\d.]*)(?: (-\w+))?\n")
"""The first line of a Python script: the interpreter, and perhaps flags, as pipx writes them."""
_LONGEST_FIRST_LINE = 256


class ForkServer:
    """Launches processes of one console script from a fork server, or else the plain way.

    Several threads may use it at the same time.
    """

    def __init__(self, executable: str, environ: Mapping[str, str]) -> None:
        """Keep what the server is started with, after the first call.

        Args:
            executable: The console script, an absolute path.
            environ: The environment in which the server imports what the script imports.
        """
        self._executable = executable
        self._environ = environ
        self._lock = Lock()
        self._is_wanted = sys.platform == "linux" and environ.get(FORK_SERVER) != "0"
        self._server: subprocess.Popen[bytes] | None = None
        self._requests: socket.socket | None = None
        self._seen = ""
        self._is_up = False

    def launch(self, request: LaunchRequest) -> Launched:
        """Launch a process from the server if it is ready, else the plain way."""
        with self._lock:
            if self._is_ready() and (forked := self._ask(request)) is not None:
                return forked
        launched = PLAIN.launch(request)
        with self._lock:
            if self._is_wanted:
                self._is_wanted = False
                with contextlib.suppress(OSError):  # the next call says what is wrong
                    self._start()
        return launched

    def _start(self) -> None:
        self._seen = fingerprint(self._executable)
        with open(self._executable, "rb") as file:  # noqa: PTH123 - each runner does this
            found = _INTERPRETER.match(file.read(_LONGEST_FIRST_LINE))
        if found is None:
            return
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            room = " " * server.ROOM_BYTES
            words = [server.__file__, str(theirs.fileno()), self._executable, room]
            self._server = subprocess.Popen(
                [*filter(None, found.groups()), *words],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env=in_utf8(self._environ),
                pass_fds=(theirs.fileno(),),
                # No signal of a terminal reaches it. In our session still, so that the kernel wakes
                # and ends it at our death even if it was stopped.
                process_group=0,
            )
        self._requests = ours

    @property
    def pid(self) -> int | None:
        """Return the server's PID; None if it has not been started."""
        return None if self._server is None else self._server.pid

    def _is_ready(self) -> bool:
        if self._requests is None:
            return False
        if not self._is_up:
            if not _is_readable(self._requests, 0):
                return False
            with contextlib.suppress(OSError):
                self._is_up = self._requests.recv(len(server.READY)) == server.READY
        if not self._is_up or fingerprint(self._executable) != self._seen:
            self._retire()
        return self._requests is not None

    def _ask(self, request: LaunchRequest) -> "ForkedProcess | None":
        assert self._requests is not None  # noqa: S101 - the server is ready
        cgroup = [] if request.cgroup is None else [request.cgroup]
        with contextlib.ExitStack() as ours, contextlib.ExitStack() as theirs:
            try:
                message = server.pack(request.argv, request.environ, has_cgroup=bool(cgroup))
                if (
                    request.argv[0] != os.fsencode(self._executable)
                    or len(message) > server.LONGEST_MESSAGE
                    or len(request.descriptors) > server.MOST_HELD
                ):
                    return None
                status, status_there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                ours.enter_context(status)
                theirs.enter_context(status_there)
                outputs = []
                given = [status_there.fileno()]
                for _ in ("stdout", "stderr"):
                    reader, writer = os.pipe()
                    theirs.callback(os.close, writer)
                    outputs.append(ours.enter_context(os.fdopen(reader, "rb", buffering=0)))
                    given.append(writer)
                place = "." if request.cwd is None else request.cwd
                given.append(os.open(place, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
                theirs.callback(os.close, given[-1])
                descriptors = [*given, *cgroup, *request.descriptors]
                socket.send_fds(self._requests, [message], descriptors, socket.MSG_DONTWAIT)
            except ConnectionError:
                self._retire()
                return None
            except (OSError, ValueError):  # the plain way finds out what is wrong
                return None
            ours.pop_all()
        return ForkedProcess(self, status, *outputs)

    def retire(self) -> None:
        """Launch no more from the server, which ends when the last of its calls has ended."""
        with self._lock:
            self._retire()

    def _retire(self) -> None:
        if self._requests is not None:
            self._requests.close()
            self._requests = None

    def close(self) -> None:
        """End the server. The processes that it has forked go on, as after our death."""
        with self._lock:
            self._is_wanted = False
            self._retire()
            if self._server is not None:
                self._server.kill()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._server.wait(REAP_SEC)


def fingerprint(path: str) -> str:
    """Return what changes when a file is written or replaced; empty if it does not exist."""
    try:
        found = os.stat(path)  # noqa: PTH116 - each call does this
    except OSError:
        return ""
    # Not the time of its inode, which changes when another environment links the same file.
    return f"{found.st_dev}:{found.st_ino}:{found.st_size}:{found.st_mtime_ns}"


class ForkedProcess:
    """A process that the fork server has forked; `Launched`."""

    def __init__(
        self,
        fork_server: ForkServer,
        status: socket.socket,
        stdout: IO[bytes],
        stderr: IO[bytes],
    ) -> None:
        """Take over our ends of its status socket and its outputs."""
        self._fork_server = fork_server
        self._status = status
        self._is_over = False
        self.stdout, self.stderr = stdout, stderr
        self.exit_code: int | None = None

    def has_ended(self, wait_sec: float = 0.0) -> bool:
        """Wait for the server's reply, or until both the process and the server have gone."""
        if not self._is_over and _is_readable(self._status, wait_sec):
            self._read_reply()
        return self._is_over

    def _read_reply(self) -> None:
        reply = b""
        with contextlib.suppress(ConnectionError):
            reply = self._status.recv(16)
        self.exit_code = int(reply) if reply else None
        self._is_over = True

    def kill(self) -> None:
        """Have the server kill the group: only its parent can never hit another process."""
        with contextlib.suppress(OSError):
            self._status.send(server.KILL, socket.MSG_DONTWAIT)
        if not self.has_ended(REAP_SEC) or self.exit_code is None:
            self._fork_server.retire()

    def close(self) -> None:
        """Close our ends."""
        self.stdout.close()
        self.stderr.close()
        self._status.close()


def _is_readable(stream: socket.socket, wait_sec: float) -> bool:
    poll = select.poll()
    poll.register(stream, select.POLLIN)
    return bool(poll.poll(wait_sec * 1000))
