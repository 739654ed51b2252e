"""Reading a file that may be a pipe, a device or huge, in bounded time and memory.

Opening never blocks, and nothing is read before the caller has looked at the kind of the file.
"""

import math
import os
import select
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple


class OpenFile(NamedTuple):
    """A file that is open for reading: its descriptor, and its kind, such as `stat.S_IFREG`."""

    descriptor: int
    kind: int

    def read(self, most_bytes: int, *, pipe_sec: float = math.inf) -> bytes:
        """Return the content up to `most_bytes`; wait for that of a pipe for `pipe_sec`.

        Raises:
            BlockingIOError: It is a file of the kernel, such as /proc/kmsg, that holds nothing now.
            TimeoutError: A pipe was not filled and closed in time; `errno` is None.
            OSError: It cannot be read.
        """
        parts: list[bytes] = []
        deadline = time.monotonic() + pipe_sec
        while most_bytes > 0:
            if self.kind in (stat.S_IFIFO, stat.S_IFSOCK):
                self._await_content(deadline)
            part = os.read(self.descriptor, most_bytes)
            if not part:
                break
            parts.append(part)
            most_bytes -= len(part)
        return b"".join(parts)

    def _await_content(self, deadline: float) -> None:
        """Wait until there is something to read, or the last writer has closed a pipe."""
        ready = select.poll()
        ready.register(self.descriptor, select.POLLIN)
        left_sec = deadline - time.monotonic()
        if not ready.poll(None if left_sec == math.inf else max(0.0, left_sec) * 1000):
            raise TimeoutError


@contextmanager
def opened(file: str | os.PathLike[str] | int) -> Iterator[OpenFile]:
    """Open a path, or a descriptor that the caller has opened, without waiting for anything.

    Raises:
        OSError: It cannot be opened.
    """
    if isinstance(file, int):
        descriptor = os.dup(file)
    else:
        # An ordinary open would block on a pipe that nobody writes to.
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        yield OpenFile(descriptor, stat.S_IFMT(os.fstat(descriptor).st_mode))
    finally:
        os.close(descriptor)
