"""Leaving the database to other processes between many transactions (rule 9.10).

Who finds SQLite's lock taken asks again after 1 ms, then less and less often, and never more than
100 ms later. Beside a process that takes the lock again at once it would hardly ever find it free.
So that process rests for as long as the longest of these pauses of whoever has come meanwhile: then
everybody finds the lock free once.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

TURN_SEC = 0.08
"""For how long the lock is taken again at once before there is a rest."""

_RESTS_SEC = ((0.128, 0.03), (0.228, 0.055))
_LONGEST_SEC = 0.11
"""Who has waited for less than so long asks again within 25 ms, within 50 ms, within 100 ms."""


class Rests:
    """Counts how long the lock was held, and rests when it is the turn of others."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """Begin with a lock that nobody has had to wait for."""
        self._clock = clock
        self._sleep = sleep
        self._held_sec = 0.0

    @contextmanager
    def turn(self, tidy_up: Callable[[], object] = int) -> Iterator[None]:
        """Hold the lock during the block, or again and again; rest after it if that is due.

        Before a rest, `tidy_up` is called, which may hold the lock too.
        """
        began = self._clock()
        yield
        if self._held_sec + self._clock() - began < TURN_SEC:
            self._held_sec += self._clock() - began
            return
        tidy_up()
        self._sleep(rest_after(self._held_sec + self._clock() - began))
        self._held_sec = 0.0


def rest_after(held_sec: float) -> float:
    """Return for how long to rest when the lock was held for so long."""
    enough = (rest_sec for limit_sec, rest_sec in _RESTS_SEC if held_sec < limit_sec)
    return next(enough, _LONGEST_SEC)
