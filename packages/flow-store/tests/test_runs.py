"""Recording runs and reading them again (rules 4.1 to 4.6)."""

import time
from collections.abc import Callable

import pytest

from flow_store import (
    Attempt,
    AttemptStatus,
    Changes,
    FlowStore,
    RunHeader,
    RunStatus,
    RunTakenOver,
    Step,
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
        {"definition": "\udfff"},
        {"steps": [("\udce9", 0)]},
        {"steps": [("a", 0), ("b", 10**30)]},
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
