"""What a person decides of a step is recorded beside it, in one transaction (rule 12.3)."""

from pathlib import Path

import pytest

from flow_store import (
    Attempt,
    AttemptStatus,
    Changes,
    FlowStore,
    NotSettleable,
    NotTerminal,
    Person,
    Reopening,
    RunHeader,
    RunStatus,
    RunTakenOver,
    Settlement,
    Step,
    StepStatus,
)
from flow_store.database import Database

ATTEMPT = Attempt(1, 1, AttemptStatus.FAILED, 110.0, None, "boot", "j1", "{}", finished_at=120.0)
ANN = Person("ann", 1000)
BY_HAND = Settlement(
    1, 0, StepStatus.SUCCEEDED, StepStatus.FAILED, "exit code 1", ANN, 150.0, "done by hand"
)


def end(store: FlowStore, revision: int, retry_no: int = 0) -> None:
    """Let the run `k` fail at `b`."""
    changes = Changes(RunHeader(RunStatus.FAILED, "1 step failed: b", 130.0))
    changes.steps[1] = Step(
        *(1, "b", StepStatus.FAILED, 1, 1, 0),
        started_at=110.0,
        finished_at=120.0,
        error="exit code 1",
        retry_no=retry_no,
    )
    store.apply("k", changes, revision=revision)


@pytest.fixture
def ended(run_store: FlowStore) -> FlowStore:
    """A store with the run `k`, which has failed at its second step of three."""
    changes = Changes(RunHeader(RunStatus.RUNNING), attempts={(1, 1): ATTEMPT})
    changes.steps[0] = Step(0, "a", StepStatus.SUCCEEDED, 1, 0, 2, started_at=1.0, finished_at=2.0)
    changes.steps[2] = Step(2, "c", StepStatus.CANCELLED, 0, 0, 1, finished_at=130.0)
    run_store.apply("k", changes, revision=0)
    end(run_store, 1)
    return run_store


def test_settle(ended: FlowStore) -> None:
    """The step has the outcome that was decided, and neither times nor attempts change."""
    before = ended.load("k")
    assert before is not None
    reopening = Reopening(before.definition, {2: 4}, settled=[BY_HAND])
    assert ended.reopen("k", reopening, revision=2) == 3
    run = ended.load("k")
    assert run is not None
    assert run.status is RunStatus.PENDING
    assert run.steps[1] == before.steps[1]._replace(status=StepStatus.SUCCEEDED, error=None)
    assert run.steps[2] == Step(2, "c", StepStatus.PENDING, 0, 0, 4, retry_no=1)
    assert (run.attempts, run.history) == (before.attempts, before.history)
    assert (run.settlements, run.settled) == ((BY_HAND,), {1: BY_HAND})


def test_who_says_so_is_kept_as_it_is(ended: FlowStore) -> None:
    """A name and a reason that are no Unicode text are kept, and so is who used `sudo`."""
    odd = BY_HAND._replace(
        by=Person("caf\udce9", 0, "b\udce9a"), reason="so \udcff", status=StepStatus.SKIPPED
    )
    ended.reopen("k", Reopening("{}", {}, settled=[odd]), revision=2)
    run = ended.load("k")
    assert run is not None
    (found,) = run.settlements
    assert found.by == Person(r"caf\udce9", 0, r"b\udce9a")
    assert found.reason == r"so \udcff"


def test_a_retry_makes_it_history(ended: FlowStore) -> None:
    """Once the step is decided anew the settlement holds no more; the next one is another."""
    ended.reopen("k", Reopening("{}", {}, settled=[BY_HAND]), revision=2)
    ended.apply("k", Changes(RunHeader(RunStatus.SUCCEEDED, None, 160.0)), revision=3)
    ended.reopen("k", Reopening("{}", {1: 0}), revision=4)
    run = ended.load("k")
    assert run is not None
    assert (run.settlements, run.settled) == ((BY_HAND,), {})
    end(ended, 5, retry_no=1)
    again = BY_HAND._replace(retry_no=1, at=170.0)
    ended.reopen("k", Reopening("{}", {}, settled=[again]), revision=6)
    run = ended.load("k")
    assert run is not None
    assert (run.settlements, run.settled) == ((BY_HAND, again), {1: again})


@pytest.mark.parametrize(
    "wrong",
    [
        BY_HAND._replace(position=0, was=StepStatus.SUCCEEDED),
        BY_HAND._replace(position=0),
        BY_HAND._replace(was=StepStatus.CANCELLED),
        BY_HAND._replace(retry_no=1),
    ],
)
def test_only_what_it_says_it_was(ended: FlowStore, wrong: Settlement) -> None:
    """A step that is not FAILED or CANCELLED, as the settlement says, is not settled, nor any."""
    before = ended.load("k")
    other = BY_HAND._replace(position=2, was=StepStatus.CANCELLED, error=None)
    with pytest.raises(NotSettleable, match="cannot be settled") as raised:
        ended.reopen("k", Reopening("{}", {}, settled=[other, wrong]), revision=2)
    assert raised.value.position == wrong.position
    assert ended.load("k") == before


def test_once(ended: FlowStore) -> None:
    """Of two people who settle the same step, the second one is refused."""
    reopening = Reopening("{}", {}, settled=[BY_HAND])
    ended.reopen("k", reopening, revision=2)
    with pytest.raises(RunTakenOver):
        ended.reopen("k", reopening, revision=2)
    with pytest.raises(NotTerminal, match="'k' has not ended"):
        ended.reopen("k", reopening, revision=3)
    ended.apply("k", Changes(RunHeader(RunStatus.SUCCEEDED, None, 160.0)), revision=3)
    with pytest.raises(NotSettleable):
        ended.reopen("k", reopening, revision=4)


def test_it_goes_with_its_run(ended: FlowStore, path: Path) -> None:
    """Nothing of a run outlives it: its steps, attempts and settlements go too."""
    ended.reopen("k", Reopening("{}", {}, settled=[BY_HAND]), revision=2)
    ended.apply("k", Changes(RunHeader(RunStatus.SUCCEEDED, None, 160.0)), revision=3)
    assert ended.remove({"k": 4}, finished_by=200.0) == {"k"}
    database = Database(path, "ro")
    for table in ("steps", "attempts", "settlements", "definitions"):
        assert database.query(f"SELECT * FROM {table}") == []  # noqa: S608 - named above
    database.close()
