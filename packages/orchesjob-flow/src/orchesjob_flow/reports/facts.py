"""What happened in a run: made once from what is recorded, and told by every format.

Nothing is read here. Whatever is text in it is as it was recorded: each format makes it harmless in
its own way.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from flow_spec import FlowSpec, StepSpec
from flow_store import Attempt, Run, Settlement, Step, StepStatus
from orchesjob_flow.reports.attempts import AttemptFacts
from orchesjob_flow.reports.critical_path import Saving, savings
from orchesjob_flow.reports.spans import Kind, Span
from orchesjob_flow.reports.tails import Tail
from orchesjob_flow.reports.timing import StepTiming, timing_of


class Why(NamedTuple):
    """Why a step ran or not: in a sentence, and its condition part by part, each with its value."""

    sentence: str
    parts: Sequence[str] = ()


class StepFacts(NamedTuple):
    """What happened at one step.

    `is_silent` tells that its output was read, and that there was none.
    """

    timing: StepTiming
    why: Why
    tails: Sequence[Tail]
    is_silent: bool
    is_finally: bool
    is_critical: bool
    settlement: Settlement | None = None

    @property
    def step(self) -> Step:
        """What is recorded of the step."""
        return self.timing.step

    @property
    def spec(self) -> StepSpec:
        """What the flow says of it."""
        return self.timing.spec

    @property
    def attempts(self) -> Sequence[AttemptFacts]:
        """Its attempts, in order."""
        return self.timing.attempts

    @property
    def spans(self) -> Sequence[Span]:
        """Its times, in order."""
        return self.timing.spans

    @property
    def id(self) -> str:
        """The step's id."""
        return self.step.step_id

    @property
    def status(self) -> StepStatus:
        """The step's status."""
        return self.step.status

    @property
    def is_tolerated(self) -> bool:
        """Whether it FAILED, and may (rule 9.12)."""
        return self.status is StepStatus.FAILED and self.spec.allow_failure

    @property
    def went_wrong(self) -> bool:
        """Whether it FAILED and must not, or was ended while it ran."""
        if self.status is StepStatus.CANCELLED:
            return self.step.has_begun
        return self.status is StepStatus.FAILED and not self.spec.allow_failure

    @property
    def is_flaky(self) -> bool:
        """Whether it SUCCEEDED by itself, though not at once."""
        by_itself = self.status is StepStatus.SUCCEEDED and self.settlement is None
        return by_itself and self.step.failures > 0

    @property
    def last(self) -> AttemptFacts | None:
        """Its latest attempt since it was decided last; None if there was none."""
        return self.attempts[-1] if self.attempts and self.step.has_begun else None

    @property
    def current(self) -> list[AttemptFacts]:
        """Its attempts since it was decided last."""
        return [attempt for attempt in self.attempts if not attempt.is_earlier]

    def took(self, kind: Kind) -> float:
        """Return how many seconds it did this, since it was decided last."""
        return self.timing.took(kind)


class Facts(NamedTuple):
    """What happened in a run up to `now`, from its first moment on to its last.

    `path` is the critical path, by ids. `steps` are in the order of the file, those of `finally`
    last.
    """

    run: Run
    flow: FlowSpec
    steps: Sequence[StepFacts]
    path: Sequence[str]
    savings: Sequence[Saving]
    begin: float
    end: float
    now: float

    def count(self, status: StepStatus) -> int:
        """Return how many steps have this status."""
        return sum(one.status is status for one in self.steps)

    @property
    def took_sec(self) -> float:
        """How long the run took, or has taken until now."""
        end = self.now if self.run.finished_at is None else self.run.finished_at
        return max(0.0, end - self.run.started_at)

    @property
    def are_times_exact(self) -> bool:
        """Whether all times are those of our clock."""
        return all(attempt.is_exact for one in self.steps for attempt in one.attempts)


def facts_of(
    run: Run,
    attempts: Sequence[Attempt],
    reasons: Mapping[str, Why],
    tails: Mapping[str, Sequence[Tail]],
    now: float,
) -> Facts:
    """Put together what happened in a run; `tails` are those of the steps whose output was read.

    Raises:
        StoredFlowError, DamagedRecord: What is recorded is no longer readable.
    """
    flow = FlowSpec.from_json(run.definition)
    timing = timing_of(run, flow, attempts, now)
    on_path = set(timing.path)
    steps = [
        StepFacts(
            one,
            reasons[one.spec.id],
            tails.get(one.spec.id, ()),
            tails.get(one.spec.id) == (),
            one.spec.id in flow.finally_ids,
            one.spec.id in on_path,
            run.settled.get(one.step.position),
        )
        for one in timing.steps
    ]
    order = [spec.id for rank in (*flow.ranks, *flow.finally_ranks) for spec in rank]
    return Facts(
        run,
        flow,
        steps,
        timing.path,
        tuple(savings(timing.timed, timing.path, order)),
        min([run.started_at, *(span.begin for one in steps for span in one.spans)]),
        max([run.finished_at or now, *(span.end for one in steps for span in one.spans)]),
        now,
    )
