"""What runs come to, for each flow and each of its steps (rule 12.2)."""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from flow_spec import FlowSpec, StepSpec, parse_flow
from flow_store import (
    Attempt,
    AttemptStatus,
    Changes,
    FlowStore,
    Person,
    Reopening,
    RunHeader,
    RunStatus,
    Settlement,
    StepStatus,
)
from orchesjob_flow.stats import THE_RUN, Percentiles, Series, Stats, flow_stats

# Runs that a store has: recorded, ended, opened again, as a runner and a person would do it.

GOOD, BAD = AttemptStatus.SUCCEEDED, AttemptStatus.FAILED


class Told(NamedTuple):
    """When an attempt began, when it ended, and how."""

    began: float
    ended: float
    status: AttemptStatus = GOOD
    is_gate: bool = False


type Ending = tuple[StepStatus, Sequence[Told]]
"""How a step ended, and its attempts since it was decided last."""


def ran(began: float, ended: float) -> Ending:
    return StepStatus.SUCCEEDED, [Told(began, ended)]


def failed(began: float, ended: float) -> Ending:
    return StepStatus.FAILED, [Told(began, ended, BAD)]


SKIPPED: Ending = StepStatus.SKIPPED, []


def step(name: str, **fields: object) -> StepSpec:
    return StepSpec(name, ("x",), **fields)  # type: ignore[arg-type]


def record(store: FlowStore, key: str, flow: FlowSpec, started_at: float = 0.0) -> None:
    assert store.create(
        run_key=key,
        flow_id=flow.flow_id,
        definition=flow.to_json(),
        directory="/",
        flow_dir="/",
        orchesjob_home="/srv/jobs",
        started_at=started_at,
        steps=[(one.id, one.retries) for one in flow.all_steps],
    )


def end(
    store: FlowStore,
    key: str,
    finished_at: float,
    endings: Mapping[str, Ending],
    status: RunStatus = RunStatus.SUCCEEDED,
) -> None:
    run = store.load(key)
    assert run is not None
    changes = Changes(RunHeader(status, None, finished_at))
    for row in run.steps:
        if row.step_id not in endings:
            continue
        outcome, attempts = endings[row.step_id]
        for number, told in enumerate(attempts, start=row.attempt_no + 1):
            job = json.dumps({"status": told.status})
            attempt = Attempt(row.position, number, told.status, told.began, None, "boot", job=job)
            changes.attempts[row.position, number] = attempt._replace(
                finished_at=told.ended, is_gate=told.is_gate
            )
        changes.steps[row.position] = row._replace(
            status=outcome,
            attempt_no=row.attempt_no + len(attempts),
            failures=sum(told.status is BAD for told in attempts),
            started_at=attempts[0].began if attempts else None,
            finished_at=attempts[-1].ended if attempts else None,
        )
    store.apply(key, changes, revision=run.revision)


def open_again(store: FlowStore, key: str, *steps: str) -> None:
    """Open a run again, so that these steps are decided anew."""
    run = store.load(key)
    assert run is not None
    resets = {row.position: row.max_retries for row in run.steps if row.step_id in steps}
    store.reopen(key, Reopening(run.definition, resets), revision=run.revision)


# What one run adds to the figures, by what is recorded of it (rule 12.2).

CHAIN = FlowSpec("f", (step("a"), step("b", when="a"), step("c", when="a")))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FlowStore]:
    with FlowStore.open(tmp_path / "flow.db") as opened:
        yield opened


def added(store: FlowStore) -> dict[str, Series]:
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
    attempts = [
        Told(0, 1, is_gate=True),
        Told(1, 1, AttemptStatus.NEVER_RAN),
        Told(1, 3, BAD),
        Told(5, 6, BAD),
        Told(8, 12),
    ]
    end(store, "k", 12.0, {"a": (StepStatus.SUCCEEDED, attempts)})
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
    end(store, "k", 4.0, {"a": (StepStatus.CANCELLED, [])}, RunStatus.CANCELLED)
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


# What the newest runs come to, for each flow and each of its steps (rule 12.2).

FLOWS = [FlowSpec(name, (step("a"), step("b", when="a"))) for name in ("f", "g")]


@pytest.fixture
def newest(tmp_path: Path) -> Iterator[FlowStore]:
    """Three runs of `f` that took 3, 4 and 50 seconds, and one that FAILED."""
    with FlowStore.open(tmp_path / "flow.db") as opened:
        for key, took in (("k1", 3), ("k2", 4), ("k3", 50)):
            succeed(opened, key, FLOWS[0], 100, took)
        record(opened, "k4", FLOWS[0], 100)
        end(opened, "k4", 102, {"a": failed(100, 102)}, RunStatus.FAILED)
        yield opened


def succeed(newest: FlowStore, key: str, flow: FlowSpec, began: float, took: float) -> None:
    record(newest, key, flow, began)
    half = began + took / 2
    end(newest, key, began + took, {"a": ran(began, half), "b": ran(half, began + took)})


def ask(newest: FlowStore, **choice: Any) -> Stats:
    return flow_stats(newest, report=list[str]().append, **choice)


def test_what_it_comes_to(newest: FlowStore) -> None:
    """One outlier changes no median, and is the 95th percentile of three."""
    record(newest, "k5", FLOWS[1])
    (f, g), is_truncated = ask(newest)
    assert (f.flow_id, f.runs.total, f.runs.succeeded, f.runs.failed) == ("f", 4, 3, 1)
    assert f.runs.took == (4.0, 50.0)
    assert f.last_success_at == 150.0
    assert [(one.step, one.begun, one.share) for one in f.steps] == [("a", 4, 0.5), ("b", 3, 0.5)]
    assert (g.flow_id, g.runs.total, g.steps, g.last_success_at) == ("g", 0, [], None)
    assert g.unfinished == {RunStatus.PENDING: 1}
    assert not is_truncated


def test_the_newest(newest: FlowStore) -> None:
    """What is older is not counted; but it is known when each flow has last succeeded."""
    succeed(newest, "g1", FLOWS[1], 200, 5)
    (f, g), is_truncated = ask(newest, most=3)
    assert (f.runs.total, f.runs.failed, f.runs.took) == (2, 1, (50.0, 50.0))
    assert (g.runs.total, is_truncated) == (1, True)
    (f, g), is_truncated = ask(newest, most=1)
    assert (f.runs.total, f.runs.took, f.steps, f.last_success_at) == (0, None, [], 150.0)
    assert (g.runs.total, is_truncated) == (1, True)
    assert ask(newest, most=1, flow_id="g").is_truncated is False
    assert ask(newest, most=4, flow_id="f").is_truncated is False
    assert ask(newest, most=1, since=205.0).is_truncated is False
