"""Spawning a process into a cgroup, where the C library can (glibc 2.39).

Python itself cannot: it forks all of the caller, and has the copy enter the cgroup before it
executes anything. That costs memory and, because the kernel waits until all processors have noticed
the move, more time than all else that we do for a call. `posix_spawn` copies nothing, and its
process is in the cgroup from its first moment.
"""

import contextlib
import ctypes
import fcntl
import functools
import os
import signal
import time
from collections.abc import Sequence
from typing import IO

from orchesjob_client.launching import REAP_SEC, Request

_STDIN, _STDOUT, _STDERR, _FIRST_HELD = range(4)
_SETSIGDEF, _SETSID, _SETCGROUP = 0x04, 0x80, 0x100
_IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)
_ROOM_BYTES = 1024  # the C library's types take less: attributes 336 bytes, a set of signals 128
_SHORTEST_LOOK_SEC, _LONGEST_LOOK_SEC = 0.0005, 0.05


def spawn(request: Request) -> "SpawnedProcess | None":
    """Spawn the process of a request into its cgroup; None if that cannot be, and nothing runs.

    Why it cannot be is for the usual way to find out, which says more.
    """
    library = _library()
    if library is None or request.cgroup is None or not _can_be_written_in_c(request):
        return None
    with (
        contextlib.ExitStack() as on_failure,
        contextlib.ExitStack() as at_end,
        contextlib.suppress(OSError),
    ):
        (stdout, writer), (stderr, other_writer) = _pipe(on_failure), _pipe(on_failure)
        writers = [at_end.enter_context(one).fileno() for one in (writer, other_writer)]
        descriptors = [
            # Beyond the numbers that the process has for them, so that none takes another's place.
            _copied(descriptor, _FIRST_HELD + len(request.descriptors), at_end)
            for descriptor in (*writers, *request.descriptors)
        ]
        actions = _actions(library, descriptors, request.cwd, at_end)
        attributes = _attributes(library, request.cgroup, at_end)
        pid = ctypes.c_int()
        path, *_ = words = request.argv
        variables = [b"%s=%s" % pair for pair in request.environ.items()]
        _check(
            library.posix_spawn(
                ctypes.byref(pid), path, actions, attributes, _array(words), _array(variables)
            )
        )
        on_failure.pop_all()
        return SpawnedProcess(pid.value, stdout, stderr)
    return None


@functools.cache
def _library() -> ctypes.CDLL | None:
    """Return the C library if it can spawn into a cgroup."""
    library = ctypes.CDLL(None)
    return library if hasattr(library, "posix_spawnattr_setcgroup_np") else None


def _can_be_written_in_c(request: Request) -> bool:
    """Tell whether texts that end at a NUL can hold it all, and the executable has a path."""
    words = (*request.argv, *request.environ, *request.environ.values())
    has_nul = any(b"\0" in word for word in (*words, os.fsencode(request.cwd or "")))
    return b"/" in request.argv[0] and not has_nul and not any(b"=" in n for n in request.environ)


def _pipe(on_failure: contextlib.ExitStack) -> tuple[IO[bytes], IO[bytes]]:
    reader, writer = os.pipe()
    opened = os.fdopen(reader, "rb", buffering=0), os.fdopen(writer, "wb", buffering=0)
    on_failure.enter_context(opened[0])
    return opened


def _copied(descriptor: int, lowest: int, at_end: contextlib.ExitStack) -> int:
    copy = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, lowest)
    at_end.callback(os.close, copy)
    return copy


def _actions(
    library: ctypes.CDLL, descriptors: Sequence[int], cwd: str | None, at_end: contextlib.ExitStack
) -> ctypes.Array[ctypes.c_char]:
    """Return what the process does before it executes: it has these descriptors and no others."""
    actions = ctypes.create_string_buffer(_ROOM_BYTES)
    _check(library.posix_spawn_file_actions_init(actions))
    at_end.callback(library.posix_spawn_file_actions_destroy, actions)
    null = os.devnull.encode()
    _check(library.posix_spawn_file_actions_addopen(actions, _STDIN, null, os.O_RDWR, 0))
    for number, descriptor in enumerate(descriptors, _STDOUT):
        _check(library.posix_spawn_file_actions_adddup2(actions, descriptor, number))
    first_other = _STDOUT + len(descriptors)
    _check(library.posix_spawn_file_actions_addclosefrom_np(actions, first_other))
    if cwd is not None:
        _check(library.posix_spawn_file_actions_addchdir_np(actions, os.fsencode(cwd)))
    return actions


def _attributes(
    library: ctypes.CDLL, cgroup: int, at_end: contextlib.ExitStack
) -> ctypes.Array[ctypes.c_char]:
    """Return what the process is born with: its cgroup, its session, the system's own signals."""
    attributes = ctypes.create_string_buffer(_ROOM_BYTES)
    _check(library.posix_spawnattr_init(attributes))
    at_end.callback(library.posix_spawnattr_destroy, attributes)
    signals = ctypes.create_string_buffer(_ROOM_BYTES)
    library.sigemptyset(signals)
    for number in _IGNORED_BY_PYTHON:
        library.sigaddset(signals, number)
    _check(library.posix_spawnattr_setsigdefault(attributes, signals))
    _check(library.posix_spawnattr_setcgroup_np(attributes, cgroup))
    _check(library.posix_spawnattr_setflags(attributes, _SETSIGDEF | _SETSID | _SETCGROUP))
    return attributes


def _array(texts: Sequence[bytes]) -> ctypes.Array[ctypes.c_char_p]:
    return (ctypes.c_char_p * (len(texts) + 1))(*texts, None)


def _check(error: int) -> None:
    """Raise what a function of the C library has returned, unless it is 0."""
    if error:
        raise OSError(error, os.strerror(error))


class SpawnedProcess:
    """A process that we have spawned; `Launched`."""

    def __init__(self, pid: int, stdout: IO[bytes], stderr: IO[bytes]) -> None:
        """Take over a child of ours, and our ends of its outputs."""
        self._pid = pid
        self._is_over = False
        self.stdout, self.stderr = stdout, stderr
        self.exit_code: int | None = None

    def has_ended(self, wait_sec: float = 0.0) -> bool:
        """Reap the process if it has ended, looking again and again while there is time."""
        deadline = time.monotonic() + wait_sec
        look_sec = _SHORTEST_LOOK_SEC
        while not self._reap():
            left_sec = deadline - time.monotonic()
            if left_sec <= 0:
                return False
            # No event that could be awaited is worth a descriptor, of which there may be none.
            time.sleep(min(look_sec, left_sec))
            look_sec = min(2 * look_sec, _LONGEST_LOOK_SEC)
        return True

    def _reap(self) -> bool:
        if not self._is_over:
            try:
                pid, status = os.waitpid(self._pid, os.WNOHANG)
            except ChildProcessError:  # somebody else has reaped it: its exit code is lost
                self._is_over = True
            else:
                if pid:
                    self.exit_code = os.waitstatus_to_exitcode(status)
                    self._is_over = True
        return self._is_over

    def kill(self) -> None:
        """Kill the group and reap its leader, whose PID is ours until then.

        A process in an uninterruptible wait dies later, and is reaped after us.
        """
        if not self._is_over:
            os.killpg(self._pid, signal.SIGKILL)
            self.has_ended(REAP_SEC)

    def close(self) -> None:
        """Close the outputs."""
        self.stdout.close()
        self.stderr.close()
