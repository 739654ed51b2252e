"""What one run adds to the figures, by what is recorded of it (rule 12.2)."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from flow_spec import FlowSpec, parse_flow
from flow_store import (
    AttemptStatus,
    FlowStore,
    Person,
    Reopening,
    RunStatus,
    Settlement,
    StepStatus,
)
from orchesjob_flow.stats import THE_RUN, Percentiles, Series, flow_stats

from .recording import BAD, GOOD, SKIPPED, Ending, end, failed, open_again, ran, record, step

CHAIN = FlowSpec("f", (step("a"), step("b", when="a"), step("c", when="a")))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FlowStore]:
    """An open, empty store."""
    with FlowStore.open(tmp_path / "flow.db") as opened:
        yield opened


def added(store: FlowStore) -> dict[str, Series]:
    """Return what the one run adds, by the steps."""
    ((flow,), _) = flow_stats(store, report=list[str]().append)
    return {THE_RUN: flow.runs, **{one.step: one for one in flow.steps}}


def once(  # noqa: PLR0913, PLR0917 - the columns of a table
    name: str,
    status: str,
    begun: bool,
    retries: int,
    took: float | None,
    waited: float | None,
    share: float | None,
) -> Series:
    """Return the figures of what has ended once."""
    s, f, c, n = (int(status == one) for one in ("SUCCEEDED", "FAILED", "CANCELLED", "SKIPPED"))
    times, waits = (None if one is None else Percentiles(one, one) for one in (took, waited))
    return Series(name, 1, s, f, c, n, int(begun), retries, times, waits, share)


def test_a_success(store: FlowStore) -> None:
    """Durations are those of attempts; the path is shared out from one end to the next."""
    record(store, "k", CHAIN)
    end(store, "k", 10.5, {"a": ran(1, 4), "b": ran(4, 6), "c": ran(6, 10)})
    assert added(store) == {
        THE_RUN: once(THE_RUN, "SUCCEEDED", True, 0, 10.5, 3.0, None),
        "a": once("a", "SUCCEEDED", True, 0, 3.0, 1.0, 0.4),
        "b": once("b", "SUCCEEDED", True, 0, 2.0, 0.0, 0.0),
        "c": once("c", "SUCCEEDED", True, 0, 4.0, 2.0, 0.6),
    }


def test_retries(store: FlowStore) -> None:
    """The duration is that of the attempt that succeeded; those before it are retries.

    Neither a start that never was nor the gate is an attempt of the command.
    """
    record(store, "k", FlowSpec("f", (step("a", retries=3),)))
    told = [
        (1.0, 1.0, AttemptStatus.NEVER_RAN),
        (1.0, 3.0, BAD),
        (5.0, 6.0, BAD),
        (8.0, 12.0, GOOD),
    ]
    gate = (0.0, 1.0, GOOD)
    end(store, "k", 12.0, {"a": Ending(StepStatus.SUCCEEDED, told, gate)})
    figures = added(store)
    assert (figures["a"].retries, figures["a"].took) == (2, (4.0, 4.0))
    assert (figures[THE_RUN].retries, figures[THE_RUN].took) == (2, (12.0, 12.0))


def test_a_failure(store: FlowStore) -> None:
    """What failed has no duration, and a run that failed shares nothing out."""
    record(store, "k", CHAIN)
    endings = {"a": failed(1, 4), "b": SKIPPED, "c": SKIPPED}
    end(store, "k", 4.0, endings, RunStatus.FAILED)
    assert added(store) == {
        THE_RUN: once(THE_RUN, "FAILED", True, 0, None, 1.0, None),
        "a": once("a", "FAILED", True, 0, None, 1.0, None),
        "b": once("b", "SKIPPED", False, 0, None, None, None),
        "c": once("c", "SKIPPED", False, 0, None, None, None),
    }


def test_a_run_in_which_nothing_began(store: FlowStore) -> None:
    """A run that was cancelled before its first step is counted, and nothing else."""
    record(store, "k", FlowSpec("f", (step("a"),)))
    end(store, "k", 4.0, {"a": Ending(StepStatus.CANCELLED)}, RunStatus.CANCELLED)
    assert added(store) == {
        THE_RUN: once(THE_RUN, "CANCELLED", False, 0, None, None, None),
        "a": once("a", "CANCELLED", False, 0, None, None, None),
    }


def test_copies(store: FlowStore) -> None:
    """The copies of a step are one step, whose share is that of all of them, added once."""
    block = {"foreach": {"X": ["p", "q"]}, "steps": [{"id": "load", "command": ["x"]}]}
    last = {"id": "last", "command": ["x"], "when": "load"}
    flow = parse_flow(json.dumps({"flow_id": "f", "steps": [block, last]}))
    record(store, "k", flow)
    end(store, "k", 10.0, {"load@p": ran(0, 2), "load@q": ran(0, 4), "last": ran(4, 10)})
    figures = added(store)
    load = figures["load"]
    assert figures[THE_RUN].took == (10.0, 10.0)
    assert (load.total, load.took, load.share) == (2, (2.0, 4.0), 0.4)
    assert (figures["last"].took, figures["last"].share) == ((6.0, 6.0), 0.6)


def test_a_run_that_was_opened_again(store: FlowStore) -> None:
    """Its own duration would hold the time in which it had ended; its steps' do not."""
    record(store, "k", CHAIN)
    endings = {"a": ran(0, 4), "b": failed(4, 5), "c": ran(4, 6)}
    end(store, "k", 6.0, endings, RunStatus.FAILED)
    open_again(store, "k", "b")
    end(store, "k", 1003.0, {"b": ran(1000, 1003)})
    figures = added(store)
    assert figures[THE_RUN] == once(THE_RUN, "SUCCEEDED", True, 1, None, 0.0, None)
    assert figures["b"] == once("b", "SUCCEEDED", True, 1, 3.0, 0.0, 1.0)
    assert figures["a"].share == 0.0


def test_a_step_that_a_person_has_settled(store: FlowStore) -> None:
    """It has no duration, since no attempt succeeded; nor has the run, which was opened again."""
    record(store, "k", CHAIN)
    end(store, "k", 4.0, {"a": ran(1, 2), "b": ran(2, 3), "c": failed(2, 4)}, RunStatus.FAILED)
    run = store.load("k")
    assert run is not None
    by = Person("ann", 1)
    one = Settlement(2, 0, StepStatus.SUCCEEDED, StepStatus.FAILED, None, by, 900.0, "so")
    store.reopen("k", Reopening(run.definition, {}, settled=[one]), revision=run.revision)
    end(store, "k", 901.0, {})
    figures = added(store)
    assert figures["c"].took is None
    assert (figures[THE_RUN].succeeded, figures[THE_RUN].took) == (1, None)


def test_a_damaged_record(store: FlowStore, tmp_path: Path) -> None:
    """Of a run whose flow is no longer readable, it is only known how it ended."""
    record(store, "k", CHAIN)
    end(store, "k", 10.5, {"a": ran(1, 4), "b": ran(4, 6), "c": ran(6, 10)})
    with closing(sqlite3.connect(tmp_path / "flow.db")) as raw:
        raw.execute("UPDATE definitions SET definition = 'damaged'")
        raw.commit()
    assert added(store) == {THE_RUN: once(THE_RUN, "SUCCEEDED", True, 0, None, None, None)}
