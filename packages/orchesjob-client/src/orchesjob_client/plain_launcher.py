"""The plain way to launch the process of a call: the system runs the executable."""

import contextlib
import os
import signal
import subprocess
from functools import partial

from orchesjob_client.launching import REAP_SEC, Launched, Request
from orchesjob_client.processes.cgroups import join


class PlainLauncher:
    """Has the system run the executable."""

    def launch(self, request: Request) -> Launched:
        """Spawn into the cgroup where there is one and that can be, else fork and execute."""
        return _spawn_into_cgroup(request) or _ForkedProcess(
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


def _spawn_into_cgroup(request: Request) -> Launched | None:
    if request.cgroup is None:
        return None
    try:
        from orchesjob_client.spawning import spawn
    except ImportError:  # a Python without ctypes
        return None
    return spawn(request)


PLAIN = PlainLauncher()
"""The launcher of a client that is given no other."""


class _ForkedProcess:
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
