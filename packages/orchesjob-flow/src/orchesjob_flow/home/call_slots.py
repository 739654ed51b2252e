"""Places for calls of orchesjob: all runners of a flow home make a few at a time (rule 5.11).

A place is a lock on one of a few files, held by the very process of the call: it is taken for as
long as that lives, whoever dies. Whoever finds no place waits in a line, which is a lock too: the
kernel wakes one after the other, and only the first in the line looks for a free place.

Nobody waits for ever for what others hold. A process that was stopped while it was the first in the
line keeps the others waiting: where the line stands still, each looks for itself. Calls may hang
whose runner is dead: whoever has found no free place for long goes without.
"""

import os
import random
import threading
import time
from contextlib import closing, suppress
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Self

from orchesjob_flow.errors import UnsafePlace
from orchesjob_flow.home.locks import Lock, find_foreign
from orchesjob_flow.home.paths import Turns

LOOK_SEC = 0.005
"""How often the first in the line looks; it is one process at a time."""
LOOK_BESIDE_SEC = 0.2
"""How often those look that do not wait for a line that stands still."""
STANDSTILL_SEC = 10.0
"""A line in which nobody has moved for so long stands still."""
LONGEST_WAIT_SEC = 40.0
"""No call holds a place for so long while its runner lives, unless its step asks for it."""


class Ticket:
    """The right to decide what becomes of somebody who waits; it is used once."""

    def __init__(self) -> None:
        """Make a ticket that nobody has used."""
        self._used = threading.Lock()

    def use(self) -> bool:
        """Use the ticket; false if somebody else has."""
        return self._used.acquire(blocking=False)


class Place:
    """A place that was taken, or the permission to go without one; leave the block to free it."""

    def __init__(self, lock: Lock | None) -> None:
        """Use `Places.take`."""
        self._lock = lock

    @property
    def descriptors(self) -> tuple[int, ...]:
        """What the process of the call must inherit to have the place."""
        return () if self._lock is None else (self._lock.fileno(),)

    def leave(self) -> None:
        """Close our own descriptor: the place is free as soon as no call has it."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def __enter__(self) -> Self:
        """Use the place."""
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _: BaseException | None, _at: TracebackType | None
    ) -> None:
        """Leave it."""
        self.leave()


class Places:
    """The places for one kind of calls; several threads may use it at the same time."""

    def __init__(
        self,
        turns: Turns,
        *,
        standstill_sec: float = STANDSTILL_SEC,
        longest_wait_sec: float = LONGEST_WAIT_SEC,
    ) -> None:
        """Use these locks, whose files are made when they are first needed."""
        self._line, self._places = turns
        self._standstill_sec = standstill_sec
        self._longest_wait_sec = longest_wait_sec
        self._stood_still_at: int | None = None
        """The mark of the line's last move when it was last found to stand still."""

    def take(self) -> Place:
        """Wait for a place.

        Raises:
            UnsafePlace: A lock cannot be opened, or is not ours alone.
        """
        first = Lock.take(self._line, wait_sec=0)
        if first is None:
            first = self._wait_in_line()
        if first is None:
            return self._look(LOOK_BESIDE_SEC)
        with closing(first):
            found = self._look(LOOK_SEC)
            with suppress(OSError):  # a full disk must not keep anybody from a call
                os.utime(first.fileno())
            return found

    def _wait_in_line(self) -> Lock | None:
        """Wait to be the first in the line; None if it stands still."""
        turn: SimpleQueue[Lock | None] = SimpleQueue()
        ticket = Ticket()

        def wait() -> None:
            try:
                first = Lock.queue(self._line)
            except Exception:  # noqa: BLE001 - whoever looks for a place meets it too, and tells it
                turn.put(None)
                return
            if ticket.use():
                turn.put(first)
            else:
                first.close()

        seen = self._mark()
        if seen == self._stood_still_at:
            return None
        try:
            threading.Thread(target=wait, daemon=True).start()
        except (RuntimeError, MemoryError):  # no more threads can be started
            return None
        while True:
            with suppress(Empty):
                return turn.get(timeout=self._standstill_sec)
            mark = self._mark()
            if mark == seen:
                self._stood_still_at = mark
                return None if ticket.use() else turn.get()
            seen = mark

    def _mark(self) -> int | None:
        """Return a mark that changes whenever somebody in the line has moved."""
        try:
            return self._line.stat().st_mtime_ns
        except OSError:
            return None

    def _look(self, pause_sec: float) -> Place:
        """Look for a free place, again and again."""
        until = time.monotonic() + self._longest_wait_sec
        while True:
            for path in self._places:
                lock = Lock.take(path, wait_sec=0)
                if lock is not None:
                    return Place(lock)
            if time.monotonic() >= until:
                return Place(None)
            time.sleep(pause_sec * random.uniform(0.5, 1.0))  # noqa: S311 - out of step, no secret


def refuse_foreign(turns: Turns) -> None:
    """Refuse locks that are there and not ours: no call could be made. Creates nothing.

    Raises:
        UnsafePlace: There is such a file.
    """
    for path in (turns.line, *turns.places):
        with suppress(FileNotFoundError):
            problem = find_foreign(path.lstat())
            if problem is not None:
                raise UnsafePlace(path, problem)
