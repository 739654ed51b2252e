"""Any sequence of calls leaves the store as a simple model says (rules 4.3, 4.5, 5.1, 5.6)."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from flow_store import (
    Attempt,
    AttemptStatus,
    CancelRequest,
    CancelRequested,
    Changes,
    Deadline,
    FlowStore,
    NotRecorded,
    NotTerminal,
    Outcome,
    PastAttempt,
    Reopening,
    Run,
    RunHeader,
    RunStatus,
    RunTakenOver,
    Step,
    StepStatus,
    StoreError,
    TerminalStatus,
)

KEYS = st.sampled_from(["k1", "k2", "日本/1"])
IDS = ("a", "b", "c")
POSITIONS = st.integers(0, len(IDS) - 1)
TEXTS = st.none() | st.text(max_size=5).filter(lambda text: text.isprintable())
TIMES = st.none() | st.floats(0, 1e10)


@st.composite
def _step(draw: st.DrawFn) -> Step:
    position = draw(POSITIONS)
    return Step(
        position,
        IDS[position],
        draw(st.sampled_from(StepStatus)),
        draw(st.integers(0, 3)),
        draw(st.integers(0, 3)),
        draw(st.integers(0, 3)),
        *(draw(TIMES), draw(TIMES), draw(TEXTS), draw(TIMES), draw(TIMES), draw(TEXTS)),
        draw(st.integers(0, 3)),
    )


@st.composite
def _attempt(draw: st.DrawFn) -> Attempt:
    return Attempt(
        draw(POSITIONS),
        draw(st.integers(1, 3)),
        draw(st.sampled_from(AttemptStatus)),
        draw(st.floats(0, 1e10)),
        draw(TIMES),
        "boot",
        *(draw(TEXTS), draw(TEXTS), draw(TEXTS), draw(TIMES), draw(TEXTS)),
        is_gate=draw(st.booleans()),
    )


@st.composite
def _changes(draw: st.DrawFn) -> Changes:
    # Most headers keep the run open: an ended one refuses everything, which is soon dull.
    statuses = [RunStatus.RUNNING] * 6 + list(RunStatus)
    deadlines = st.none() | st.builds(Deadline, st.floats(0, 1e10), st.floats(0, 1e10), KEYS)
    outcomes = st.none() | st.sampled_from(Outcome)
    headers = st.builds(RunHeader, st.sampled_from(statuses), TEXTS, TIMES, deadlines, outcomes)
    header = draw(st.none() | headers)
    steps = draw(st.lists(_step(), max_size=2))
    attempts = draw(st.lists(_attempt(), max_size=2))
    return Changes(
        header,
        {step.position: step for step in steps},
        {(attempt.position, attempt.number): attempt for attempt in attempts},
    )


@dataclass
class ModelRun:
    """What a run should be."""

    header: RunHeader
    revision: int
    steps: list[Step]
    attempts: dict[tuple[int, int], Attempt]
    cancel: CancelRequest | None = None

    def refusal(self, changes: Changes, revision: int) -> type[StoreError] | None:
        """Say why the changes may not be applied, if they may not."""
        new = changes.attempts.keys() - self.attempts.keys()
        if revision != self.revision:
            return RunTakenOver
        if self.header.status.is_terminal:
            return TerminalStatus
        starting = [one for one in changes.attempts.values() if one.status == "STARTING"]
        in_finally = (changes.header or self.header).finally_after is not None
        refused = self.cancel and (not in_finally or self.cancel.now_at is not None)
        if refused and any(one.abort_reason is None for one in starting):
            return CancelRequested
        if any(self.steps[position].status.is_terminal for position in changes.steps) or any(
            not self.attempts[key].status.is_open for key in changes.attempts.keys() - new
        ):
            return TerminalStatus
        return None

    def apply(self, changes: Changes) -> None:
        self.header = changes.header or self.header
        self.revision += 1
        for position, step in changes.steps.items():
            self.steps[position] = step
        self.attempts |= changes.attempts

    def request_cancel(self, at: float, grace: float | None, *, now: bool) -> None:
        """Take a request; one that is not the first, or any with `now`, is for `finally` too."""
        now = now or (self.cancel is not None and self.header.finally_after is not None)
        self.cancel = self.cancel or CancelRequest(at, grace)
        if now and self.cancel.now_at is None:
            grace = self.cancel.grace_sec if grace is None else grace
            self.cancel = self.cancel._replace(now_at=at, grace_sec=grace)

    def reopen(self, resets: Mapping[int, int]) -> None:
        """Let the steps at these positions wait again, with so many retries."""
        self.header = RunHeader(RunStatus.PENDING)
        self.revision += 1
        self.cancel = None
        retry_no = max(step.retry_no for step in self.steps) + 1
        for position, retries in resets.items():
            waiting = Step.waiting(position, self.steps[position].step_id, retries, retry_no)
            self.steps[position] = waiting._replace(attempt_no=self.steps[position].attempt_no)


class StoreMachine(RuleBasedStateMachine):
    """The store and its model, side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name, "flow.sqlite3")
        self.store = FlowStore.open(self.path)
        self.model: dict[str, ModelRun] = {}

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()

    @rule(key=KEYS, retries=st.integers(0, 2))
    def create(self, key: str, retries: int) -> None:
        created = self.store.create(
            run_key=key,
            flow_id="f",
            definition="{}",
            directory="/",
            flow_dir="/",
            orchesjob_home="/srv/jobs",
            started_at=1.0,
            steps=[(step_id, retries) for step_id in IDS],
        )
        assert created is (key not in self.model)
        if created:
            steps = [
                Step(n, step_id, StepStatus.PENDING, 0, 0, retries) for n, step_id in enumerate(IDS)
            ]
            self.model[key] = ModelRun(RunHeader(RunStatus.PENDING), 0, steps, {})

    @rule(key=KEYS, changes=_changes(), lag=st.sampled_from([0, 0, 0, 0, 1]))
    def apply(self, key: str, changes: Changes, lag: int) -> None:
        run = self.model.get(key)
        revision = run.revision - lag if run else 0
        refusal = run.refusal(changes, revision) if run else NotRecorded
        if run is None or refusal is not None:
            with pytest.raises(StoreError) as caught:
                self.store.apply(key, changes, revision=revision)
            assert type(caught.value) is refusal
        else:
            answer = self.store.apply(key, changes, revision=revision)
            run.apply(changes)
            assert answer == run.revision

    @precondition(lambda self: self.model)
    @rule(key=KEYS, at=st.floats(0, 1e10), grace=TIMES, now=st.booleans())
    def request_cancel(self, key: str, at: float, grace: float | None, now: bool) -> None:
        run = self.model.get(key)
        try:
            answer = self.store.request_cancel(key, requested_at=at, grace_sec=grace, now=now)
        except NotRecorded:
            assert run is None
            return
        assert run is not None
        if not run.header.status.is_terminal:
            run.request_cancel(at, grace, now=now)
        assert answer == run.cancel

    @precondition(lambda self: self.model)
    @rule(key=KEYS, resets=st.dictionaries(st.integers(0, 2), st.integers(0, 5)))
    def go_on(self, key: str, resets: dict[int, int]) -> None:
        run = self.model.get(key)
        if run is None or not run.header.status.is_terminal:
            with pytest.raises(NotRecorded if run is None else NotTerminal):
                self.store.reopen(key, Reopening("{}", resets), revision=run.revision if run else 0)
            return
        run.reopen(resets)
        assert self.store.reopen(key, Reopening("{}", resets), revision=run.revision - 1) == (
            run.revision
        )

    @rule(checkpoint=st.booleans())
    def close_and_open(self, checkpoint: bool) -> None:
        if checkpoint:
            self.store.checkpoint()
        self.store.close()
        self.store = FlowStore.open(self.path)

    @invariant()
    def agrees(self) -> None:
        for key, run in self.model.items():
            latest = {position: attempt for (position, _), attempt in sorted(run.attempts.items())}
            assert self.store.load(key) == Run(
                run_key=key,
                flow_id="f",
                definition="{}",
                directory="/",
                flow_dir="/",
                orchesjob_home="/srv/jobs",
                status=run.header.status,
                error=run.header.error,
                started_at=1.0,
                finished_at=run.header.finished_at,
                deadline=run.header.deadline,
                revision=run.revision,
                cancel=run.cancel,
                finally_after=run.header.finally_after,
                steps=tuple(run.steps),
                attempts=latest,
                history=tuple(
                    PastAttempt(
                        *one[:4],
                        one.finished_at,
                        one.error,
                        is_foreign=one.job is not None and one.job_id is None,
                        is_gate=one.is_gate,
                    )
                    for _, one in sorted(run.attempts.items())
                ),
            )
            history = tuple(attempt for _, attempt in sorted(run.attempts.items()))
            assert self.store.attempts(key) == history
            assert self.store.cancel_request(key) == run.cancel


TestStore = StoreMachine.TestCase
TestStore.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
