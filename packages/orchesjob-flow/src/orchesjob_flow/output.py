"""stdout, which carries results and nothing else, and stderr, which carries messages (rule 6.10).

What a result or a message says is decided elsewhere; here lies what becomes of one that nobody can
read.
"""

import contextlib
import os
import sys
from collections.abc import Iterator

from orchesjob_flow.errors import FlowError


class ResultLost(FlowError, OSError):
    """A result could not be written; what it is about has happened all the same."""

    def __init__(self, cause: str) -> None:
        """Keep what the system said."""
        Exception.__init__(self, cause)
        self.cause = cause

    def __str__(self) -> str:
        """Say what is lost and what is not."""
        return (
            f"what was asked for was done, but could not be written to stdout: {self.cause}; send "
            "it elsewhere (`status` prints a run again)"
        )


def reopen_standard_streams() -> None:
    """Take up the descriptors 0 to 2 that the caller has closed, lest a lock or database get one.

    stdout cannot be written then, so that nobody takes a lost result for a good one.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDONLY if name == "stdout" else os.O_RDWR)
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))


def write_result(text: str) -> None:
    """Write a result, or a part of one; what the encoding cannot say is escaped.

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
    """Tell a result that cannot be written from one that nobody reads any more."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise ResultLost(error.strerror or str(error)) from error


held: list[str] | None = None
"""The messages that wait until nothing is drawn on the terminal any more."""


def write_message(text: str) -> None:
    """Write a line to stderr; if that is closed or full, there is nobody to tell."""
    if held is None:
        write_view(f"{text}\n")
    else:
        held.append(text)


def write_view(text: str) -> None:
    """Write to stderr what nothing depends on."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(text)  # which escapes by itself
        sys.stderr.flush()


def write_view_bytes(data: bytes) -> None:
    """Write to stderr what nothing depends on, as it is."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.buffer.write(data)
        sys.stderr.buffer.flush()


@contextlib.contextmanager
def hold_messages() -> Iterator[list[str]]:
    """Keep messages off a terminal on which something is drawn; they are written afterwards.

    Yield those that there are, of which the picture can show the latest.
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
