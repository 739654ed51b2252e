"""What a call needs of whoever launches its process.

`call` reads the outputs and keeps the time. How a process comes to be, is waited for and is killed
differs from launcher to launcher; what it sees and does must not.
"""

from collections.abc import Mapping, Sequence
from typing import IO, Protocol

import attrs

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
