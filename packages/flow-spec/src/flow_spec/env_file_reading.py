"""Reading files of variables from disk, for an attempt that starts (rule 10.4).

No more than `MAX_BYTES` is read, and nobody is waited for longer than `PIPE_SEC`. What the bytes
say is the matter of `env_file`.
"""

import os
import select
import stat
import time
from collections.abc import Iterable

from flow_spec.env_file import parse_env_file
from flow_spec.environment import EnvFile
from flow_spec.errors import EnvFileError

MAX_BYTES = 1024 * 1024
PIPE_SEC = 5.0
"""How long a pipe has for its whole content: an attempt that never starts helps nobody."""


def read_env_files(files: Iterable[EnvFile], directory: str) -> dict[str, str]:
    """Return what files add to the variables of a step's process.

    Args:
        files: The files, as `FlowSpec.env_files_of` returns them: later ones lie over earlier ones,
            and no value is returned that the flow outranks.
        directory: Where relative paths start.

    Raises:
        EnvFileError: One of them is missing, something else, too large or wrong; says where, not
            what.
    """
    added: dict[str, str] = {}
    for file in files:
        variables = read_env_file(os.path.join(directory, file.path))  # noqa: PTH118 - as given
        added |= {name: value for name, value in variables.items() if name not in file.outranked_by}
    return added


def read_env_file(path: str, *, pipe_sec: float = PIPE_SEC) -> dict[str, str]:
    """Return the variables in a file, or in a pipe that somebody writes to.

    Raises:
        EnvFileError: It is missing, something else, too large or wrong; says where, not what.
    """
    try:
        # Not waiting: an ordinary open would block on a pipe that nobody writes to.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            data = _read(descriptor, path, pipe_sec)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise EnvFileError(path, f"cannot be read: {error.strerror}") from None
    if len(data) > MAX_BYTES:
        raise EnvFileError(path, f"is larger than {MAX_BYTES // 1024**2} MiB")
    return parse_env_file(data, path)


def _read(descriptor: int, path: str, pipe_sec: float) -> bytes:
    """Read a file or a pipe, and one byte more than it may have."""
    kind = stat.S_IFMT(os.fstat(descriptor).st_mode)
    if kind not in (stat.S_IFREG, stat.S_IFIFO):
        raise EnvFileError(path, "is neither a regular file nor a pipe")
    parts: list[bytes] = []
    left, deadline = MAX_BYTES + 1, time.monotonic() + pipe_sec
    while left > 0:
        if kind == stat.S_IFIFO and not _is_ready(descriptor, deadline):
            waited = f"for {pipe_sec:g} s"
            raise EnvFileError(path, f"is a pipe that nobody has filled and closed {waited}")
        part = os.read(descriptor, left)
        if not part:
            break
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _is_ready(pipe: int, deadline: float) -> bool:
    """Wait until there is something to read, or its last writer has closed a pipe."""
    ready = select.poll()
    ready.register(pipe, select.POLLIN)
    return bool(ready.poll(max(0.0, deadline - time.monotonic()) * 1000))
