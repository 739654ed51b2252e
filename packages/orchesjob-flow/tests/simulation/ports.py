"""The runner's two other ports: an inbox in virtual time, and a store that is looked at."""

from collections import deque
from collections.abc import Callable
from pathlib import Path
from queue import Empty

from flow_store import Changes, FlowStore, StoreUnavailable
from orchesjob_flow.engine.events import Event
from orchesjob_flow.runner import Stop

from .machine import Machine


class VirtualInbox:
    """An inbox in which waiting makes virtual time pass; it does not wait for ever."""

    def __init__(self, machine: Machine, before_waiting: Callable[[], None]) -> None:
        self.events: deque[Event | Stop] = deque()
        self.deadline = 0.0
        self._machine = machine
        self._before_waiting = before_waiting

    def get(self, timeout: float) -> Event | Stop:
        """Return what comes first, or raise `Empty` when the time is over."""
        self._before_waiting()
        assert self._machine.mono < self.deadline, "the run hangs"
        end = self._machine.mono + timeout
        self._machine.pass_time(end, stop=lambda: bool(self.events))
        return self.get_nowait()

    def get_nowait(self) -> Event | Stop:
        """Return what is there, or raise `Empty`."""
        if not self.events:
            raise Empty
        return self.events.popleft()


class ObservedStore:
    """The real store; every commit is looked at, and can be kept from happening."""

    def __init__(
        self,
        store: FlowStore,
        *,
        is_unavailable: Callable[[], bool],
        before: Callable[[], None],
        after: Callable[[], None],
    ) -> None:
        self._store = store
        self._is_unavailable = is_unavailable
        self._before = before
        self._after = after
        self.cancel_request = store.cancel_request
        self.is_same_file = store.is_same_file
        self.checkpoint = store.checkpoint

    def data_version(self) -> int:
        """Look whether another process has committed, unless that cannot be seen just now."""
        self._refuse_if_unavailable()
        return self._store.data_version()

    def apply(self, run_key: str, changes: Changes, *, revision: int) -> int:
        """Commit, unless the database cannot be written just now."""
        self._before()
        self._refuse_if_unavailable()
        revision = self._store.apply(run_key, changes, revision=revision)
        self._after()
        return revision

    def _refuse_if_unavailable(self) -> None:
        if self._is_unavailable():
            raise StoreUnavailable(Path("flow.db"), 5, "database is locked", retryable=True)
