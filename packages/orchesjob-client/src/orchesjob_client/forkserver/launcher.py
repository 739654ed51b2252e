"""The client's side of the helper: it begins and ends it, and asks it for processes.

A call that the helper has not begun is launched the plain way; whether it has is never in doubt,
because a new process says so before it runs anything, and cannot once we have stopped listening.
"""

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from threading import Lock
from typing import IO

from orchesjob_client.encoding import passed_variables
from orchesjob_client.errors import one_line
from orchesjob_client.forkserver import server
from orchesjob_client.forkserver.process import Channel, ForkedProcess, is_readable
from orchesjob_client.forkserver.sameness import Birth, Unsuitable, has_changed, read_script
from orchesjob_client.launching import REAP_SEC, Launched, Launcher, Request
from orchesjob_client.plain_launcher import PLAIN

SWITCH = b"ORCHESJOB_FLOW_FORK_SERVER"
"""The variable that turns the helper off, with the value 0."""
PATIENCE_SEC = 5.0
"""How long a helper may take to be ready, to begin a process, and to tell of its end."""
_LONGEST_MESSAGE = 2**18


class ForkServer:
    """Launches processes of one console script from a helper, or else the plain way."""

    def __init__(
        self,
        executable: str,
        environ: Mapping[str, str],
        *,
        patience_sec: float = PATIENCE_SEC,
        plain: Launcher = PLAIN,
    ) -> None:
        """Begin the helper, if there can be one; do not wait for it."""
        self.patience_sec = patience_sec
        self._executable = executable
        self._plain = plain
        self._lock = Lock()
        self._in_flight = 0
        self._obstacle: str | None = None
        self._birth: Birth | None = None
        self._files: Mapping[str, str] = {}
        self._helper: subprocess.Popen[bytes] | None = None
        try:
            self._begin(passed_variables(environ))
        except (Unsuitable, OSError, ValueError) as reason:
            self._obstacle = one_line(str(reason))

    def _begin(self, environ: Mapping[bytes, bytes]) -> None:
        if environ.get(SWITCH) == b"0":
            raise Unsuitable(f"{SWITCH.decode()}=0 turns the helper off")
        if sys.platform != "linux":
            raise Unsuitable(f"{sys.platform} is not Linux")
        script = read_script(self._executable)
        self._birth = Birth.now(self._executable, environ)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with contextlib.ExitStack() as on_failure, theirs:
            on_failure.enter_context(ours)
            room = " " * server.ROOM_BYTES
            words = [server.__file__, str(theirs.fileno()), self._executable, script.module, room]
            self._helper = subprocess.Popen(
                [*script.interpreter, *words],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                cwd="/",
                env={**environ, server.ROOM.encode(): room.encode()},
                pass_fds=(theirs.fileno(),),
                # No signal of a terminal reaches it. In our session still, so that the kernel wakes
                # and ends it at our death even if it was stopped.
                process_group=0,
            )
            self._requests = ours
            on_failure.pop_all()

    @property
    def pid(self) -> int | None:
        """Return the helper's PID; None if there has never been one."""
        return None if self._helper is None else self._helper.pid

    def is_born_for(self, executable: str, environ: Mapping[str, str]) -> bool:
        """Tell whether a helper begun now would be no other, or none either."""
        with contextlib.suppress(OSError, Unsuitable, ValueError):
            return Birth.now(executable, passed_variables(environ)) == self._birth
        return self._birth is None

    def obstacle(self) -> str | None:
        """Say why calls are launched the plain way; None if the helper launches them."""
        with self._lock:
            if self._obstacle is None and not self._files:
                try:
                    self._files = self._await_ready()
                except (Unsuitable, OSError) as reason:
                    self._give_up(one_line(str(reason)))
            return self._obstacle

    def _await_ready(self) -> dict[str, str]:
        with contextlib.ExitStack() as at_end:
            at_end.callback(self._close_outputs)
            if not is_readable(self._requests, self.patience_sec):
                raise Unsuitable(f"the helper was not ready within {self.patience_sec:g} s")
            message = self._requests.recv(_LONGEST_MESSAGE)
            if not message.startswith(server.READY):
                raise Unsuitable(f"the helper has ended: {self._last_words()}")
        words = [os.fsdecode(word) for word in message.removeprefix(server.READY).split(b"\0")]
        return dict(zip(words[::2], words[1::2], strict=True))

    def _last_words(self) -> str:
        assert self._helper is not None  # noqa: S101 - it has begun
        assert self._helper.stderr is not None  # noqa: S101 - Popen was given PIPE
        said = self._helper.stderr.read(_LONGEST_MESSAGE) or b"it said nothing"
        return one_line(said.decode("utf-8", "replace"))

    def _close_outputs(self) -> None:
        if self._helper is not None:
            for pipe in (self._helper.stdout, self._helper.stderr):
                assert pipe is not None  # noqa: S101 - Popen was given PIPE
                pipe.close()

    def launch(self, request: Request) -> Launched:
        """Launch a process from the helper if nobody could tell the difference, else plainly."""
        launched = self._ask(request) if self._is_same(request) else None
        return self._plain.launch(request) if launched is None else launched

    def _is_same(self, request: Request) -> bool:
        if self.obstacle() is not None or self._birth is None or not self._birth.suits(request):
            return False
        if has_changed(self._files):
            self.retire(f"{self._executable} or what it imports has changed")
            return False
        return True

    def _ask(self, request: Request) -> Launched | None:
        """Ask the helper for a process; None if it has not begun one, and never will."""
        with self._lock:
            if self._obstacle is not None:
                return None
            self._in_flight += 1
        with contextlib.ExitStack() as unused:
            unused.callback(self.let_go)
            try:
                process = self._await_begun(self._send(request, unused))
            except ConnectionError:
                self.retire("the helper has ended")
                return None
            except OSError:
                return None
            if process is not None:
                unused.pop_all()
            return process

    def _send(self, request: Request, ours: contextlib.ExitStack) -> Channel:
        """Send a request; `ours` closes what is on our side, if need be."""
        with contextlib.ExitStack() as theirs:

            def opened(descriptor: int) -> int:
                theirs.callback(os.close, descriptor)
                return descriptor

            def pipe() -> tuple[IO[bytes], int]:
                reader, writer = os.pipe()
                opened(writer)
                return ours.enter_context(os.fdopen(reader, "rb", buffering=0)), writer

            words = opened(os.memfd_create("orchesjob-call"))
            with os.fdopen(words, "wb", closefd=False) as file:
                file.write(server.pack(request.argv, request.environ))
            os.lseek(words, 0, os.SEEK_SET)
            place = "." if request.cwd is None else request.cwd
            directory = opened(os.open(place, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
            stdout, stdout_there = pipe()
            stderr, stderr_there = pipe()
            status, status_there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            ours.enter_context(status)
            theirs.enter_context(status_there)
            given = [words, status_there.fileno(), directory, stdout_there, stderr_there]
            cgroup = [] if request.cgroup is None else [request.cgroup]
            socket.send_fds(
                self._requests,
                [server.WITH_CGROUP if cgroup else server.WITHOUT_CGROUP],
                [*given, *cgroup, *request.descriptors],
                socket.MSG_DONTWAIT,
            )
        return Channel(status, stdout, stderr)

    def _await_begun(self, channel: Channel) -> ForkedProcess | None:
        """Wait until a process says that it begins; None if none ever will."""
        is_slow = not is_readable(channel.status, self.patience_sec)
        if is_slow:
            # From here on a process that wants to begin cannot say so, and ends.
            channel.status.shutdown(socket.SHUT_RD)
        message, descriptors, _, _ = socket.recv_fds(channel.status, 64, 1)
        if is_slow:
            self.retire(f"the helper began nothing within {self.patience_sec:g} s")
        elif not message:
            self.retire("the helper has ended")
        if not message.startswith(server.BEGUN):
            return None
        # There may have been no number left here for its pidfd.
        pid, pidfd = int(message.removeprefix(server.BEGUN)), next(iter(descriptors), None)
        return ForkedProcess(self, pid, pidfd, channel)

    def retire(self, obstacle: str) -> None:
        """Launch no more from the helper, and end it as soon as none of its calls needs it."""
        with self._lock:
            if self._obstacle is None:
                self._give_up(obstacle)

    def let_go(self) -> None:
        """Forget one of the helper's calls."""
        with self._lock:
            self._in_flight -= 1
            if self._obstacle is not None and self._in_flight == 0:
                self._end()

    def close(self) -> None:
        """End the helper. What it has begun goes on, as after our death."""
        with self._lock:
            if self._obstacle is None:
                self._give_up("it has been closed")
            self._kill()

    def _give_up(self, obstacle: str) -> None:
        self._obstacle = obstacle
        # Not closed: another thread may be about to use its number.
        with contextlib.suppress(OSError):
            self._requests.shutdown(socket.SHUT_RDWR)
        if self._in_flight == 0:
            self._end()

    def _end(self) -> None:
        """End the helper when nobody asks it any more."""
        self._kill()
        self._close_outputs()
        self._requests.close()

    def _kill(self) -> None:
        if self._helper is not None:
            self._helper.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._helper.wait(REAP_SEC)
