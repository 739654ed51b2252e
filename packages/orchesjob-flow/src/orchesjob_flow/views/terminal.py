"""Text for terminals and pipes: escaped, measured, wrapped, and written (rule 6.10).

stdout carries results only, stderr messages. Characters that would move the cursor or change the
direction of writing are escaped. A result is text for a terminal and JSON for a program (rule
6.11). While a person waits, one line on stderr says why, on a terminal that can erase it.
"""

import json
import os
import re
import sys
from _thread import RLock  # importing `threading` would slow down `status`
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from enum import StrEnum
from functools import cache
from typing import Any, NamedTuple, TextIO

from orchesjob_flow.errors import Passing, ResultLost

COLOUR = re.compile(r"(\x1b\[[0-9;:]*m)")
STATUS_MARKS = {"PENDING": ". ", "RUNNING": "> ", "SUCCEEDED": "OK ", "FAILED": "NG "}
"""What stands before a status in the tables for scripts."""
STATUS_COLOURS = {"RUNNING": 36, "SUCCEEDED": 32, "FAILED": 31, "CANCELLED": 33, "DELAYED": 33}
CUT = "..."
UNITS = ("B", "kB", "MB", "GB")
SECOND = 1000
MINUTE, HOUR, DAY = 60, 3600, 86400
ERASE_LINE = "\r\x1b[K"
STEADY = b"\x1b[0m\x1b[?7h\n"
"""Ends the drawing, its colour, and the line that shows ^C."""
LAST_WORDS_SEC = 1.0
"""How long the last words wait for a terminal or a pipe that blocks."""
FORMAT_VARIABLE = "ORCHESJOB_FLOW_FORMAT"
AUTO = "auto"
SPELLINGS = (AUTO, "json", "table", "text")
"""The values of `--format` and of the variable; `table` and `text` mean the same."""
WORD = re.compile(r"\s*\S+")
NARROWEST = 8
"""No text is wrapped to fewer columns, no matter how narrow the terminal is."""


@cache
def unsafe() -> re.Pattern[str]:
    """Return the pattern of characters to escape; `status` rarely needs what is slow to compile."""
    return re.compile(
        "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
    )


def is_plain(text: str) -> bool:
    """Whether a text is printable ASCII, which is safe."""
    return text.isascii() and text.isprintable()


def visible(text: str) -> str:
    r"""Replace control characters and the like by escapes.

    >>> print(visible("\x1b[31mred\n"))
    \x1b[31mred\n
    """
    return text if is_plain(text) else unsafe().sub(lambda found: repr(found[0])[1:-1], text)


def visible_with_tabs(text: str) -> str:
    """Replace control characters and the like by escapes, except tabs."""
    return "\t".join(map(visible, text.split("\t")))


def duration_text(seconds: float) -> str:
    """Write a duration in its two largest units; a negative one counts as none.

    >>> [duration_text(sec) for sec in (-1, 0.0004, 0.25, 2, 9.96, 42.3, 75.4, 3600, 200_000)]
    ['0 s', '0 s', '250 ms', '2 s', '10 s', '42.3 s', '1 min 15 s', '1 h', '2 d 7 h']
    """
    milliseconds = max(0, round(seconds * 1000))
    if milliseconds < SECOND:
        return f"{milliseconds} ms" if milliseconds else "0 s"
    if seconds < MINUTE - 0.05:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    whole = round(seconds)
    names = ((DAY, "d", HOUR, "h"), (HOUR, "h", MINUTE, "min"), (MINUTE, "min", 1, "s"))
    unit, name, lower, lower_name = next(row for row in names if whole >= row[0])
    rest = whole % unit // lower
    return f"{whole // unit} {name}" + (f" {rest} {lower_name}" if rest else "")


def size_text(size: int) -> str:
    """Write a number of bytes in units of a thousand.

    >>> size_text(999), size_text(1_500), size_text(2_000_000_000)
    ('999 B', '1.5 kB', '2.0 GB')
    """
    power = min((len(str(size)) - 1) // 3, len(UNITS) - 1)
    return f"{size / 1_000**power:.{min(power, 1)}f} {UNITS[power]}"


def counted(number: int, noun: str) -> str:
    """Write a number of things.

    >>> counted(1, "step"), counted(2_000, "step")
    ('1 step', '2,000 steps')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def dump_json(value: Any, *, indent: int | None, ascii_only: bool = False) -> str:
    """Write JSON, and escape the characters that could mislead a terminal."""
    separators = (",", ":") if indent is None else (",", ": ")
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent, separators=separators)
    return text if is_plain(text.replace("\n", "")) else unsafe().sub(_escape_in_json, text)


def _escape_in_json(found: re.Match[str]) -> str:
    return "\n" if found[0] == "\n" else f"\\u{ord(found[0]):04x}"


def status_text(status: StrEnum, *, colour: bool | None) -> str:
    """Write a status: on a terminal in its colour, or without; for scripts, None, with its mark.

    >>> from flow_store import StepStatus
    >>> status_text(StepStatus.FAILED, colour=None), status_text(StepStatus.FAILED, colour=False)
    ('NG FAILED', 'FAILED')
    """
    mark = STATUS_MARKS.get(status.value, "") if colour is None else ""
    text = f"{mark}{status.value}"
    code = STATUS_COLOURS.get(status.value)
    return f"\x1b[{code}m{text}\x1b[0m" if colour and code else text


def width(text: str) -> int:
    r"""Return how many columns of a terminal a visible text takes; colours take none.

    >>> width("\x1b[31m日本\x1b[0m!")
    5
    """
    plain = text if is_plain(text) else COLOUR.sub("", text)
    if is_plain(plain):
        return len(plain)
    from wcwidth import wcswidth  # slow to import

    return max(0, wcswidth(plain))


def cut(text: str, columns: int) -> str:
    """Shorten a visible text to so many columns, and mark it as cut; keep its colours.

    >>> cut("日本から来た", 8)
    '日本...'
    """
    if width(text) <= columns:
        return text
    mark = CUT[: max(0, columns)]
    room = columns - len(mark)
    shown = []
    for number, part in enumerate(COLOUR.split(text)):
        if number % 2 == 0 and room >= 0:
            kept = beginning(part, room)
            room -= width(kept)
            if kept != part:
                kept, room = kept + mark, -1
            shown.append(kept)
        elif number % 2:
            shown.append(part)
    return "".join(shown)


def beginning(text: str, columns: int) -> str:
    """Return as much of a text as fits into so many columns."""
    if text.isascii():
        return text[: max(0, columns)]
    from wcwidth import wcwidth

    room = columns
    for place, character in enumerate(text):
        room -= max(0, wcwidth(character))
        if room < 0:
            return text[:place]
    return text


def wrapped(text: str, columns: int, *, indent: str = "") -> list[str]:
    """Wrap a visible text between words, or within a word that is too long.

    All lines but the first begin with `indent`.

    >>> wrapped("waits for load", 9, indent="  ")
    ['waits for', '  load']
    """
    room = max(columns, NARROWEST)
    if text.isascii() and len(text) <= room:
        return [text]
    lines, line = [], ""
    for word in WORD.findall(text) or [text]:
        piece = word
        if line.strip() and width(line + piece) > room:
            lines.append(line)
            line, piece = indent, piece.lstrip()
        while width(line + piece) > room:
            kept = beginning(piece, room - width(line)) or piece[:1]
            lines.append(line + kept)
            line, piece = indent, piece[len(kept) :]
        line += piece
    return [*lines, line] if line.strip() else lines


class OutputFormat(StrEnum):
    """An output format."""

    GITHUB = "github"
    JSON = "json"
    JUNIT = "junit"
    TEXT = "text"


class Course(NamedTuple):
    """How a command advances a run, here or in the background, and what it shows meanwhile.

    `follow` is empty, or says how the output of steps is shown. `reports` are formats and files,
    which are written after the run (rule 12.1). A `quiet` one prints nothing where there was
    nothing to do, nor in the background unless stdout is a terminal.
    """

    detach: bool
    progress: str
    output_format: OutputFormat
    follow: str = ""
    reports: tuple[tuple[str, str], ...] = ()
    quiet: bool = False

    @property
    def is_drawn(self) -> bool:
        """Whether the table of the run, which has its key, is drawn on stderr."""
        return self.progress == "auto" and not (self.follow or self.detach) and stderr().can_draw


def format_for(spelling: str, *, is_terminal: bool) -> OutputFormat:
    """Return the output format for a value of `--format`.

    >>> format_for("auto", is_terminal=False), format_for("table", is_terminal=False)
    (<OutputFormat.JSON: 'json'>, <OutputFormat.TEXT: 'text'>)
    """
    if spelling == AUTO:
        return OutputFormat.TEXT if is_terminal else OutputFormat.JSON
    return OutputFormat.TEXT if spelling == "table" else OutputFormat(spelling)


def format_of_result(spelling: str) -> OutputFormat:
    """Return the output format for stdout."""
    return format_for(spelling, is_terminal=stdout().stream.isatty())


def default_spelling() -> str:
    """Return the value of the variable, valid or not."""
    return os.environ.get(FORMAT_VARIABLE) or AUTO


def format_of_errors(words: Sequence[str]) -> OutputFormat:
    """Return the output format of errors: what the words or the variable ask for, if they do.

    >>> format_of_errors(["list", "--format=table"]), format_of_errors(["list", "--format", "json"])
    (<OutputFormat.TEXT: 'text'>, <OutputFormat.JSON: 'json'>)
    """
    given = [
        value or "".join(words[place + 1 : place + 2])
        for place, word in enumerate(words)
        for name, _, value in [word.partition("=")]
        if name == "--format"
    ]
    spelling = [default_spelling(), *given][-1]
    spelling = spelling if spelling in SPELLINGS else AUTO
    return format_for(spelling, is_terminal=stderr().stream.isatty())


class Terminal(NamedTuple):
    """A stream that may be a terminal, and the function that writes to it."""

    stream: TextIO
    write: Callable[[str], None]

    @property
    def can_draw(self) -> bool:
        """Whether it is a terminal with a cursor that can be moved."""
        return self.stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"

    @property
    def colour(self) -> bool:
        """Whether to use colours: the terminal can show them, and NO_COLOR is not set."""
        return self.can_draw and "NO_COLOR" not in os.environ

    @property
    def columns(self) -> int | None:
        """How wide it is; None for a file or a pipe."""
        return self.size().columns if self.stream.isatty() else None

    def size(self) -> os.terminal_size:
        """Return its current size; without a terminal, the size from the environment."""
        try:
            size = os.get_terminal_size(self.stream.fileno())
        except (OSError, ValueError):
            import shutil  # which loads three libraries of compression

            return shutil.get_terminal_size()
        return size if size.columns and size.lines else os.terminal_size((80, 24))


def stdout() -> Terminal:
    """Return the terminal of results."""
    return Terminal(sys.stdout, write_result)


def stderr() -> Terminal:
    """Return the terminal of messages."""
    return Terminal(sys.stderr, write_view)


def is_one_terminal() -> bool:
    """Tell whether stdout and stderr are the same terminal."""
    if not (sys.stdout.isatty() and sys.stderr.isatty()):
        return False
    first, second = (os.fstat(stream.fileno()) for stream in (sys.stdout, sys.stderr))
    return first.st_rdev == second.st_rdev


def reopen_standard_streams() -> None:
    """Open the descriptors 0 to 2 if the caller has closed them, so that no database gets one.

    A closed stdout is reopened for reading only, so that a lost result is noticed.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDONLY if name == "stdout" else os.O_RDWR)
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))


def write_result(text: str) -> None:
    """Write a result, or a part of one; escape characters that the encoding does not have.

    Raises:
        BrokenPipeError: The reader has gone.
        ResultLost: The result cannot be written.
    """
    encoding = sys.stdout.encoding or "utf-8"
    with result_is_written():
        sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
        sys.stdout.flush()


def as_json(record: Any, *keys: str) -> Any:
    """Describe the fields of a record; None for None.

    A key is that of its field, or written as KEY=FIELD; without keys, all fields are described.

    >>> from flow_store import Parent
    >>> as_json(Parent("k", "a", 1), "run_key", "step=step_id")
    {'run_key': 'k', 'step': 'a'}
    """
    if record is None:
        return None
    split = (key.partition("=") for key in keys or record._fields)
    return {key: getattr(record, field or key) for key, _, field in split}


def print_json(value: Any) -> None:
    """Print a result as JSON: indented on a terminal, else on one line (rule 6.10)."""
    is_utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    indent = 2 if sys.stdout.isatty() else None
    write_result(f"{dump_json(value, indent=indent, ascii_only=not is_utf8)}\n")


def write_bytes(data: bytes) -> None:
    """Write a part of a result unchanged.

    Raises:
        BrokenPipeError: The reader has gone.
        ResultLost: The result cannot be written.
    """
    with result_is_written():
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


@contextmanager
def result_is_written() -> Iterator[None]:
    """Turn an error of a write within this block into `ResultLost`, unless the reader has gone."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise ResultLost(error.strerror or str(error)) from error


def write_lines(lines: Iterable[str]) -> None:
    """Write lines of a result as they are."""
    write_result("".join(f"{line}\n" for line in lines))


def print_lines(lines: Iterable[str], *, indent: str = "    ") -> None:
    """Print visible lines; on a terminal, wrap those that are too long."""
    write_lines(wrapped_for_stdout(lines, indent=indent))


def wrapped_for_stdout(lines: Iterable[str], *, indent: str = "    ") -> Sequence[str]:
    """Wrap lines to the width of stdout; for a file or a pipe, return them unchanged."""
    columns = stdout().columns
    if columns is None:
        return list(lines)
    return [part for line in lines for part in wrapped(line, columns, indent=indent)]


class LiveDrawing:
    """A picture that is redrawn in place on a terminal.

    Attributes:
        messages: The messages that wait until the drawing ends.
        passing: Those of them that nobody needs any more when it has ended.
        terminal: The descriptor of the terminal, once the drawing has begun.
    """

    def __init__(self) -> None:
        """Begin without messages."""
        self.messages: list[str] = []
        self.passing: set[str] = set()
        self.terminal: int | None = None

    def write_messages(self) -> None:
        """Write the messages that wait, without the drawing."""
        while self.messages:
            with writing:  # the last words find a message here, or after it is written
                write_view(f"{paragraph(self.messages[0])}\n")
                del self.messages[0]


drawing: LiveDrawing | None = None
"""The drawing in progress; None if messages can be written at once."""


writing = RLock()
"""Held while writing to stderr. `write_last_words` never releases it, so nothing follows them."""


status_line_is_up = False
"""Whether stderr shows a line that the next output must replace."""


@contextmanager
def hold_messages() -> Iterator[LiveDrawing]:
    """Hold messages back while something is drawn on the terminal; write them afterwards.

    Yield the drawing, so that it can show the latest messages.
    """
    global drawing  # noqa: PLW0603 - there is one stderr
    drawing = now = LiveDrawing()
    try:
        yield now
    finally:
        drawing = None
        now.messages = [message for message in now.messages if message not in now.passing]
        now.write_messages()


def write_message(text: str) -> None:
    """Write a line to stderr; if that fails, there is nowhere to report it."""
    now = drawing  # another thread may end it
    if now is None:
        write_view(f"{text}\n")
    else:
        now.messages.append(text)


def write_paragraph(text: str) -> None:
    """Write a visible sentence to stderr; on a terminal, wrap it between words."""
    write_message(text if drawing is not None else paragraph(text))


def paragraph(text: str) -> str:
    """Wrap a visible sentence between words if stderr is a terminal."""
    # The sentence may report that memory or descriptors are exhausted: then it is not wrapped.
    with suppress(ImportError, MemoryError, OSError, ValueError):
        if (columns := stderr().columns) is not None:
            return "\n".join(wrapped(text, columns, indent="  "))
    return text


def warn(message: str) -> None:
    """Write a warning to stderr; a failure is ignored."""
    text = f"orchesjob-flow: {visible(message)}"
    now = drawing  # another thread may end it
    if now is not None and isinstance(message, Passing):
        now.passing.add(text)
    write_paragraph(text)


def write_view(text: str) -> None:
    """Write to stderr; a failure is ignored."""
    with writing, suppress(OSError, ValueError):
        sys.stderr.write(erase_status_line() + text)  # stderr escapes by itself
        sys.stderr.flush()


def write_view_bytes(data: bytes) -> None:
    """Write bytes to stderr unchanged; a failure is ignored.

    While a terminal or a pipe blocks, no buffer of Python is locked: the process can still end.
    """
    with writing, suppress(OSError, ValueError):
        write_view("")
        left = memoryview(data)
        while left:
            left = left[os.write(sys.stderr.fileno(), left) :]


def write_last_words(text: str) -> None:
    """Write the waiting messages and then a line to stderr; nothing is written after it.

    A signal handler calls this, perhaps in the middle of another write. So it bypasses Python's
    streams, which can be in any state. Text that cannot be written soon is dropped.
    """
    import select

    if not writing.acquire(timeout=LAST_WORDS_SEC):  # never released
        return
    lines = [erase_status_line() + text]
    with suppress(OSError):
        if drawing is not None:
            lines = [*drawing.messages, *lines]
            if drawing.terminal is not None:
                os.write(drawing.terminal, STEADY)
        stderr = sys.stderr.fileno()
        poll = select.poll()
        poll.register(stderr, select.POLLOUT)
        data = "".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace")
        while data and poll.poll(LAST_WORDS_SEC * 1000):
            data = data[os.write(stderr, data[: select.PIPE_BUF]) :]


type Say = Callable[[str], None]
"""Replaces the text of a line on stderr."""


@contextmanager
def status_line() -> Iterator[Say]:
    """Show a line on stderr within this block, with what was said last."""
    terminal = stderr()

    def say(words: str) -> None:
        if terminal.can_draw:
            write_status_line(cut(visible(words), terminal.size().columns - 1))

    try:
        yield say
    finally:
        say("")


def write_status_line(text: str) -> None:
    """Write a line to stderr that the next output replaces; an empty text only erases it."""
    global status_line_is_up  # noqa: PLW0603 - there is one stderr
    with writing:
        write_view(text)
        status_line_is_up = bool(text)


def erase_status_line() -> str:
    """Return the escape sequence that erases the status line, or an empty text without one."""
    global status_line_is_up  # noqa: PLW0603 - there is one stderr
    erased = ERASE_LINE if status_line_is_up else ""
    status_line_is_up = False
    return erased
