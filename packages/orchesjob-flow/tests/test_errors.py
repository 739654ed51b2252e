"""The sentences of errors, what they are caught as, and what a process has run out of (5.7)."""

import errno
import pickle
from pathlib import Path

import pytest

from orchesjob_flow import errors
from orchesjob_flow.errors import NO_MEMORY, NO_THREAD, exhausted_resource

# The sentences of the errors, and what they are caught as.

DATABASE = Path("/h/f.db")

ERRORS = [
    (errors.BadRunKey("", "is empty"), ValueError, "the run key is empty"),
    (errors.RunNotFound("k", DATABASE), LookupError, "no run 'k' in /h/f.db"),
    (
        errors.DefinitionDiffers("k", ["a: command", "b is new"]),
        ValueError,
        "started with another definition: a: command; b is new; use a new run key",
    ),
    (errors.GaveUp("k", "no answer"), TimeoutError, "gave up on run 'k': no answer"),
    (errors.RunnerBusy("k", 7), RuntimeError, "is being advanced by process 7"),
    (errors.RunnerBusy("k", None), RuntimeError, "is being advanced by another process"),
    (errors.CallsInFlight("k", 60.0), TimeoutError, "60 s; end that process, or"),
    (errors.CallsInFlight("k", 1.0, [7, 8]), TimeoutError, "end that process (7, 8), or"),
    (errors.NotResumed({"k": "no"}), RuntimeError, "run 'k' still has no runner: no"),
    (errors.CancelUnfinished("k", "pid 7"), TimeoutError, "is not cancelled yet: pid 7"),
    (
        errors.NotDetached("k", "no", Path("/h/l")),
        ChildProcessError,
        "run 'k' is recorded, but has no background runner: no (/h/l)",
    ),
    (
        errors.NotReady("k", 7, 80.0, "no", Path("/h/l")),
        TimeoutError,
        "process 7 advances it, but orchesjob has not answered within 80 s: no (/h/l)",
    ),
    (errors.UnsafePlace(DATABASE, "is odd"), OSError, "/h/f.db is odd; name another place"),
]


@pytest.mark.parametrize(("error", "builtin", "sentence"), ERRORS)
def test_sentences(error: errors.FlowError, builtin: type[Exception], sentence: str) -> None:
    """Each error says what and where, and can be caught as ours or as a builtin."""
    assert sentence in str(error)
    assert isinstance(error, errors.FlowError)
    assert isinstance(error, builtin)


@pytest.mark.parametrize("error", [error for error, _, _ in ERRORS])
def test_errors_can_be_sent(error: errors.FlowError) -> None:
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301 - our own


def test_an_interruption_is_no_error() -> None:
    assert not issubclass(errors.Interrupted, Exception)
    assert errors.Interrupted(15).signum == 15


# What a process has run out of is told from the exception (rule 5.7).


@pytest.mark.parametrize(
    ("error", "lack"),
    [
        (MemoryError(), NO_MEMORY),
        (SystemError("<built-in x> returned NULL without setting an exception"), NO_MEMORY),
        (SystemError("error return without exception set"), NO_MEMORY),
        (ImportError("x.so: failed to map segment from shared object"), NO_MEMORY),
        (ImportError("x.so: cannot allocate memory in static TLS block"), NO_MEMORY),
        (RuntimeError("can't start new thread"), NO_THREAD),
    ],
)
def test_lack(error: Exception, lack: str) -> None:
    """Each way in which the interpreter says that something is lacking is understood."""
    assert exhausted_resource(error) == lack


@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN])
def test_lack_of_the_system(code: int) -> None:
    """What the system lacks is named in its words, with what helps."""
    lack = exhausted_resource(OSError(code, "x"))
    assert lack is not None
    assert "limit" in lack or "end other processes" in lack


@pytest.mark.parametrize(
    "error",
    [SystemError("unknown opcode"), RuntimeError("x"), ImportError("no module x"), OSError("x")],
)
def test_other_errors(error: Exception) -> None:
    assert exhausted_resource(error) is None
