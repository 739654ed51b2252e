"""Many runs are removed in few transactions, and none that has changed meanwhile (rule 9.10)."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import accumulate, chain, repeat
from pathlib import Path

import pytest

from flow_store import (
    Attempt,
    AttemptStatus,
    Changes,
    FlowStore,
    Reopening,
    Run,
    RunHeader,
    RunStatus,
)
from orchesjob_flow.commands.prune import (
    HOLD_SEC,
    Cleaner,
    Deletion,
    Found,
    Output,
    PrintedJob,
    Yielder,
    pause_after,
    shrink,
)
from orchesjob_flow.home.locks import holder
from orchesjob_flow.home.paths import Home, Settings
from orchesjob_flow.home.runs import RunHandle, open_store

LONG_AGO = 5.0
ENDED = RunHeader(RunStatus.SUCCEEDED, None, LONG_AGO)


class Remembering(Cleaner):
    """Remembers of which runs it was to remove the output."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, now=LONG_AGO)
        self.cleaned: list[str] = []
        self.together: list[int] = []

    def clean_together(self, found: Iterable[Found]) -> None:
        self.together.append(sum(len(jobs) for _, jobs in found))

    def clean(self, run: Run, jobs: list[PrintedJob]) -> Output:
        self.cleaned.append(run.run_key)
        return Output(len(jobs), 10)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(Home(tmp_path / "home" / "flow.db"), None, 5.0, 60.0, {})


@pytest.fixture
def store(settings: Settings) -> Iterator[FlowStore]:
    with open_store(settings) as store:
        yield store


@pytest.fixture
def cleaner(settings: Settings) -> Remembering:
    return Remembering(settings)


@pytest.fixture
def deletion(store: FlowStore, settings: Settings, cleaner: Remembering) -> Deletion:
    """Removes what ended long ago."""
    return Deletion(store, settings, LONG_AGO, cleaner, Yielder())


def record(store: FlowStore, run_key: str, *, job_id: str | None = None, text: str = "{}") -> None:
    """Record a run that ended long ago."""
    store.create(
        run_key=run_key,
        flow_id="f",
        definition=text,
        directory="/",
        flow_dir="/",
        orchesjob_home="/srv/jobs",
        started_at=1.0,
        steps=[("a", 0)],
    )
    attempt = Attempt(0, 1, AttemptStatus.SUCCEEDED, 1.0, None, "b", job_id, "{}", finished_at=2.0)
    store.apply(run_key, Changes(ENDED, attempts={(0, 1): attempt}), revision=0)


def make_files(handle: RunHandle) -> list[Path]:
    """Make all that a run has beside its record, and return where."""
    handle.directory.mkdir()
    logs = [handle.log("stdout"), handle.log("stderr")]
    for path in (*logs, handle.lock_path, handle.calls_lock_path):
        path.touch(mode=0o600)
    return [*logs, handle.lock_path, handle.calls_lock_path, handle.directory]


def test_all_that_is_theirs(
    store: FlowStore, settings: Settings, deletion: Deletion, cleaner: Remembering
) -> None:
    """The output, the directory, the logs and the locks of a run go with its record."""
    record(store, "bare")
    record(store, "a/b", job_id="j")
    paths = make_files(RunHandle("a/b", settings))
    chosen = store.ended_runs(finished_by=LONG_AGO)
    assert deletion.remove(chosen, {}) == {"bare": Output(), "a/b": Output(1, 10)}
    assert store.runs() == ()
    assert cleaner.cleaned == ["a/b"]
    assert not any(path.exists() for path in paths)


def test_the_lock_goes_last(
    store: FlowStore, settings: Settings, deletion: Deletion, monkeypatch: pytest.MonkeyPatch
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
    record(store, "k", job_id="j")
    names = {path.name for path in make_files(handle) if path.is_file()}
    # Nothing outside can come between these moments: so what removes a file looks first.
    monkeypatch.setattr(Path, "unlink", watch)
    assert deletion.remove(store.ended_runs(finished_by=LONG_AGO), {}).keys() == {"k"}
    assert dict(removed) == dict.fromkeys(names, True)
    assert removed[-1][0] == handle.lock_path.name


@pytest.mark.parametrize("files", [False, True])
@pytest.mark.parametrize("ends_again", [False, True])
def test_retried_meanwhile(  # noqa: PLR0913 - what is there, and two ways in which it changes
    store: FlowStore,
    settings: Settings,
    deletion: Deletion,
    cleaner: Remembering,
    *,
    files: bool,
    ends_again: bool,
) -> None:
    """A run that somebody retries before its turn comes keeps everything, also if it has ended."""
    for key in ("first", "second"):
        record(store, key, job_id="j" if files else None)
    paths = make_files(RunHandle("first", settings)) if files else []
    chosen = store.ended_runs(finished_by=LONG_AGO)
    revision = store.reopen("first", Reopening("{}", {0: 1}), revision=1)
    if ends_again:
        store.apply("first", Changes(ENDED), revision=revision)
    assert list(deletion.remove(chosen, {})) == ["second"]
    assert store.has("first")
    assert "first" not in cleaner.cleaned
    assert all(path.exists() for path in paths)


def test_a_run_that_is_being_retried(
    store: FlowStore, settings: Settings, deletion: Deletion
) -> None:
    """A run whose lock somebody holds is left alone, and the others go."""
    for key in ("first", "second"):
        record(store, key, job_id="j")
    with closing(RunHandle("first", settings).lock_or_refuse()):
        removed = deletion.remove(store.ended_runs(finished_by=LONG_AGO), {})
    assert list(removed) == ["second"]


def test_many(store: FlowStore, settings: Settings, deletion: Deletion) -> None:
    """More runs than are removed at once are all removed, with their files."""
    keys = {f"k{number}" for number in range(13)}
    for key in keys:
        record(store, key)
    for number in range(5):
        RunHandle(f"k{number}", settings).lock_path.touch(mode=0o600)
    few = deletion._replace(records_at_once=3, locks_at_once=2)
    assert few.remove(store.ended_runs(finished_by=LONG_AGO), {}).keys() == keys
    assert store.runs() == ()
    assert list(settings.home.locks.iterdir()) == []


def test_so_many_jobs_at_once(store: FlowStore, deletion: Deletion, cleaner: Remembering) -> None:
    """The locks of runs that have many jobs are not all held until all these are gone."""
    for number in range(7):
        record(store, f"k{number}", job_id=f"j{number}")
    with_limit = deletion._replace(jobs_at_once=3)
    assert len(with_limit.remove(store.ended_runs(finished_by=LONG_AGO), {})) == 7
    assert cleaner.together == [3, 3, 1]


def test_space_is_given_back(store: FlowStore, settings: Settings, deletion: Deletion) -> None:
    """After a removal the file is about as small as before the runs were recorded."""
    store.checkpoint()
    before = settings.home.database.stat().st_size
    for number in range(30):
        record(store, f"k{number}", text="x" * 500_000)
    store.checkpoint()
    assert settings.home.database.stat().st_size > 12_000_000
    deletion.remove(store.ended_runs(finished_by=LONG_AGO), {})
    shrink(store, Yielder())
    assert settings.home.database.stat().st_size <= before + 8 * 4096


PAUSES_MS = (1, 2, 5, 10, 15, 20, 25, 25, 25, 50, 50)
"""SQLite's pauses between two looks at a lock (`sqliteDefaultBusyCallback`); then 100 ms each."""

LOOKS_MS = list(accumulate(chain([0], PAUSES_MS, repeat(100, 30))))


class Clock:
    """A clock that goes on when it is told to, and while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def yielder(clock: Clock) -> Yielder:
    return Yielder(clock, clock.sleep)


@pytest.mark.parametrize("held_ms", [1, 50, 80, 128, 129, 180, 228, 229, 500, 2000])
def test_who_waits_finds_the_lock_free_once(held_ms: int) -> None:
    """Whenever in that time somebody has come, SQLite looks at the lock during the pause."""
    pause_ms = pause_after(held_ms / 1e3) * 1e3
    for came_ms in range(held_ms):
        waited_ms = held_ms - came_ms
        next_look_ms = next(look for look in LOOKS_MS if look >= waited_ms)
        assert next_look_ms < waited_ms + pause_ms


def test_after_each_transaction(clock: Clock, yielder: Yielder) -> None:
    """A long transaction is followed by a pause, and so are many short ones together."""
    for _ in range(3):
        with yielder.holding():
            clock.now += HOLD_SEC / 2 + 0.001
    assert len(clock.slept) == 1
    with yielder.holding():
        clock.now += 0.2
    assert clock.slept[1:] == [pytest.approx(pause_after(0.2 + HOLD_SEC / 2 + 0.001))]


def test_tidying_up_counts(clock: Clock, yielder: Yielder) -> None:
    """What is done before a pause belongs to the time for which others have waited."""

    def tidy_up() -> None:
        clock.now += 0.1

    with yielder.holding(tidy_up):
        pass
    assert not clock.now
    with yielder.holding(tidy_up):
        clock.now += 0.1
    assert clock.slept == [pytest.approx(pause_after(0.2))]
