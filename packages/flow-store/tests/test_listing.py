"""The runs of a database, in short and newest first (rule 9.5)."""

from collections.abc import Callable

import pytest

from flow_store import (
    CancelRequest,
    Changes,
    FlowStatus,
    FlowStore,
    RunHeader,
    RunSummary,
    Step,
    StepStatus,
)

Create = Callable[..., bool]


@pytest.fixture
def three(store: FlowStore, create: Create) -> FlowStore:
    """A store with `old` of flow `f`, which failed, then `mid` of `g` and `new` of `f`, PENDING."""
    create(store, run_key="old", flow_id="f", started_at=300.0, steps=[("a", 0), ("b", 0)])
    create(store, run_key="mid", flow_id="g", started_at=100.0)
    create(store, run_key="new", flow_id="f", started_at=200.0)
    header = RunHeader(FlowStatus.FAILED, "1 step failed: a", 400.0)
    step = Step(0, "a", StepStatus.FAILED, 1, 1, 0)
    store.apply("old", Changes(header, steps={0: step}), revision=0)
    return store


def test_order(three: FlowStore) -> None:
    """What was recorded last comes first, whatever the clock said."""
    assert [run.run_key for run in three.runs()] == ["new", "mid", "old"]
    assert three.run_keys() == ("new", "mid", "old")
    assert three.run_keys(limit=2) == ("new", "mid")
    assert three.run_keys(limit=0) == ()


def test_summary(three: FlowStore) -> None:
    """A summary holds what the run holds, and counts its steps."""
    three.request_cancel("new", requested_at=500.0, grace_sec=None)
    new, _, old = three.runs()
    assert old == RunSummary(
        run_key="old",
        flow_id="f",
        status=FlowStatus.FAILED,
        error="1 step failed: a",
        started_at=300.0,
        finished_at=400.0,
        revision=1,
        cancel=None,
        parent=None,
        finally_after=None,
        gave_up=None,
        group=None,
        queue=None,
        params=None,
        steps={StepStatus.FAILED: 1, StepStatus.PENDING: 1},
    )
    assert new.cancel == CancelRequest(500.0, None)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"flow_id": "f"}, ["new", "old"]),
        ({"flow_id": "F"}, []),
        ({"statuses": [FlowStatus.FAILED]}, ["old"]),
        ({"statuses": [FlowStatus.PENDING, FlowStatus.RUNNING]}, ["new", "mid"]),
        ({"statuses": [FlowStatus.PENDING], "flow_id": "f"}, ["new"]),
        ({"limit": 2}, ["new", "mid"]),
        ({"limit": 1, "flow_id": "g"}, ["mid"]),
        ({"limit": 0}, []),
    ],
)
def test_choice(three: FlowStore, asked: dict[str, object], expected: list[str]) -> None:
    """Status, flow and number narrow the list down, together too."""
    assert [run.run_key for run in three.runs(**asked)] == expected  # type: ignore[arg-type]


def test_of_nothing(store: FlowStore) -> None:
    """A database without runs lists none."""
    assert store.runs() == ()


def test_keys_next_to_one(three: FlowStore) -> None:
    """The keys that come next in the order of their texts, whether or not it is recorded itself."""
    assert three.run_keys_around("mid", 1) == ("mid",)
    assert three.run_keys_around("n", 1) == ("new", "mid")
    assert three.run_keys_around("n", 2) == ("new", "old", "mid")
    assert three.run_keys_around("", 2) == ("mid", "new")
    assert three.run_keys_around("z", 2) == ("old", "new")
