"""Looking at one run again and again, at next to no cost while nothing happens (rule 6.6)."""

from contextlib import ExitStack
from typing import Self

from flow_store import Attempt, FlowStore, Run, RunToken
from orchesjob_flow.home.runs import RunHandle, Snapshot


class Observer:
    """Looks at a run through one connection, and reads it anew only when it has changed.

    Writes nothing. Used from the thread that looks first.
    """

    def __init__(self, handle: RunHandle) -> None:
        """Open nothing yet."""
        self._handle = handle
        self._store: FlowStore | None = None
        self._version: int | None = None
        self._token: RunToken | None = None
        self._run: Run | None = None
        self._attempts: tuple[Attempt, ...] | None = None

    def snapshot(self) -> Snapshot:
        """Return the run as it is now and who advances it; while it is unchanged, the same run.

        Raises:
            BadRunKey, RunNotFound, HomeMissing: As `RunHandle.snapshot`.
        """
        with ExitStack() as unless_seen:
            unless_seen.callback(self.close)  # the next look begins anew
            run = self._look(self._connected())
            unless_seen.pop_all()
        return Snapshot(run, self._handle.holder())

    def attempts(self) -> tuple[Attempt, ...]:
        """Return all attempts of the run, as they were at the last look or are since."""
        if self._attempts is None:
            self._attempts = self._connected().attempts(self._handle.run_key)
        return self._attempts

    def _connected(self) -> FlowStore:
        store = self._store
        if store is not None and store.sees_changes and store.is_same_file():
            return store
        self.close()
        self._store = self._handle.open_readonly()
        return self._store

    def _look(self, store: FlowStore) -> Run:
        version = store.data_version()
        if self._run is None or version != self._version:
            token = store.token_of(self._handle.run_key)
            if self._run is None or token != self._token:
                self._run, self._attempts = self._handle.load(store), None
            self._version, self._token = version, token
        return self._run

    def close(self) -> None:
        """Close the connection; the next look opens another one."""
        if self._store is not None:
            self._store.close()
        self._store = self._run = self._attempts = None

    def __enter__(self) -> Self:
        """Return the observer itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self.close()
