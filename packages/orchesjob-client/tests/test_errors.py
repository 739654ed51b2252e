"""Errors name the call, what happened, and whether asking again can help."""

import pytest

from orchesjob_client import (
    BadAnswer,
    CallFailed,
    CallRefused,
    CallTimedOut,
    JobNotFound,
    JobNotRunning,
    OrchesjobError,
    OrchesjobMissing,
    ProcessesKeepAppearing,
)

BUILTINS = {
    OrchesjobMissing: FileNotFoundError,
    CallRefused: ValueError,
    CallFailed: RuntimeError,
    CallTimedOut: TimeoutError,
    BadAnswer: ValueError,
    JobNotFound: LookupError,
    JobNotRunning: RuntimeError,
    ProcessesKeepAppearing: TimeoutError,
}
RETRYABLE = {OrchesjobMissing, CallFailed, CallTimedOut, BadAnswer, ProcessesKeepAppearing}


@pytest.mark.parametrize("kind", BUILTINS)
def test_kind(kind: type[OrchesjobError]) -> None:
    """Each error is of the package's base class and of the fitting builtin (rule 5.7)."""
    error = kind("orchesjob start", "first\nlast\n\n")
    assert isinstance(error, OrchesjobError)
    assert isinstance(error, BUILTINS[kind])
    assert error.retryable is (kind in RETRYABLE)
    assert (error.call, error.cause_text) == ("orchesjob start", "last")
    assert str(error).startswith("orchesjob start ")
    assert ": last" in str(error)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("a\nb", "b"),
        ("  b  ", "b"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("one\u2028two", "two"),
        ("bytes\udcff", r"bytes\udcff"),
        ("x" * 500, "x" * 500),
        ("x" * 501, "x" * 500),
        ("\x1b" * 500, r"\x1b" * 124 + r"\x1" + "…"),
    ],
)
def test_one_printable_line(text: str, shown: str) -> None:
    """The cause is the last line, printable, and at most 500 characters."""
    assert CallFailed("orchesjob status", text).cause_text == shown
    assert len(shown) <= 500
