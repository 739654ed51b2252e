"""What a job prints, passed on line by line from the files of orchesjob while they grow."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_BLOCK = 1 << 16
_LONGEST_LINE = 1 << 16


class JobOutput:
    """One of the two output files of a job; each reading begins where the last one ended."""

    def __init__(self, path: str | None, pass_on: Callable[[str], object]) -> None:
        """Begin at the start of the file; `pass_on` gets each line, without its line end."""
        self._path = None if path is None else Path(path)
        self._pass_on = pass_on
        self._position = 0
        self._rest = b""

    def forward(self) -> None:
        """Pass on the lines that have been completed since the last reading."""
        if self._path is None:
            return
        with suppress(FileNotFoundError), self._path.open("rb") as file:
            file.seek(self._position)
            while block := file.read(_BLOCK):
                self._position += len(block)
                *lines, self._rest = (self._rest + block).split(b"\n")
                for line in lines:
                    self._pass_on(_text(line))
                if len(self._rest) > _LONGEST_LINE:
                    self.finish()

    def finish(self) -> None:
        """Pass on a last line that has no line end."""
        if self._rest:
            self._pass_on(_text(self._rest))
            self._rest = b""


def _text(line: bytes) -> str:
    return line.decode(errors="replace").rstrip("\r")
