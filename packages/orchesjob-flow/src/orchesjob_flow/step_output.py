"""The files into which orchesjob writes a step's output: read from anywhere, as they grow.

Bytes only, in constant memory: what they say and to whom they are shown is `logs`' matter.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

BLOCK = 1 << 16


class OutputFile:
    """One file, read on from where the last reading ended; it may be missing, or replaced.

    A file that has become shorter, or another file under the same name, is read from its beginning,
    as `tail -F` does: somebody has rotated it.
    """

    def __init__(self, path: Path) -> None:
        """Begin at the file's beginning."""
        self.path = path
        self._position = 0
        self._inode: int | None = None

    def skip_to_last(self, lines: int) -> None:
        """Go on at the beginning of the last lines, which takes no longer for a large file."""
        with suppress(FileNotFoundError), self.path.open("rb") as file:
            self._inode = os.fstat(file.fileno()).st_ino
            self._position = beginning_of_last(lines, file.fileno())

    def read(self) -> Iterator[bytes]:
        """Yield what has been added, in blocks.

        Raises:
            FileNotFoundError: The file is missing.
        """
        with self.path.open("rb") as file:
            found = os.fstat(file.fileno())
            if found.st_ino != self._inode or found.st_size < self._position:
                self._position = 0 if self._inode is not None else self._position
                self._inode = found.st_ino
            file.seek(self._position)
            while block := file.read(BLOCK):
                self._position += len(block)
                yield block


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


def nth_last(block: bytes, what: bytes, number: int) -> int:
    """Return where the `number`-th last occurrence is."""
    place = len(block)
    for _ in range(number):
        place = block.rindex(what, 0, place)
    return place
