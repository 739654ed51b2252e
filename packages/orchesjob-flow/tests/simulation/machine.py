"""The simulated machine: two clocks, a boot, and what is due. Knows nothing of jobs or flows."""

import heapq
from collections.abc import Callable
from random import Random

from orchesjob_flow.clock import Now


class Machine:
    """Virtual time. What is due at one moment happens in an order that the seed decides."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)  # noqa: S311 - reproducible on purpose
        self.mono = 100.0
        self.wall = 1_795_600_000.0
        self.boot = 1
        self._due: list[tuple[float, float, int, Callable[[], None]]] = []
        self._planned = 0
        self._pids = 1000

    def now(self) -> Now:
        return Now(self.wall, self.mono, f"boot-{self.boot}")

    def new_pid(self) -> int:
        """Return a process id that has never been used."""
        self._pids += 1
        return self._pids

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        self._planned += 1
        due = (self.mono + seconds, self.random.random(), self._planned, action)
        heapq.heappush(self._due, due)

    def pass_time(self, until: float, *, stop: Callable[[], bool] = lambda: False) -> None:
        """Let time pass, and what is due in it happen, up to a monotonic time or until `stop`."""
        while not stop() and self._due and self._due[0][0] <= until:
            due, _, _, action = heapq.heappop(self._due)
            self._move_to(due)
            action()
        if not stop():
            self._move_to(until)

    def _move_to(self, mono: float) -> None:
        self.wall += max(0.0, mono - self.mono)
        self.mono = max(mono, self.mono)

    def jump_wall_clock(self, seconds: float) -> None:
        """Set the wall clock, as an operator or a time server does."""
        self.wall += seconds

    def restart(self) -> None:
        """Boot again: the monotonic clock begins anew, and nothing that was due happens."""
        self.boot += 1
        self.wall += 60
        self.mono = 3.0
        self._due.clear()
