"""How long to wait before something that may pass is tried again: a call, a locked database.

The first pause is short, each next one twice as long, up to a limit. Not the delay between two
attempts of a step, which a flow file states.
"""

import time
from collections.abc import Callable, Iterator

FIRST_BACKOFF_SEC = 0.1
LONGEST_BACKOFF_SEC = 5.0


def longer(backoff_sec: float) -> float:
    """Return the pause after one that did not help.

    >>> longer(FIRST_BACKOFF_SEC), longer(4.0)
    (0.2, 5.0)
    """
    return min(2 * backoff_sec, LONGEST_BACKOFF_SEC)


def pauses(patience_sec: float, clock: Callable[[], float] = time.monotonic) -> Iterator[float]:
    """Yield the seconds to wait before each new try; end when the patience does.

    The patience counts from this call. The last pause ends with it, so there is one try more.
    """
    return _pauses(clock() + patience_sec, clock)


def _pauses(end: float, clock: Callable[[], float]) -> Iterator[float]:
    backoff = FIRST_BACKOFF_SEC
    while (left := end - clock()) > 0:
        yield min(backoff, left)
        backoff = longer(backoff)
