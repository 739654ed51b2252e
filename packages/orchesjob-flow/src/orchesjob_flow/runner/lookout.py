"""What other processes have recorded that concerns a run: a cancel, and its place in its group.

A runner looks a few times a second; while nobody has committed anything, a look is one question to
SQLite. Nothing is decided here.
"""

from collections.abc import Callable, Iterator

from flow_store import FlowStore, Queue, StoreUnavailable
from orchesjob_flow.engine.events import CancelSeen, QueueSeen
from orchesjob_flow.engine.run import RunState
from orchesjob_flow.errors import GaveUp

LOOK_SEC = 0.4
"""How often a runner looks."""


class Lookout:
    """Looks at the store for one runner, and remembers what it has seen."""

    def __init__(self, store: FlowStore, has_runner: Callable[[str], bool]) -> None:
        """Have seen nothing; `has_runner` tells of another run whether a process advances it."""
        self._store = store
        self._has_runner = has_runner
        self._seen_version: int | None = None
        self._is_free = False
        """Nobody held the group of the run that waits for it."""

    def look(self, run: RunState) -> Iterator[CancelSeen | QueueSeen]:
        """Yield what is new since the last look.

        Raises:
            GaveUp: The run waits for its group, and the database is gone.
        """
        if not run.minds_cancels:
            return
        if run.is_waiting:
            self.refuse_another_file(run.run_key)  # no commit is near that would
        try:
            version = self._store.data_version()
            if version == self._seen_version and not (run.is_waiting and self._is_free):
                return
            request = self._store.cancel_request(run.run_key)
            queue = self._store.queue(run.run_key) if run.is_waiting else None
        except StoreUnavailable:
            return  # the next look is soon, and nothing begins without one
        self._seen_version = version
        if request is not None:
            yield CancelSeen(request)
        elif queue is not None:
            yield self._seen_in(queue)

    def _seen_in(self, queue: Queue) -> QueueSeen:
        """Look who of those that wait has a runner, if nobody is under way (rule 10.7).

        That a runner is gone is recorded nowhere; so it is looked for at each look.
        """
        self._is_free = queue.holder is None
        waiting = queue.waiting if self._is_free else ()
        return QueueSeen(queue, frozenset(key for key in waiting if self._has_runner(key)))

    def refuse_another_file(self, run_key: str) -> None:
        """Notice that what is recorded would be read by nobody.

        Raises:
            GaveUp: The database's path names another file than the one that is open, or none.
        """
        if not self._store.is_same_file():
            raise GaveUp(run_key, "the flow database was removed or replaced")
