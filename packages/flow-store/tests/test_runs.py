"""Recording runs and reading them again (rules 4.1 to 4.6)."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from flow_store import (
    Attempt,
    AttemptStatus,
    Changes,
    Deadline,
    FlowStore,
    RunHeader,
    RunStatus,
    RunTakenOver,
    Step,
    StepStatus,
    TerminalStatus,
    Unstorable,
)


def test_the_folder_of_its_home(run_store: FlowStore) -> None:
    """A runner records it without a new revision, unless it was overtaken (rules 4.5 and 4.8)."""
    run_store.record_home("k", 2**63 - 1, revision=0)
    recorded = run_store.load("k")
    assert recorded is not None
    assert (recorded.home_inode, recorded.revision) == (2**63 - 1, 0)
    with pytest.raises(RunTakenOver):
        run_store.record_home("k", 7, revision=1)
    run_store.apply("k", Changes(RunHeader(RunStatus.SUCCEEDED)), revision=0)
    with pytest.raises(TerminalStatus):
        run_store.record_home("k", 7, revision=1)


def test_everything_survives_reopening(
    path: Path, create: Callable[..., bool], step: Step, attempt: Attempt
) -> None:
    """Each field of a run, a step and an attempt is read as it was written."""
    first = attempt._replace(
        status=AttemptStatus.NEVER_RAN,
        running_mono=7.25,
        job_id="j-1",
        job='{"status": "ABORTED"}',
        abort_reason="dead start",
        finished_at=102.5,
        error="never carried out",
    )
    second = attempt._replace(number=2, started_at=103.0, boot_id="boot-2")
    delayed = step._replace(
        status=StepStatus.DELAYED,
        attempt_no=2,
        failures=1,
        next_attempt_at=110.5,
        next_attempt_mono=17.5,
        next_attempt_boot="boot-1",
        finished_at=109.0,
        error="the last attempt's process 12 is still alive",
    )
    header = RunHeader(RunStatus.FAILED, "a step failed", 120.5, Deadline(400.5, 37.5, "boot-1"))
    with FlowStore.open(path) as store:
        create(store)
        changes = Changes(header, {0: delayed}, {(0, 1): first, (0, 2): second})
        assert store.apply("k", changes, revision=0) == 1
    with FlowStore.open(path) as store:
        run = store.load("k")
        assert run is not None
        assert run.steps[0] == delayed
        assert RunHeader(run.status, run.error, run.finished_at, run.deadline) == header
        assert run.revision == 1
        assert run.attempts == {0: second}, "only the latest attempt of each step"
        assert store.attempts("k") == (first, second), "the whole history"


def test_attempts_in_order(run_store: FlowStore, attempt: Attempt) -> None:
    """The history is in order of steps and numbers, and the tenth attempt is after the ninth."""
    keys = [(position, number) for position in (0, 2) for number in range(1, 12)]
    attempts = {
        key: attempt._replace(position=key[0], number=key[1], status=AttemptStatus.FAILED)
        for key in reversed(keys)
    }
    run_store.apply("k", Changes(attempts=attempts), revision=0)
    assert [(a.position, a.number) for a in run_store.attempts("k")] == keys
    run = run_store.load("k")
    assert run is not None
    assert {position: a.number for position, a in run.attempts.items()} == {0: 11, 2: 11}


def test_foreign_text_is_escaped(run_store: FlowStore, step: Step, attempt: Attempt) -> None:
    """A surrogate in an error or a job is spelled out, which in JSON means the same character."""
    changes = Changes(
        RunHeader(RunStatus.RUNNING, "caf\udce9"),
        {0: step._replace(error="caf\udce9 \0 日本")},
        {(0, 1): attempt._replace(job='{"cwd": "caf\udce9"}', error="\udce9")},
    )
    run_store.apply("k", changes, revision=0)
    run = run_store.load("k")
    assert run is not None
    assert run.error == r"caf\udce9"
    assert run.steps[0].error == "caf\\udce9 \0 日本"
    assert run.attempts[0].job == r'{"cwd": "caf\udce9"}'
    assert run.attempts[0].error == r"\udce9"


@pytest.mark.parametrize(
    "facts",
    [
        {"run_key": "caf\udce9"},
        {"flow_id": "\ud800"},
        {"definition": "\udfff"},
        {"directory": "\ud800"},
        {"steps": [("\udce9", 0)]},
        {"steps": [("a", 0), ("b", 10**30)]},
        {"steps": [("a", -1)]},
        {"started_at": float("nan")},
    ],
    ids=repr,
)
def test_unstorable_values(
    store: FlowStore, create: Callable[..., bool], facts: dict[str, object]
) -> None:
    """What SQLite or the schema cannot take is refused, and nothing of that run is recorded."""
    with pytest.raises(Unstorable):
        create(store, **facts)
    assert store.load("k") is None
    assert create(store), "the store still works"


def test_large_run_loads_fast(store: FlowStore, create: Callable[..., bool]) -> None:
    """Loading a run of 1,600 steps and attempts takes some milliseconds, not seconds."""
    create(store, steps=[(f"s{n}", 1) for n in range(1600)])
    changes = Changes(
        attempts={
            (n, 1): Attempt(n, 1, AttemptStatus.RUNNING, 1.0, 2.0, "boot", "j", '{"x": 1}')
            for n in range(1600)
        }
    )
    store.apply("k", changes, revision=0)
    durations = []
    for _ in range(5):
        begun = time.perf_counter()
        run = store.load("k")
        durations.append(time.perf_counter() - begun)
        assert run is not None
        assert len(run.steps) == len(run.attempts) == 1600
    assert min(durations) < 0.5, "about 0.012 s where this was written"
