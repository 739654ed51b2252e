"""Whose a run is that a step of another run has started (rule 5.8a)."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from flow_store import Attempt, AttemptStatus, Changes, FlowStore, Parent, Step, StepStatus
from orchesjob_client import MARK, marked_environment
from orchesjob_flow.home.orchesjob_home import (
    environ_inside,
    is_over,
    named_parent,
    parent_of_new_run,
)

HOME = "/srv/jobs-of-a-test"
STEP = {
    "ORCHESJOB_HOME": HOME,
    "ORCHESJOB_FLOW_RUN_KEY": "k",
    "ORCHESJOB_FLOW_STEP": "a",
    "ORCHESJOB_FLOW_ATTEMPT": "1",
}
"""What a step sees."""
INSIDE = marked_environment(STEP, "k:a:1")
PARENT = Parent("k", "a", 1)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FlowStore]:
    """A store with the run `k`, whose step `a` is at its first attempt, and `in` inside that."""
    facts: dict[str, Any] = {
        "flow_id": "f",
        "definition": "{}",
        "directory": "/",
        "flow_dir": "/",
        "orchesjob_home": HOME,
    }
    with FlowStore.open(tmp_path / "flow.sqlite3") as store:
        for key, parent in (("k", None), ("in", PARENT)):
            facts |= {"steps": [("b", 0), ("a", 1)], "parent": parent}
            store.create(run_key=key, started_at=1.0, **facts)
        write(store)
        yield store


def write(store: FlowStore, number: int = 1, status: AttemptStatus = AttemptStatus.RUNNING) -> None:
    """Record an attempt at the step `a` of `k`."""
    run = store.load("k")
    assert run is not None
    step = Step(1, "a", StepStatus.RUNNING, number, 0, 1, started_at=1.0)
    attempt = Attempt(1, number, status, 1.0, None, "boot")
    store.apply(
        "k", Changes(steps={1: step}, attempts={(1, number): attempt}), revision=run.revision
    )


@pytest.mark.parametrize(
    ("changes", "parent"),
    [
        ({}, PARENT),
        ({"ORCHESJOB_FLOW_ATTEMPT": "10"}, Parent("k", "a", 10)),
        ({"ORCHESJOB_FLOW_ATTEMPT": ""}, None),
        ({"ORCHESJOB_FLOW_ATTEMPT": "x"}, None),
        ({"ORCHESJOB_FLOW_ATTEMPT": "\u0661"}, None),
        ({"ORCHESJOB_FLOW_ATTEMPT": "9" * 5000}, None),
        ({"ORCHESJOB_FLOW_STEP": ""}, None),
        ({"ORCHESJOB_FLOW_RUN_KEY": ""}, None),
    ],
)
def test_named(changes: Mapping[str, str], parent: Parent | None) -> None:
    """An environment names an attempt if it names all of it."""
    assert named_parent({**STEP, **changes}) == parent
    assert named_parent({}) is None


def test_of_a_new_run(store: FlowStore) -> None:
    """A new run is inside the attempt that this database knows, and whose mark is there."""
    assert parent_of_new_run(store, INSIDE) == PARENT
    assert parent_of_new_run(store, marked_environment(INSIDE, "in:a:1")) == PARENT
    for changes in (
        {MARK: ""},
        {"ORCHESJOB_FLOW_RUN_KEY": "unknown"},
        {"ORCHESJOB_FLOW_STEP": "b"},
        {"ORCHESJOB_FLOW_ATTEMPT": "2"},
    ):
        assert parent_of_new_run(store, {**INSIDE, **changes}) is None
    assert parent_of_new_run(store, marked_environment(STEP, "k:a:2")) is None


def test_who_goes_on(store: FlowStore) -> None:
    """Only the step that started a run, at whatever attempt, has it carry the step's mark."""
    outer, inner = store.load("k"), store.load("in")
    assert outer is not None
    assert inner is not None
    later = {**INSIDE, "ORCHESJOB_FLOW_ATTEMPT": "2"}
    assert environ_inside(inner, INSIDE) == INSIDE
    assert environ_inside(inner, later) == later
    assert environ_inside(outer, INSIDE) == STEP
    other = {**INSIDE, "ORCHESJOB_FLOW_STEP": "b"}
    assert environ_inside(inner, other) == {**STEP, "ORCHESJOB_FLOW_STEP": "b"}
    assert environ_inside(inner, {"A": "b"}) == {"A": "b"}


def test_over(store: FlowStore) -> None:
    """An attempt is over that has ended, was followed by another, or is of an earlier boot."""
    assert not is_over(store, PARENT, "boot")
    assert is_over(store, PARENT, "later boot")
    assert is_over(store, Parent("unknown", "a", 1), "boot")
    assert is_over(store, Parent("k", "unknown", 1), "boot")
    assert is_over(store, Parent("k", "b", 1), "boot")
    write(store, status=AttemptStatus.FAILED)
    assert is_over(store, PARENT, "boot")
    write(store, number=2)
    assert is_over(store, PARENT, "boot")
    assert not is_over(store, Parent("k", "a", 2), "boot")
