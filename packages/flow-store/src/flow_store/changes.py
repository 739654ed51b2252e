"""Changes to a run: what decides whether it may be changed, and what is written of it."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from flow_store.records import (
    Attempt,
    CancelRequest,
    Deadline,
    ForeignText,
    GroupPlace,
    Settlement,
    Step,
)
from flow_store.statuses import FlowStatus, Outcome


class RunGuard(NamedTuple):
    """What decides whether a run may be changed; `id` is its number in the tables."""

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
        """The request to cancel that keeps everything from starting, if one does (5.6, 10.1).

        Once it is recorded how the steps have ended, only those of `finally` are left to start.
        """
        if self.cancel is None or self.finally_after is None:
            return self.cancel
        return None if self.cancel.now_at is None else self.cancel


class RunHeader(NamedTuple):
    """What a runner may change of the run itself."""

    status: FlowStatus
    error: ForeignText | None = None
    finished_at: float | None = None
    deadline: Deadline | None = None
    finally_after: Outcome | None = None


class Joining(NamedTuple):
    """How a run that is recorded, or opened again, joins its group (rule 10.7).

    It waits for its turn there; but with `begins` it begins at once, in the same transaction, or
    nothing is recorded. `passes` are runs that wait and that no process advances: they are before
    nobody. `inside` is the run of whose step that process is a part which asks for this.
    """

    group: str
    begins: RunHeader | None = None
    passes: frozenset[str] = frozenset()
    inside: str | None = None


class Reopening(NamedTuple):
    """How a run that has ended is opened again.

    `definition` replaces the recorded one, with the values of its `params`, and `flow_dir` the
    folder of the flow file; None keeps that. `resets` are the steps to run again: the retries of
    each by position. `added` are new steps: pairs of step id and retries. `settled` are steps
    that have the outcome of a person's decision from now on (rule 12.3). All other steps keep
    their outcome.
    """

    definition: str
    resets: Mapping[int, int]
    added: Sequence[tuple[str, int]] = ()
    flow_dir: str | None = None
    params: Mapping[str, str] | None = None
    settled: Sequence[Settlement] = ()


class Changes:  # noqa: PLW1641 - it grows
    """What one event changes in a run, to be written in one transaction.

    `steps` is keyed by position, `attempts` by position and number. Where the run begins, `passes`
    are the runs that wait for its group and that no process advances (rule 10.7).
    """

    __slots__ = ("attempts", "header", "passes", "steps")

    def __init__(
        self,
        header: RunHeader | None = None,
        steps: dict[int, Step] | None = None,
        attempts: dict[tuple[int, int], Attempt] | None = None,
    ) -> None:
        """Begin with these changes, or with none."""
        self.header = header
        self.steps = {} if steps is None else steps
        self.attempts = {} if attempts is None else attempts
        self.passes: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        """Whether there is anything to write."""
        return self.header is not None or bool(self.steps) or bool(self.attempts)

    def __eq__(self, other: object) -> bool:
        """Whether the same would be written."""
        if not isinstance(other, Changes):
            return NotImplemented
        mine, its = ((one.header, one.steps, one.attempts) for one in (self, other))
        return mine == its

    def __repr__(self) -> str:
        """Name what changes."""
        return f"Changes({self.header!r}, {self.steps!r}, {self.attempts!r})"
