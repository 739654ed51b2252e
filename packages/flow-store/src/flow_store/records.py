"""The records of a run, its steps and their attempts.

Plain values only: nothing here knows a database, a clock, or what a run may do next. They are named
tuples, because a process that only looks at a run makes many of them; to change a field, use
`_replace`.
The columns of the tables follow from the fields (see `columns`). To add one, add a field, with the
default None where there are defaults, and a migration (see `schema`).
Times named `_at` are Unix timestamps of the wall clock; those named `_mono` are seconds of the
monotonic clock of the boot that is named beside them (rule 5.10).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, NamedTuple, Self

from flow_store.statuses import AttemptStatus, FlowStatus, Outcome, StepStatus

SystemPath = Annotated[str, "stored as the bytes that it is to the system"]
"""A path as `os.fsdecode` spells it: not every path is Unicode text."""

ForeignText = Annotated[str, "stored with its lone surrogates spelled out"]
r"""Text from outside: SQLite cannot store a lone surrogate, so it is stored as `\udcXX`.

In JSON that means the same character.
"""


class CancelRequest(NamedTuple):
    """A request to cancel a run, and how long its jobs may take to end by themselves.

    From `now_at` on, the steps of `finally` are to be ended too (rule 10.1).
    """

    requested_at: float
    grace_sec: float | None
    now_at: float | None = None


class Deadline(NamedTuple):
    """When a run must have ended, on both clocks; `boot` names the boot of the monotonic one."""

    at: float
    mono: float
    boot: str


class GivenUp(NamedTuple):
    """When a runner gave up on a run, and why in the words of the error (rule 5.7)."""

    at: float
    error: ForeignText


NamedTexts = Annotated[Mapping[str, str], "stored as an object of JSON"]
"""Texts by names."""


class Parent(NamedTuple):
    """The attempt, at a step of another run, by which a run was started."""

    run_key: str
    step_id: str
    attempt_no: int


class GroupPlace(NamedTuple):
    """A group of which one run is under way at a time, and the place of a run in it (rule 10.7).

    Whoever has come later has a greater place than all that had not ended then.
    """

    name: str
    place: int


class Queue(NamedTuple):
    """Who is before a run that waits for its group, by run keys (rule 10.7).

    `holder` is under way, if one is; the others wait, and came earlier, the first one first.
    """

    holder: str | None
    waiting: tuple[str, ...]


class Attempt(NamedTuple):
    """One attempt at a step, recorded before its job is started.

    `position` is the step's; `number` counts from 1. `job` is the last JSON object that orchesjob
    reported (`reported_job` reads it). `job_id` is that job's id, or None if the job is not this
    run's. `abort_reason` is set when the attempt is to be aborted. `is_gate` tells that what was
    started is not the step's command but what decides whether that is to run (rule 10.8).
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
    is_gate: bool = False


class Step(NamedTuple):
    """One step of a run. `failures` counts the attempts that used up a retry.

    `retry_no` is the number of the `retry` that had the step decided anew, counted from 1 in its
    run; None if there was none (rule 9.7). What is recorded of the step is of the time since,
    but for `attempt_no`, which continues.
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
    retry_no: int | None = None

    @classmethod
    def waiting(
        cls, position: int, step_id: str, max_retries: int, retry_no: int | None = None
    ) -> Self:
        """Make a step that has had no attempt yet."""
        return cls(position, step_id, StepStatus.PENDING, 0, 0, max_retries, retry_no=retry_no)

    @property
    def has_begun(self) -> bool:
        """Whether it has had an attempt, and one since the last `retry` that had it decided anew.

        Its latest attempt is of an earlier time otherwise, if it has one.
        """
        return self.started_at is not None

    def predates(self, other: Self) -> bool:
        """Whether it kept its outcome when a `retry` had the other step decided anew."""
        return (self.retry_no or 0) < (other.retry_no or 0)


class PastAttempt(NamedTuple):
    """An attempt in the history of a run, without what orchesjob reported about it.

    `is_foreign` tells that orchesjob reported a job that is not this run's: `job` is recorded,
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
    """Who decided something: a user, and who that was before `sudo`.

    A user without a name is named by the number.
    """

    user: ForeignText
    uid: int
    sudo_user: ForeignText | None = None

    def __str__(self) -> str:
        """Name the person, and in whose name that acted."""
        return self.user if self.sudo_user is None else f"{self.sudo_user} (as {self.user})"


class Settlement(NamedTuple):
    """What a person has decided of a step that had FAILED or was CANCELLED (rule 12.3).

    `status` is what the person says of the step; `was` and `error` are what was recorded of it.
    It holds until a `retry` has the step decided anew: `retry_no` is that of the step then, or 0.
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
        """Whether its step has not been decided anew since."""
        return self.retry_no == (step.retry_no or 0)


class Run(NamedTuple):
    """A whole run as it was at one moment.

    `definition` is opaque text. `steps` are in order of position. `attempts` holds the latest
    attempt of each step that has one, by position; `history` holds all attempts of all steps,
    ordered by position and number. `revision` counts the applied changes. `orchesjob_home` is the
    real path of the home in which its jobs are (rule 4.8); None if an older version recorded the
    run. `parent` is what started the run, if that was a step of another run (rule 5.8a).
    `finally_after` is how its steps have ended; None before that, and where there is no `finally`
    to begin (rule 10.1). `gave_up` is set from when a runner gives up until another one goes on
    with the run (rule 5.7). `flow_dir` is the folder of its flow file (rule 10.2); None if an older
    version recorded the run. `group` is set if no other run of it may be under way meanwhile, and
    `queue` as long as the run waits for it (rule 10.7). `params` are the values
    that the parameters of its flow have in this run; None if the flow has no parameters.
    `settlements` are all that people have decided of its steps, the first one first; `settled`
    holds those that hold, by position (rule 12.3).
    """

    run_key: str
    flow_id: str
    definition: str
    directory: SystemPath
    status: FlowStatus
    error: ForeignText | None
    started_at: float
    finished_at: float | None
    deadline: Deadline | None
    revision: int
    cancel: CancelRequest | None
    steps: tuple[Step, ...]
    attempts: Mapping[int, Attempt]
    history: tuple[PastAttempt, ...] = ()
    orchesjob_home: SystemPath | None = None
    parent: Parent | None = None
    finally_after: Outcome | None = None
    gave_up: GivenUp | None = None
    flow_dir: SystemPath | None = None
    group: GroupPlace | None = None
    queue: Queue | None = None
    params: NamedTexts | None = None
    settlements: tuple[Settlement, ...] = ()
    settled: Mapping[int, Settlement] = MappingProxyType({})


class EndedRun(NamedTuple):
    """A run that may be removed; `has_jobs` says whether orchesjob has had jobs of it."""

    run_key: str
    flow_id: str
    status: FlowStatus
    finished_at: float
    revision: int
    has_jobs: bool


class EndMark(NamedTuple):
    """What tells one end of a run from every other, of this run and of others.

    `run_id` is the run's number in the tables, which a later run may get once it was removed. Each
    time that the run is opened again it has another `revision`.
    """

    run_id: int
    revision: int
    finished_at: float | None


class RunSummary(NamedTuple):
    """A run in a list of runs; `steps` counts its steps by status, without those that count 0."""

    run_key: str
    flow_id: str
    status: FlowStatus
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

    @property
    def total(self) -> int:
        """How many steps the run has."""
        return sum(self.steps.values())

    @property
    def done(self) -> int:
        """How many of them have ended."""
        return sum(count for status, count in self.steps.items() if status.is_terminal)
