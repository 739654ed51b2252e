"""Text for terminals and pipes: made safe, measured, broken into lines, and written (rule 6.10).

stdout carries results only, stderr messages. Characters that would move the cursor or change the
direction of writing are escaped. A result is text for a terminal and JSON for a program (rule
6.11). While a person waits, one line on stderr says for what; only a terminal that can erase it
gets one.
"""

import contextlib
import json
import os
import re
import sys
import time
from _thread import RLock  # loading `threading` would take a part of the time of a `status`
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from orchesjob_flow.errors import ResultLost

if TYPE_CHECKING:
    from threading import Timer

UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
COLOUR = re.compile(r"(\x1b\[[0-9;:]*m)")
CUT = "..."
UNITS = ("B", "kB", "MB", "GB")


def visible(text: str) -> str:
    r"""Replace control characters and the like by escapes.

    >>> print(visible("\x1b[31mred\n"))
    \x1b[31mred\n
    """
    return UNSAFE.sub(lambda found: repr(found[0])[1:-1], text)


def clock_time(timestamp: float | None) -> str:
    """Write a Unix timestamp in local time; `-` stands for None."""
    if timestamp is None:
        return "-"
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(timestamp))


def size_text(size: int) -> str:
    """Write a number of bytes in units of a thousand.

    >>> size_text(999), size_text(1_500), size_text(2_000_000_000)
    ('999 B', '1.5 kB', '2.0 GB')
    """
    power = min((len(str(size)) - 1) // 3, len(UNITS) - 1)
    return f"{size / 1_000**power:.{min(power, 1)}f} {UNITS[power]}"


def dump_json(value: Any, *, indent: int | None, ascii_only: bool = False) -> str:
    """Write JSON in any script, but escape what could mislead a terminal."""
    separators = (",", ":") if indent is None else (",", ": ")
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent, separators=separators)
    return UNSAFE.sub(escape_in_json, text) if UNSAFE.search(text.replace("\n", "")) else text


def escape_in_json(found: re.Match[str]) -> str:
    r"""Escape a character as JSON does; the line breaks between the values stay."""
    return "\n" if found[0] == "\n" else f"\\u{ord(found[0]):04x}"


def width(text: str) -> int:
    r"""Return how many columns of a terminal a visible text takes; its colours take none.

    >>> width("\x1b[31m日本\x1b[0m!")
    5
    """
    plain = COLOUR.sub("", text)
    if plain.isascii() and plain.isprintable():
        return len(plain)
    from wcwidth import wcswidth  # slow to import

    return max(0, wcswidth(plain))


def cut(text: str, columns: int) -> str:
    """Shorten a visible text to so many columns, and mark it as cut; its colours stay.

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


def reopen_standard_streams() -> None:
    """Open the descriptors 0 to 2 that the caller has closed, so that no lock or database gets one.

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
    """Write a result, or a part of one; what the encoding lacks is escaped.

    Raises:
        BrokenPipeError: Its reader has gone.
        ResultLost: It cannot be written.
    """
    encoding = sys.stdout.encoding or "utf-8"
    with result_is_written():
        sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
        sys.stdout.flush()


def print_json(value: Any) -> None:
    """Print a result: indented on a terminal, else as one compact line (rule 6.10)."""
    is_utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    indent = 2 if sys.stdout.isatty() else None
    write_result(f"{dump_json(value, indent=indent, ascii_only=not is_utf8)}\n")


def write_bytes(data: bytes) -> None:
    """Write a part of a result as it is.

    Raises:
        BrokenPipeError: Its reader has gone.
        ResultLost: It cannot be written.
    """
    with result_is_written():
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


@contextlib.contextmanager
def result_is_written() -> Iterator[None]:
    """Distinguish a result that cannot be written from one that nobody reads any more."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise ResultLost(error.strerror or str(error)) from error


class LiveDrawing:
    """What is drawn in place on a terminal at present.

    Attributes:
        messages: The messages that wait until nothing is drawn any more.
        terminal: The descriptor of the terminal on which a picture stands unfinished; None if there
            is none.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self.messages: list[str] = []
        self.terminal: int | None = None


drawing: LiveDrawing | None = None
"""None if messages can be written at once; there is one stderr."""

writing = RLock()
"""Whoever writes to stderr holds it. The last words keep it, so that nothing follows them."""


ERASE_LINE = "\r\x1b[K"
status_line_is_up = False
"""Whether a line stands on stderr that what follows must replace."""


def write_status_line(text: str) -> None:
    """Write a line to stderr that what follows replaces; an empty one leaves nothing."""
    global status_line_is_up  # noqa: PLW0603 - as there is one stderr
    with writing:
        write_view(text)
        status_line_is_up = bool(text)


def erase_status_line() -> str:
    """Return what erases the line that stands on stderr, if there is one."""
    global status_line_is_up  # noqa: PLW0603 - as there is one stderr
    erased = ERASE_LINE if status_line_is_up else ""
    status_line_is_up = False
    return erased


def write_message(text: str) -> None:
    """Write a line to stderr; if that fails, there is nowhere to report it."""
    now = drawing
    if now is None:
        write_view(f"{text}\n")
    else:
        now.messages.append(text)


def write_paragraph(text: str) -> None:
    """Write a visible sentence to stderr; on a terminal it is broken between words, not in them."""
    write_message(text if drawing is not None else for_reader(text))


def for_reader(text: str) -> str:
    """Return a visible sentence in lines for whoever reads stderr: a person, or a log."""
    # It may be the last means or the last memory that is told of: then the sentence will do.
    with contextlib.suppress(ImportError, MemoryError, OSError, ValueError):
        if sys.stderr.isatty():
            return "\n".join(wrapped(text, stderr().size().columns, indent="  "))
    return text


def warn(message: str) -> None:
    """Write a warning to stderr; nothing depends on whether it is read."""
    write_paragraph(f"orchesjob-flow: {visible(message)}")


def write_view(text: str) -> None:
    """Write to stderr; nothing depends on whether that succeeds."""
    with writing, contextlib.suppress(OSError, ValueError):
        sys.stderr.write(erase_status_line() + text)  # which escapes by itself
        sys.stderr.flush()


def write_view_bytes(data: bytes) -> None:
    """Write bytes to stderr as they are; nothing depends on whether that succeeds."""
    with writing, contextlib.suppress(OSError, ValueError):
        sys.stderr.buffer.write(data)
        sys.stderr.buffer.flush()


STEADY = b"\x1b[0m\x1b[?7h\n"
"""Ends what was being drawn, with its colour, and the line on which Ctrl-C is echoed."""
LAST_WORDS_SEC = 1.0
"""How long the last words wait for a terminal or a pipe that takes nothing."""


def write_last_words(text: str) -> None:
    """Write a line to stderr, after the messages that waited; this process writes nothing after it.

    The handler of a signal calls this, perhaps in the middle of another write: so the streams of
    Python, which can be in any state, are passed by. What cannot be written soon is not written.
    """
    import select

    if not writing.acquire(timeout=LAST_WORDS_SEC):  # never released
        return
    lines = [erase_status_line() + text]
    with contextlib.suppress(OSError):
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


@contextlib.contextmanager
def hold_messages() -> Iterator[LiveDrawing]:
    """Hold messages back while something is drawn on the terminal; write them afterwards.

    Yield what is known of the drawing, so that the latest messages can be drawn too.
    """
    global drawing  # noqa: PLW0603 - as there is one stderr
    drawing = now = LiveDrawing()
    try:
        yield now
    finally:
        drawing = None
        for message in now.messages:
            write_paragraph(message)


class Terminal(NamedTuple):
    """A stream that may be a terminal, and how text gets there."""

    stream: TextIO
    write: Callable[[str], None]

    @property
    def can_draw(self) -> bool:
        """Whether it is a terminal with a cursor that can be moved."""
        return self.stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"

    @property
    def colour(self) -> bool:
        """Whether to use colours: where that is possible, and the user has not turned them off."""
        return self.can_draw and "NO_COLOR" not in os.environ

    def size(self) -> os.terminal_size:
        """Return its present size; without a terminal, the size that the environment tells."""
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
    """Tell whether results and messages are seen on the same terminal."""
    if not (sys.stdout.isatty() and sys.stderr.isatty()):
        return False
    first, second = (os.fstat(stream.fileno()) for stream in (sys.stdout, sys.stderr))
    return first.st_rdev == second.st_rdev


VARIABLE = "ORCHESJOB_FLOW_FORMAT"
AUTO = "auto"
SPELLINGS = (AUTO, "json", "table", "text")
"""What `--format` and the variable may say; most texts are tables, so both words mean the same."""


class Form(StrEnum):
    """How something is printed."""

    JSON = "json"
    TEXT = "text"


def form_for(spelling: str, *, is_terminal: bool) -> Form:
    """Return the form that a spelling asks for on a stream.

    >>> form_for("auto", is_terminal=False), form_for("table", is_terminal=False)
    (<Form.JSON: 'json'>, <Form.TEXT: 'text'>)
    """
    if spelling == AUTO:
        return Form.TEXT if is_terminal else Form.JSON
    return Form.JSON if spelling == "json" else Form.TEXT


def form_of_result(spelling: str) -> Form:
    """Return the form of what is written to stdout."""
    return form_for(spelling, is_terminal=stdout().stream.isatty())


def default_spelling() -> str:
    """Return what the variable says, however it is spelled."""
    return os.environ.get(VARIABLE) or AUTO


def form_of_errors() -> Form:
    """Return the form of an error; a program that reads stderr finds JSON there, come what may."""
    is_read = stderr().stream.isatty() and default_spelling() != Form.JSON
    return Form.TEXT if is_read else Form.JSON


WORD = re.compile(r"\s*\S+")
NARROWEST = 8
"""No text is broken into lines of fewer columns, however narrow the terminal."""


def wrapped(text: str, columns: int, *, indent: str = "") -> list[str]:
    """Break a visible text between words, or within one that is too long.

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


def print_lines(lines: Iterable[str], *, indent: str = "    ") -> None:
    """Print visible lines; on a terminal those that are too long for it go on in further ones."""
    write_result("".join(f"{line}\n" for line in fitted(lines, indent=indent)))


def fitted(lines: Iterable[str], *, indent: str = "    ") -> Sequence[str]:
    """Return the lines as stdout has room for them; a file has room for all."""
    terminal = stdout()
    if not terminal.stream.isatty():
        return list(lines)
    columns = terminal.size().columns
    return [part for line in lines for part in wrapped(line, columns, indent=indent)]


PATIENCE_SEC = 1.0
"""What takes less time needs no words."""


class StatusLine:
    """The line, which replaces itself.

    What is said within the first moments is shown once these are over, if it is still true then:
    whoever waits may have nothing further to say for long.
    """

    def __init__(self, terminal: Terminal, patience_sec: float) -> None:
        """Begin to wait; the first words come after that time."""
        self._terminal = terminal
        self._quiet_until = time.monotonic() + patience_sec
        self._patience: Timer | None = None
        self._words = self._said = ""
        self._changing = RLock()

    def say(self, words: str) -> None:
        """Show other words, in place of those before."""
        with self._changing:
            self._words = words
        if not self._terminal.can_draw:
            return
        left = self._quiet_until - time.monotonic()
        if left <= 0:
            self._show()
        elif self._patience is None:
            from threading import Timer

            self._patience = Timer(left, self._show)
            self._patience.daemon = True
            with suppress(RuntimeError, MemoryError):  # what is done needs the means more
                self._patience.start()

    def clear(self) -> None:
        """Let nothing remain of it."""
        if self._patience is not None:
            self._patience.cancel()
        with self._changing:
            self._words = ""
            if self._said:
                self._said = ""
                write_status_line("")

    def _show(self) -> None:
        with self._changing:
            if self._words != self._said:
                self._said = self._words
                room = self._terminal.size().columns - 1
                write_status_line(cut(visible(self._words), room))


@contextmanager
def status_line(patience_sec: float = PATIENCE_SEC) -> Iterator[StatusLine]:
    """Say what is waited for within this block."""
    line = StatusLine(stderr(), patience_sec)
    try:
        yield line
    finally:
        line.clear()
