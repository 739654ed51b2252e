"""The client of the fork server: it starts and ends the server, and asks it for processes.

A call that the server has not begun is launched the plain way. Whether it has is never in doubt: a
new process says so before it runs anything, and cannot once we have stopped listening.

A call is forked only if it is certain to be the same as a plain one. A process inherits more than
it is given: compared are the things that Python and the script read when they start, and everything
that a child inherits from its parent. If any of them has changed since the fork server started, the
call is a plain one.
"""

import contextlib
import os
import re
import resource
import select
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import IO, NamedTuple

from orchesjob_client.call import PLAIN, REAP_SEC, Launched, Launcher, LaunchRequest
from orchesjob_client.encoding import passed_variables
from orchesjob_client.environment import EXECUTABLE, FORK_SERVER, OURS
from orchesjob_client.errors import one_line
from orchesjob_client.forkserver import server
from orchesjob_client.processes.proc import has_ended

PATIENCE_SEC = 5.0
"""How long a fork server may take to be ready, to begin a process, and to report its end."""
_LONGEST_MESSAGE = 2**18

STARTUP = (
    *(b"PYTHON", b"LC_", b"LANG", b"LD_", b"HOME", b"TZ", b"LOCPATH", b"GCONV_PATH"),
    *(b"GLIBC_", b"MALLOC_", b"SQLITE_", b"COV", b"SETUPTOOLS_"),
)
"""How the variables begin that the loader, the C library and Python read when a program starts."""
_READ = (*STARTUP, b"ORCHESJOB")
"""How those begin that orchesjob too may read when it starts."""
_OURS = (OURS.encode(), EXECUTABLE.encode())
"""How those begin that differ from call to call, or that steps get, and that orchesjob ignores."""
_PATHS = (
    *(b"HOME", b"LD_LIBRARY_PATH", b"LD_PRELOAD", b"PYTHONPATH", b"PYTHONHOME"),
    *(b"PYTHONPYCACHEPREFIX", b"PYTHONUSERBASE", b"PYTHONPLATLIBDIR"),
)
"""Those that hold paths; a relative one would be relative to the directory of each call."""

_INTERPRETER = re.compile(r"#! ?(/[^\s]{1,120})(?: (-[EIPSs]{1,5}))?")
_IMPORT = re.compile(r"from ([A-Za-z_][\w.]*) import (main)")
_OTHER_LINES = {
    "# -*- coding: utf-8 -*-",
    "import re",
    "import sys",
    "if __name__ == '__main__':",
    'if __name__ == "__main__":',
    r"sys.argv[0] = re.sub(r'(-script\.pyw|\.exe)?$', '', sys.argv[0])",
    r"sys.argv[0] = re.sub(r'(-script\.pyw?|\.exe)?$', '', sys.argv[0])",
    "sys.argv[0] = sys.argv[0].removesuffix('.exe')",
    'if sys.argv[0].endswith("-script.pyw"):',
    "sys.argv[0] = sys.argv[0][:-11]",
    'elif sys.argv[0].endswith(".exe"):',
    "sys.argv[0] = sys.argv[0][:-4]",
    "sys.exit(main())",
}
"""What a console script consists of, as pip, pipx and uv write it, but for its one import."""
_LONGEST_SCRIPT = 4096
_ELF = b"\x7fELF"

_INHERITED = re.compile(
    r"(?m)^(?:Umask|Uid|Gid|Groups|Sig(?:Blk|Ign)|Cap\w+|NoNewPrivs|Seccomp\w*|Cpus_allowed"
    r"|Mems_allowed):.*$"
)
_PLACES = ("root", "ns/mnt", "ns/pid_for_children", "ns/net", "ns/ipc", "ns/uts", "ns/user")
_OWN = Path("/proc/thread-self")
_LONGEST_WORDS = 100_000
"""Bytes of words and variables. Whether the system runs a call with more depends on limits that a
fork does not check."""
_POINTER = 8
_LIMITS = [getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")]


class Unsuitable(Exception):
    """Why there can be no fork server for an executable."""


class ConsoleScript(NamedTuple):
    """A console script: how the system runs it, and what it imports."""

    interpreter: list[str]
    module: str


def read_script(executable: str) -> ConsoleScript:
    """Read an executable that must be a console script of pip, pipx or uv, and nothing else.

    Raises:
        Unsuitable: It is something else.
        OSError: It cannot be read.
    """
    path = Path(executable)
    if not path.is_absolute() or not os.access(path, os.X_OK):
        raise Unsuitable(f"{executable} is not the path of an executable")
    if path.stat().st_mode & (stat.S_ISUID | stat.S_ISGID):
        raise Unsuitable(f"{executable} runs as somebody else")
    with path.open("rb") as file:
        first, *lines = file.read(_LONGEST_SCRIPT).decode("utf-8", "replace").split("\n")
    words = [line.strip() for line in lines if line.strip()]
    found = _INTERPRETER.fullmatch(first)
    imports = [match for word in words if (match := _IMPORT.fullmatch(word))]
    others = {word for word in words if not _IMPORT.fullmatch(word)}
    if found is None or len(imports) != 1 or not others <= _OTHER_LINES:
        raise Unsuitable(f"{executable} is not a plain console script of pip, pipx or uv")
    interpreter, flags = found.groups()
    with open(interpreter, "rb") as file:  # noqa: PTH123 - an interpreter that is a script reads on
        if file.read(len(_ELF)) != _ELF:
            raise Unsuitable(f"{interpreter} is not a program of its own")
    return ConsoleScript([interpreter, *([flags] if flags else [])], imports[0][1])


class LaunchConditions(NamedTuple):
    """The conditions under which a fork server was launched; its calls must have the same."""

    executable: bytes
    variables: Mapping[bytes, bytes]
    inherited: tuple[object, ...]

    @classmethod
    def now(cls, executable: str, environ: Mapping[bytes, bytes]) -> "LaunchConditions":
        """Return the conditions of a fork server that starts now.

        Raises:
            Unsuitable: A variable means something else in each directory.
            OSError: Some of it cannot be seen.
        """
        for name in _PATHS:
            text = environ.get(name)
            if text and not all(path.startswith(b"/") for path in text.split(b":")):
                raise Unsuitable(f"{name.decode()} is relative to the directory of each call")
        return cls(os.fsencode(executable), _startup_variables(environ), inherited_attributes())

    def suits(self, request: LaunchRequest) -> bool:
        """Tell whether a process launched now is the same from the fork server and plainly."""
        words = (*request.argv, *request.environ, *request.environ.values())
        try:
            return (
                request.argv[0] == self.executable
                and not any(b"\0" in word for word in words)
                and b"" not in request.environ
                and sum(map(len, words)) + _POINTER * len(words) <= _LONGEST_WORDS
                and len(request.descriptors) <= server.MOST_HELD
                and _startup_variables(request.environ) == self.variables
                and inherited_attributes() == self.inherited
            )
        except OSError:
            return False


def _startup_variables(environ: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """Return the variables that count when a program starts."""
    return {
        name: text
        for name, text in environ.items()
        if name.startswith(_READ) and not name.startswith(_OURS)
    }


def inherited_attributes() -> tuple[object, ...]:
    """Return what a child of this thread inherits, except variables, directory and descriptors.

    Raises:
        OSError: Some of it cannot be seen.
    """
    status = (_OWN / "status").read_text("utf-8", "surrogateescape")
    return (
        _INHERITED.findall(status),
        (_OWN / "cgroup").read_bytes(),
        (_OWN / "oom_score_adj").read_bytes(),
        [os.readlink(f"/proc/self/{name}") for name in _PLACES],  # noqa: PTH115
        [resource.getrlimit(limit) for limit in _LIMITS],
        os.getpriority(os.PRIO_PROCESS, 0),
    )


def has_changed(files: Mapping[str, str]) -> bool:
    """Tell whether any of these files has changed since its fingerprint was taken."""
    return any(server.fingerprint(path) != known for path, known in files.items())


class ForkServer:
    """Launches processes of one console script from a fork server, or else the plain way."""

    def __init__(
        self,
        executable: str,
        environ: Mapping[str, str],
        *,
        patience_sec: float = PATIENCE_SEC,
        plain: Launcher = PLAIN,
    ) -> None:
        """Start the server, if there can be one; do not wait for it."""
        self.patience_sec = patience_sec
        self._executable = executable
        self._plain = plain
        self._lock = Lock()
        self._in_flight = 0
        self._obstacle: str | None = None
        self._conditions: LaunchConditions | None = None
        self._files: Mapping[str, str] = {}
        self._server: subprocess.Popen[bytes] | None = None
        try:
            self._start(passed_variables(environ))
        except (Unsuitable, OSError, ValueError) as reason:
            self._obstacle = one_line(str(reason))

    def _start(self, environ: Mapping[bytes, bytes]) -> None:
        if environ.get(FORK_SERVER.encode()) == b"0":
            raise Unsuitable(f"{FORK_SERVER}=0 turns the fork server off")
        if sys.platform != "linux":
            raise Unsuitable(f"{sys.platform} is not Linux")
        script = read_script(self._executable)
        self._conditions = LaunchConditions.now(self._executable, environ)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with contextlib.ExitStack() as on_failure, theirs:
            on_failure.enter_context(ours)
            room = " " * server.ROOM_BYTES
            words = [server.__file__, str(theirs.fileno()), self._executable, script.module, room]
            self._server = subprocess.Popen(
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
        """Return the server's PID; None if there has never been one."""
        return None if self._server is None else self._server.pid

    def is_born_for(self, executable: str, environ: Mapping[str, str]) -> bool:
        """Tell whether a server that is started now would be the same, or if there can be none."""
        with contextlib.suppress(OSError, Unsuitable, ValueError):
            return LaunchConditions.now(executable, passed_variables(environ)) == self._conditions
        return self._conditions is None

    def obstacle(self) -> str | None:
        """Say why calls are launched the plain way; None if the server launches them."""
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
            if not _is_readable(self._requests, self.patience_sec):
                raise Unsuitable(f"the fork server was not ready within {self.patience_sec:g} s")
            message = self._requests.recv(_LONGEST_MESSAGE)
            if not message.startswith(server.READY):
                raise Unsuitable(f"the fork server has ended: {self._last_words()}")
        words = [os.fsdecode(word) for word in message.removeprefix(server.READY).split(b"\0")]
        return dict(zip(words[::2], words[1::2], strict=True))

    def _last_words(self) -> str:
        assert self._server is not None  # noqa: S101 - it was started
        assert self._server.stderr is not None  # noqa: S101 - Popen was given PIPE
        said = self._server.stderr.read(_LONGEST_MESSAGE) or b"it said nothing"
        return one_line(said.decode("utf-8", "replace"))

    def _close_outputs(self) -> None:
        if self._server is not None:
            for pipe in (self._server.stdout, self._server.stderr):
                assert pipe is not None  # noqa: S101 - Popen was given PIPE
                pipe.close()

    def launch(self, request: LaunchRequest) -> Launched:
        """Launch a process from the server if nobody could tell the difference, else plainly."""
        launched = self._ask(request) if self._is_same(request) else None
        return self._plain.launch(request) if launched is None else launched

    def _is_same(self, request: LaunchRequest) -> bool:
        if self.obstacle() is not None or self._conditions is None:
            return False
        if not self._conditions.suits(request):
            return False
        if has_changed(self._files):
            self.retire(f"{self._executable} or what it imports has changed")
            return False
        return True

    def _ask(self, request: LaunchRequest) -> Launched | None:
        """Ask the server for a process; None if it has not begun one, and never will."""
        with self._lock:
            if self._obstacle is not None:
                return None
            self._in_flight += 1
        with contextlib.ExitStack() as unused:
            unused.callback(self.let_go)
            try:
                process = self._await_begun(self._send(request, unused))
            except ConnectionError:
                self.retire("the fork server has ended")
                return None
            except OSError:
                return None
            if process is not None:
                unused.pop_all()
            return process

    def _send(self, request: LaunchRequest, ours: contextlib.ExitStack) -> "_Channel":
        """Send a request; `ours` closes our ends of the channel, if need be."""
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
        return _Channel(status, stdout, stderr)

    def _await_begun(self, channel: "_Channel") -> "ForkedProcess | None":
        """Wait until a process says that it has begun; None if none ever will."""
        is_slow = not _is_readable(channel.status, self.patience_sec)
        if is_slow:
            # From here on a process that wants to begin cannot say so, and ends.
            channel.status.shutdown(socket.SHUT_RD)
        message, descriptors, _, _ = socket.recv_fds(channel.status, 64, 1)
        if is_slow:
            self.retire(f"the fork server began nothing within {self.patience_sec:g} s")
        elif not message:
            self.retire("the fork server has ended")
        if not message.startswith(server.BEGUN):
            return None
        # There may have been no number left here for its pidfd.
        pid, pidfd = int(message.removeprefix(server.BEGUN)), next(iter(descriptors), None)
        return ForkedProcess(self, pid, pidfd, channel)

    def retire(self, obstacle: str) -> None:
        """Launch no more from the server, and end it as soon as none of its calls needs it."""
        with self._lock:
            if self._obstacle is None:
                self._give_up(obstacle)

    def let_go(self) -> None:
        """Forget one of the server's calls."""
        with self._lock:
            self._in_flight -= 1
            if self._obstacle is not None and self._in_flight == 0:
                self._end()

    def close(self) -> None:
        """End the server. The processes that it has forked go on, as after our death."""
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
        """End the server when no thread asks it any more."""
        self._kill()
        self._close_outputs()
        self._requests.close()

    def _kill(self) -> None:
        if self._server is not None:
            self._server.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._server.wait(REAP_SEC)


class _Channel(NamedTuple):
    """Our ends of the connection with a process: its status socket and its outputs."""

    status: socket.socket
    stdout: IO[bytes]
    stderr: IO[bytes]


class ForkedProcess:
    """A process that the fork server has forked; `Launched`.

    The server reports its end. A pidfd shows the end too, even if the server has gone.
    """

    def __init__(
        self, fork_server: ForkServer, pid: int, pidfd: int | None, channel: _Channel
    ) -> None:
        """Take over what has been opened for it; `pidfd` may be missing."""
        self._fork_server = fork_server
        self._pid = pid
        self._pidfd = pidfd
        self._status, self.stdout, self.stderr = channel
        self._is_told = True
        self._is_over = False
        self.exit_code: int | None = None

    def has_ended(self, wait_sec: float = 0.0) -> bool:
        """Wait for the server's report or, once there can be none, for the end alone."""
        deadline = time.monotonic() + wait_sec
        while not self._is_over:
            left_sec = max(0.0, deadline - time.monotonic())
            if not (self._listen(left_sec) if self._is_told else self._look(left_sec)):
                return False
        return True

    def _listen(self, wait_sec: float) -> bool:
        """Wait for a message of the server; tell whether anything has become known."""
        ends = () if self._pidfd is None else (self._pidfd,)
        if not _is_readable(self._status, wait_sec, *ends):
            return False
        self._hear()
        return True

    def _hear(self) -> None:
        # A process that has ended is reaped at once, unless the server is stopped.
        is_told = _is_readable(self._status, self._fork_server.patience_sec)
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
        self._fork_server.retire("the fork server has ended, or does not answer")

    def kill(self) -> None:
        """Have the server kill the group: only the server can never hit another process."""
        if self._is_told:
            with contextlib.suppress(OSError):
                self._status.send(server.KILL, socket.MSG_DONTWAIT)
            if self.has_ended(self._fork_server.patience_sec):
                return
            self._lose_touch()
        pidfd = self._open()
        if pidfd is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        self.has_ended(REAP_SEC)

    def close(self) -> None:
        """Close our ends."""
        self.stdout.close()
        self.stderr.close()
        self._status.close()
        if self._pidfd is not None:
            os.close(self._pidfd)
        self._fork_server.let_go()


def _is_readable(stream: socket.socket, wait_sec: float, *others: int) -> bool:
    """Wait until a socket can be read or another descriptor is ready; tell whether one is."""
    poll = select.poll()
    for descriptor in (stream.fileno(), *others):
        poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(wait_sec * 1000))
