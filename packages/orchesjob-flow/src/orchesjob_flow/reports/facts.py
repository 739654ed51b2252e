"""What happened in a run: computed once from the records, and used by every report format.

Our clock is finer than orchesjob's, which counts whole seconds. An attempt began when its start was
recorded, and ended when its runner learned of it. Where that was more than a second late (no runner
lived, or the attempt ended before this run was recorded), only orchesjob's seconds are known.

The time in which a step waited for other steps is not counted as its own. The critical path is the
chain of steps that made the run as long as it was.

At the end, the sentences of the reports, in plain text without control characters.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from enum import StrEnum
from functools import cache, lru_cache
from itertools import chain
from typing import NamedTuple

import attrs

from flow_spec import FlowSpec, StepSpec
from flow_store import (
    Attempt,
    AttemptStatus,
    Run,
    RunStatus,
    Settlement,
    Step,
    StepStatus,
    reported_job,
)
from orchesjob_flow.errors import line_about
from orchesjob_flow.home import refuse_other_steps
from orchesjob_flow.reasons import (
    listed,
    running_words,
    silence_words,
    times_of,
    urgency,
    waiting_words,
    went_wrong,
)
from orchesjob_flow.views.terminal import counted, duration_text, visible

cached_flow = lru_cache(maxsize=64)(FlowSpec.from_json)
"""Reads a stored definition; most runs of a flow have the same one."""
LOOKED_AT = 5
"""The savings of so many steps are computed: the longest ones of the path."""


class AttemptFacts(NamedTuple):
    """One attempt at a step.

    Attributes:
        number: From 1 on.
        status: How it ended, or that it has not.
        started_at: When it began.
        finished_at: When it ended; None if it has not.
        is_exact: Whether both times are from our clock; else one is a whole second of orchesjob's.
        exit_code: Of its command, -N for one that signal N ended; None if unknown.
        error: How it failed, in words.
        is_gate: Whether it ran `only_if` (rule 10.8).
        is_earlier: Whether a `retry` has decided its step again since.
    """

    number: int
    status: AttemptStatus
    started_at: float
    finished_at: float | None
    is_exact: bool
    exit_code: int | None
    error: str | None
    is_gate: bool
    is_earlier: bool

    def ran_sec(self, now: float) -> float:
        """Return how many seconds it took, or has taken until now."""
        end = now if self.finished_at is None else self.finished_at
        return max(0.0, end - self.started_at)


def first_since_decided(step: Step, attempts: Sequence[Attempt]) -> int:
    """Return the place of a step's first attempt since it was last decided (rule 9.7).

    The record counts the failures since then. The attempt before ended the step. So it is not an
    attempt that never ran, and not an `only_if` that succeeded: another attempt follows these.
    """
    if step.retry_no == 0 or not attempts:
        return 0
    if not step.has_begun:
        return len(attempts)
    place, failures = len(attempts) - 1, step.failures
    failures -= attempts[place].status is AttemptStatus.FAILED
    while place > 0:
        before = attempts[place - 1]
        is_gate_passed = before.is_gate and before.status is AttemptStatus.SUCCEEDED
        if before.status is AttemptStatus.FAILED and failures > 0:
            failures -= 1
        elif before.status is not AttemptStatus.NEVER_RAN and not is_gate_passed:
            break
        place -= 1
    return place


def look_at(run: Run, attempt: Attempt, *, is_earlier: bool) -> AttemptFacts:
    """Combine the record of an attempt with what orchesjob reported about its job."""
    job = reported_job(run, attempt) or {}
    code = job.get("exit_code")
    exit_code = code if isinstance(code, int) and not attempt.status.is_open else None
    times = times_of(run, attempt, job)
    number, status, error, is_gate = attempt.number, attempt.status, attempt.error, attempt.is_gate
    return AttemptFacts(number, status, *times, exit_code, error, is_gate, is_earlier)


class SpanKind(StrEnum):
    """What a step did.

    WAITED: its dependencies had ended, and it waited for a place under `max_parallel` or for a call
    of orchesjob. DELAYED: the time between two attempts. RAN: the time of an attempt.
    """

    WAITED = "waited"
    DELAYED = "delayed"
    RAN = "ran"


class TimeSpan(NamedTuple):
    """A time of a step; `is_open` if it goes on.

    `attempt_no` is that of the attempt that ran, or of the next one.
    """

    kind: SpanKind
    begin: float
    end: float
    attempt_no: int
    status: AttemptStatus | None = None
    is_open: bool = False

    @property
    def length_sec(self) -> float:
        """Its length."""
        return self.end - self.begin


def spans_of(
    step: Step, attempts: Sequence[AttemptFacts], ready_at: float | None, now: float
) -> Iterator[TimeSpan]:
    """Yield the times of a step, in order; those between attempts may have no length.

    There are no times between attempts before a `retry`, nor before the first one after it: for how
    long the run had ended in between is not recorded.
    """
    last: AttemptFacts | None = None
    for attempt in attempts:
        begin, end, number = attempt.started_at, attempt.finished_at, attempt.number
        if last is None or last.is_earlier != attempt.is_earlier:
            if ready_at is not None and not attempt.is_earlier and attempt.is_exact:
                yield TimeSpan(SpanKind.WAITED, ready_at, begin, number)
        elif not attempt.is_earlier and last.finished_at is not None:
            failed = last.status is AttemptStatus.FAILED
            kind = SpanKind.DELAYED if failed else SpanKind.WAITED
            yield TimeSpan(kind, last.finished_at, begin, number)
        until = max(now, begin) if end is None else end
        yield TimeSpan(SpanKind.RAN, begin, until, number, attempt.status, end is None)
        last = attempt
    if step.status in (StepStatus.PENDING, StepStatus.DELAYED):
        has_begun = last is not None and not last.is_earlier
        since = last.finished_at if last is not None and has_begun else ready_at
        if since is not None:
            kind = SpanKind.DELAYED if step.status is StepStatus.DELAYED else SpanKind.WAITED
            yield TimeSpan(kind, since, now, step.attempt_no + 1, is_open=True)


class Times:
    """When the steps of a run were ready and ended; cached by what they wait for."""

    def __init__(self, run: Run, flow: FlowSpec, now: float) -> None:
        """Find when each retry began."""
        self._run, self._flow, self._now = run, flow, now
        self._rows = {step.step_id: step for step in run.steps}
        self._before = tuple(step.id for step in flow.steps)
        self._begins: dict[int, float] = {}
        for step in run.steps:
            if step.retry_no > 0 and step.started_at is not None:
                begun = self._begins.get(step.retry_no, step.started_at)
                self._begins[step.retry_no] = min(begun, step.started_at)
        self._expanded = cache(self._expand)
        self._latest = cache(self._find_latest)

    def _waits_of(self, spec: StepSpec) -> tuple[str, ...]:
        """Return the ids of the steps that a step waits for, copies one by one."""
        waits = self._expanded(tuple(spec.waits_for))
        return (*self._before, *waits) if spec.id in self._flow.finally_ids else waits

    def _expand(self, names: tuple[str, ...]) -> tuple[str, ...]:
        copies = self._flow.copies
        ids = dict.fromkeys(one for name in names for one in copies.get(name, (name,)))
        return tuple(one for one in ids if one in self._rows)

    def ready_at(self, spec: StepSpec) -> float | None:
        """Return when the last dependency of a step ended; None if one has not ended."""
        step = self._rows[spec.id]
        waits = self._latest(self._waits_of(spec))
        if waits is None:
            return None
        return max(waits, self._begins.get(step.retry_no, self._run.started_at))

    def _find_latest(self, waits: tuple[str, ...]) -> float | None:
        latest = self._run.started_at
        for name in waits:
            row = self._rows[name]
            if not row.status.is_terminal:
                return None
            latest = max(latest, row.finished_at or latest)
        return latest

    def ended_at(self, step_id: str) -> float:
        """Return when a step ended, or now."""
        ended = self._rows[step_id].finished_at
        return self._now if ended is None else ended

    def ended_before(self, spec: StepSpec) -> tuple[str, ...]:
        """Return the ids of a step's dependencies that have ended, and not before its `retry`."""
        own, rows = self._rows[spec.id], self._rows
        return tuple(
            name
            for name in self._waits_of(spec)
            if not rows[name].predates(own) and rows[name].status.is_terminal
        )

    def critical_path(self) -> tuple[str, ...]:
        """Return the ids of the steps on the critical path, its first step first.

        It ends with the last step to end of those that have begun. The step before each is the last
        of its dependencies to end.
        """
        begun = (step.id for step in self._flow.all_steps if self._rows[step.id].has_begun)
        last = max(begun, key=self.ended_at, default=None)
        path: list[str] = []
        while last is not None:
            path.append(last)
            waits = self.ended_before(self._flow.step(last))
            last = max(waits, key=self.ended_at, default=None)
        return tuple(reversed(path))


class Tail(NamedTuple):
    """The last output of one stream of an attempt.

    `left_out` is how many bytes of the last lines the text leaves out. `path` is the file, and
    `is_missing` tells that it no longer exists.
    """

    stream: str
    text: str
    left_out: int
    path: str
    is_missing: bool = False


class Why(NamedTuple):
    """Why a step ran or not: a sentence, and the parts of its condition with their values."""

    sentence: str
    parts: Sequence[str] = ()


NO_REASON = Why("")
"""Stands for reasons that nobody has asked for."""


@attrs.frozen
class StepFacts:
    """What happened at one step, and where its time went.

    Attributes:
        step: Its record.
        spec: What the flow says about it.
        attempts: All its attempts, in order.
        spans: Where its time went, in order.
        ready_at: When its last dependency ended; without dependencies, when the run or its `retry`
            began.
        finished_at: When it ended, or now.
        waits: The ids of its dependencies, except those that kept their outcome in a `retry`.
        why: Why it ran or not.
        tails: Its last output.
        is_silent: Whether its output was read, and it printed nothing.
        is_finally: Whether it is one of `finally`.
        is_critical: Whether it is on the critical path.
        settlement: What a person decided instead (rule 12.3).
    """

    step: Step
    spec: StepSpec
    attempts: Sequence[AttemptFacts]
    spans: Sequence[TimeSpan]
    ready_at: float
    finished_at: float
    waits: tuple[str, ...]
    why: Why
    tails: Sequence[Tail]
    is_silent: bool
    is_finally: bool
    is_critical: bool
    settlement: Settlement | None

    @property
    def earlier(self) -> frozenset[int]:
        """The numbers of its attempts before it was last decided."""
        return frozenset(one.number for one in self.attempts if one.is_earlier)

    def took(self, kind: SpanKind) -> float:
        """Return how many seconds it spent on this since it was last decided."""
        earlier = self.earlier
        current = (one for one in self.spans if one.attempt_no not in earlier)
        return sum(one.length_sec for one in current if one.kind is kind)

    @property
    def busy_sec(self) -> float:
        """How long it ran and waited between its attempts: the most that it could save."""
        return self.took(SpanKind.RAN) + self.took(SpanKind.DELAYED)

    @property
    def id(self) -> str:
        """The step's id."""
        return self.step.step_id

    @property
    def status(self) -> StepStatus:
        """The step's status."""
        return self.step.status

    @property
    def urgency(self) -> int:
        """The place of its status in the order in which steps are shown."""
        return urgency(self.status)

    @property
    def is_tolerated(self) -> bool:
        """Whether it FAILED and `allow_failure` permits that (rule 9.12)."""
        return self.status is StepStatus.FAILED and self.spec.allow_failure

    @property
    def went_wrong(self) -> bool:
        """Whether it FAILED without `allow_failure`, or was cancelled while it ran."""
        return went_wrong(self.step) and not self.is_tolerated

    @property
    def is_flaky(self) -> bool:
        """Whether it SUCCEEDED by itself after a failed attempt."""
        by_itself = self.status is StepStatus.SUCCEEDED and self.settlement is None
        return by_itself and self.step.failures > 0

    @property
    def current(self) -> list[AttemptFacts]:
        """Its attempts since it was last decided."""
        return [attempt for attempt in self.attempts if not attempt.is_earlier]


class Saving(NamedTuple):
    """How much sooner the run would have ended if this step had taken no time."""

    step_id: str
    busy_sec: float
    saved_sec: float


class Facts(NamedTuple):
    """What happened in a run up to `now`, the last moment at which anything of it is known.

    `path` is the critical path, by ids. `steps` are in the order of the file, `finally` last.
    """

    run: Run
    flow: FlowSpec
    steps: Sequence[StepFacts]
    path: Sequence[str]
    begin: float
    end: float
    now: float
    is_abandoned: bool = False
    """Whether the run has not ended and has no runner (rule 6.4)."""
    stale: Collection[int] = ()
    """The RUNNING steps, by position, of which nothing runs any more."""
    outputs: Mapping[tuple[str, int], Sequence[Tail]] = {}
    """The last output of attempts, by the step's id and the attempt's number."""

    def count(self, status: StepStatus) -> int:
        """Return how many steps have this status."""
        return sum(one.status is status for one in self.steps)

    @property
    def took_sec(self) -> float:
        """How many seconds the run took, or has taken until now."""
        end = self.now if self.run.finished_at is None else self.run.finished_at
        return max(0.0, end - self.run.started_at)

    @property
    def are_times_exact(self) -> bool:
        """Whether all times are from our clock."""
        return all(attempt.is_exact for one in self.steps for attempt in one.attempts)

    @property
    def savings(self) -> Sequence[Saving]:
        """How much time the longest steps of the path would have saved, had they taken none.

        All other steps then wait for the same, run as long, and wait for a place as long as they
        did. Another chain becomes the longest one, so the saving is often less than the step's
        time. That a place might be free sooner, or a condition might be decided differently, is not
        considered.
        """
        steps = {one.id: one for one in self.steps}
        longest = sorted((steps[name] for name in self.path), key=lambda one: -one.busy_sec)
        end = max((one.finished_at for one in self.steps), default=0.0)
        return [
            Saving(one.id, one.busy_sec, max(0.0, end - self._end_without(one)))
            for one in longest[:LOOKED_AT]
            if one.busy_sec > 0
        ]

    def _end_without(self, quick: StepFacts) -> float:
        """Return when the run would have ended if one step had taken no time."""
        steps = {one.id: one for one in self.steps}
        ends: dict[str, float] = {}

        @cache  # many steps wait for the same
        def latest(waits: tuple[str, ...]) -> float:
            return max(ends[name] for name in waits)

        for spec in chain.from_iterable((*self.flow.ranks, *self.flow.finally_ranks)):
            one = steps[spec.id]
            took = one.finished_at - one.ready_at - (one.busy_sec if one is quick else 0.0)
            ends[spec.id] = (latest(one.waits) if one.waits else one.ready_at) + took
        return max(ends.values(), default=0.0)


def facts_of(
    run: Run,
    attempts: Sequence[Attempt],
    reasons: Mapping[str, Why],
    tails: Mapping[str, Sequence[Tail]],
    now: float,
) -> Facts:
    """Collect what happened in a run; `tails` has the steps whose output was read.

    Raises:
        DamagedRecord: The record of an attempt cannot be read.
        StoredFlowError: The flow cannot be read, or has other steps than the run.
    """
    flow = cached_flow(run.definition)
    refuse_other_steps(run, flow)
    rows = {step.step_id: step for step in run.steps}
    by_position: dict[int, list[Attempt]] = {}
    for attempt in attempts:
        by_position.setdefault(attempt.position, []).append(attempt)
    times = Times(run, flow, now)
    path = times.critical_path()
    on_path = set(path)

    def look_at_step(spec: StepSpec) -> StepFacts:
        row, ready_at, ended_at = rows[spec.id], times.ready_at(spec), times.ended_at(spec.id)
        recorded = by_position.get(row.position, ())
        first = first_since_decided(row, recorded)
        own = [look_at(run, one, is_earlier=at < first) for at, one in enumerate(recorded)]
        spans = spans_of(row, own, ready_at, now)
        return StepFacts(
            step=row,
            spec=spec,
            attempts=own,
            # A clock that was set back leaves no time in between.
            spans=[one for one in spans if one.kind is SpanKind.RAN or one.length_sec > 0],
            ready_at=ended_at if ready_at is None else min(ready_at, ended_at),
            finished_at=ended_at,
            waits=times.ended_before(spec),
            why=reasons.get(spec.id, NO_REASON),
            tails=tails.get(spec.id, ()),
            is_silent=tails.get(spec.id) == (),
            is_finally=spec.id in flow.finally_ids,
            is_critical=spec.id in on_path,
            settlement=run.settled.get(row.position),
        )

    steps = [look_at_step(spec) for spec in flow.all_steps]
    spans = [span for one in steps for span in one.spans]
    begin = min([run.started_at, *(span.begin for span in spans)])
    end = max([run.finished_at or now, *(span.end for span in spans)])
    return Facts(run, flow, steps, path, begin, end, now)


def headline(facts: Facts) -> str:
    """Say in one sentence what happened, or what the run is doing."""
    run, took = facts.run, duration_text(facts.took_sec)
    match run.status:
        case RunStatus.SUCCEEDED:
            return f"{how_it_went(facts, took)}."
        case RunStatus.FAILED:
            return f"It failed after {took}{what_failed(facts)}."
        case RunStatus.CANCELLED:
            how = "cancelled" if run.error is None else visible(run.error)
            return f"It was {how} after {took}{_while_running(facts)}."
        case _ if facts.is_abandoned:
            line = line_about(run.run_key, "resume")
            known = visible(f"{silence_words(run)}; `{line}` continues it")
            return f"It has no runner, {known}: {_progress_so_far(facts)}."
        case RunStatus.RUNNING:
            return f"It has run for {took}: {_progress_so_far(facts)}."
        case _:
            return f"It has not begun: it {visible(waiting_words(run) or 'waits for its runner')}."


def how_it_went(facts: Facts, took: str) -> str:
    """Say how the steps of a run that SUCCEEDED ended."""
    total, good = len(facts.steps), facts.count(StepStatus.SUCCEEDED)
    skipped, failed = facts.count(StepStatus.SKIPPED), facts.count(StepStatus.FAILED)
    flaky = sum(one.is_flaky for one in facts.steps)
    settled = len(facts.run.settled)
    which = f"All {total:,} steps" if good == total else f"{good:,} of {counted(total, 'step')}"
    which = "Its step" if good == total == 1 else which
    parts = [
        f"{skipped} {_was_or_were(skipped)} skipped" if skipped else "",
        f"{failed} failed (allowed)" if failed else "",
        f"{flaky} succeeded only at a retry" if flaky else "",
        f"{settled} {_was_or_were(settled)} settled by hand" if settled else "",
    ]
    rest = ", ".join(filter(None, parts))
    return f"{which} succeeded in {took}{f'; {rest}' if rest else ''}"


def what_failed(facts: Facts) -> str:
    """Name the steps that went wrong, the first with its error; count the steps skipped."""
    wrong = [one for one in facts.steps if one.went_wrong]
    failed = any(one.status is StepStatus.FAILED for one in wrong)
    if not failed:
        where = f": {visible(facts.run.error or 'no step tells why')}"
    elif len(wrong) == 1:
        where = f", at step {_step_with_error(wrong[0])}"
    else:
        others = listed([one.id for one in wrong[1:]])
        where = f", at {counted(len(wrong), 'step')}: {_step_with_error(wrong[0])}, {others}"
    skipped = facts.count(StepStatus.SKIPPED)
    return where + (
        f"; {counted(skipped, 'step')} {_was_or_were(skipped)} skipped" if skipped else ""
    )


def _step_with_error(one: StepFacts) -> str:
    error = visible(one.step.error or one.status.value)
    attempt = f", attempt {one.step.attempt_no}" if one.current[1:] else ""
    return f"{one.id} ({error}{attempt})"


def _while_running(facts: Facts) -> str:
    ended = [one.id for one in facts.steps if one.went_wrong]
    if not ended:
        return ""
    return f", while {listed(ended)} {'was' if len(ended) == 1 else 'were'} running"


def _progress_so_far(facts: Facts) -> str:
    running = running_words((one.step for one in facts.steps), facts.stale)
    done = sum(one.status.is_terminal for one in facts.steps)
    progress = f"{done:,} of {counted(len(facts.steps), 'step')} done"
    return ", ".join(filter(None, [running, progress]))


def _was_or_were(number: int) -> str:
    return "was" if number == 1 else "were"


def ending_text(attempt: AttemptFacts) -> str:
    """Say how an attempt ended: its exit code, its signal or its status."""
    code = attempt.exit_code
    if code is None:
        return attempt.status.value
    return f"exit code {code}" if code >= 0 else f"signal {-code}"


def endings_text(attempts: Sequence[AttemptFacts]) -> str:
    """Say how attempts ended, with their numbers if there are several."""
    if len(attempts) == 1 and attempts[0].number == 1:
        return ending_text(attempts[0])
    return ", ".join(f"{one.number}: {ending_text(one)}" for one in attempts)
