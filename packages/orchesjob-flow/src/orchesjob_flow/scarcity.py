"""What a process can run out of: memory, threads, processes, descriptors (rule 5.7).

It is no mistake in the program, and it passes: so it gets a sentence that names it. Who waits for
its end, and how long, is decided elsewhere.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from orchesjob_flow.errors import Scarcity

NO_MEMORY = "there is not enough memory; free some, or raise the limit (`ulimit -v`)"
NO_THREAD = (
    "no more threads are allowed, or there is no memory for them; end other processes of this "
    "user, or raise its limits (`ulimit -u`, `ulimit -v`)"
)
NO_EXCEPTION = ("without setting an exception", "without exception set")
"""How the interpreter reports that it had no memory even for an exception."""
REMEDIES = {
    errno.EMFILE: "raise the limit of this process (`ulimit -n`)",
    errno.ENFILE: "this machine has no more; end other processes",
    errno.ENOMEM: "free some memory, or raise the limit (`ulimit -v`)",
    errno.EAGAIN: "end other processes of this user, or raise its limit (`ulimit -u`)",
}


def lack_of(error: BaseException) -> str | None:
    """Say what is lacking, if that is why something has failed; else return None."""
    text = str(error)
    match error:
        case MemoryError():
            return NO_MEMORY
        case SystemError() if any(words in text for words in NO_EXCEPTION):
            return NO_MEMORY
        case RuntimeError() if "start new thread" in text:
            return NO_THREAD
        case ImportError() if "map segment" in text or "allocate memory" in text:
            return NO_MEMORY
        case OSError(errno=int(code)) if code in REMEDIES:
            return f"{os.strerror(code)}; {REMEDIES[code]}"
    return None


@contextmanager
def scarcity_named(what: str) -> Iterator[None]:
    """Name what could not be done, if something was lacking for it.

    Raises:
        Scarcity: It was.
    """
    try:
        yield
    except (OSError, MemoryError, RuntimeError) as error:
        lack = lack_of(error)
        if lack is None:
            raise
        raise Scarcity(what, lack) from error
