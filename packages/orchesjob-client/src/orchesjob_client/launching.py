"""What a call needs of whoever launches its process, and the plain way to do it.

`call` reads the outputs and keeps the time. How a process comes to be, is waited for and is killed
differs from launcher to launcher; what it sees and does must not.
"""

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from functools import partial
from typing import IO, Protocol

import attrs

from orchesjob_client.processes.cgroups import join

REAP_SEC = 5.0


@attrs.frozen
class Request:
    """What is to run, and what it gets.

    Attributes:
        argv: The executable and its arguments.
        environ: The whole environment.
        cwd: The directory to run in; None is the caller's.
        descriptors: What the process shares while it lives.
        cgroup: A descriptor of the folder of the cgroup that the process joins before it runs.
    """

    argv: Sequence[bytes]
    environ: Mapping[bytes, bytes]
    cwd: str | None = None
    descriptors: Sequence[int] = ()
    cgroup: int | None = None


class Launched(Protocol):
    """A process that leads a session of its own, and its outputs."""

    stdout: IO[bytes]
    stderr: IO[bytes]

    @property
    def exit_code(self) -> int | None:
        """Return the exit code or -N for signal N; None before the end, or if it is lost."""

    def has_ended(self, wait_sec: float = 0.0) -> bool:
        """Tell whether the process has ended, waiting up to `wait_sec` for its end."""

    def kill(self) -> None:
        """Kill the process and its group, and wait a while for its end."""

    def close(self) -> None:
        """Close the outputs, and forget the process."""


class Launcher(Protocol):
    """Something that launches processes; several threads may use it at the same time."""

    def launch(self, request: Request) -> Launched:
        """Launch a process.

        Raises:
            ValueError: A word or a variable cannot be passed.
            OSError: The system refuses.
        """


class PlainLauncher:
    """Has the system run the executable."""

    def launch(self, request: Request) -> Launched:
        """Fork and execute."""
        return _PlainProcess(
            subprocess.Popen(
                request.argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                env=request.environ,
                cwd=request.cwd,
                pass_fds=request.descriptors,
                start_new_session=True,
                # Only the process itself can be in it before it has begun anything.
                preexec_fn=None if request.cgroup is None else partial(join, request.cgroup),  # noqa: PLW1509 - see it
            )
        )


PLAIN = PlainLauncher()
"""The launcher of a client that is given no other."""


class _PlainProcess:
    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None  # noqa: S101 - Popen was given PIPE
        assert process.stderr is not None  # noqa: S101
        self._process = process
        self.stdout, self.stderr = process.stdout, process.stderr

    @property
    def exit_code(self) -> int | None:
        return self._process.returncode

    def has_ended(self, wait_sec: float = 0.0) -> bool:
        if wait_sec > 0:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(wait_sec)
        return self._process.poll() is not None

    def kill(self) -> None:
        """Kill the group and reap its leader, whose PID is ours until then.

        A process in an uninterruptible wait dies later; this program's next Popen reaps it.
        """
        os.killpg(self._process.pid, signal.SIGKILL)
        self.has_ended(REAP_SEC)

    def close(self) -> None:
        self.stdout.close()
        self.stderr.close()
