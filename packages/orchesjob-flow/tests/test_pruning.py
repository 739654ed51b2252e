"""A run is removed with all that belongs to it, unless it has changed meanwhile (rule 9.10)."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from flow_store import (
    Attempt,
    AttemptStatus,
    Changes,
    EndedRun,
    FlowStore,
    Reopening,
    RunHeader,
    RunStatus,
)
from orchesjob_flow.home.locks import holder
from orchesjob_flow.home.runs import RunHandle, open_store
from orchesjob_flow.home.settings import Settings
from orchesjob_flow.pruning import Output, Pruner

LONG_AGO = 5.0
ENDED = RunHeader(RunStatus.SUCCEEDED, None, LONG_AGO)


@pytest.fixture
def store(settings: Settings) -> Iterator[FlowStore]:
    with open_store(settings) as store:
        yield store


@pytest.fixture
def pruner(store: FlowStore, settings: Settings) -> Pruner:
    """Removes runs with their jobs, each of which has a home of its own."""
    return Pruner(store, settings, keeps_output=False, warn=pytest.fail)


def remove(pruner: Pruner, runs: Sequence[EndedRun]) -> dict[str, Output]:
    removed = pruner.remove(runs, ended_by=LONG_AGO, report=list[str]().append)
    assert pruner.failed == {}
    return {run.run_key: output for run, output in removed}


def chosen(store: FlowStore) -> Sequence[EndedRun]:
    return store.ended_runs(finished_by=LONG_AGO)


def record(store: FlowStore, run_key: str, *, home: Path | None = None, text: str = "{}") -> None:
    """Record a run that ended long ago; with a home, it has had a job there."""
    store.create(
        run_key=run_key,
        flow_id="f",
        definition=text,
        directory="/",
        flow_dir="/",
        orchesjob_home=str(home or "/srv/jobs"),
        started_at=1.0,
        steps=[("a", 0)],
    )
    job_id = None if home is None else "j"
    attempt = Attempt(0, 1, AttemptStatus.SUCCEEDED, 1.0, None, "b", job_id, "{}", finished_at=2.0)
    store.apply(run_key, Changes(ENDED, attempts={(0, 1): attempt}), revision=0)


def make_files(handle: RunHandle) -> list[Path]:
    jobs = handle.settings.home.own_jobs(handle.run_key)
    for folder in (handle.directory, jobs):
        folder.mkdir()
    logs = [handle.log("stdout"), handle.log("stderr")]
    locks = [handle.lock_path, handle.calls_lock_path, handle.hook_lock_path]
    for path in (*logs, *locks):
        path.touch(mode=0o600)
    return [*logs, *locks, handle.directory, jobs]


def test_all_that_belongs_to_it(store: FlowStore, settings: Settings, pruner: Pruner) -> None:
    """The jobs, the directory, the logs and the locks of a run go with its record."""
    record(store, "bare")
    record(store, "a/b", home=settings.home.own_jobs("a/b"))
    paths = make_files(RunHandle("a/b", settings))
    assert remove(pruner, chosen(store)) == {"bare": Output(), "a/b": Output(1, 0)}
    assert store.runs() == ()
    assert not any(path.exists() for path in paths)


def test_the_lock_goes_last(
    store: FlowStore, settings: Settings, pruner: Pruner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run's files go while its lock is held, and the lock's own file is the last of them.

    Who waits for the lock would hold a file that is gone, while another process takes a new one.
    """
    removed: list[tuple[str, bool]] = []
    unlink = Path.unlink

    def watch(path: Path, *, missing_ok: bool = False) -> None:
        removed.append((path.name, holder(handle.lock_path) is not None))
        unlink(path, missing_ok=missing_ok)

    handle = RunHandle("k", settings)
    record(store, "k")
    names = {path.name for path in make_files(handle) if path.is_file()}
    # Nothing outside can come between these moments: so what removes a file looks first.
    monkeypatch.setattr(Path, "unlink", watch)
    assert list(remove(pruner, chosen(store))) == ["k"]
    assert dict(removed) == dict.fromkeys(names, True)
    assert removed[-1][0] == handle.lock_path.name


@pytest.mark.parametrize("ends_again", [False, True])
def test_retried_meanwhile(
    store: FlowStore, settings: Settings, pruner: Pruner, *, ends_again: bool
) -> None:
    """A run that somebody retries before its turn comes keeps everything, also if it has ended."""
    for key in ("first", "second"):
        record(store, key, home=settings.home.own_jobs(key))
    paths = make_files(RunHandle("first", settings))
    before = chosen(store)
    revision = store.reopen("first", Reopening("{}", {0: 1}), revision=1)
    if ends_again:
        store.apply("first", Changes(ENDED), revision=revision)
    assert list(remove(pruner, before)) == ["second"]
    assert store.has("first")
    assert all(path.exists() for path in paths)


def test_a_run_that_is_being_retried(store: FlowStore, settings: Settings, pruner: Pruner) -> None:
    """A run whose lock somebody holds is left alone, and the others go."""
    for key in ("first", "second"):
        record(store, key)
    with closing(RunHandle("first", settings).lock_or_refuse()):
        assert list(remove(pruner, chosen(store))) == ["second"]


def test_many(store: FlowStore, settings: Settings, pruner: Pruner) -> None:
    keys = {f"k{number}" for number in range(50)}
    for key in keys:
        record(store, key)
    for number in range(30):
        RunHandle(f"k{number}", settings).lock_path.touch(mode=0o600)
    assert remove(pruner, chosen(store)).keys() == keys
    assert store.runs() == ()
    assert list(settings.home.locks.iterdir()) == []


def test_space_is_given_back(store: FlowStore, settings: Settings, pruner: Pruner) -> None:
    """After a removal the file is about as small as before the runs were recorded."""
    store.checkpoint()
    before = settings.home.database.stat().st_size
    for number in range(30):
        record(store, f"k{number}", text="x" * 500_000)
    store.checkpoint()
    assert settings.home.database.stat().st_size > 12_000_000
    remove(pruner, chosen(store))
    assert settings.home.database.stat().st_size <= before + 8 * 4096
