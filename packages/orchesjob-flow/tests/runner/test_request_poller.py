"""What a runner sees of what other processes have recorded (rules 5.6 and 10.7)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from flow_spec import Concurrency, FlowSpec, StepSpec
from flow_store import Changes, FlowStatus, FlowStore, Joining, Queue, RunHeader
from orchesjob_flow.engine.messages import QueueSeen
from orchesjob_flow.engine.state import Limits, RunState
from orchesjob_flow.errors import GaveUp
from orchesjob_flow.runner.loop import RequestPoller

FLOW = FlowSpec("f", (StepSpec("a", ("a",)),), concurrency=Concurrency("g"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a database is in which `first` and `second` wait for one group."""
    path = tmp_path / "flow.sqlite3"
    with FlowStore.open(path) as store:
        for key in ("first", "second"):
            store.create(
                run_key=key,
                flow_id="f",
                definition=FLOW.to_json(),
                directory="/srv",
                flow_dir="/srv",
                orchesjob_home="/srv/jobs",
                started_at=1.0,
                steps=[("a", 0)],
                joining=Joining("g"),
            )
    return path


@pytest.fixture
def store(path: Path) -> Iterator[FlowStore]:
    """The store of a runner."""
    with FlowStore.open(path) as store:
        yield store


def second(store: FlowStore) -> RunState:
    recorded = store.load("second")
    assert recorded is not None
    return RunState.load(FLOW, recorded, Limits())


def test_who_is_before_a_run(path: Path, store: FlowStore) -> None:
    """Nothing is asked again while a run holds the group and nobody commits; else who lives is."""
    living = {"first"}
    run, poller = second(store), RequestPoller(store, lambda key: key in living)
    queue = Queue(None, ("first",))
    assert list(poller.look(run)) == [QueueSeen(queue, frozenset({"first"}))]
    living.clear()  # which nobody records
    assert list(poller.look(run)) == [QueueSeen(queue, frozenset())]
    with FlowStore.open(path) as other:
        other.apply("first", Changes(RunHeader(FlowStatus.RUNNING)), revision=0)
    assert list(poller.look(run)) == [QueueSeen(Queue("first", ()), frozenset())]
    assert list(poller.look(run)) == []
    with FlowStore.open(path) as other:
        other.apply("first", Changes(RunHeader(FlowStatus.FAILED, finished_at=2.0)), revision=1)
    assert list(poller.look(run)) == [QueueSeen(Queue(None, ()), frozenset())]


def test_a_database_that_is_gone(path: Path, store: FlowStore) -> None:
    """A run does not wait for what nobody will record (rule 5.7)."""
    run, poller = second(store), RequestPoller(store, lambda _: False)
    path.unlink()
    with pytest.raises(GaveUp, match="removed or replaced"):
        list(poller.look(run))
