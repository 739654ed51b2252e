"""The files into which orchesjob writes a step's output: read from anywhere, as they grow.

Bytes only, in constant memory: how they are shown is the matter of `step_lines`.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

BLOCK = 1 << 16
LONGEST_CHARACTER = 4
CONTINUATION = bytes(range(0x80, 0xC0))
"""The bytes of UTF-8 with which no character begins."""


class OutputFile:
    """One file, read from where the last reading ended; it may be missing, or replaced.

    A file that has become shorter, or another file under the same name, is read from its beginning,
    as `tail -F` does: somebody has rotated it.
    """

    def __init__(self, path: Path) -> None:
        """Begin at the file's beginning."""
        self.path = path
        self._position = 0
        self._inode: int | None = None

    def skip_to_last(self, lines: int, most_bytes: int | None = None) -> int:
        """Skip to the beginning of the last lines, which takes no longer for a large file.

        Of these lines, no more than the last `most_bytes` are read. Return how many bytes of them
        are left out.
        """
        with suppress(FileNotFoundError), open_regular(self.path) as file:
            found = os.fstat(file.fileno())
            self._inode = found.st_ino
            beginning = beginning_of_last(lines, file.fileno())
            self._position = beginning
            if most_bytes is not None and found.st_size - beginning > most_bytes:
                self._position = next_character(found.st_size - most_bytes, file.fileno())
            return self._position - beginning
        return 0

    def read(self) -> Iterator[bytes]:
        """Yield what has been added, in blocks.

        Raises:
            FileNotFoundError: The file is missing, or is none.
        """
        with open_regular(self.path) as file:
            found = os.fstat(file.fileno())
            if found.st_ino != self._inode or found.st_size < self._position:
                self._position = 0 if self._inode is not None else self._position
                self._inode = found.st_ino
            file.seek(self._position)
            while block := file.read(BLOCK):
                self._position += len(block)
                yield block


def open_regular(path: Path) -> BinaryIO:
    """Open a file; to open a pipe that nobody writes to would take for ever.

    Raises:
        FileNotFoundError: There is none, or a pipe or the like under its name.
    """
    if not path.is_file() and not path.is_dir():
        raise FileNotFoundError(errno.ENOENT, "there is no regular file", str(path))
    return path.open("rb")


def beginning_of_last(lines: int, descriptor: int) -> int:
    """Find where the last lines of a file begin, looking backwards from its end."""
    position = os.fstat(descriptor).st_size
    if lines == 0:
        return position
    wanted = lines
    if position and os.pread(descriptor, 1, position - 1) != b"\n":
        wanted -= 1  # the last line has no end yet
    while position > 0:
        start = max(0, position - BLOCK)
        block = os.pread(descriptor, position - start, start)
        found = block.count(b"\n")
        if found > wanted:
            return start + nth_last(block, b"\n", wanted + 1) + 1
        wanted -= found
        position = start
    return 0


def next_character(position: int, descriptor: int) -> int:
    """Return where the next character of UTF-8 begins, at this position or after it."""
    following = os.pread(descriptor, LONGEST_CHARACTER, position)
    return position + len(following) - len(following.lstrip(CONTINUATION))


def nth_last(block: bytes, what: bytes, number: int) -> int:
    """Return where the `number`-th last occurrence is."""
    place = len(block)
    for _ in range(number):
        place = block.rindex(what, 0, place)
    return place
