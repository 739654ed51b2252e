"""A runner's two other ports: an inbox in virtual time, and a store that is looked at."""

from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path
from queue import Empty
from random import Random

import attrs

from flow_store import (
    CancelRequest,
    Changes,
    FlowStore,
    GivenUp,
    GroupTaken,
    Queue,
    StoreUnavailable,
)
from orchesjob_flow.clock import Now
from orchesjob_flow.engine.messages import (
    AbortAnswered,
    AttemptId,
    CallUnanswered,
    Event,
    RunningAnswered,
    StartAnswered,
    StatusAnswered,
    SurvivorsSeen,
)
from orchesjob_flow.runner.loop import Stop

from .machine import Machine

TWICE = 0.2


@attrs.define
class MadeCall:
    """A call that a runner has made for a key, and what has become of it."""

    key: str
    asked: float
    at: float | None = None
    """When it began; None while it waits for a place."""
    is_under_way: bool = True
    is_unanswered: bool = False
    is_called_off: bool = False

    @property
    def waited_sec(self) -> float:
        return 0.0 if self.at is None else self.at - self.asked


@attrs.define(eq=False)
class VirtualInbox:
    """The inbox of one runner, in which waiting makes virtual time pass."""

    _machine: Machine
    _before_waiting: Callable[[], None] = lambda: None
    events: deque[Event | Stop] = attrs.Factory(deque)
    is_read: bool = True
    """Its runner lives."""
    awaited: Counter[AttemptId | None] = attrs.Factory(Counter)
    """How many answers the runner still waits for, by attempt."""
    calls: list[MadeCall] = attrs.Factory(list)
    """What the runner has asked of orchesjob."""
    told_of_a_job: bool = False
    """The runner has read an answer of orchesjob about a job."""
    disorder: Random | None = None
    """Says which event comes first when several are there, and which comes twice."""

    def called(self, key: str, asked: float) -> MadeCall:
        self.calls.append(MadeCall(key, asked))
        return self.calls[-1]

    def post(self, event: Event) -> None:
        """Put an event in, perhaps twice: not one that plans the next call, poll or search.

        Two of these would go on side by side; the thread that makes a call answers once.
        """
        self.events.append(event)
        plans_more = isinstance(event, CallUnanswered | RunningAnswered) or (
            isinstance(event, SurvivorsSeen) and event.attempt is None
        )
        twice = self.disorder is not None and self.disorder.random() < TWICE
        if twice and not plans_more:
            self.events.append(event)

    def get(self, timeout: float) -> Event | Stop:
        """Return what comes first, or raise `Empty` when the time is over."""
        self._before_waiting()
        end = self._machine.mono + timeout
        self._machine.pass_time(end, stop=lambda: bool(self.events))
        return self.get_nowait()

    def get_nowait(self) -> Event | Stop:
        if not self.events:
            raise Empty
        if self.disorder is not None and len(self.events) > 1:
            self.events.rotate(self.disorder.randrange(len(self.events)))
        event = self.events.popleft()
        if isinstance(event, StartAnswered | StatusAnswered | AbortAnswered):
            self.told_of_a_job = self.told_of_a_job or event.report is not None
        return event


@attrs.define
class ObservedStore:
    """The real store; every commit is looked at, and can be kept from happening."""

    _store: FlowStore
    _now: Callable[[], Now]
    _is_unavailable: Callable[[], bool]
    _before: Callable[[], None]
    _after: Callable[[Now], None]
    _on_look: Callable[[], None]
    decided: Now | None = None
    """When the decision was taken that waits to be committed."""

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def data_version(self) -> int:
        """Look whether another process has committed, unless that cannot be seen just now."""
        self._refuse_if_unavailable()
        version = self._store.data_version()
        self._on_look()
        return version

    def cancel_request(self, run_key: str) -> CancelRequest | None:
        request = self._store.cancel_request(run_key)
        self._on_look()
        return request

    def queue(self, run_key: str) -> Queue | None:
        queue = self._store.queue(run_key)
        self._on_look()
        return queue

    def apply(self, run_key: str, changes: Changes, *, revision: int) -> int:
        self._before()
        decided = self.decided = self.decided or self._now()
        self._refuse_if_unavailable()
        try:
            revision = self._store.apply(run_key, changes, revision=revision)
        except GroupTaken:
            self.decided = None  # it is taken back
            raise
        self.decided = None
        self._after(decided)
        return revision

    def record_giving_up(self, run_key: str, given_up: GivenUp | None, *, revision: int) -> None:
        """Record that the runner gave up or goes on, unless that cannot be written just now."""
        self._refuse_if_unavailable()
        self._store.record_giving_up(run_key, given_up, revision=revision)

    def _refuse_if_unavailable(self) -> None:
        if self._is_unavailable():
            raise StoreUnavailable(Path("flow.db"), 5, "database is locked", retryable=True)
