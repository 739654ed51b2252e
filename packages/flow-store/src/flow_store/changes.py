"""Changes to a run: which facts decide whether it may change, and what is written."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from flow_store.records import (
    Attempt,
    CancelRequest,
    Deadline,
    FlowStatus,
    ForeignText,
    GroupPlace,
    Outcome,
    Settlement,
    Step,
)


class RunGuard(NamedTuple):
    """The facts that decide whether a run may change; `id` is its number in the tables."""

    id: int
    revision: int
    status: FlowStatus
    cancel: CancelRequest | None
    finally_after: Outcome | None
    group: GroupPlace | None

    @property
    def is_waiting(self) -> bool:
        """Whether the run waits for its group (rule 10.7)."""
        return self.status is FlowStatus.PENDING and self.group is not None

    @property
    def forbids_starts(self) -> CancelRequest | None:
        """The request to cancel that forbids every start, or None (rules 5.6 and 10.1).

        Once `finally_after` is recorded, only steps of `finally` are left to start. Only a request
        that covers them forbids that.
        """
        if self.cancel is None or self.finally_after is None:
            return self.cancel
        return None if self.cancel.now_at is None else self.cancel


class RunHeader(NamedTuple):
    """The facts of the run itself that a runner may change."""

    status: FlowStatus
    error: ForeignText | None = None
    finished_at: float | None = None
    deadline: Deadline | None = None
    finally_after: Outcome | None = None


class Joining(NamedTuple):
    """How a new or reopened run joins its concurrency group (rule 10.7).

    Without `begins`, it waits for its turn. With `begins`, it begins in the same transaction, or
    nothing is recorded. `passes` are waiting runs that no process advances: it may begin before
    them. `inside` is the run whose step the calling process belongs to, if there is one.
    """

    group: str
    begins: RunHeader | None = None
    passes: frozenset[str] = frozenset()
    inside: str | None = None


class Reopening(NamedTuple):
    """How a run that has ended is opened again.

    `definition` and `params` replace the recorded ones. So does `flow_dir`, unless it is None.
    `resets` are the steps to run again: the retries of each, by position. `added` are new steps:
    pairs of step id and retries. `settled` are decisions of a person on steps (rule 12.3). All
    other steps keep their outcome.
    """

    definition: str
    resets: Mapping[int, int]
    added: Sequence[tuple[str, int]] = ()
    flow_dir: str | None = None
    params: Mapping[str, str] | None = None
    settled: Sequence[Settlement] = ()


class Changes:  # noqa: PLW1641 - it grows
    """The changes that one event makes to a run, to be written in one transaction.

    `steps` is keyed by position, `attempts` by position and number. If the run begins, `passes`
    are the runs that wait for its group and that no process advances (rule 10.7).
    """

    __slots__ = ("attempts", "header", "passes", "steps")

    def __init__(
        self,
        header: RunHeader | None = None,
        steps: dict[int, Step] | None = None,
        attempts: dict[tuple[int, int], Attempt] | None = None,
    ) -> None:
        """Start with these changes, or with none."""
        self.header = header
        self.steps = {} if steps is None else steps
        self.attempts = {} if attempts is None else attempts
        self.passes: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        """Whether there is anything to write."""
        return self.header is not None or bool(self.steps) or bool(self.attempts)

    def __eq__(self, other: object) -> bool:
        """Whether both write the same."""
        if not isinstance(other, Changes):
            return NotImplemented
        mine, its = ((one.header, one.steps, one.attempts) for one in (self, other))
        return mine == its

    def __repr__(self) -> str:
        """Return the changes, as an expression."""
        return f"Changes({self.header!r}, {self.steps!r}, {self.attempts!r})"
