"""Reading runs: lists, all runs of a flow, tokens, and orchesjob's reports (rules 9.5 and 12.2)."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from flow_store import (
    Attempt,
    AttemptStatus,
    CancelRequest,
    Changes,
    DamagedRecord,
    FlowStore,
    GivenUp,
    Joining,
    NotRecorded,
    Reopening,
    Run,
    RunHeader,
    RunReader,
    RunStatus,
    RunSummary,
    Step,
    StepStatus,
    reported_job,
    was_found,
)

type Create = Callable[..., bool]


@pytest.fixture
def three(store: FlowStore, create: Create) -> FlowStore:
    """A store with `old` of flow `f`, which failed, then `mid` of `g` and `new` of `f`, PENDING."""
    create(store, run_key="old", flow_id="f", started_at=300.0, steps=[("a", 0), ("b", 0)])
    create(store, run_key="mid", flow_id="g", started_at=100.0)
    create(store, run_key="new", flow_id="f", started_at=200.0)
    header = RunHeader(RunStatus.FAILED, "1 step failed: a", 400.0)
    step = Step(0, "a", StepStatus.FAILED, 1, 1, 0)
    store.apply("old", Changes(header, steps={0: step}), revision=0)
    return store


def test_order(three: FlowStore) -> None:
    """What was recorded last comes first, whatever the clock said."""
    assert [run.run_key for run in three.runs()] == ["new", "mid", "old"]
    assert three.run_keys() == ("new", "mid", "old")
    assert three.run_keys(limit=2) == ("new", "mid")
    assert three.run_keys(limit=0) == ()


def test_pages(three: FlowStore, create: Create) -> None:
    """Each page goes on after the last run of the one before, whatever is recorded meanwhile."""
    seen: list[str] = []
    page = three.runs(flow_id="f", limit=1)
    while page:
        seen += [run.run_key for run in page]
        create(three, f"later {len(seen)}", flow_id="f")
        page = three.runs(flow_id="f", before=seen[-1], limit=1)
    assert seen == ["new", "old"]
    with pytest.raises(NotRecorded, match="run 'gone' is not recorded"):
        three.runs(before="gone")


def test_a_reader(three: FlowStore, path: Path) -> None:
    """What only reads needs no store: it sees the same, and records nothing."""
    with RunReader.open_readonly(path) as reader:
        assert reader.runs() == three.runs()
        assert reader.load("old") == three.load("old")
        assert type(reader) is RunReader
    reader.close()


def test_summary(three: FlowStore) -> None:
    """A summary holds what the run holds, and counts its steps."""
    three.request_cancel("new", requested_at=500.0, grace_sec=None)
    new, _, old = three.runs()
    run = three.load("old")
    for name in {*RunSummary._fields} & {*Run._fields} - {"steps"}:
        assert getattr(old, name) == getattr(run, name)
    assert (old.error, old.finished_at, old.revision) == ("1 step failed: a", 400.0, 1)
    assert old.steps == {StepStatus.FAILED: 1, StepStatus.PENDING: 1}
    assert new.cancel == CancelRequest(500.0, None)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"flow_id": "f"}, ["new", "old"]),
        ({"statuses": [RunStatus.FAILED]}, ["old"]),
        ({"statuses": [RunStatus.PENDING], "flow_id": "f"}, ["new"]),
        ({"limit": 1, "flow_id": "g"}, ["mid"]),
        ({"limit": 0}, []),
        ({"since": 400.0}, ["new", "mid", "old"]),
        ({"since": 400.1}, ["new", "mid"]),  # what has not ended is never left out
    ],
)
def test_choice(three: FlowStore, asked: dict[str, object], expected: list[str]) -> None:
    """Status, flow, number and end narrow the list down, together too."""
    assert [run.run_key for run in three.runs(**asked)] == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("asked", "error", "words"),
    [
        ({"statuses": RunStatus.FAILED}, TypeError, "statuses must be a collection, such as"),
        ({"statuses": ["FAILD"]}, ValueError, "'FAILD' is not a valid RunStatus"),
        ({"since": datetime(2026, 5, 7, tzinfo=UTC)}, TypeError, "since must be a Unix timestamp"),
        ({"limit": -1}, ValueError, "limit must be an integer >= 0 or None, not -1"),
        ({"limit": 1.5}, ValueError, "limit must be an integer >= 0"),
    ],
)
def test_wrong_arguments_are_refused(
    three: FlowStore, asked: dict[str, Any], error: type[Exception], words: str
) -> None:
    """A slip is an error, not an answer that looks right."""
    with pytest.raises(error, match=words):
        three.runs(**asked)
    if "limit" in asked:
        with pytest.raises(error, match=words):
            three.run_keys(**asked)


def end(store: FlowStore, run_key: str, status: RunStatus, at: float, revision: int = 0) -> None:
    store.apply(run_key, Changes(RunHeader(status, None, at)), revision=revision)


@pytest.fixture
def several(store: FlowStore, create: Create) -> FlowStore:
    """Runs of two flows, of which `a2` and `b1` have not ended."""
    for key in ("a1", "b1", "a2", "a3"):
        create(store, key, flow_id=key[0])
    end(store, "a1", RunStatus.FAILED, 200.0)
    end(store, "a3", RunStatus.SUCCEEDED, 300.0)
    store.apply("b1", Changes(RunHeader(RunStatus.RUNNING)), revision=0)
    return store


def test_flows(several: FlowStore) -> None:
    """Each flow is named once, its newest run is the one recorded last, however it stands."""
    assert several.flow_ids() == ("a", "b")
    assert [run.run_key for run in several.newest_runs()] == ["a3", "b1"]
    assert several.unfinished() == {"a": {RunStatus.PENDING: 1}, "b": {RunStatus.RUNNING: 1}}


def test_last_successes(several: FlowStore, create: Create) -> None:
    """Of each flow the end that came last counts, not the run that was recorded last."""
    create(several, "b2", flow_id="b")
    end(several, "b2", RunStatus.FAILED, 400.0)
    assert several.last_successes() == {"a": 300.0}
    several.reopen("a1", Reopening("{}", {0: 0}), revision=1)
    end(several, "a1", RunStatus.SUCCEEDED, 500.0, revision=2)
    assert several.last_successes(since=500.0) == {"a": 500.0}
    assert several.last_successes(since=500.5) == {}


def test_a_run_that_has_ended(store: FlowStore, create: Create, attempt: Attempt) -> None:
    """It is read with all its attempts; no other run is."""
    create(store)
    done = attempt._replace(status=AttemptStatus.FAILED, finished_at=102.0)
    store.apply("k", Changes(attempts={(0, 1): done}), revision=0)
    assert store.load_ended("k") is None
    end(store, "k", RunStatus.FAILED, 103.0, revision=1)
    assert store.load_ended("k") == (store.load("k"), (done,))
    assert store.load_ended("other") is None


RUNNING, GAVE_UP = RunHeader(RunStatus.RUNNING), GivenUp(1.0, "no answer")
CHANGES: dict[str, Callable[[FlowStore, Step], object]] = {
    "a step": lambda store, step: store.apply("k", Changes(steps={0: step}), revision=0),
    "the run": lambda store, _: store.apply("k", Changes(RUNNING), revision=0),
    "a cancel": lambda store, _: store.request_cancel("k", requested_at=1.0, grace_sec=None),
    "a giving up": lambda store, _: store.record_giving_up("k", GAVE_UP, revision=0),
}


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_changes(run_store: FlowStore, step: Step, change: str) -> None:
    """Each change of a run gives it another token (rule 6.6)."""
    before = run_store.token_of("k")
    CHANGES[change](run_store, step)
    assert run_store.token_of("k") != before


def test_a_run_that_waits(store: FlowStore, create: Create) -> None:
    """Who is before a run that waits for its group is a matter of that run too (rule 10.7)."""
    create(store, "first", joining=Joining("g"))
    create(store, "k", joining=Joining("g"))
    before = store.token_of("k")
    ended = RunHeader(RunStatus.CANCELLED, finished_at=5.0)
    store.apply("first", Changes(ended), revision=0)
    assert store.token_of("k") != before


def test_a_report(run_store: FlowStore, attempt: Attempt) -> None:
    """What was recorded as JSON text is read as an object, lone surrogates included."""
    written = attempt._replace(job='{"status": "RUNNING", "command": ["\udc80"]}')
    run_store.apply("k", Changes(attempts={(0, 1): written}), revision=0)
    run = run_store.load("k")
    assert run is not None
    job = {"status": "RUNNING", "command": ["\udc80"]}
    assert reported_job(run, run.attempts[0]) == job


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ('{"status":', "Expecting value"),
        ("[]", "expected a JSON object, got list"),
        ("[" * 100_000, "recursion"),
    ],
)
def test_a_damaged_report(run_store: FlowStore, attempt: Attempt, text: str, cause: str) -> None:
    """Anything else is an error that names the run, the step and the attempt."""
    run = run_store.load("k")
    assert run is not None
    with pytest.raises(DamagedRecord, match=cause) as caught:
        reported_job(run, attempt._replace(position=1, number=3, job=text))
    error = caught.value
    assert (error.run_key, error.step_id, error.attempt_no) == ("k", "b", 3)


@pytest.mark.parametrize(
    ("finished_at", "job", "is_found"),
    [
        (None, '{"existing":true}', False),
        (1000.0, None, False),
        (1000.0, '{"existing":true}', True),
        (1000.0, '{"existing":false}', False),
    ],
)
def test_what_was_found(
    run_store: FlowStore,
    attempt: Attempt,
    finished_at: float | None,
    job: str | None,
    is_found: bool,
) -> None:
    """Found is what orchesjob knew already and had ended before it began here (rule 4.7)."""
    written = attempt._replace(started_at=1000.0, finished_at=finished_at, job=job)
    run_store.apply("k", Changes(attempts={(0, 1): written}), revision=0)
    run = run_store.load("k")
    assert run is not None
    assert was_found(run, run.attempts[0]) is is_found
    (past,) = run.history
    assert was_found(run, past) is is_found
    assert was_found(run, past._replace(number=0)) is (finished_at == 1000.0)
