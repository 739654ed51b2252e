"""Where the time of a run went: what each step waited for, how long it ran, the critical path."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple

from flow_spec import FlowSpec, StepSpec
from flow_store import Attempt, Run, Step
from orchesjob_flow.reports.attempts import AttemptFacts, attempts_by_position
from orchesjob_flow.reports.critical_path import Timed, critical_path
from orchesjob_flow.reports.spans import Kind, Span, spans_of, total


class StepTiming(NamedTuple):
    """The attempts of a step, and where its time went."""

    step: Step
    spec: StepSpec
    attempts: Sequence[AttemptFacts]
    spans: Sequence[Span]

    def took(self, kind: Kind) -> float:
        """Return how many seconds it did this, since it was decided last."""
        earlier = {one.number for one in self.attempts if one.is_earlier}
        return total([one for one in self.spans if one.attempt not in earlier], kind)


class Timing(NamedTuple):
    """Where the time of a run went.

    `steps` are in the order of the file, those of `finally` last; `timed` and the critical `path`
    know them by their ids.
    """

    steps: Sequence[StepTiming]
    timed: Mapping[str, Timed]
    path: Sequence[str]


def timing_of(run: Run, flow: FlowSpec, attempts: Sequence[Attempt], now: float) -> Timing:
    """Find where the time of a run went up to `now`.

    Raises:
        DamagedRecord: What is recorded of an attempt is no longer readable.
    """
    rows = {step.step_id: step for step in run.steps}
    by_position = attempts_by_position(run, attempts)
    times = Times(run, flow, now)
    steps = [
        StepTiming(
            row := rows[spec.id],
            spec,
            those := by_position.get(row.position, ()),
            tuple(spans_of(row, those, times.ready_at(spec), now)),
        )
        for spec in flow.all_steps
    ]
    timed = {one.step.step_id: times.timed(one) for one in steps}
    begun = [one.step.step_id for one in steps if one.step.has_begun]
    return Timing(steps, timed, critical_path(timed, begun))


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

    def timed(self, one: StepTiming) -> Timed:
        """Return what the critical path needs to know of a step."""
        finished = self._now if one.step.finished_at is None else one.step.finished_at
        waits = [
            name
            for name in self.waits_of(one.spec)
            if not self._rows[name].predates(one.step) and self._rows[name].status.is_terminal
        ]
        ready = self.ready_at(one.spec)
        ready = finished if ready is None else min(ready, finished)
        busy = one.took(Kind.RAN) + one.took(Kind.DELAYED)
        return Timed(ready, finished, busy, waits)
