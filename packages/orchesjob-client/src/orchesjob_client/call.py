"""Running an executable that prints a short answer, within limits of time and memory.

This module knows processes and pipes, and which error a failure of the operating system becomes. It
does not know orchesjob's options, exit codes or JSON.
"""

import errno
import os
import selectors
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from typing import IO

import attrs

from orchesjob_client.encoding import passed, passed_variables
from orchesjob_client.errors import (
    BadAnswer,
    CallFailed,
    CallRefused,
    CallTimedOut,
    OrchesjobMissing,
    one_line,
)
from orchesjob_client.launching import Launched, Launcher, Request
from orchesjob_client.plain_launcher import PLAIN

_MAX_ANSWER = 8 * 2**20
_STDERR_TAIL = 2**14
_CHUNK = 2**16
_TICK_SEC = 0.1

_NOT_EXECUTABLE = {errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.ENOEXEC, errno.ELOOP}


def _nothing() -> None:
    """Do nothing."""


@attrs.frozen
class Hold:
    """Descriptors that the process of a call shares while it lives, such as those of held locks.

    Attributes:
        descriptors: They stay open here; the process has its own.
        handed_over: Is called as soon as the process has them, so that the caller may close its.
    """

    descriptors: Sequence[int] = ()
    handed_over: Callable[[], None] = _nothing


NOTHING = Hold()
"""What a call holds that has nothing to hold."""


@attrs.frozen
class Finished:
    """A call that ended by itself.

    Attributes:
        exit_code: Its exit code, or -N for signal N.
        stdout: Everything it printed, at most 8 MiB.
        stderr_line: The last line of its stderr, printable.
    """

    exit_code: int
    stdout: str
    stderr_line: str


def run(  # noqa: PLR0913 - a call consists of seven things
    call: str,
    argv: Sequence[str],
    *,
    limit_sec: float,
    env: Mapping[str, str],
    cwd: str | None = None,
    hold: Hold = NOTHING,
    cgroup: int | None = None,
    launcher: Launcher = PLAIN,
) -> Finished:
    """Run `argv` in a session of its own, without stdin, and wait for its end.

    Args:
        call: The name of the call, for errors.
        argv: The executable and its arguments.
        limit_sec: After this time the process and its group are killed.
        env: The whole environment.
        cwd: The directory to run in; None is the caller's.
        hold: What the process holds while it lives.
        cgroup: A descriptor of the folder of the cgroup that the process joins before it runs.
        launcher: How the process comes to be.

    Raises:
        OrchesjobMissing: There is no such executable.
        CallRefused: The operating system can never accept this call.
        CallFailed: The process could not be started, but may be later; or its exit code is lost.
        CallTimedOut: The limit was reached.
        BadAnswer: It printed more than 8 MiB, or something that is not UTF-8.
    """
    deadline = time.monotonic() + limit_sec
    process = _launch(
        launcher, call, argv, env=env, cwd=cwd, descriptors=hold.descriptors, cgroup=cgroup
    )
    hold.handed_over()
    stdout, stderr = _Output(process.stdout, _MAX_ANSWER), _Output(process.stderr, _STDERR_TAIL)
    try:
        if not _finish(process, stdout, stderr, deadline):
            process.kill()
            raise CallTimedOut(call, f"no answer within {limit_sec:g} s")
    finally:
        process.close()
    if process.exit_code is None:
        raise CallFailed(call, "its exit code is lost: the helper that had begun it has ended")
    if stdout.dropped:
        raise BadAnswer(call, f"it printed more than {_MAX_ANSWER:,} bytes")
    try:
        answer = stdout.kept.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadAnswer(call, f"its answer is not UTF-8: {error.reason}") from error
    tail = stderr.kept.decode("utf-8", errors="replace")
    return Finished(process.exit_code, answer, one_line(tail))


class _Output:
    """The output of one pipe: its last bytes, and whether there were more."""

    def __init__(self, pipe: IO[bytes], limit: int) -> None:
        self.pipe = pipe
        self.limit = limit
        self.kept = bytearray()
        self.dropped = False

    def read(self) -> bool:
        """Read what is there and tell whether more may follow."""
        chunk = os.read(self.pipe.fileno(), _CHUNK)
        self.kept += chunk
        if len(self.kept) > self.limit:
            # Keep reading, because a full pipe would stop the process in the middle of its work.
            del self.kept[: -self.limit]
            self.dropped = True
        return bool(chunk)


def _launch(  # noqa: PLR0913 - what a process gets
    launcher: Launcher,
    call: str,
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: str | None,
    descriptors: Sequence[int],
    cgroup: int | None,
) -> Launched:
    if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:
        # Children inherit this, and then no process learns the exit code of its child: orchesjob
        # would record every failed command as SUCCEEDED.
        raise CallRefused(call, "SIGCHLD is ignored here and must be set to its default first")
    try:
        return launcher.launch(
            Request(passed(argv), passed_variables(env), cwd, tuple(descriptors), cgroup)
        )
    except ValueError as error:  # a NUL or a lone surrogate in an argument
        raise CallRefused(call, f"an argument or a variable cannot be passed: {error}") from error
    except OSError as error:
        raise _spawn_error(call, argv[0], cwd, error) from error


def _spawn_error(
    call: str, executable: str, cwd: str | None, error: OSError
) -> OrchesjobMissing | CallRefused | CallFailed:
    reason = error.strerror or str(error)
    if error.errno == errno.E2BIG:
        return CallRefused(
            call, "the command and its environment are longer than the system allows"
        )
    if cwd is not None and error.filename == cwd:
        return CallRefused(call, f"the directory {cwd} cannot be entered: {reason}")
    if error.errno in _NOT_EXECUTABLE:
        return OrchesjobMissing(call, f"{executable}: {reason}", executable)
    return CallFailed(call, f"{executable} could not be started: {reason}")


def _finish(process: Launched, stdout: _Output, stderr: _Output, deadline: float) -> bool:
    """Read both pipes to the process's end; False if it is still running at the deadline.

    What counts is the end of the process, not of the pipes: a descendant may keep those for days.
    """
    with selectors.DefaultSelector() as selector:
        selector.register(stdout.pipe, selectors.EVENT_READ, stdout)
        selector.register(stderr.pipe, selectors.EVENT_READ, stderr)
        while selector.get_map():
            left = deadline - time.monotonic()
            exited = process.has_ended()
            if left <= 0:
                return exited
            ready = selector.select(0 if exited else min(left, _TICK_SEC))
            if exited and not ready:
                return True
            for key, _ in ready:
                if not key.data.read():
                    selector.unregister(key.fileobj)
    return process.has_ended(max(0.0, deadline - time.monotonic()))
