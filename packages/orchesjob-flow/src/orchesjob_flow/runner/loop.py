"""The loop of a run: events from the inbox, one commit, then the effects (the shell of `engine`).

A few times a second the loop polls for what other processes have recorded: a cancel, and the run's
place in its group. While nothing was committed, that is a single query to SQLite. A runner that
gives up records it, so that other commands can show it (rule 5.7).
"""

import heapq
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from types import UnionType
from typing import NamedTuple

from flow_store import (
    CancelRequested,
    Changes,
    FlowStore,
    GivenUp,
    GroupTaken,
    Queue,
    Run,
    RunStatus,
    RunTakenOver,
    StoreError,
    StoreUnavailable,
    TerminalStatus,
)
from orchesjob_client import OrchesjobError, pauses
from orchesjob_flow.clock import Now
from orchesjob_flow.engine import messages, update
from orchesjob_flow.engine.state import Decision, RunState
from orchesjob_flow.errors import (
    FlowError,
    GaveUp,
    Interrupted,
    ResourceExhausted,
    exhausted_resource,
)

LOOK_SEC = 0.4
"""Seconds after which a poll follows, even if nothing happens."""
BETWEEN_LOOKS_SEC = 0.05
"""Seconds between two polls at least, however much happens."""
COMMITS_BETWEEN_CHECKPOINTS = 500  # some 15 KB each in the write-ahead log


@contextmanager
def giving_up_recorded(
    store: FlowStore,
    run_key: str,
    *,
    revision: Callable[[], int],
    wall: Callable[[], float],
    warn: Callable[[str], None],
) -> Iterator[None]:
    """Record with the run why its runner ends, if an error ends it.

    A signal is not an error. If the database itself fails, `warn` reports that nothing was
    recorded. A runner that was overtaken records nothing.
    """
    try:
        yield
    except Exception as error:  # raised again: any error that ends the runner is recorded
        given_up = GivenUp(wall(), cause_of(error))
        try:
            store.record_giving_up(run_key, given_up, revision=revision())
        except (RunTakenOver, TerminalStatus):
            pass
        except StoreError as failure:
            warn(f"could not record with run {run_key!r} that its runner gave up: {failure}")
        raise


def cause_of(error: Exception) -> str:
    """Return why a runner ends, without the words about the run itself."""
    if isinstance(error, GaveUp):
        return error.cause
    if isinstance(error, FlowError | StoreError | OrchesjobError):
        return str(error)
    if (lack := exhausted_resource(error)) is not None:
        return str(ResourceExhausted("cannot go on", lack))
    return str(error) if isinstance(error, OSError) else f"internal error: {error!r}"


DATABASE_LOST = (
    "restore it together with its -wal and -shm files, or repeat the same `start`: it finds the "
    "outcomes of strict steps in orchesjob, and runs steps with `strict: false` again; cancel "
    "requests, what `settle` decided, and the places of runs in their groups are lost"
)
"""What to do without the database, and what only the database knew (rule 4.7)."""


class RequestPoller:
    """Polls the store for requests to one runner, and remembers what it has seen."""

    def __init__(
        self, store: FlowStore, has_runner: Callable[[str], bool], end: Callable[[str], bool]
    ) -> None:
        """Start unpolled; `has_runner` and `end` are those of `Runner`."""
        self._store = store
        self._has_runner = has_runner
        self._end = end
        self._seen_version: int | None = None
        self._is_free = False
        """Whether no run held the group at the last poll."""
        self._replaced: set[str] = set()
        """The runs that were seen ahead of a run that replaces them, ended ones too."""

    def look(self, run: RunState) -> Iterator[messages.CancelSeen | messages.QueueSeen]:
        """Yield the requests that are new since the last poll.

        Raises:
            GaveUp: The run waits for its group, and the database is gone.
        """
        if not run.awaits_cancel:
            return
        if run.is_waiting:
            self.refuse_another_file(run.run_key)  # no commit will check this soon
        try:
            version = self._store.data_version()
            needs_look = run.is_waiting and (self._is_free or run.replaces)
            if version == self._seen_version and not needs_look:
                return
            request = self._store.cancel_request(run.run_key)
            queue = self._store.queue(run.run_key) if run.is_waiting else None
            ends = self._to_end(queue) if queue is not None and run.replaces else frozenset()
        except StoreUnavailable:
            return  # the next poll is soon, and nothing begins without it
        self._seen_version = version
        if request is not None:
            yield messages.CancelSeen(request)
        elif queue is not None:
            yield self._seen_in(queue, ends)

    def _to_end(self, queue: Queue) -> frozenset[str]:
        """Return the runs ahead, and those inside them, that are to be cancelled (rule 5.8a).

        A run inside may have lost its runner when the run around it was ended.
        """
        ahead = [key for key in (queue.holder, *queue.waiting) if key is not None]
        self._replaced.update(ahead)
        inside = (one for key in self._replaced for one in self._store.unfinished_inside(key))
        known = (*ahead, *inside)
        return frozenset(key for key in known if self._store.cancel_request(key) is not None)

    def _seen_in(self, queue: Queue, ends: frozenset[str]) -> messages.QueueSeen:
        """Look which waiting runs have a runner, if no run holds the group (rule 10.7).

        The end of a runner is recorded nowhere, so this is checked at each poll. A run in `ends`
        that has no runner gets one, and its end is awaited.
        """
        self._is_free = queue.holder is None
        ended = frozenset(key for key in ends if not self._has_runner(key) and self._end(key))
        waiting = {*queue.waiting, *ends} if self._is_free else ()
        with_runner = frozenset(key for key in waiting if key in ended or self._has_runner(key))
        return messages.QueueSeen(queue, with_runner, holder_is_to_end=queue.holder in ends)

    def refuse_another_file(self, run_key: str) -> None:
        """Refuse to continue if other commands would not see what is recorded.

        Raises:
            GaveUp: The database's path names another file than the one that is open, or none.
        """
        if not self._store.is_same_file():
            raise GaveUp(run_key, "the flow database was removed or replaced", DATABASE_LOST)


ANSWERS: UnionType = messages.Answer.__value__  # `isinstance` does not accept the name of a type


class Stop(NamedTuple):
    """A signal asks the runner to end: it commits what it knows, and begins nothing."""

    signum: int


type Inbox = SimpleQueue[messages.Event | Stop]


class Runner:
    """Drives one run, in one thread, until it ends or something asks it to stop.

    Attributes:
        run: The run, as the engine knows it.
        is_ready: Whether orchesjob has reported a job of the run, or nothing is asked of it.
    """

    def __init__(  # noqa: PLR0913 - its ports
        self,
        run: RunState,
        store: FlowStore,
        recorded: Run,
        inbox: Inbox,
        *,
        now: Callable[[], Now],
        perform: Callable[[messages.Effect], None],
        warn: Callable[[str], None],
        has_runner: Callable[[str], bool],
        end: Callable[[str], bool],
    ) -> None:
        """Prepare to drive `run`, which is `recorded` in `store` as it was loaded.

        `has_runner` tells whether a process advances another run. `end` gives a runner to a run
        that is to be cancelled and has none; it returns False if that has just failed.
        """
        self.run = run
        self.is_ready = False
        self._store = store
        self._unbegun = recorded if recorded.queue is not None else None
        self._revision = recorded.revision
        self._given_up_before = recorded.gave_up is not None
        self._has_failed = False
        self._inbox = inbox
        self._now = now
        self._perform = perform
        self._warn = warn
        self._requests = RequestPoller(store, has_runner, end)
        self._looks_at = 0.0
        self._timers: list[tuple[float, int, messages.TimerDue]] = []
        self._timers_set = 0
        self._unanswered = 0
        self._held: list[messages.Event | Stop] = [messages.RunnerStarted()]
        self._commits = 0

    def drive(self, *, until: float | None = None) -> RunStatus:
        """Advance the run until it is terminal, or until the monotonic clock reaches `until`.

        Raises:
            GaveUp: The patience is over, or the database is gone (rule 5.7).
            Interrupted: A `Stop` came in.
            StoreError: The database is broken, or somebody else drives the run.
        """
        while not self.run.status.is_terminal:
            self.run_once(until)
            if until is not None and self._now().mono >= until:
                break
        return self.run.status

    def drive_until_ready(self) -> None:
        """Advance the run until the runner is ready or the run ends."""
        while not self.run.status.is_terminal and not self.is_ready:
            self.run_once()

    def drain(self) -> RunStatus:
        """Advance the run until every effect is answered and nothing else can be done now."""
        while not self.run.status.is_terminal and (self._held or self._unanswered):
            self.run_once()
        return self.run.status

    def run_once(self, until: float | None = None) -> None:
        """Wait for something to happen, decide what it means, commit that, and act on it."""
        with giving_up_recorded(
            self._store,
            self.run.run_key,
            revision=lambda: self._revision,
            wall=lambda: self._now().wall,
            warn=self._warn,
        ):
            self._run_once(until)

    def _run_once(self, until: float | None) -> None:
        events = [*self._arrived(until), *self._due_timers()]
        stop = next((event for event in events if isinstance(event, Stop)), None)
        decision = Decision()
        for event in events:
            if not isinstance(event, Stop):
                self._note(event)
                update(self.run, event, self._now(), decision)
        self._commit(decision)
        self._checkpoint_now_and_then(decision)
        if stop is not None:
            raise Interrupted(stop.signum)
        self._act(decision.effects)
        waits_for_nothing = not self._unanswered and not self._held
        self.is_ready = self.is_ready or (waits_for_nothing and not self._has_failed)
        self._forget_giving_up()

    def _note(self, event: messages.Event) -> None:
        """Note what an event says about orchesjob, independently of the run."""
        self._unanswered -= isinstance(event, ANSWERS)
        match event:
            case messages.StartAnswered() | messages.StatusAnswered() | messages.AbortAnswered():
                self.is_ready = self.is_ready or event.report is not None
            case messages.RunningAnswered():
                self.is_ready = True
            case messages.CallUnanswered():
                self._has_failed = self._has_failed or event.error.retryable

    def _forget_giving_up(self) -> None:
        """Record once that the run continues, if an earlier runner gave up on it (rule 5.7)."""
        if self._given_up_before and self.is_ready and not self.run.status.is_terminal:
            with suppress(StoreUnavailable):  # the next round is soon
                self._store.record_giving_up(self.run.run_key, None, revision=self._revision)
                self._given_up_before = False

    def _arrived(self, until: float | None) -> Iterator[messages.Event | Stop]:
        """Yield the events that have arrived; if there are none, wait briefly for one."""
        held, self._held = self._held, []
        yield from held
        wait_sec = 0.0 if held else self._wait_sec(until)
        try:
            yield self._inbox.get(timeout=wait_sec) if wait_sec > 0 else self._inbox.get_nowait()
            while True:
                yield self._inbox.get_nowait()
        except Empty:
            if (mono := self._now().mono) >= self._looks_at:
                self._looks_at = mono + BETWEEN_LOOKS_SEC
                yield from self._requests.look(self.run)

    def _wait_sec(self, until: float | None) -> float:
        mono = self._now().mono
        ends = [LOOK_SEC]
        if self._timers:
            ends.append(self._timers[0][0] - mono)
        if until is not None:
            ends.append(until - mono)
        return min(ends)

    def _due_timers(self) -> Iterator[messages.TimerDue]:
        mono = self._now().mono
        while self._timers and self._timers[0][0] <= mono:
            yield heapq.heappop(self._timers)[2]

    def _commit(self, decision: Decision) -> None:
        """Record the decision; nothing is done before it is recorded."""
        left = pauses(self.run.limits.patience_sec, lambda: self._now().mono)
        while decision.changes:
            self._requests.refuse_another_file(self.run.run_key)
            try:
                self._revision = self._store.apply(
                    self.run.run_key, decision.changes, revision=self._revision
                )
            except GroupTaken:
                self._take_back(decision)
                continue
            except CancelRequested as seen:
                self._take_back(decision)
                update(self.run, messages.CancelSeen(seen.request), self._now(), decision)
                continue
            except StoreUnavailable as error:
                pause = next(left, None)
                if pause is None or not error.retryable:
                    raise GaveUp(self.run.run_key, str(error)) from error
                self._pause(pause)
                continue
            self._unbegun = None
            return

    def _take_back(self, decision: Decision) -> None:
        """Take back a beginning that could not be committed: the run still waits (rule 10.7)."""
        if self._unbegun is not None:
            self.run = RunState.load(self.run.flow, self._unbegun, self.run.limits)
            decision.changes = Changes()
            decision.effects.clear()

    def _checkpoint_now_and_then(self, decision: Decision) -> None:
        """Keep the database's log from growing with the run."""
        self._commits += bool(decision.changes)
        if self._commits == COMMITS_BETWEEN_CHECKPOINTS:
            self._commits = 0
            self._store.checkpoint()

    def _pause(self, seconds: float) -> None:
        """Wait `seconds`; keep the events that arrive for the next round, and obey a signal."""
        end = self._now().mono + seconds
        while (left := end - self._now().mono) > 0:
            try:
                event = self._inbox.get(timeout=left)
            except Empty:
                return
            if isinstance(event, Stop):
                raise Interrupted(event.signum)
            self._held.append(event)

    def _act(self, effects: list[messages.Effect]) -> None:
        gave_up: messages.GiveUp | None = None
        for effect in effects:
            match effect:
                case messages.SetTimer():
                    self._timers_set += 1
                    heapq.heappush(self._timers, (effect.at, self._timers_set, effect.event))
                case messages.Warn():
                    self._warn(effect.message)
                case messages.GiveUp():
                    gave_up = effect
                case messages.CallOff():
                    self._perform(effect)
                case _:
                    self._unanswered += 1
                    self._perform(effect)
        if gave_up is not None:
            raise GaveUp(self.run.run_key, gave_up.reason)
