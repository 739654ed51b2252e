"""The records of a run, its steps and their attempts, their statuses, and the changes to a run.

These are plain values: nothing here knows a database, a clock, or what a run may do next. They are
named tuples because reading a run makes many of them; to change a field, use `_replace`.

The columns of the tables follow from the fields (see `sql`). To add a column, add a field, with
the default None where there are defaults, and a migration (see `database`).

Times named `_at` are Unix timestamps of the wall clock. Those named `_mono` are seconds of the
monotonic clock, in the boot that is named beside them (rule 5.10).
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, NamedTuple, Self


def attempt_key(run_key: str, step_id: str, number: int) -> str:
    """Return the key of an attempt, such as `daily:import:1`, under which its job runs (rule 4.2).

    No other function spells it.
    """
    return f"{run_key}:{step_id}:{number}"


class RunStatus(StrEnum):
    """The status of a run (rule 5.1)."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def is_terminal(self) -> bool:
        """Whether the run has ended."""
        return self not in (RunStatus.PENDING, RunStatus.RUNNING)


class StepStatus(StrEnum):
    """The status of a step (rule 5.2)."""

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
    """The status of one attempt at a step.

    NEVER_RAN: the command was never started; the attempt used up a number but no retry (rule 4.2).
    SKIPPED: the command exited with a code that skips the step (rule 9.12), or the gate with 1.
    SUCCEEDED, at the gate: the step may run (rule 10.8).
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
        """Whether the attempt may still be running."""
        return self in (AttemptStatus.STARTING, AttemptStatus.RUNNING)


class Outcome(StrEnum):
    """How the steps of a run ended, as reported to the steps of `finally` (rule 10.1)."""

    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    TIMED_OUT = "TIMED_OUT"


SystemPath = Annotated[str, "stored as the bytes of the path"]
"""A path as `os.fsdecode` returns it: not every path is Unicode text."""

ForeignText = Annotated[str, "stored with its lone surrogates escaped"]
r"""Text from outside. SQLite cannot store a lone surrogate, so it is stored as `\udcXX`.

In JSON, that escape means the same character.
"""

NamedTexts = Annotated[Mapping[str, str], "stored as a JSON object"]
"""Texts by name."""


class CancelRequest(NamedTuple):
    """A request to cancel a run.

    `grace_sec` is how long its jobs may take to end by themselves; None means that the user gave no
    time.
    From `now_at` on, the request covers the steps of `finally` too (rule 10.1). `is_nested` tells
    that it covers several runs, of which one is inside another (rule 5.8a). `successor` is the run
    that made the request in order to replace this one (rule 10.7); None if a person made it.
    """

    requested_at: float
    grace_sec: float | None
    now_at: float | None = None
    is_nested: bool = False
    successor: str | None = None


class Deadline(NamedTuple):
    """When a run must have ended, on both clocks; `boot` is the boot id of the monotonic one."""

    at: float
    mono: float
    boot: str


class GivenUp(NamedTuple):
    """When a runner gave up on a run, and the message of the error that made it (rule 5.7)."""

    at: float
    error: ForeignText


class Hook(NamedTuple):
    """Since when the hook of a run is due, and why it failed; no error while it is to be called."""

    due_at: float
    error: ForeignText | None = None


class Parent(NamedTuple):
    """The attempt at a step of another run that started a run."""

    run_key: str
    step_id: str
    attempt_no: int


class GroupPlace(NamedTuple):
    """A concurrency group, and the place of a run in its queue (rule 10.7).

    One run of a group is RUNNING at a time. A run that joins gets a greater place than every run of
    the group that has not ended.
    """

    name: str
    place: int


class Queue(NamedTuple):
    """The keys of the runs ahead of a run that waits for its group (rule 10.7).

    `holder` is the run that is RUNNING, if there is one. `waiting` are the runs that joined
    earlier, the earliest first.
    """

    holder: str | None
    waiting: tuple[str, ...]


class Attempt(NamedTuple):
    """One attempt at a step, recorded before its job is started.

    `position` is the step's; `number` counts from 1. `job` is the last JSON object that orchesjob
    reported (`reported_job` reads it). `job_id` is that job's id, or None if the job is not this
    run's. `abort_reason` is set when the attempt is to be aborted; `kin` are its processes before
    that, as JSON. `note` says what it does without (rule 10.4). `is_gate` means that the attempt
    runs the step's `only_if`, which decides whether its command runs (rule 10.8). `files` are the
    files that it may write, as they were before it; empty if it failed as it has not written them,
    and None if nothing was, or is to be, compared (rule 10.10).
    """

    position: int
    number: int
    status: AttemptStatus
    started_at: float
    running_mono: float | None
    boot_id: str
    job_id: str | None = None
    job: ForeignText | None = None
    abort_reason: str | None = None
    finished_at: float | None = None
    error: ForeignText | None = None
    note: ForeignText | None = None
    is_gate: bool = False
    kin: str | None = None
    files: str | None = None


class Step(NamedTuple):
    """One step of a run.

    `failures` counts the attempts that used up a retry. `retry_no` is the number of the latest
    `retry` that reset the step, counted from 1 in its run; 0 if none did (rule 9.7). A reset clears
    everything but `attempt_no`, which continues. `ran_with` are the values of parameters with which
    the step ran, as far as its run has had others since.
    """

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
    error: ForeignText | None = None
    retry_no: int = 0
    ran_with: NamedTexts | None = None

    @classmethod
    def waiting(cls, position: int, step_id: str, max_retries: int, retry_no: int = 0) -> Self:
        """Return a step that has had no attempt yet."""
        return cls(position, step_id, StepStatus.PENDING, 0, 0, max_retries, retry_no=retry_no)

    @property
    def has_begun(self) -> bool:
        """Whether the step has had an attempt since a `retry` last reset it, if one did.

        If not, its latest attempt dates from before that `retry`.
        """
        return self.started_at is not None

    def predates(self, other: Self) -> bool:
        """Whether this step kept its outcome when a `retry` reset the other one."""
        return self.retry_no < other.retry_no


class PastAttempt(NamedTuple):
    """An attempt in the history of a run, without orchesjob's report.

    `is_foreign` means that orchesjob reported a job that is not this run's: `job` is recorded,
    `job_id` is not.
    """

    position: int
    number: int
    status: AttemptStatus
    started_at: float
    finished_at: float | None
    error: ForeignText | None
    is_foreign: bool = False
    is_gate: bool = False


class Person(NamedTuple):
    """The user who made a decision, and the user who called `sudo`, if one did.

    `user` is the user id where the user has no name.
    """

    user: ForeignText
    uid: int
    sudo_user: ForeignText | None = None

    def __str__(self) -> str:
        """Return the user's name, or both names if `sudo` was used."""
        return self.user if self.sudo_user is None else f"{self.sudo_user} (as {self.user})"


class Settlement(NamedTuple):
    """A person's decision on a step that had FAILED or was CANCELLED (rule 12.3).

    `status` is the decision; `was` and `error` are what the step had before. It holds until a
    `retry` resets the step: `retry_no` is the step's at the time of the decision.
    """

    position: int
    retry_no: int
    status: StepStatus
    was: StepStatus
    error: ForeignText | None
    by: Person
    at: float
    reason: ForeignText

    def holds_of(self, step: Step) -> bool:
        """Whether no `retry` has reset the step since."""
        return self.retry_no == step.retry_no


class Run(NamedTuple):
    """A whole run as it was at one moment.

    Attributes:
        definition: The flow, as opaque text.
        directory: Where its steps run (rule 4.6).
        flow_dir: The folder of its flow file (rule 10.2).
        orchesjob_home: The real path of the orchesjob home that holds its jobs (rule 4.8).
        revision: How many changes were applied.
        steps: Its steps, in order of position.
        attempts: The latest attempt of each step that has one, by position.
        history: All attempts of all steps, ordered by position and number.
        parent: The attempt that started the run, if a step of another run did (rule 5.8a).
        finally_after: How its steps ended, once `finally` begins; None if it has none (rule 10.1).
        gave_up: Set from when a runner gives up until another one continues the run (rule 5.7).
        group: Its concurrency group, if it has one (rule 10.7).
        queue: The runs ahead of it, while it waits for its group.
        params: The values of the flow's parameters; None if the flow has none.
        settlements: All decisions of people on its steps, the earliest first (rule 12.3).
        utc_offset_sec: How far local time was ahead of UTC when the run was recorded (rule 9.13).
        home_inode: The inode of the folder of its orchesjob home; None while nobody has seen it.
        settled: The decisions that still hold, by position of their steps.
        hook: Set from its end until the hook of the flow home has succeeded (rule 12.5).
    """

    run_key: str
    flow_id: str
    definition: str
    directory: SystemPath
    flow_dir: SystemPath
    orchesjob_home: SystemPath
    status: RunStatus
    error: ForeignText | None
    started_at: float
    finished_at: float | None
    deadline: Deadline | None
    revision: int
    cancel: CancelRequest | None
    steps: tuple[Step, ...]
    attempts: Mapping[int, Attempt]
    history: tuple[PastAttempt, ...] = ()
    parent: Parent | None = None
    finally_after: Outcome | None = None
    gave_up: GivenUp | None = None
    group: GroupPlace | None = None
    queue: Queue | None = None
    params: NamedTexts | None = None
    settlements: tuple[Settlement, ...] = ()
    utc_offset_sec: int = 0
    home_inode: int | None = None
    settled: Mapping[int, Settlement] = MappingProxyType({})
    hook: Hook | None = None


class EndedRun(NamedTuple):
    """A run that may be removed."""

    run_key: str
    flow_id: str
    status: RunStatus
    finished_at: float
    revision: int


class RunSummary(NamedTuple):
    """A run in a list of runs; `steps` counts its steps by status, without statuses of none."""

    run_key: str
    flow_id: str
    status: RunStatus
    error: ForeignText | None
    started_at: float
    finished_at: float | None
    revision: int
    cancel: CancelRequest | None
    parent: Parent | None
    finally_after: Outcome | None
    gave_up: GivenUp | None
    group: GroupPlace | None
    queue: Queue | None
    params: NamedTexts | None
    steps: Mapping[StepStatus, int]
    allowed: int = 0
    """How many of the FAILED steps have `allow_failure`."""

    @property
    def total(self) -> int:
        """How many steps the run has."""
        return sum(self.steps.values())

    @property
    def done(self) -> int:
        """How many of them have ended."""
        return sum(count for status, count in self.steps.items() if status.is_terminal)


class NotStarted(NamedTuple):
    """Starts of one key that the run `held_by` of their group turned away (rule 10.7)."""

    run_key: str
    held_by: str
    flow_id: str
    group_name: str
    first_at: float
    last_at: float
    times: int = 1


class RunGuard(NamedTuple):
    """The facts that decide whether a run may change; `id` is its number in the tables."""

    id: int
    revision: int
    status: RunStatus
    cancel: CancelRequest | None
    finally_after: Outcome | None
    group: GroupPlace | None

    @property
    def is_waiting(self) -> bool:
        """Whether the run waits for its group (rule 10.7)."""
        return self.status is RunStatus.PENDING and self.group is not None

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

    status: RunStatus
    error: ForeignText | None = None
    finished_at: float | None = None
    deadline: Deadline | None = None
    finally_after: Outcome | None = None


class Joining(NamedTuple):
    """How a new or reopened run joins its concurrency group (rule 10.7).

    Without `begins`, it waits for its turn. With `begins`, it begins in the same transaction, or
    nothing is recorded. `passes` are waiting runs that no process advances: it may begin before
    them. `inside` is the run whose step the calling process belongs to, if there is one. With
    `replaces_at`, a time, it waits too, and all runs before it are to be cancelled.
    """

    group: str
    begins: RunHeader | None = None
    passes: frozenset[str] = frozenset()
    inside: str | None = None
    replaces_at: float | None = None


class Reopening(NamedTuple):
    """How a run that has ended is opened again.

    `definition` and `params` replace the recorded ones. So does `flow_dir`, unless it is None.
    `resets` are the steps to run again: the retries of each, by position. `added` are new steps:
    pairs of step id and retries. `settled` are decisions of a person on steps (rule 12.3). All
    other steps keep their outcome; `ran_with` are the parameters with which they ran, by position,
    as far as these have other values now.
    """

    definition: str
    resets: Mapping[int, int]
    added: Sequence[tuple[str, int]] = ()
    flow_dir: str | None = None
    params: Mapping[str, str] | None = None
    settled: Sequence[Settlement] = ()
    ran_with: Mapping[int, Mapping[str, str]] = MappingProxyType({})


class Changes:
    """The changes that one event makes to a run, to be written in one transaction.

    The header, and each step and attempt, replaces the recorded one as a whole. `steps` is keyed by
    position, `attempts` by position and number. If the run begins, `passes`
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
