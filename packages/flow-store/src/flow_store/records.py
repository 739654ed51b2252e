"""The records of a run, of its steps and of their attempts, and a set of changes to them.

Plain values only: nothing here knows a database, a clock or a rule of what follows what. They are
tuples with names, because making them costs a process that only looks at a run next to nothing; to
change a field, `_replace` it.
Times named `_at` are Unix timestamps of the wall clock; those named `_mono` are seconds of the
monotonic clock of the boot named beside them (rule 5.10).
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple


class FlowStatus(StrEnum):
    """How a run stands (rule 5.1)."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def is_terminal(self) -> bool:
        """Whether the run has ended."""
        return self not in (FlowStatus.PENDING, FlowStatus.RUNNING)


class StepStatus(StrEnum):
    """How a step stands (rule 5.2)."""

    PENDING = "PENDING"
    DELAYED = "DELAYED"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"
    CANCELLED = "CANCELLED"

    @property
    def is_terminal(self) -> bool:
        """Whether the step has ended."""
        return self not in (StepStatus.PENDING, StepStatus.DELAYED, StepStatus.RUNNING)


class AttemptStatus(StrEnum):
    """How one attempt at a step stands.

    NEVER_RAN is a start that was never carried out: it used up a number but no retry (rule 4.2).
    SKIPPED is one that ended by itself and thereby skipped its step (rule 9.12).
    """

    STARTING = "STARTING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"
    CANCELLED = "CANCELLED"
    NEVER_RAN = "NEVER_RAN"

    @property
    def is_open(self) -> bool:
        """Whether the attempt may still be under way."""
        return self in (AttemptStatus.STARTING, AttemptStatus.RUNNING)


class CancelRequest(NamedTuple):
    """That a run is to be cancelled, and how long its jobs may take to end by themselves."""

    requested_at: float
    grace_sec: float | None


class Deadline(NamedTuple):
    """When a run is to have ended, on both clocks."""

    at: float
    mono: float
    boot: str


class Attempt(NamedTuple):
    """One attempt at a step, recorded before its job is started.

    `position` is that of the step; `number` counts from 1. `job` is the last JSON object that
    orchesjob reported, as opaque text, and `job_id` names it unless the job is somebody else's.
    `abort_reason` is set once an abort was decided.
    """

    position: int
    number: int
    status: AttemptStatus
    started_at: float
    running_mono: float | None
    boot_id: str
    job_id: str | None = None
    job: str | None = None
    abort_reason: str | None = None
    finished_at: float | None = None
    error: str | None = None


class Step(NamedTuple):
    """One step of a run. `failures` counts the attempts that used up a retry."""

    position: int
    step_id: str
    status: StepStatus
    attempt_no: int
    failures: int
    max_retries: int
    next_attempt_at: float | None = None
    next_attempt_mono: float | None = None
    next_attempt_boot: str | None = None
    started_at: float | None = None
    finished_at: float | None = None
    error: str | None = None


class PastAttempt(NamedTuple):
    """An attempt in the history of a run: how it stands, without what orchesjob said of it.

    `is_foreign` means that this was about somebody else's job: `job` is recorded, `job_id` is not.
    """

    position: int
    number: int
    status: AttemptStatus
    started_at: float
    finished_at: float | None
    error: str | None
    is_foreign: bool = False


class Run(NamedTuple):
    """A whole run as it stood at one moment.

    `definition` is opaque text. `steps` are in order of position; `attempts` holds the latest
    attempt of each step that has one, by position, and `history` all attempts of all steps, by
    position and number. `revision` counts the applied changes.
    """

    run_key: str
    flow_id: str
    definition: str
    directory: str
    status: FlowStatus
    error: str | None
    started_at: float
    finished_at: float | None
    deadline: Deadline | None
    revision: int
    cancel: CancelRequest | None
    steps: tuple[Step, ...]
    attempts: Mapping[int, Attempt]
    history: tuple[PastAttempt, ...] = ()


class RunSummary(NamedTuple):
    """A run in a list of runs. `steps` counts the steps by status, where there is any."""

    run_key: str
    flow_id: str
    status: FlowStatus
    error: str | None
    started_at: float
    finished_at: float | None
    cancel: CancelRequest | None
    steps: Mapping[StepStatus, int]

    @property
    def total(self) -> int:
        """How many steps the run has."""
        return sum(self.steps.values())

    @property
    def done(self) -> int:
        """How many of them have ended."""
        return sum(count for status, count in self.steps.items() if status.is_terminal)


class RunHeader(NamedTuple):
    """What a runner may change of the run itself."""

    status: FlowStatus
    error: str | None = None
    finished_at: float | None = None
    deadline: Deadline | None = None


class Reopening(NamedTuple):
    """What becomes of a run that has ended and is to go on.

    `definition` replaces the recorded one. `resets` are the steps that wait again, by position,
    each with its retries; `added` are further steps, pairs of step id and retries. All other steps
    keep their outcome.
    """

    definition: str
    resets: Mapping[int, int]
    added: Sequence[tuple[str, int]] = ()


class Changes:  # noqa: PLW1641 - it grows
    """What one event changes of a run, to be written in one transaction.

    `steps` is keyed by position, `attempts` by position and number.
    """

    __slots__ = ("attempts", "header", "steps")

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
