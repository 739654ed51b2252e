"""When a run of a group begins, as the core decides it (rule 10.7)."""

from pathlib import Path

import pytest

from flow_spec import Concurrency, FlowSpec, StepSpec
from flow_store import CancelRequest, FlowStore, Joining, Queue
from orchesjob_flow.clock import Now
from orchesjob_flow.engine import update
from orchesjob_flow.engine.messages import (
    CancelSeen,
    QueueSeen,
    RunnerStarted,
    SetTimer,
    StartJob,
    Timer,
    TimerDue,
    Warn,
)
from orchesjob_flow.engine.state import Limits, RunState

NOW = Now(wall=1000.0, mono=10.0, boot="b")
FREE = QueueSeen(Queue(None, ()), frozenset())


@pytest.fixture
def run(tmp_path: Path) -> RunState:
    """A run of `a` and of `z` in `finally` that waits for the group `g`, with its runner."""
    flow = FlowSpec(
        "f",
        (StepSpec("a", ("a",)),),
        timeout_sec=60.0,
        concurrency=Concurrency("g"),
        finally_=(StepSpec("z", ("z",)),),
    )
    with FlowStore.open(tmp_path / "flow.sqlite3") as store:
        store.create(
            run_key="k",
            flow_id="f",
            definition=flow.to_json(),
            directory="/srv",
            flow_dir="/srv",
            orchesjob_home="/srv/jobs",
            started_at=1.0,
            steps=[("a", 0), ("z", 0)],
            joining=Joining("g"),
        )
        recorded = store.load("k")
    assert recorded is not None
    run = RunState.load(flow, recorded, Limits())
    decision = update(run, RunnerStarted(), NOW)
    assert not decision.changes
    assert not decision.effects
    return run


def test_the_turn_of_a_run(run: RunState) -> None:
    """It begins with its first attempt, and its time begins then."""
    decision = update(run, FREE, NOW)
    assert decision.changes.header is not None
    assert decision.changes.header.status == "RUNNING"
    assert decision.changes.header.deadline == (1060.0, 70.0, "b")
    assert list(decision.changes.attempts) == [(0, 1)]
    assert any(isinstance(effect, StartJob) for effect in decision.effects)
    assert SetTimer(70.0, TimerDue(Timer.DEADLINE)) in decision.effects
    again = update(run, FREE, NOW)
    assert not again.changes


@pytest.mark.parametrize(
    "event",
    [
        QueueSeen(Queue("h", ()), frozenset()),
        QueueSeen(Queue(None, ("e",)), frozenset({"e"})),
        QueueSeen(Queue("h", ("e",)), frozenset()),
    ],
)
def test_another_is_before_it(run: RunState, event: QueueSeen) -> None:
    """It waits while another one is under way, or came earlier and has a runner."""
    assert not update(run, event, NOW).changes
    assert run.status == "PENDING"


def test_those_without_a_runner(run: RunState) -> None:
    """Runs that came earlier and have no runner are passed, and the store is told which."""
    decision = update(run, QueueSeen(Queue(None, ("d", "e")), frozenset()), NOW)
    assert decision.changes.header is not None
    assert decision.changes.passes == {"d", "e"}


def test_it_is_told_once_who_holds_the_group(run: RunState) -> None:
    """Each run that holds the group is named once."""

    def told(holder: str) -> list[str]:
        effects = update(run, QueueSeen(Queue(holder, ()), frozenset()), NOW).effects
        return [effect.message for effect in effects if isinstance(effect, Warn)]

    assert told("h") == ["run 'k' waits for group 'g', held by run 'h'"]
    assert told("h") == []
    assert told("i") == ["run 'k' waits for group 'g', held by run 'i'"]
    (warning,) = update(
        run, QueueSeen(Queue("j", ()), frozenset(), holder_is_to_end=True), NOW
    ).effects
    assert warning == Warn("run 'k' waits for group 'g', held by run 'j', which is to be cancelled")


@pytest.mark.parametrize("successor", [None, "n"])
def test_cancelled_while_it_waits(run: RunState, successor: str | None) -> None:
    """It ends at once, with every step CANCELLED, and is not begun by what is seen after.

    The error names the run that replaces it.
    """
    decision = update(run, CancelSeen(CancelRequest(1.0, None, successor=successor)), NOW)
    update(run, FREE, NOW, decision)
    header = decision.changes.header
    assert header is not None
    assert (header.status, header.finally_after) == ("CANCELLED", None)
    assert header.error == (None if successor is None else "replaced by run 'n'")
    assert [step.row.status for step in run.steps] == ["CANCELLED", "CANCELLED"]
    assert not decision.changes.attempts
    assert not decision.effects
