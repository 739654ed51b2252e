"""What a process has run out of is told from the exception (rule 5.7)."""

import errno

import pytest

from orchesjob_flow.errors import NO_MEMORY, NO_THREAD, exhausted_resource


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
    """Any other error is not taken for a lack."""
    assert exhausted_resource(error) is None
