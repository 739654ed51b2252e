"""Call slots: all runners of a flow home share a few calls of orchesjob at a time (rule 5.11).

A counting semaphore between processes. A slot is a lock on one of a few files. The process of the
call inherits it, so the slot is taken exactly as long as the call lives. A caller that finds no
free slot queues for another lock; the kernel wakes one after the other, and only the first looks
for a slot.

No caller waits forever. A process that is stopped while it is the first in the queue keeps the
others waiting, so while the queue stands still, each caller looks for a slot itself. Calls of a
dead runner may hang, so a caller that finds no free slot for long proceeds without one.
"""

import os
import threading
import time
from contextlib import closing, suppress
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Self

from orchesjob_flow.home.locks import Lock
from orchesjob_flow.home.paths import SlotFiles

SLOT_LOOK_SEC = 0.005
"""Seconds between the looks of the first in the queue, which is one process."""
TURN_SEC = 0.005
"""How long threads of one process wait for each other before they wait in the queue."""
LOOK_BESIDE_SEC = 0.2
"""Seconds between the looks of callers that do not wait because the queue stands still."""
STANDSTILL_SEC = 10.0
"""After this time without a move, the queue stands still."""
LONGEST_WAIT_SEC = 40.0
"""No call of a living runner holds a slot this long, unless its step asks for it."""


class Claim:
    """The right to decide about a waiting call; the first to take it decides."""

    def __init__(self) -> None:
        """Create a claim that is not taken yet."""
        self._taken = threading.Lock()

    def take(self) -> bool:
        """Take the claim; return False if it was already taken."""
        return self._taken.acquire(blocking=False)


class CallSlot:
    """An acquired slot, or the permission to go without one. Leaving the block releases it."""

    def __init__(self, lock: Lock | None) -> None:
        """Use `CallSlots.acquire`."""
        self._lock = lock

    @property
    def descriptors(self) -> tuple[int, ...]:
        """The descriptors that the process of the call must inherit to hold the slot."""
        return () if self._lock is None else (self._lock.fileno(),)

    def release(self) -> None:
        """Close our own descriptor: the slot is free as soon as no call holds it."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def __enter__(self) -> Self:
        """Use the slot."""
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _: BaseException | None, _at: TracebackType | None
    ) -> None:
        """Release it."""
        self.release()


class CallSlots:
    """The slots for one kind of calls. Safe to use from several threads."""

    def __init__(
        self,
        slot_files: SlotFiles,
        *,
        standstill_sec: float = STANDSTILL_SEC,
        longest_wait_sec: float = LONGEST_WAIT_SEC,
    ) -> None:
        """Use these lock files; each is created when it is first needed."""
        self._queue, self._slots = slot_files
        self._standstill_sec = standstill_sec
        self._longest_wait_sec = longest_wait_sec
        self._turn = threading.Lock()
        self._stood_still_at: int | None = None
        """The mark of the queue's last move when the queue was last seen to stand still."""

    def acquire(self) -> CallSlot:
        """Wait for a slot.

        Raises:
            UnsafePlace: A lock cannot be opened, or is not ours alone.
        """
        has_turn = self._turn.acquire(timeout=TURN_SEC)
        try:
            return self._acquire()
        finally:
            if has_turn:
                self._turn.release()

    def _acquire(self) -> CallSlot:
        first = Lock.take(self._queue, wait_sec=0)
        if first is None:
            first = self._wait_in_queue()
        if first is None:
            return self._look(LOOK_BESIDE_SEC)
        with closing(first):
            found = self._look(SLOT_LOOK_SEC)
            with suppress(OSError):  # a full disk must not prevent a call
                os.utime(first.fileno())
            return found

    def _wait_in_queue(self) -> Lock | None:
        """Wait to be the first in the queue; return None if it stands still."""
        handed: SimpleQueue[Lock | None] = SimpleQueue()
        claim = Claim()

        def wait() -> None:
            try:
                first = Lock.queue(self._queue)
            except Exception:  # noqa: BLE001 - in a thread; the search for a slot meets and reports it
                handed.put(None)
                return
            if claim.take():
                handed.put(first)
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
                return handed.get(timeout=self._standstill_sec)
            mark = self._mark()
            if mark == seen:
                self._stood_still_at = mark
                return None if claim.take() else handed.get()
            seen = mark

    def _mark(self) -> int | None:
        """Return a mark that changes whenever the queue moves."""
        try:
            return self._queue.stat().st_mtime_ns
        except OSError:
            return None

    def _look(self, pause_sec: float) -> CallSlot:
        """Look for a free slot until there is one, or the longest wait is over."""
        until = time.monotonic() + self._longest_wait_sec
        while True:
            for path in self._slots:
                lock = Lock.take(path, wait_sec=0)
                if lock is not None:
                    return CallSlot(lock)
            if time.monotonic() >= until:
                return CallSlot(None)
            from random import uniform  # a runner that need not wait does without it

            time.sleep(pause_sec * uniform(0.5, 1.0))  # noqa: S311 - out of step, no secret
