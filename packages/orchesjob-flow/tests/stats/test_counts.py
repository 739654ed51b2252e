"""What the newest runs come to, for each flow and each of its steps (rule 12.2)."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flow_spec import FlowSpec
from flow_store import FlowStore, RunStatus
from orchesjob_flow.stats import Stats, flow_stats, nearest_rank

from .recording import end, failed, ran, record, step

FLOWS = [FlowSpec(name, (step("a"), step("b", when="a"))) for name in ("f", "g")]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FlowStore]:
    """Three runs of `f` that took 3, 4 and 50 seconds, and one that FAILED."""
    with FlowStore.open(tmp_path / "flow.db") as opened:
        for key, took in (("k1", 3), ("k2", 4), ("k3", 50)):
            succeed(opened, key, FLOWS[0], 100, took)
        record(opened, "k4", FLOWS[0], 100)
        end(opened, "k4", 102, {"a": failed(100, 102)}, RunStatus.FAILED)
        yield opened


def succeed(store: FlowStore, key: str, flow: FlowSpec, began: float, took: float) -> None:
    """Record a run whose two steps share its time."""
    record(store, key, flow, began)
    half = began + took / 2
    end(store, key, began + took, {"a": ran(began, half), "b": ran(half, began + took)})


def ask(store: FlowStore, **choice: Any) -> Stats:
    """Return the figures."""
    return flow_stats(store, report=list[str]().append, **choice)


def test_what_it_comes_to(store: FlowStore) -> None:
    """One outlier changes no median, and is the 95th percentile of three."""
    record(store, "k5", FLOWS[1])
    (f, g), is_truncated = ask(store)
    assert (f.flow_id, f.runs.total, f.runs.succeeded, f.runs.failed) == ("f", 4, 3, 1)
    assert f.runs.took == (4.0, 50.0)
    assert f.last_success_at == 150.0
    assert [(one.step, one.begun, one.share) for one in f.steps] == [("a", 4, 0.5), ("b", 3, 0.5)]
    assert (g.flow_id, g.runs.total, g.steps, g.last_success_at) == ("g", 0, [], None)
    assert g.unfinished == {RunStatus.PENDING: 1}
    assert not is_truncated


def test_the_newest(store: FlowStore) -> None:
    """What is older is not counted; but it is known when each flow has last succeeded."""
    succeed(store, "g1", FLOWS[1], 200, 5)
    (f, g), is_truncated = ask(store, most=3)
    assert (f.runs.total, f.runs.failed, f.runs.took) == (2, 1, (50.0, 50.0))
    assert (g.runs.total, is_truncated) == (1, True)
    (f, g), is_truncated = ask(store, most=1)
    assert (f.runs.total, f.runs.took, f.steps, f.last_success_at) == (0, None, [], 150.0)
    assert (g.runs.total, is_truncated) == (1, True)
    assert ask(store, most=1, flow_id="g").is_truncated is False
    assert ask(store, most=4, flow_id="f").is_truncated is False
    assert ask(store, most=1, since=205.0).is_truncated is False


@given(st.lists(st.integers(0, 10**6), min_size=1), st.integers(1, 100))
def test_nearest_rank(values: Sequence[int], percent: int) -> None:
    """So many percent of the values, and no fewer, are as small as the percentile."""
    ordered = sorted(values)
    rank = nearest_rank(percent, len(ordered))
    assert 100 * rank >= percent * len(ordered) > 100 * (rank - 1)
