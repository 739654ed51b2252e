"""What a job prints, line by line, as it grows: from the files of orchesjob into the task log."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_BLOCK = 1 << 16
_LONGEST_LINE = 1 << 16


class Output:
    """One of the two files of a job, read on from where the last reading ended."""

    def __init__(self, path: str | None, say: Callable[[str], object]) -> None:
        """Begin at the file's beginning; `say` gets each line, without its end."""
        self._path = None if path is None else Path(path)
        self._say = say
        self._position = 0
        self._rest = b""

    def forward(self) -> None:
        """Pass on the lines that have been completed since."""
        if self._path is None:
            return
        with suppress(FileNotFoundError), self._path.open("rb") as file:
            file.seek(self._position)
            while block := file.read(_BLOCK):
                self._position += len(block)
                *lines, self._rest = (self._rest + block).split(b"\n")
                for line in lines:
                    self._pass_on(line)
                if len(self._rest) > _LONGEST_LINE:
                    self.finish()

    def finish(self) -> None:
        """Pass on a last line that has no end."""
        if self._rest:
            self._pass_on(self._rest)
            self._rest = b""

    def _pass_on(self, line: bytes) -> None:
        self._say(line.decode(errors="replace").rstrip("\r"))
