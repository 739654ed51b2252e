"""What happened in a run: made once from what is recorded, and told by every format.

Nothing is read here. Whatever is text in it is as it was recorded: each format makes it harmless in
its own way.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple

from flow_spec import FlowSpec, StepSpec
from flow_store import Attempt, Run, Step, StepStatus
from orchesjob_flow.reports.attempts import AttemptFacts, attempts_by_position
from orchesjob_flow.reports.critical_path import Saving, Timed, critical_path, savings
from orchesjob_flow.reports.spans import Kind, Span, spans_of, total
from orchesjob_flow.reports.tails import Tail


class Why(NamedTuple):
    """Why a step ran or not: in a sentence, and its condition part by part, each with its value."""

    sentence: str
    parts: Sequence[str] = ()


class StepFacts(NamedTuple):
    """What happened at one step."""

    step: Step
    spec: StepSpec
    why: Why
    attempts: Sequence[AttemptFacts]
    spans: Sequence[Span]
    tails: Sequence[Tail]
    is_finally: bool
    is_critical: bool

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
        """Whether it SUCCEEDED, though not at once."""
        return self.status is StepStatus.SUCCEEDED and self.step.failures > 0

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
        earlier = {one.number for one in self.attempts if one.is_earlier}
        return total([one for one in self.spans if one.attempt not in earlier], kind)


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
    """Put together what happened in a run.

    Raises:
        StoredFlowError, DamagedRecord: What is recorded is no longer readable.
    """
    flow = FlowSpec.from_json(run.definition)
    rows = {step.step_id: step for step in run.steps}
    by_position = attempts_by_position(run, attempts)
    times = Times(run, flow, now)
    steps = [
        StepFacts(
            row := rows[spec.id],
            spec,
            reasons[spec.id],
            those := by_position.get(row.position, ()),
            tuple(spans_of(row, those, times.ready_at(spec), now)),
            tails.get(spec.id, ()),
            spec.id in flow.finally_ids,
            False,
        )
        for spec in flow.all_steps
    ]
    order = [spec.id for rank in (*flow.ranks, *flow.finally_ranks) for spec in rank]
    timed = {one.id: times.timed(one) for one in steps}
    path = critical_path(timed, [one.id for one in steps if one.step.has_begun])
    on_path = set(path)
    return Facts(
        run,
        flow,
        [one._replace(is_critical=one.id in on_path) for one in steps],
        path,
        tuple(savings(timed, path, order)),
        min([run.started_at, *(span.begin for one in steps for span in one.spans)]),
        max([run.finished_at or now, *(span.end for one in steps for span in one.spans)]),
        now,
    )


class Times:
    """When the steps of a run were ready and ended; what many wait for is looked at once."""

    def __init__(self, run: Run, flow: FlowSpec, now: float) -> None:
        """Note what each retry began with."""
        self._run, self._flow, self._now = run, flow, now
        self._rows = {step.step_id: step for step in run.steps}
        self._before = tuple(step.id for step in flow.steps)
        self._begins: dict[int, float] = {}
        for step in run.steps:
            if step.retry_no is not None and step.started_at is not None:
                begun = self._begins.get(step.retry_no, step.started_at)
                self._begins[step.retry_no] = min(begun, step.started_at)
        self._expanded = cache(self._expand)
        self._latest = cache(self._find_latest)

    def waits_of(self, spec: StepSpec) -> tuple[str, ...]:
        """Name the steps that one waits for, each copy by its own id."""
        waits = self._expanded(tuple(spec.waits_for))
        return (*self._before, *waits) if spec.id in self._flow.finally_ids else waits

    def _expand(self, names: tuple[str, ...]) -> tuple[str, ...]:
        copies = self._flow.copies
        ids = dict.fromkeys(one for name in names for one in copies.get(name, (name,)))
        return tuple(one for one in ids if one in self._rows)

    def ready_at(self, spec: StepSpec) -> float | None:
        """Return when all that a step waits for had ended; None if that has not."""
        step = self._rows[spec.id]
        waits = self._latest(self.waits_of(spec))
        if waits is None:
            return None
        return max(waits, self._begins.get(step.retry_no or 0, self._run.started_at))

    def _find_latest(self, waits: tuple[str, ...]) -> float | None:
        latest = self._run.started_at
        for name in waits:
            row = self._rows[name]
            if not row.status.is_terminal:
                return None
            latest = max(latest, row.finished_at or latest)
        return latest

    def timed(self, one: StepFacts) -> Timed:
        """Return what the critical path needs to know of a step."""
        finished = self._now if one.step.finished_at is None else one.step.finished_at
        waits = [
            name
            for name in self.waits_of(one.spec)
            if not self._rows[name].predates(one.step) and self._rows[name].status.is_terminal
        ]
        ready = self.ready_at(one.spec)
        ready = finished if ready is None else min(ready, finished)
        return Timed(ready, finished, one.took(Kind.RAN) + one.took(Kind.DELAYED), waits)
