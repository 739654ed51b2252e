"""What is recorded of a run whose runner ends because of an error (rule 5.7)."""

import errno
from pathlib import Path

import pytest

from flow_store import StoreUnavailable
from orchesjob_client import CallTimedOut
from orchesjob_flow.errors import (
    NO_MEMORY,
    NO_THREAD,
    REMEDIES,
    GaveUp,
    Interrupted,
    ResourceExhausted,
    UnsafePlace,
)
from orchesjob_flow.home.runs import RunHandle
from orchesjob_flow.runner.loop import giving_up_recorded


def refused(code: int) -> OSError:
    """Return the error of a system call, as Python raises it."""
    return OSError(code, "why", "/srv/flow")


CAUSES = [
    (GaveUp("k", "orchesjob is gone"), "orchesjob is gone"),
    (refused(errno.ENOSPC), "[Errno 28] why: '/srv/flow'"),
    (refused(errno.EDQUOT), "[Errno 122] why: '/srv/flow'"),
    (refused(errno.EROFS), "[Errno 30] why: '/srv/flow'"),
    (refused(errno.EACCES), "[Errno 13] why: '/srv/flow'"),
    (refused(errno.EIO), "[Errno 5] why: '/srv/flow'"),
    (refused(errno.EMFILE), f"cannot go on: Too many open files; {REMEDIES[errno.EMFILE]}"),
    (refused(errno.ENOMEM), f"cannot go on: Cannot allocate memory; {REMEDIES[errno.ENOMEM]}"),
    (MemoryError(), f"cannot go on: {NO_MEMORY}"),
    (RuntimeError("can't start new thread"), f"cannot go on: {NO_THREAD}"),
    (ResourceExhausted("cannot start a process", "why"), "cannot start a process: why"),
    *(
        (error, str(error))
        for error in (
            UnsafePlace(Path("/srv"), "is a link"),
            StoreUnavailable(Path("/srv/f.db"), errno.ENOSPC, "disk full", retryable=True),
            StoreUnavailable(Path("/srv/f.db"), errno.EMFILE, "no descriptors", retryable=True),
            CallTimedOut("orchesjob status", "after 60 s"),
        )
    ),
    (KeyError("step"), "internal error: KeyError('step')"),
    (RuntimeError("why"), "internal error: RuntimeError('why')"),
]


@pytest.mark.parametrize(("error", "words"), CAUSES)
def test_the_cause(handle: RunHandle, error: Exception, words: str) -> None:
    """What the machine lacks is named, and only what nobody expected is an internal error."""
    with handle.open() as store:
        with (
            pytest.raises(type(error)),
            giving_up_recorded(store, "k", revision=lambda: 0, wall=lambda: 7.0, warn=pytest.fail),
        ):
            raise error
        given_up = handle.load(store).gave_up
    assert given_up is not None
    assert (given_up.at, given_up.error) == (7.0, words)


def test_what_is_no_error(handle: RunHandle) -> None:
    """A runner that was ended, or whose run another one has driven on, has not given up."""
    with handle.open() as store:
        for revision, error in ((0, Interrupted(15)), (1, KeyError("step"))):
            with (
                pytest.raises(type(error)),
                giving_up_recorded(
                    store, "k", revision=revision.__int__, wall=lambda: 7.0, warn=pytest.fail
                ),
            ):
                raise error
        assert handle.load(store).gave_up is None
