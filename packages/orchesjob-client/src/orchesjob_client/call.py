"""Running an executable that prints a short answer, within limits of time and memory.

`run_call` starts the process, reads the outputs, keeps the time, and turns failures of the
operating system into errors. orchesjob's options, exit codes and JSON belong to `client`.

`pauses` are how long to wait before something that may pass is tried again: a call, a locked
database. The first is short, each next one twice as long, up to a limit. They are not the delay
between two attempts of a step, which a flow file states.
"""

import contextlib
import errno
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import IO, NamedTuple

from orchesjob_client.defaults import FIRST_BACKOFF_SEC, LONGEST_BACKOFF_SEC
from orchesjob_client.encoding import passed, passed_variables
from orchesjob_client.errors import (
    BadAnswer,
    CallFailed,
    CallRefused,
    CallTimedOut,
    OrchesjobMissing,
    one_line,
)
from orchesjob_client.processes.cgroups import enter

REAP_SEC = 5.0
"""How long to wait for the end of a process that was killed."""

_MAX_ANSWER = 8 * 2**20
_STDERR_TAIL = 2**14
_CHUNK = 2**16
_TICK_SEC = 0.1

_NOT_EXECUTABLE = {errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.ENOEXEC, errno.ELOOP}


def _nothing() -> None:
    """Do nothing."""


class Hold(NamedTuple):
    """Descriptors that the process of a call shares while it lives, such as those of held locks.

    Attributes:
        descriptors: They stay open here; the process has its own.
        handed_over: Called as soon as the process has them, so that the caller may close its own.
    """

    descriptors: Sequence[int] = ()
    handed_over: Callable[[], None] = _nothing


NOTHING = Hold()
"""What a call holds by default."""


class Finished(NamedTuple):
    """A call that ended by itself.

    Attributes:
        exit_code: Its exit code, or -N for signal N.
        stdout: Everything it printed, at most 8 MiB.
        stderr_line: The last line of its stderr, printable.
    """

    exit_code: int
    stdout: str
    stderr_line: str


def run_call(  # noqa: PLR0913 - a call consists of this
    call: str,
    argv: Sequence[str],
    *,
    limit_sec: float,
    env: Mapping[str, str],
    cwd: str | None = None,
    hold: Hold = NOTHING,
    cgroup: int | None = None,
) -> Finished:
    """Run `argv` in a session of its own, without stdin, and wait for its end.

    Args:
        call: The name of the call, for errors.
        argv: The executable and its arguments.
        limit_sec: After this time the process and its group are killed.
        env: The whole environment.
        cwd: The directory to run in; None is the caller's.
        hold: The descriptors that the process holds while it lives.
        cgroup: A descriptor of the folder of the cgroup that the process joins before it runs.

    Raises:
        OrchesjobMissing: There is no such executable.
        CallRefused: The operating system can never accept this call.
        CallFailed: The process could not be started, but may be later.
        CallTimedOut: The limit was reached.
        BadAnswer: It printed more than 8 MiB, or something that is not UTF-8.
    """
    deadline = time.monotonic() + limit_sec
    if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:
        # Children inherit this, and then no process learns the exit code of its child: orchesjob
        # would record every failed command as SUCCEEDED.
        raise CallRefused(call, "SIGCHLD is ignored here and must be set to its default first")
    try:
        process = spawn(passed(argv), passed_variables(env), cwd, hold.descriptors, cgroup)
    except ValueError as error:  # a NUL or a lone surrogate in an argument
        raise CallRefused(call, f"an argument or a variable cannot be passed: {error}") from error
    except OSError as error:
        raise _spawn_error(call, argv[0], cwd, error) from error
    hold.handed_over()
    assert process.stdout is not None  # noqa: S101 - it was given pipes
    assert process.stderr is not None  # noqa: S101
    with process.stdout, process.stderr:
        stdout, stderr = _Output(process.stdout, _MAX_ANSWER), _Output(process.stderr, _STDERR_TAIL)
        if not _finish(process, stdout, stderr, deadline):
            # Its PID is ours until it is reaped. A process in an uninterruptible wait dies later;
            # this program's next Popen reaps it.
            os.killpg(process.pid, signal.SIGKILL)
            _has_ended(process, REAP_SEC)
            raise CallTimedOut(call, f"no answer within {limit_sec:g} s")
    if stdout.dropped:
        raise BadAnswer(call, f"it printed more than {_MAX_ANSWER:,} bytes")
    try:
        answer = stdout.kept.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadAnswer(call, f"its answer is not UTF-8: {error.reason}") from error
    tail = stderr.kept.decode("utf-8", errors="replace")
    return Finished(process.returncode, answer, one_line(tail))


def spawn(
    argv: Sequence[bytes],
    environ: Mapping[bytes, bytes],
    cwd: str | None,
    descriptors: Sequence[int],
    cgroup: int | None,
) -> subprocess.Popen[bytes]:
    """Fork, enter the cgroup if there is one, and execute, in a session of its own.

    Raises:
        ValueError: A word or a variable cannot be passed.
        OSError: The system refuses.
    """
    return subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        env=environ,
        cwd=cwd,
        pass_fds=descriptors,
        start_new_session=True,
        # Only the process itself can be in it before it has begun anything.
        preexec_fn=None if cgroup is None else partial(enter, cgroup),  # noqa: PLW1509 - see it
    )


def _has_ended(process: subprocess.Popen[bytes], wait_sec: float) -> bool:
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(wait_sec)
    return process.returncode is not None


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


def _finish(
    process: subprocess.Popen[bytes], stdout: _Output, stderr: _Output, deadline: float
) -> bool:
    """Read both pipes to the process's end; False if it is still running at the deadline.

    The end of the process counts, not that of the pipes: a descendant may keep those for days.
    """
    outputs = {output.pipe.fileno(): output for output in (stdout, stderr)}
    poll = select.poll()
    for descriptor in outputs:
        poll.register(descriptor, select.POLLIN)
    while outputs:
        left = deadline - time.monotonic()
        exited = process.poll() is not None
        if left <= 0:
            return exited
        ready = poll.poll(0 if exited else min(left, _TICK_SEC) * 1000)
        if exited and not ready:
            return True
        for descriptor, _ in ready:
            if not outputs[descriptor].read():
                poll.unregister(descriptor)
                del outputs[descriptor]
    return _has_ended(process, max(0.0, deadline - time.monotonic()))


def longer(backoff_sec: float) -> float:
    """Return the pause after one that did not help.

    >>> longer(FIRST_BACKOFF_SEC), longer(4.0)
    (0.2, 5.0)
    """
    return min(2 * backoff_sec, LONGEST_BACKOFF_SEC)


def pauses(patience_sec: float, clock: Callable[[], float] = time.monotonic) -> Iterator[float]:
    """Yield the seconds to wait before each new try; end when the patience does.

    The patience counts from this call. The last pause ends with it, so there is one try more.
    """
    return _pauses(clock() + patience_sec, clock)


def _pauses(end: float, clock: Callable[[], float]) -> Iterator[float]:
    backoff = FIRST_BACKOFF_SEC
    while (left := end - clock()) > 0:
        yield min(backoff, left)
        backoff = longer(backoff)
