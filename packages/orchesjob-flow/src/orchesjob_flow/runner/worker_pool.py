"""A pool of worker threads that keep nobody waiting. It does not know what their jobs are."""

import threading
from collections.abc import Callable
from queue import SimpleQueue


class WorkerPool:
    """At most `size` threads, which do jobs in the order in which these were submitted.

    Daemon threads, unlike those of `concurrent.futures`: a runner that gives up must not wait for a
    call that hangs.
    """

    def __init__(self, size: int) -> None:
        """Start with no thread at all; see `prepare`."""
        self._size = size
        self._jobs: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._threads = 0

    def prepare(self) -> None:
        """Start the first thread, unless there is one: whatever comes, no job is left undone.

        Raises:
            RuntimeError, MemoryError: No thread can be started.
        """
        if self._threads == 0:
            self._start_thread()

    def submit(self, job: Callable[[], None]) -> None:
        """Have a job done by an idle thread, by a new one, or later. From one thread only.

        Where no more threads can be started, those that there are do all jobs.
        """
        self._jobs.put(job)
        if self._idle.acquire(blocking=False) or self._threads == self._size:
            return
        try:
            self._start_thread()
        except (RuntimeError, MemoryError):
            if self._threads == 0:
                raise

    def _start_thread(self) -> None:
        threading.Thread(target=self._work, daemon=True).start()
        self._threads += 1

    def _work(self) -> None:
        while True:
            self._jobs.get()()
            self._idle.release()
