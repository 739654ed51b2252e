"""What the steps have printed, line by line: each led by its step, and harmless for a terminal.

Which files are shown is decided elsewhere; reading them is the matter of `step_output`.
"""

from collections import deque
from collections.abc import Callable, Collection, Mapping
from itertools import islice
from pathlib import Path

from orchesjob_flow.home.step_files import Source
from orchesjob_flow.views.step_output import OutputFile
from orchesjob_flow.views.streams import warn, write_bytes
from orchesjob_flow.views.text import COLOUR, visible

LONGEST_LINE = 1 << 16
SETTLED_AT_A_LOOK = 100
"""How many files of attempts that have ended are read at each look."""
NO_COLOUR = "\x1b[0m"


class Printer:
    """Writes what the files hold, and then what is added to them.

    Bytes are passed on as they are, unless lines are led by their steps or go to a terminal.
    """

    def __init__(
        self,
        prefixes: Mapping[str, str],
        tail: int | None,
        *,
        terminal: bool,
        write: Callable[[bytes], None] = write_bytes,
        most_bytes: int | None = None,
    ) -> None:
        """Begin without any file; `most_bytes` bounds what the last lines of one may hold."""
        self.has_shown = self.has_written = False
        self._prefixes = prefixes
        self._tail = tail
        self._most_bytes = most_bytes
        self._clean: Callable[[bytes], bytes] = for_terminal if terminal else bytes
        self._by_line = terminal or any(prefixes.values())
        self._write_bytes = write
        self._files: dict[Source, OutputFile] = {}
        self._growing: list[Source] = []
        self._ended: list[Source] = []
        self._settled: deque[Source] = deque()
        self._begun: dict[Source, bytes] = {}
        self._gone: set[Source] = set()

    def follow(self, sources: Mapping[Source, Path], growing: Collection[Source]) -> None:
        """Show these files from now on too; of all of them, these are `growing`."""
        for source, path in sources.items():
            if source not in self._files:
                self._files[source] = file = OutputFile(path)
                self._growing.append(source)
                if self._tail is not None:
                    left_out = file.skip_to_last(self._tail, self._most_bytes)
                    if left_out:
                        self._write(source, b"[%d bytes are left out]\n" % left_out)
        self._tail = None  # an attempt that begins later is shown from its beginning
        self._ended += [source for source in self._growing if source not in growing]
        self._growing = [source for source in self._growing if source in growing]

    def show(self, *, last: bool = False) -> None:
        """Write what is new in the files.

        A line without an end is held back for the next time, unless this is the `last`. What an
        attempt has left running may add to its file long after it has ended: such files are read in
        turn, some at each look, and all of them at the last.
        """
        some = list(islice(self._settled, SETTLED_AT_A_LOOK))
        self._settled.rotate(-len(some))
        for source in self._files if last else [*self._ended, *self._growing, *some]:
            self._show_file(source, self._files[source])
            if last and source in self._begun:
                self._write(source, b"\n")
        self._settled += self._ended
        self._ended = []

    def _show_file(self, source: Source, file: OutputFile) -> None:
        try:
            for block in file.read():
                self._write(source, block)
            self.has_shown = True
        except FileNotFoundError:
            if source not in self._gone:
                self._gone.add(source)
                what = f"{source.stream} of attempt {source.number} of step {source.step_id!r}"
                warn(f"{what} is missing: there is no file {file.path}")

    def _write(self, source: Source, block: bytes) -> None:
        self.has_written = True
        if not self._by_line:
            self._write_bytes(block)
            return
        *lines, rest = (self._begun.pop(source, b"") + block).split(b"\n")
        if len(rest) > LONGEST_LINE:
            lines, rest = [*lines, rest], b""
        if rest:
            self._begun[source] = rest
        prefix = self._prefixes[source.step_id].encode()
        self._write_bytes(b"".join(prefix + self._clean(line) + b"\n" for line in lines))


def for_terminal(line: bytes) -> bytes:
    """Make a line harmless for a terminal; its colours stay, and end with the line."""
    text = line.rstrip(b"\r").decode("utf-8", "backslashreplace")
    parts = COLOUR.split(text)
    shown = "".join(
        part if number % 2 else "\t".join(map(visible, part.split("\t")))
        for number, part in enumerate(parts)
    )
    return (shown + NO_COLOUR if len(parts) > 1 else shown).encode()
