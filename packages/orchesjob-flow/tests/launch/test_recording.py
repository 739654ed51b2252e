"""How a run is recorded: with its lock, in a group, and for a period."""

import gc
import json
import time
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest

from flow_spec import FlowSpec, read_document
from orchesjob_flow.home.runs import RunHandle
from orchesjob_flow.home.settings import Settings
from orchesjob_flow.launch.inputs import list_reader, load_to_start
from orchesjob_flow.launch.recording import names_of_periods, record
from orchesjob_flow.runner.assembly import runner_of

# How a run is recorded: with its lock, where it joins a group, and without what was read.


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings with fresh homes, and with a program that is never called."""
    monkeypatch.setenv("ORCHESJOB_FLOW_HOME", str(tmp_path / "flow-home"))
    monkeypatch.setenv("ORCHESJOB_HOME", str(tmp_path / "orchesjob"))
    return Settings.from_options(None, "/bin/true")


def reader_of(file: Path) -> Callable[[], FlowSpec]:
    return lambda: load_to_start(read_document(file), {}, {}, list_reader(str(file)))


@pytest.mark.parametrize(
    ("concurrency", "is_held"),
    [
        ({}, True),
        ({"on_conflict": "replace"}, True),
        ({"on_conflict": "skip"}, False),
        (None, False),
    ],
)
def test_recorded_with_its_lock(
    settings: Settings, tmp_path: Path, concurrency: dict[str, str] | None, is_held: bool
) -> None:
    """A run that will wait has a runner for all who see it: nobody who came later goes first.

    Where it is recorded already, its lock is left to whoever drives it.
    """
    flow: dict[str, object] = {"flow_id": "f", "steps": [{"id": "a", "command": ["true"]}]}
    if concurrency is not None:
        flow["concurrency"] = concurrency
    file = tmp_path / "flow.json"
    file.write_text(json.dumps(flow))
    handle = RunHandle("k", settings)
    store, lock, _ = record(handle, str(file), reader_of(file), own_jobs=False)
    with store:
        assert store.has("k")
        assert (handle.holder() is not None) is is_held
        if lock is not None:
            lock.close()
    store, lock, _ = record(handle, str(file), reader_of(file), own_jobs=False)
    with store:
        assert (lock, handle.holder()) == (None, None)


@pytest.mark.parametrize(("word", "is_kept"), [("true", True), ("${{ RUN_KEY }}", False)])
def test_the_flow_is_in_memory_once(
    settings: Settings, tmp_path: Path, word: str, *, is_kept: bool
) -> None:
    """A new run's runner gets the flow that was read, unless its names are yet to be replaced."""
    file = tmp_path / "flow.json"
    steps = [{"id": "a", "command": ["echo", word]}]
    file.write_text(json.dumps({"flow_id": "read here", "steps": steps}))
    handle = RunHandle("k", settings)
    store, _, flow = record(handle, str(file), reader_of(file), own_jobs=False)
    with store:
        assert (flow is not None) is is_kept
        assert flow is None or flow.to_json() == handle.load(store).definition
        gc.collect()
        read = [one for one in gc.get_objects() if isinstance(one, FlowSpec)]
        assert [one.flow_id for one in read].count("read here") == int(is_kept)
    store, _, flow = record(handle, str(file), reader_of(file), own_jobs=False)
    with store:
        assert flow is None  # it is recorded already, perhaps by another process


def test_what_is_recorded_counts(settings: Settings, tmp_path: Path) -> None:
    """If another definition is recorded by the time of the lock, the one that was read is not run.

    A `retry` of another process may come between, once a third one has brought the run to its end.
    """
    file = tmp_path / "flow.json"
    file.write_text(json.dumps({"flow_id": "f", "steps": [{"id": "a", "command": ["true"]}]}))
    handle = RunHandle("k", settings)
    store, _, flow = record(handle, str(file), reader_of(file), own_jobs=False)
    assert flow is not None
    with store, closing(handle.lock_or_refuse()) as lock:
        for given, is_used in ((flow, True), (flow.with_env({"A": "b"}), False)):
            with runner_of(handle, store, lock, flow=given) as runner:
                assert runner.run.flow == flow
                assert (runner.run.flow is given) is is_used


# The names of the periods of `start --every`, in the time zone of the caller (rule 4.9).


@pytest.mark.parametrize(
    ("period", "zone", "at", "names"),
    [
        ("hour", "UTC", "2026-05-07T03:59:59+00:00", ("2026-05-07T03", "2026-05-07T02")),
        ("hour", "UTC", "2026-01-01T00:00:00+00:00", ("2026-01-01T00", "2025-12-31T23")),
        ("day", "UTC", "2026-03-01T00:00:00+00:00", ("2026-03-01", "2026-02-28")),
        ("week", "UTC", "2026-05-07T03:00:00+00:00", ("2026-W19", "2026-W18")),
        ("week", "UTC", "2027-01-03T03:00:00+00:00", ("2026-W53", "2026-W52")),
        ("month", "UTC", "2026-03-31T03:00:00+00:00", ("2026-03", "2026-02")),
        # The same moment in other zones.
        ("day", "Asia/Tokyo", "2026-05-07T16:00:00+00:00", ("2026-05-08", "2026-05-07")),
        ("month", "America/New_York", "2026-06-01T03:00:00+00:00", ("2026-05", "2026-04")),
        # Clocks skip 02:00 to 03:00 on 2026-03-29, and repeat that hour on 2026-10-25.
        ("hour", "Europe/Berlin", "2026-03-29T01:30:00+00:00", ("2026-03-29T03", "2026-03-29T01")),
        ("hour", "Europe/Berlin", "2026-10-25T00:30:00+00:00", ("2026-10-25T02", "2026-10-25T01")),
        ("hour", "Europe/Berlin", "2026-10-25T01:30:00+00:00", ("2026-10-25T02", "2026-10-25T02")),
        ("day", "Europe/Berlin", "2026-10-25T22:59:00+00:00", ("2026-10-25", "2026-10-24")),
        ("day", "Europe/Berlin", "2026-03-29T22:01:00+00:00", ("2026-03-30", "2026-03-29")),
    ],
)
def test_names(
    monkeypatch: pytest.MonkeyPatch, period: str, zone: str, at: str, names: tuple[str, str]
) -> None:
    """Periods are those of the calendar and the clock on the wall, and of ISO weeks."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert names_of_periods(period, datetime.fromisoformat(at).timestamp()) == names
    finally:
        monkeypatch.undo()
        time.tzset()
