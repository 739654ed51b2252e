"""Whose a run is that a step of another run has started (rule 5.8a)."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from flow_store import (
    Attempt,
    AttemptStatus,
    Changes,
    FlowStore,
    Parent,
    RunHeader,
    RunStatus,
    Step,
    StepStatus,
)
from orchesjob_client import MARK, mark, marked_environment, unmarked
from orchesjob_flow.home.orchesjob_home import (
    InnerFate,
    environ_inside,
    fate_of_inner,
    named_parent,
    parent_of_new_run,
)
from orchesjob_flow.home.paths import Home

HOME = "/srv/jobs-of-a-test"
FLOWS = Home(Path("/srv/flows-of-a-test/orchesjob-flow.sqlite3"))
RUN_DIR = "ORCHESJOB_FLOW_RUN_DIR"
STEP = {
    "ORCHESJOB_HOME": HOME,
    "ORCHESJOB_FLOW_RUN_KEY": "k",
    "ORCHESJOB_FLOW_STEP": "a",
    "ORCHESJOB_FLOW_ATTEMPT": "1",
    RUN_DIR: "/srv/flows-of-a-test/runs/k.run",
}
"""What a step sees."""
INSIDE = marked_environment(STEP, "k:a:1")
PARENT = Parent("k", "a", 1)


@pytest.fixture
def store(tmp_path: Path, record: Callable[..., None]) -> Iterator[FlowStore]:
    """A store with the run `k`, whose step `a` is at its first attempt, and `in` inside that."""
    with FlowStore.open(tmp_path / "flow.sqlite3") as store:
        for key, parent in (("k", None), ("in", PARENT)):
            steps = [("b", 0), ("a", 1)]
            record(store, key, orchesjob_home=HOME, steps=steps, parent=parent)
        write(store)
        yield store


def write(
    store: FlowStore,
    number: int = 1,
    status: AttemptStatus = AttemptStatus.RUNNING,
    *,
    step: StepStatus = StepStatus.RUNNING,
    run: RunStatus = RunStatus.RUNNING,
) -> None:
    """Record an attempt at the step `a` of `k`, and the statuses of both."""
    before = store.load("k")
    assert before is not None
    row = Step(1, "a", step, number, 0, 1, started_at=1.0)
    attempt = Attempt(1, number, status, 1.0, None, "boot")
    changes = Changes(RunHeader(run, None), {1: row}, {(1, number): attempt})
    store.apply("k", changes, revision=before.revision)


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
    assert environ_inside(inner, INSIDE, FLOWS) == INSIDE
    assert environ_inside(inner, later, FLOWS) == later
    assert environ_inside(outer, INSIDE, FLOWS) == unmarked(INSIDE)
    other = {**INSIDE, "ORCHESJOB_FLOW_STEP": "b"}
    assert environ_inside(inner, other, FLOWS) == unmarked(other)


@pytest.mark.parametrize("changes", [{RUN_DIR: "/srv/other/runs/k.run"}, {RUN_DIR: ""}])
def test_an_unknown_step_goes_on(store: FlowStore, changes: Mapping[str, str]) -> None:
    """What a step of another home advances, or one without a name, ends with that step (5.8a)."""
    outer = store.load("k")
    assert outer is not None
    environ = {**INSIDE, **changes}
    assert environ_inside(outer, environ, FLOWS) == environ
    nameless = {**INSIDE, "ORCHESJOB_FLOW_STEP": ""}
    assert environ_inside(outer, nameless, FLOWS) == nameless
    assert environ_inside(outer, {"A": "b"}, FLOWS) == {"A": "b"}


def test_of_a_new_run_without_a_mark(store: FlowStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the environment was cleared, the innermost cgroup shows the attempt while it is open.

    Only root could make these cgroups.
    """
    ours, unknown = mark(HOME, "k:a:1"), mark(HOME, "k:a:2")
    enclosing: list[str] = []
    monkeypatch.setattr("orchesjob_client.enclosing_marks", lambda: enclosing)
    for marks, parent in (
        ([], None),
        ([unknown], None),
        ([ours], PARENT),
        ([ours, unknown], PARENT),
    ):
        enclosing[:] = marks
        assert parent_of_new_run(store, {}) == parent
    assert parent_of_new_run(store, {MARK: unknown}) is None
    write(store, status=AttemptStatus.FAILED)
    assert parent_of_new_run(store, {}) is None


@pytest.mark.parametrize("succeeds", [True, False])
def test_fates(store: FlowStore, *, succeeds: bool) -> None:
    """An inner run goes on with its attempt, waits for the next one, or ends with its step (5.8a).

    An attempt is over that has ended, was followed by another, or is of an earlier boot.
    """

    def fate(parent: Parent = PARENT, boot: str = "boot") -> InnerFate:
        return fate_of_inner(store, parent, boot)

    assert fate() is InnerFate.GOES_ON
    assert fate(boot="later boot") is InnerFate.IS_LEFT
    assert fate(Parent("unknown", "a", 1)) is InnerFate.ENDS
    assert fate(Parent("k", "unknown", 1)) is InnerFate.ENDS
    assert fate(Parent("k", "b", 1)) is InnerFate.IS_LEFT
    write(store, status=AttemptStatus.FAILED)
    assert fate() is InnerFate.IS_LEFT
    write(store, number=2)
    assert fate() is InnerFate.IS_LEFT
    assert fate(Parent("k", "a", 2)) is InnerFate.GOES_ON
    end = RunStatus.SUCCEEDED if succeeds else RunStatus.FAILED
    write(store, 2, AttemptStatus(end), step=StepStatus(end), run=end)
    assert fate() is InnerFate.ENDS
    assert fate(Parent("k", "b", 1)) is InnerFate.ENDS
    left_behind = InnerFate.GOES_ON if succeeds else InnerFate.ENDS
    assert fate(Parent("k", "a", 2), "later boot") is left_behind
