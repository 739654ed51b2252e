"""Spawning a process into a cgroup with the C library (glibc 2.39 or newer).

Python itself cannot: it forks the whole caller, and the copy enters the cgroup before it executes
anything. That costs memory. It also takes longer than everything else in a call, because the kernel
waits until all processors have noticed the move. `posix_spawn` copies nothing, and its process is
in the cgroup from its first moment. Nothing of this package is imported here.
"""

import contextlib
import ctypes
import fcntl
import functools
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, NamedTuple

_STDIN, _STDOUT, _STDERR, _FIRST_HELD = range(4)
_SETSIGDEF, _SETSID, _SETCGROUP = 0x04, 0x80, 0x100
_IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)
_FORKED_AND_NOT_EXECUTED = 0x40  # a flag of the kernel
_ROOM_BYTES = 1024  # the C library's types take less: attributes 336 bytes, a set of signals 128


class Spawned(NamedTuple):
    """A new process, and our ends of its outputs."""

    pid: int
    stdout: IO[bytes]
    stderr: IO[bytes]


def spawn(
    argv: Sequence[bytes],
    environ: Mapping[bytes, bytes],
    cgroup: int,
    *,
    cwd: str | None,
    descriptors: Sequence[int],
) -> Spawned | None:
    """Spawn a process into the cgroup with this folder; None if that fails, and nothing runs.

    Another way of launching it gives the reason.
    """
    library = _library()
    if library is None or not _can_be_written_in_c(argv, environ, cwd):
        return None
    with (
        contextlib.ExitStack() as on_failure,
        contextlib.ExitStack() as at_end,
        contextlib.suppress(OSError),
    ):
        stdout, writer = _pipe(on_failure, at_end)
        stderr, other_writer = _pipe(on_failure, at_end)
        first_free = _FIRST_HELD + len(descriptors)
        copies = [
            # Beyond the numbers that the process has for them, so that none takes another's place.
            descriptor if descriptor >= first_free else _copied(descriptor, first_free, at_end)
            for descriptor in (writer, other_writer, *descriptors)
        ]
        actions = _actions(library, copies, cwd, at_end)
        attributes = _attributes(library, cgroup, at_end)
        pid = ctypes.c_int()
        path, *_ = argv
        variables = [b"%s=%s" % pair for pair in environ.items()]
        _check(
            _library_that_waits().posix_spawn(
                ctypes.byref(pid), path, actions, attributes, _array(argv), _array(variables)
            )
        )
        if _was_killed_at_birth(pid.value):
            os.waitpid(pid.value, 0)
            return None
        on_failure.pop_all()
        return Spawned(pid.value, stdout, stderr)
    return None


def _was_killed_at_birth(pid: int) -> bool:
    """Tell whether a new child has died before it executed anything.

    Linux kills what is spawned into a cgroup if `cgroup.kill` was ever written there, or in the
    spawning process's own cgroup. Our child is not reaped yet, so the number is its own. It runs or
    is dying by now; for a moment the kernel may not show that yet.
    """
    while True:
        try:
            stat = Path(f"/proc/{pid}/stat").read_bytes()
        except OSError:
            return False
        fields = stat.rpartition(b")")[2].split()
        if not int(fields[6]) & _FORKED_AND_NOT_EXECUTED:
            return False
        if fields[0] == b"Z":
            return True
        os.sched_yield()


@functools.cache
def _library() -> ctypes.PyDLL | None:
    """Return the C library if it can spawn into a cgroup.

    Its functions return at once, so they keep Python's lock: to hand it over takes longer.
    """
    library = ctypes.PyDLL(None)
    return library if hasattr(library, "posix_spawnattr_setcgroup_np") else None


@functools.cache
def _library_that_waits() -> ctypes.CDLL:
    """Return the C library for functions that let other threads of Python work meanwhile."""
    return ctypes.CDLL(None)


def _can_be_written_in_c(
    argv: Sequence[bytes], environ: Mapping[bytes, bytes], cwd: str | None
) -> bool:
    """Tell whether texts that end at a NUL can hold it all, and the executable has a path."""
    words = (*argv, *environ, *environ.values(), os.fsencode(cwd or ""))
    has_nul = b"\0" in b" ".join(words)
    return b"/" in argv[0] and not has_nul and b"=" not in b" ".join(environ)


def _pipe(on_failure: contextlib.ExitStack, at_end: contextlib.ExitStack) -> tuple[IO[bytes], int]:
    reader, writer = os.pipe()
    at_end.callback(os.close, writer)
    return on_failure.enter_context(os.fdopen(reader, "rb", buffering=0)), writer


def _copied(descriptor: int, lowest: int, at_end: contextlib.ExitStack) -> int:
    copy = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, lowest)
    at_end.callback(os.close, copy)
    return copy


def _actions(
    library: ctypes.PyDLL, descriptors: Sequence[int], cwd: str | None, at_end: contextlib.ExitStack
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
    library: ctypes.PyDLL, cgroup: int, at_end: contextlib.ExitStack
) -> ctypes.Array[ctypes.c_char]:
    """Return the attributes of the process: its cgroup, its session, the system's own signals."""
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
    """Raise the error that a function of the C library has returned, unless it is 0."""
    if error:
        raise OSError(error, os.strerror(error))
