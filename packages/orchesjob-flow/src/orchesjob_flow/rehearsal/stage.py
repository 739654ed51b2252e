"""The small world of a rehearsal: it answers what the engine asks for, when its time has come.

Each command takes a moment and then ends as it is told; nothing is lost, late or left alive. What
an answer means is decided by the engine.
"""

from collections.abc import Callable, Collection, Iterator
from functools import cached_property

import attrs

from flow_spec import FlowSpec, StepSpec
from flow_store import CancelRequest, StepStatus
from orchesjob_client import JobReport, JobStatus, Watch
from orchesjob_flow.clock import Now
from orchesjob_flow.engine.effects import (
    AbortJob,
    AskStatus,
    Effect,
    EndSurvivors,
    LookForSurvivors,
    SetTimer,
    StartJob,
    WatchJob,
)
from orchesjob_flow.engine.events import (
    AbortAnswered,
    AttemptId,
    CallBegan,
    CancelSeen,
    Event,
    JobExited,
    StartAnswered,
    StatusAnswered,
    SurvivorsSeen,
    WatchAnswered,
)
from orchesjob_flow.rehearsal.script import exit_code

COMMAND_SEC = 1.0
WORKER_PID, TARGET_PID = 2, 3
"""No process has to be there: nobody looks."""

type Choose = Callable[[StepSpec], StepStatus]
type Due = Iterator[tuple[float, Event]]


@attrs.define
class Job:
    """A command that has been started, and when it ends."""

    key: str
    command: tuple[str, ...]
    ends_at: float
    is_gate: bool

    def report(self, status: JobStatus, code: int | None = None) -> JobReport:
        """Report the job as orchesjob does."""
        return JobReport(
            job_id=self.key,
            job_key=self.key,
            status=status.value,
            command=self.command,
            exit_code=code,
            worker_pid=WORKER_PID,
            target_pid=TARGET_PID,
            existing=False,
            payload="{}",
            stdout_file=None,
            stderr_file=None,
            started_at=None,
            finished_at=None,
            abort_reason=None,
        )


@attrs.define(slots=False)
class Stage:
    """Where the steps of a flow are played.

    `choose` is asked once for each step that comes to an end by itself; the cancel comes when the
    first of the steps of `cancel_at` has begun.
    """

    flow: FlowSpec
    choose: Choose
    cancel_at: Collection[str] = ()
    outcomes: dict[str, StepStatus] = attrs.Factory(dict)
    """How the steps have ended that came to an end by themselves."""
    cancelled_at: float | None = None
    _jobs: dict[AttemptId, Job] = attrs.Factory(dict)

    @cached_property
    def command_sec(self) -> float:
        """How long a command takes: so short that only delays can use up the time of the flow."""
        limit = self.flow.timeout_sec
        if limit is None:
            return COMMAND_SEC
        attempts = sum(step.retries + 1 + bool(step.only_if) for step in self.flow.steps)
        return min(COMMAND_SEC, limit / (10 * max(attempts, 1)))

    def perform(self, effect: Effect, now: Now) -> Due:
        """Yield what comes of an effect, and when (see `engine.effects`).

        No call waits for a place, so none can be called off, and none fails, so nobody gives up.
        """
        at = now.mono
        match effect:
            case StartJob():
                yield from self._start(effect, at)
            case WatchJob(attempt):
                yield at, WatchAnswered(attempt, Watch.WATCHING)
                yield self._jobs[attempt].ends_at, JobExited(attempt)
            case AskStatus(attempt):
                yield at, CallBegan(attempt)
                yield at, StatusAnswered(attempt, self._ended(attempt))
            case AbortJob(attempt):
                yield at, CallBegan(attempt)
                yield at, AbortAnswered(attempt, self._jobs[attempt].report(JobStatus.ABORTED))
            case LookForSurvivors(attempt) | EndSurvivors(attempt):
                yield at, SurvivorsSeen(attempt, ())
            case SetTimer(due, event):
                yield due, event

    def _start(self, effect: StartJob, at: float) -> Due:
        spec = self._spec(effect.attempt)
        limit = spec.timeout_sec
        lasts = self.command_sec if limit is None else min(self.command_sec, limit / 2)
        is_gate = bool(spec.only_if) and effect.attempt.number == 1  # which never fails here
        job = Job(effect.attempt_key, tuple(effect.command), at + lasts, is_gate)
        self._jobs[effect.attempt] = job
        yield at, CallBegan(effect.attempt)
        yield at, StartAnswered(effect.attempt, job.report(JobStatus.RUNNING))
        if self.cancelled_at is None and spec.id in self.cancel_at:
            self.cancelled_at = at
            yield at, CancelSeen(CancelRequest(at, None))

    def _ended(self, attempt: AttemptId) -> JobReport:
        """Report how a job has ended, whose end was seen."""
        spec, job = self._spec(attempt), self._jobs[attempt]
        if spec.id not in self.outcomes:
            self.outcomes[spec.id] = self.choose(spec)
        code = exit_code(spec, self.outcomes[spec.id], is_gate=job.is_gate)
        return job.report(JobStatus.FAILED if code else JobStatus.SUCCEEDED, code)

    def _spec(self, attempt: AttemptId) -> StepSpec:
        return self.flow.all_steps[attempt.position]
