"""Whom a run of a group is told to wait for (rule 10.7)."""

from pathlib import Path

import pytest

from flow_spec import Concurrency, FlowSpec, StepSpec
from flow_store import FlowStore, Joining, Queue
from orchesjob_flow.clock import Now
from orchesjob_flow.engine import update
from orchesjob_flow.engine.messages import (
    QueueSeen,
    RunnerStarted,
    Warn,
)
from orchesjob_flow.engine.state import Limits, RunState

NOW = Now(wall=1000.0, mono=10.0, boot="b")


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
