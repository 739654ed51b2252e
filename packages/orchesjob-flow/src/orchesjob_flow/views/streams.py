"""stdout, which carries results and nothing else, and stderr, which carries messages (rule 6.10).

What a result or a message says is decided elsewhere. Here is how it is written, and what happens
if that fails.
"""

import contextlib
import os
import sys
from collections.abc import Iterator

from orchesjob_flow.errors import ResultLost
from orchesjob_flow.views.text import visible


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


held: list[str] | None = None
"""The messages that wait until nothing is drawn on the terminal any more."""


def write_message(text: str) -> None:
    """Write a line to stderr; if that fails, there is nowhere to report it."""
    if held is None:
        write_view(f"{text}\n")
    else:
        held.append(text)


def warn(message: str) -> None:
    """Write a warning to stderr; nothing depends on whether it is read."""
    write_message(f"orchesjob-flow: {visible(message)}")


def write_view(text: str) -> None:
    """Write to stderr; nothing depends on whether that succeeds."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(text)  # which escapes by itself
        sys.stderr.flush()


def write_view_bytes(data: bytes) -> None:
    """Write bytes to stderr as they are; nothing depends on whether that succeeds."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.buffer.write(data)
        sys.stderr.buffer.flush()


@contextlib.contextmanager
def hold_messages() -> Iterator[list[str]]:
    """Hold messages back while something is drawn on the terminal; write them afterwards.

    Yield the list of those that are held, so that the latest can be drawn too.
    """
    global held  # noqa: PLW0603 - as there is one stderr
    messages: list[str] = []
    held = messages
    try:
        yield messages
    finally:
        held = None
        for message in messages:
            write_message(message)
