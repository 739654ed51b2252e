"""The output of steps: read from orchesjob's files as they grow, and shown line by line.

Each line starts with its step's name and is harmless for a terminal. `--follow` shows on stderr
what a run prints (rule 6.15). After a failed run, the last lines of its failed steps go there too
(rule 9.14): often people see nothing but the log of a CI job or the mail of a cron job.
"""

import errno
import math
import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import cycle, islice
from pathlib import Path
from typing import BinaryIO, NamedTuple

from flow_store import Attempt, AttemptStatus, Run, Step, StoreError, reported_job
from orchesjob_flow.errors import FlowError, UnusableOrchesjobHome
from orchesjob_flow.home import RunHandle
from orchesjob_flow.home.orchesjob_home import refuse_exposed
from orchesjob_flow.reasons import clock_time, in_order, is_allowed, went_wrong
from orchesjob_flow.views import terminal
from orchesjob_flow.views.terminal import (
    COLOUR,
    visible,
    visible_with_tabs,
    warn,
    write_bytes,
    write_message,
    write_paragraph,
    write_view_bytes,
)

BLOCK_BYTES = 1 << 16
LONGEST_CHARACTER = 4
CONTINUATION = bytes(range(0x80, 0xC0))
"""The bytes that cannot begin a character in UTF-8."""


class Choice(NamedTuple):
    """The output to show: of one step or all, of the latest attempt, a certain one, or `every` one.

    A step's name means all its copies, if it has some (rule 10.3). The latest attempt is that of
    the step's command; an attempt at its gate is shown only by its number (rule 10.8).
    """

    step: str | None = None
    attempt_no: int | None = None
    streams: Sequence[str] = ("stdout", "stderr")
    every: bool = False

    def includes(self, step_id: str) -> bool:
        """Whether the output of a step is asked for."""
        return self.step in (None, step_id, step_id.partition("@")[0])


class Source(NamedTuple):
    """One stream of one attempt."""

    step_id: str
    number: int
    stream: str


def files_of(run: Run, attempts: Sequence[Attempt], choice: Choice) -> dict[Source, Path]:
    """Return the files that are asked for, in the order of the steps.

    They are named in orchesjob's answers.

    Raises:
        UnusableOrchesjobHome: Others could change what is in the run's orchesjob home.
    """
    refuse_exposed(run.orchesjob_home)
    wanted: dict[int, list[Attempt]] = {}
    for attempt in attempts:  # by step and number: the latest of a step comes last
        by_default = choice.attempt_no is None and not attempt.is_gate
        if attempt.job is None:
            continue
        if choice.every:
            wanted.setdefault(attempt.position, []).append(attempt)
        elif by_default or choice.attempt_no == attempt.number:
            wanted[attempt.position] = [attempt]
    files: dict[Source, Path] = {}
    for step in run.steps:
        for attempt in wanted.get(step.position, ()) if choice.includes(step.step_id) else ():
            job = reported_job(run, attempt) or {}
            for stream in choice.streams:
                if isinstance(path := job.get(f"{stream}_file"), str):
                    files[Source(step.step_id, attempt.number, stream)] = Path(path)
    return files


def still_growing(run: Run, attempts: Iterable[Attempt], files: Iterable[Source]) -> set[Source]:
    """Return the files whose attempts have not ended."""
    active = {
        (run.steps[attempt.position].step_id, attempt.number)
        for attempt in attempts
        if attempt.finished_at is None
    }
    return {source for source in files if (source.step_id, source.number) in active}


class OutputFile:
    """One file, read from where the last read ended; it may be missing, or replaced.

    A file that became shorter, or a new file of the same name, was rotated. It is read from its
    beginning, as by `tail -F`.
    """

    def __init__(self, path: Path) -> None:
        """Begin at the file's beginning."""
        self.path = path
        self._position = 0
        self._inode: int | None = None

    def skip_to_last(self, lines: int, most_bytes: int | None = None) -> int:
        """Skip to the beginning of the last lines; a large file takes no longer than a small one.

        At most the last `most_bytes` of these lines are read. Return how many bytes of them are
        left out.
        """
        with suppress(OSError), open_regular(self.path) as file:
            found = os.fstat(file.fileno())
            self._inode = found.st_ino
            beginning = beginning_of_last(lines, file.fileno())
            self._position = beginning
            if most_bytes is not None and found.st_size - beginning > most_bytes:
                self._position = _next_character(found.st_size - most_bytes, file.fileno())
            return self._position - beginning
        return 0

    def read(self) -> Iterator[bytes]:
        """Yield what was added, in blocks.

        Raises:
            FileNotFoundError: The file is missing, or not a regular file.
            OSError: It cannot be read.
        """
        found = self.path.stat()
        if (found.st_ino, found.st_size) == (self._inode, self._position):
            return  # most looks end here
        with open_regular(self.path) as file:
            found = os.fstat(file.fileno())
            if found.st_ino != self._inode or found.st_size < self._position:
                self._position = 0 if self._inode is not None else self._position
                self._inode = found.st_ino
            file.seek(self._position)
            while block := file.read(BLOCK_BYTES):
                self._position += len(block)
                yield block


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file; opening a pipe without a writer would block.

    Raises:
        FileNotFoundError: The file is missing, or is something else, such as a folder or a pipe.
    """
    if not path.is_file():
        raise FileNotFoundError(errno.ENOENT, "there is no regular file", str(path))
    return path.open("rb")


def beginning_of_last(lines: int, descriptor: int) -> int:
    """Find where the last lines of a file begin, looking backwards from its end."""
    position = os.fstat(descriptor).st_size
    if lines == 0:
        return position
    wanted = lines
    if position and os.pread(descriptor, 1, position - 1) != b"\n":
        wanted -= 1  # the last line has no line break yet
    while position > 0:
        start = max(0, position - BLOCK_BYTES)
        block = os.pread(descriptor, position - start, start)
        found = block.count(b"\n")
        if found > wanted:
            return start + len(block.rsplit(b"\n", wanted + 1)[0]) + 1
        wanted -= found
        position = start
    return 0


def _next_character(position: int, descriptor: int) -> int:
    following = os.pread(descriptor, LONGEST_CHARACTER, position)
    return position + len(following) - len(following.lstrip(CONTINUATION))


LONGEST_LINE = 1 << 16
BLOCKS_AT_A_LOOK = 4
"""How much of one file is read each time, so that the others have their turn."""
NO_COLOUR = "\x1b[0m"
DATE = len("2026-05-07 ")


class Printer:
    """Writes the content of the files, and then what is added to them.

    Bytes are passed on unchanged, unless lines have a prefix or go to a terminal.
    """

    def __init__(  # noqa: PLR0913 - what is shown, and how
        self,
        prefixes: Mapping[str, str],
        tail: int | None,
        *,
        terminal: bool,
        write: Callable[[bytes], None] = write_bytes,
        most_bytes: int | None = None,
        numbered: bool = False,
        has_times: bool = False,
    ) -> None:
        """Begin without any file; `most_bytes` limits the size of a file's last lines.

        If it is `numbered`, the number of its attempt leads each line, after the prefix. If it
        `has_times`, the time at which a line is shown leads it, before the prefix.
        """
        self.has_shown = self.has_written = False
        self._prefixes = prefixes
        self._tail = tail
        self._most_bytes = most_bytes
        self._clean: Callable[[bytes], bytes] = for_terminal if terminal else bytes
        self._numbered = numbered
        self._has_times = has_times
        self._is_terminal = terminal
        self._by_line = False
        self._write_bytes = write
        self._files: dict[Source, OutputFile] = {}
        self._growing: frozenset[Source] = frozenset()
        self._begun: dict[Source, bytes] = {}
        self._gone: set[Source] = set()

    def follow(self, sources: Mapping[Source, Path], growing: Collection[Source]) -> None:
        """Add files to show; of all files, those of the `growing` sources still grow."""
        self._by_line = self._is_terminal or self._numbered or any(self._prefixes.values())
        for source, path in sources.items():
            if source not in self._files:
                self._files[source] = file = OutputFile(path)
                if self._tail is not None:
                    left_out = file.skip_to_last(self._tail, self._most_bytes)
                    if left_out:
                        self._write(source, b"[%d bytes are left out]\n" % left_out)
        self._tail = None  # a later attempt is shown from its beginning
        self._growing = frozenset(growing)

    def show(self, *, last: bool = False) -> bool:
        """Write what is new in the files, a bounded part of each; return whether there is more.

        The `last` time, all that is new is written. A line without a line break is held back until
        then, or until its attempt has ended. Processes that an attempt left running may add to its
        file long after it ended.
        """
        has_more = False
        for source, file in self._files.items():
            more = self._show_file(source, file, None if last else BLOCKS_AT_A_LOOK)
            has_more |= more
            is_over = last or source not in self._growing
            if is_over and not more and source in self._begun:
                self._write(source, b"\n")
        return has_more

    def _show_file(self, source: Source, file: OutputFile, limit: int | None) -> bool:
        """Write what is new in one file; return whether the limit of blocks was reached."""
        blocks = 0
        try:
            for block in islice(file.read(), limit):
                self._write(source, block)
                blocks += 1
            self.has_shown = True
        except OSError as error:
            if source not in self._gone:
                self._gone.add(source)
                what = f"{source.stream} of attempt {source.number} of step {source.step_id!r}"
                if isinstance(error, FileNotFoundError):
                    warn(f"{what} is missing: there is no file {file.path}")
                else:
                    warn(f"{what} cannot be read: {file.path}: {error.strerror}")
        return blocks == limit

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
        number = f"{source.number} | " if self._numbered else ""
        moment = f"{clock_time(time.time())[DATE:]} " if self._has_times else ""
        prefix = f"{moment}{self._prefixes[source.step_id]}{number}".encode()
        if lines:
            self._write_bytes(b"".join(prefix + self._clean(line) + b"\n" for line in lines))


def prefixes_of(ids: Sequence[str]) -> dict[str, str]:
    """Return what leads the lines of each step: its name, as wide as the longest one."""
    width = max(map(len, ids), default=0)
    return {name: f"{name:{width}} | " for name in ids}


NAME_COLOURS = (36, 33, 32, 35, 34, 96, 93, 92, 95, 94)
"""The colours of steps that print at once; red is left to failures."""
WIDEST_NAMES = 1 / 3
"""Names are padded up to this part of the width of a terminal."""


def prefixes_on_stderr(ids: Sequence[str]) -> Mapping[str, str]:
    """Return what leads the lines of each step on stderr; on a terminal, in its own colour."""
    stderr = terminal.stderr()
    if not stderr.stream.isatty():
        return prefixes_of(ids)
    width = min(max(map(len, ids), default=0), int(stderr.size().columns * WIDEST_NAMES))
    padded = [f"{name:{width}} | " for name in ids]
    if stderr.colour:
        coloured = zip(cycle(NAME_COLOURS), padded, strict=False)
        padded = [f"\x1b[{colour}m{name}{NO_COLOUR}" for colour, name in coloured]
    return dict(zip(ids, padded, strict=True))


def printer_on_stderr(prefixes: Mapping[str, str], *, has_times: bool = False) -> Printer:
    """Return what shows the last lines of files on stderr, and what follows."""
    return Printer(
        prefixes,
        LAST_LINES,
        terminal=terminal.stderr().stream.isatty(),
        write=write_view_bytes,
        most_bytes=LAST_BYTES,
        has_times=has_times,
    )


class Following:
    """Shows on stderr what the steps of a run print from now on (rule 6.15).

    Of attempts that are running already, the last lines are shown first; those that have ended are
    left out.
    """

    def __init__(self, handle: RunHandle, before: Run | None, *, has_times: bool = False) -> None:
        """Find what has been printed `before`, if the run is recorded already."""
        self._handle = handle
        self._is_refused = False
        self._prefixes: dict[str, str] = {}
        self._printer = printer_on_stderr(self._prefixes, has_times=has_times)
        self._new: dict[Source, tuple[float, Path]] = {}
        self._growing: set[Source] = set()
        self._known: set[Source] = set()
        with suppress(FlowError, StoreError, OSError):  # then output from before is shown again
            if before is not None:
                self.look_at(before)
        for source in self._new.keys() - self._growing:
            del self._new[source]
        self._follow(math.inf)

    def lead(self, subject: str) -> str:
        """Return what leads a line about a step: its name in its colour; empty for a run."""
        return self._prefixes.get(subject, "").replace(" | ", " ")

    def look_at(self, run: Run) -> None:
        """Find the attempts of a run that has changed.

        Raises:
            StoreError, FlowError: The database cannot be read now.
        """
        with self._handle.open_readonly() as store:
            attempts = store.attempts(run.run_key)
        # What is read here may be newer than the run, of which lines are printed.
        begun = {
            (past.position, past.number)
            for past in run.history
            if past.status is not AttemptStatus.STARTING
        }
        # As `logs`, it leaves out what `only_if` prints.
        shown = [one for one in attempts if not one.is_gate and (one.position, one.number) in begun]
        try:
            files = files_of(run, shown, Choice(every=True))
        except UnusableOrchesjobHome as error:
            if not self._is_refused:
                warn(f"what the steps print is not shown: {error}")
            self._is_refused = True
            return
        self._prefixes |= prefixes_on_stderr([step.step_id for step in run.steps])
        self._growing = still_growing(run, shown, files)
        began = {(run.steps[one.position].step_id, one.number): one.started_at for one in shown}
        for source, path in files.items():
            if source not in self._known:
                self._known.add(source)
                self._new[source] = (began[source.step_id, source.number], path)

    def show(self, *, before: float = math.inf, last: bool = False) -> bool:
        """Write more output of attempts that began `before` a moment; return whether there is more.

        The `last` time, all that is left is written.
        """
        self._follow(before)
        return self._printer.show(last=last)

    def _follow(self, before: float) -> None:
        begun = [source for source, (started_at, _) in self._new.items() if started_at < before]
        paths = {source: self._new.pop(source)[1] for source in begun}
        self._printer.follow(paths, self._growing)


def for_terminal(line: bytes) -> bytes:
    """Escape a line for a terminal; colours stay, and end with the line."""
    text = line.rstrip(b"\r").decode("utf-8", "backslashreplace")
    parts = COLOUR.split(text)
    shown = "".join(
        part if number % 2 else visible_with_tabs(part) for number, part in enumerate(parts)
    )
    return (shown + NO_COLOUR if len(parts) > 1 else shown).encode()


LAST_LINES = 10
"""How many lines are shown of each of the two streams."""
LAST_BYTES = 16 * 1024
"""How much of these lines is shown: one line can be as long as a whole file."""
MOST_PRINTED_STEPS = 10


def show_failures(handle: RunHandle, *, with_heading: bool) -> None:
    """Write which steps of a run went wrong, and the last lines of their latest attempts.

    The heading names the run, if nothing has named it before.
    """
    with handle.open_readonly() as store:
        run, attempts = handle.load(store), store.attempts(handle.run_key)
    if with_heading:
        name = f"run {run.run_key} of flow {run.flow_id}"
        write_paragraph(visible(f"{name} {run.status.value}: {run.error}"))
    wrong = [step for step in in_order(run) if went_wrong(step)]
    for step in wrong[:MOST_PRINTED_STEPS]:
        _write_blank_line()
        choice = Choice(step.step_id, step.attempt_no)
        show_failure(run, step, files_of(run, attempts, choice))
    if len(wrong) > MOST_PRINTED_STEPS:
        _write_blank_line()
        more = len(wrong) - MOST_PRINTED_STEPS
        write_paragraph(f"... and {more} more; `logs` shows what they have printed")


def _write_blank_line() -> None:
    if terminal.stderr().stream.isatty():
        write_message("")


def show_failure(run: Run, step: Step, sources: Mapping[Source, Path]) -> None:
    """Write how one step failed, and its last lines with its id as prefix."""
    allowed = " (allowed)" if is_allowed(run, step) else ""
    what = f"{step.step_id} {step.status.value}{allowed} {visible(step.error or '')}"
    if not has_content(sources.values()):
        write_paragraph(f"{what}, and has printed nothing")
        return
    write_paragraph(f"{what}, after printing:")
    printer = printer_on_stderr({step.step_id: f"{step.step_id} | "})
    printer.follow(sources, growing=())
    printer.show(last=True)


def has_content(paths: Iterable[Path]) -> bool:
    """Tell whether one of these files has content, or is missing."""
    for path in paths:
        with suppress(OSError):
            if path.stat().st_size == 0:
                continue
        return True
    return False
