"""What all runs come to equals what is counted from the beginning, whatever was kept (12.2)."""

import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flow_spec import FlowSpec
from flow_store import FlowStore, RunStatus
from orchesjob_flow.home.locks import Lock
from orchesjob_flow.home.paths import Home
from orchesjob_flow.stats.counts import (
    FlowStats,
    StatsCache,
    bring_up_to_date,
    flow_stats,
    nearest_rank,
)

from .recording import end, failed, open_again, ran, record, step

FLOWS = [FlowSpec(name, (step("a"), step("b", when="a"))) for name in ("f", "g")]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home with its folder of locks."""
    (tmp_path / "locks").mkdir()
    return Home(tmp_path / "flow.db")


@pytest.fixture
def store(home: Home) -> Iterator[FlowStore]:
    """Three runs of `f` that took 3, 4 and 50 seconds, and one that FAILED."""
    with FlowStore.open(home.database) as opened:
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


def from_the_beginning(store: FlowStore) -> list[FlowStats]:
    """Count everything without what was kept."""
    with tempfile.TemporaryDirectory() as folder:
        return flow_stats(store, Home(Path(folder) / "flow.db"))


def test_what_it_comes_to(store: FlowStore, home: Home) -> None:
    """One outlier changes no median, and is the 95th percentile of three."""
    record(store, "k5", FLOWS[1])
    for _ in range(2):  # the second time, of what was kept
        f, g = flow_stats(store, home)
        assert (f.flow_id, f.runs.total, f.runs.succeeded, f.runs.failed) == ("f", 4, 3, 1)
        assert f.runs.took == (4.0, 50.0)
        assert f.runs.last_success_at == 150.0
        assert [(one.step, one.begun, one.share) for one in f.steps] == [
            ("a", 4, 0.5),
            ("b", 3, 0.5),
        ]
        assert (g.flow_id, g.runs.total, g.steps) == ("g", 0, [])
        assert g.unfinished == {RunStatus.PENDING: 1}
    assert home.stats_cache.stat().st_mode & 0o777 == 0o600


def test_what_is_chosen(store: FlowStore, home: Home) -> None:
    """One flow, and only what has ended since a time."""
    succeed(store, "g1", FLOWS[1], 100, 1)
    assert [one.flow_id for one in flow_stats(store, home, flow_id="g")] == ["g"]
    assert flow_stats(store, home, flow_id="h") == []
    (late,) = flow_stats(store, home, since=104.0)
    assert (late.flow_id, late.runs.total, late.runs.took) == ("f", 2, (4.0, 50.0))


@given(st.lists(st.integers(0, 10**6), min_size=1), st.integers(1, 100))
def test_nearest_rank(values: Sequence[int], percent: int) -> None:
    """So many percent of the values, and no fewer, are as small as the percentile."""
    ordered = sorted(values)
    rank = nearest_rank(percent, len(ordered))
    assert 100 * rank >= percent * len(ordered) > 100 * (rank - 1)


@given(st.lists(st.integers(1, 1000), min_size=3, max_size=9), st.integers(1, 10**6))
@settings(max_examples=20, deadline=None)
def test_no_outlier_changes_a_median(took: Sequence[int], times: int) -> None:
    """However long the longest run takes, the median stays (rule 12.2)."""

    def median(durations: Sequence[float]) -> float:
        with tempfile.TemporaryDirectory() as folder, FlowStore.open(f"{folder}/flow.db") as store:
            for number, duration in enumerate(durations):
                succeed(store, f"k{number}", FLOWS[0], 0, duration)
            (flow,) = from_the_beginning(store)
            assert flow.runs.took is not None
            return flow.runs.took.median

    *others, longest = sorted(took)
    assert median([*others, longest * times]) == median(took)


type Doing = tuple[str, int, int]
DOINGS = st.lists(
    st.tuples(
        st.sampled_from(["record", "end", "fail", "retry", "prune", "count", "count"]),
        st.integers(0, 4),
        st.integers(0, 20),
    ),
    max_size=25,
)


@given(DOINGS)
@settings(max_examples=60, deadline=None)
def test_what_is_kept_equals_what_is_counted_anew(doings: list[Doing]) -> None:
    """After any runs, retries and prunes, whenever it was counted in between (rule 12.2)."""
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder) / "flow.db")
        home.locks.mkdir()
        with FlowStore.open(home.database) as store:
            for what, number, took in doings:
                do(store, home, what, f"k{number}", took)
            assert flow_stats(store, home) == from_the_beginning(store)
            with closing(StatsCache.in_file(home.stats_cache)) as cache:
                assert cache.marks() == store.end_marks()


def do(store: FlowStore, home: Home, what: str, key: str, took: int) -> None:
    """Do one thing to one run, where that can be done as it stands."""
    run = store.load(key)
    if what == "count":
        flow_stats(store, home)
    elif run is None:
        record(store, key, FLOWS[took % 2])
    elif not run.status.is_terminal and what in {"end", "fail"}:
        is_good = what == "end"
        endings = {"a": ran(0, took)} if run.steps[0].started_at is None else {}
        endings |= {"b": ran(took, 2 * took) if is_good else failed(took, 2 * took)}
        status = RunStatus.SUCCEEDED if is_good else RunStatus.FAILED
        end(store, key, 2 * took, endings, status)
    elif run.status.is_terminal and what == "retry":
        open_again(store, key, "b")
    elif run.status.is_terminal and what == "prune":
        store.remove({key: run.revision}, finished_by=100.0)


def scribble(path: Path) -> None:
    path.write_bytes(b"SQLite format 3\0" + b"rubbish" * 2000)


def cut_off(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def change(statement: str) -> Callable[[Path], None]:
    def changed(path: Path) -> None:
        with closing(sqlite3.connect(path)) as raw:
            raw.execute("UPDATE figures SET retries = 9")
            raw.execute(statement)
            raw.commit()

    return changed


def in_its_place(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.with_name("elsewhere"))


DAMAGES = [
    scribble,
    cut_off,
    empty,
    in_its_place,
    pytest.param(change("PRAGMA application_id = 1"), id="another program's"),
    pytest.param(change("UPDATE made_by SET version = '0.0.1'"), id="another version's"),
    pytest.param(change("DELETE FROM made_by"), id="nobody's"),
    pytest.param(change("DROP TABLE figures"), id="without figures"),
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_file_of_no_use(store: FlowStore, home: Home, damage: Callable[[Path], None]) -> None:
    """A file that is broken or anybody else's is thrown away, and made again."""
    right = flow_stats(store, home)
    damage(home.stats_cache)
    assert flow_stats(store, home) == right
    with closing(StatsCache.in_file(home.stats_cache)) as cache:
        assert cache.marks() == store.end_marks()
    assert not home.stats_cache.with_name("elsewhere").exists()


def test_another_database_at_its_path(store: FlowStore, home: Home, tmp_path: Path) -> None:
    """Where the database was replaced, nothing of the old one is counted."""
    flow_stats(store, home)
    with FlowStore.open(tmp_path / "other.db") as other:
        for number in range(4):
            succeed(other, f"k{number}", FLOWS[0], 200, 7)
        (flow,) = flow_stats(other, home)
        assert flow.runs.took == (7.0, 7.0)
        assert flow.runs.total == 4


@pytest.mark.parametrize("is_folder", [True, False])
def test_nowhere_to_keep_it(store: FlowStore, home: Home, is_folder: bool) -> None:
    """Without a file or without a lock, the figures are the same, and nothing is left."""
    if is_folder:
        home.stats_cache.mkdir()
    else:
        home.locks.rmdir()
    before = set(home.database.parent.iterdir())
    assert flow_stats(store, home) == from_the_beginning(store)
    assert set(home.database.parent.iterdir()) == before


def test_somebody_else_uses_it(store: FlowStore, home: Home) -> None:
    """Who does not get the file counts by itself, and leaves the file alone."""
    lock = Lock.take(home.stats_cache_lock)
    assert lock is not None
    with closing(lock):
        assert flow_stats(store, home, patience_sec=0.0) == from_the_beginning(store)
        assert not home.stats_cache.exists()
    flow_stats(store, home, patience_sec=0.0)
    assert home.stats_cache.exists()


class Interrupted(Exception):
    """Stands for whatever ends the process while it counts."""


def test_interrupted(store: FlowStore, home: Home) -> None:
    """What was counted by half is not counted; the next call goes on."""

    class Ends:
        """A store from which the third run cannot be read."""

        end_marks = store.end_marks

        def load_ended(self, run_id: int) -> Any:
            if run_id == 3:
                raise Interrupted
            return store.load_ended(run_id)

    home.stats_cache.touch()
    with closing(StatsCache.in_file(home.stats_cache)) as cache:
        with pytest.raises(Interrupted):
            bring_up_to_date(cache, Ends())  # type: ignore[arg-type]
        assert cache.marks() == ()
        assert cache.series(None, 0.0) == {}
    assert flow_stats(store, home) == from_the_beginning(store)


def test_each_run_is_read_once(store: FlowStore, home: Home) -> None:
    """Only what has ended since the last call is read."""
    read: list[int] = []

    class Watched:
        """A store that notes which runs are read."""

        end_marks = store.end_marks
        unfinished = store.unfinished

        def load_ended(self, run_id: int) -> Any:
            read.append(run_id)
            return store.load_ended(run_id)

    flow_stats(Watched(), home)  # type: ignore[arg-type]
    assert read == [1, 2, 3, 4]
    open_again(store, "k4", "a")
    end(store, "k4", 300, {"a": ran(299, 300)})
    succeed(store, "k5", FLOWS[0], 100, 5)
    flow_stats(Watched(), home)  # type: ignore[arg-type]
    assert read == [1, 2, 3, 4, 4, 5]
