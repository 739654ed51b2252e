"""Creating, opening and upgrading a file, and what that leaves behind (rule 6.1)."""

import errno
import os
import resource
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from flow_store import (
    LONGEST_PATH,
    FlowStore,
    StoreError,
    StoreForeign,
    StoreMissing,
    StoreUnavailable,
)
from flow_store.database import APPLICATION_ID, MIGRATIONS, Database

OPENERS = [FlowStore.open, FlowStore.open_readonly]
Opener = Callable[[Path], FlowStore]

FILE_NAMES = ["a b?c#d%41.db", "日本.db", "-x", ":memory:"]
if sys.platform != "darwin":  # its file systems take no name that is not UTF-8
    FILE_NAMES.append("caf\udce9.db")


@pytest.fixture(params=[0, 0o277, 0o777], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    """A umask that takes nothing away, or more than its owner wants."""
    before = os.umask(request.param)
    yield
    os.umask(before)


def test_open_creates(path: Path) -> None:
    """A missing file is created, marked as ours, at the latest version."""
    FlowStore.open(path).close()
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
        assert raw.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
        assert raw.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.usefixtures("umask")
def test_files_are_private(path: Path, create: Callable[..., bool]) -> None:
    """The file and what SQLite puts beside it are readable by their owner only."""
    with FlowStore.open(path) as store:
        create(store)
        modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    assert modes == {path.name: 0o600, f"{path.name}-wal": 0o600, f"{path.name}-shm": 0o600}


@pytest.mark.parametrize("name", FILE_NAMES)
def test_any_file_name(tmp_path: Path, create: Callable[..., bool], name: str) -> None:
    """A file name is taken as it is, whatever it means in a URI or to SQLite."""
    with FlowStore.open(tmp_path / name) as store:
        create(store)
        assert store.is_same_file()
        assert (tmp_path / name).stat().st_size > 0
    with FlowStore.open_readonly(tmp_path / name) as store:
        assert store.load("k") is not None


def test_interrupted_creation_goes_on(path: Path, create: Callable[..., bool]) -> None:
    """A process killed between switching to WAL and creating the tables leaves an empty file."""
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("PRAGMA journal_mode = WAL")
    assert path.stat().st_size > 0
    with FlowStore.open(path) as store:
        assert create(store)


@pytest.mark.parametrize("opener", OPENERS)
def test_missing_folder(tmp_path: Path, opener: Opener) -> None:
    """Where the folder is missing, nothing is created."""
    with pytest.raises(StoreMissing):
        opener(tmp_path / "no" / "flow.db")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("opener", OPENERS)
def test_long_path(tmp_path: Path, opener: Opener) -> None:
    """A path that is too long for SQLite is named as the cause (rule 6.1)."""
    folder = tmp_path / ("d" * 200) / ("d" * 200)
    longest = folder / ("d" * (LONGEST_PATH - len(f"{folder}/")))
    folder.mkdir(parents=True)
    FlowStore.open(longest).close()
    opener(longest).close()
    (folder / f"{longest.name}d").touch()
    with pytest.raises(StoreUnavailable, match="its path has more than 504 bytes: name a shorter"):
        opener(folder / f"{longest.name}d")


@pytest.mark.parametrize(
    ("opener", "error", "words"),
    [
        (FlowStore.open, StoreForeign, "is a link whose target is missing"),
        (FlowStore.open_readonly, StoreMissing, "nothing has been recorded"),
    ],
)
def test_dangling_link(tmp_path: Path, opener: Opener, error: type[StoreError], words: str) -> None:
    """Nothing is created where a link leads to."""
    (tmp_path / "flow.db").symlink_to(tmp_path / "gone.db")
    with pytest.raises(error, match=words):
        opener(tmp_path / "flow.db")
    assert not (tmp_path / "gone.db").exists()


SETTINGS = {
    "synchronous": 2,
    "foreign_keys": 1,
    "trusted_schema": 0,
    "cell_size_check": 1,
    "fullfsync": 1,
    "wal_autocheckpoint": 0,
    "busy_timeout": 2000,
}


def test_settings(filled: Path) -> None:
    """Every commit is synced, references and pages are checked, and no lock is awaited for long."""
    with closing(Database(filled, "rw")) as database:
        for _ in range(2):
            found = {name: database.query(f"PRAGMA {name}")[0][0] for name in SETTINGS}
            assert found == SETTINGS
            database.checkpoint()


def test_replaced_file_is_noticed(filled: Path, tmp_path: Path) -> None:
    """A file that was removed or replaced while it was open is not the same any more."""
    with FlowStore.open(filled) as store:
        assert store.is_same_file()
        filled.rename(tmp_path / "moved.db")
        assert not store.is_same_file()
        filled.write_bytes((tmp_path / "moved.db").read_bytes())
        assert not store.is_same_file()
        filled.unlink()
        (tmp_path / "moved.db").rename(filled)
        assert store.is_same_file()


def test_no_descriptors(path: Path) -> None:
    """Where the process can open nothing more, that is the cause, and it may pass (rule 5.7)."""
    FlowStore.open(path).close()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        with pytest.raises(
            StoreUnavailable, match="Too many open files; raise the limit"
        ) as raised:
            FlowStore.open_readonly(path)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert raised.value.retryable


def test_a_full_disk(path: Path) -> None:
    """What finds no room is not written, and may find some later (rule 5.7)."""
    FlowStore.open(path).close()
    with closing(Database(path, "rw")) as database:
        database.query("PRAGMA max_page_count = 1")  # no more than there are
        with pytest.raises(StoreUnavailable, match="full") as raised:
            database.script("CREATE TABLE more (some TEXT)")
    assert raised.value.retryable
    assert raised.value.errno == errno.ENOSPC


@pytest.mark.parametrize(
    ("code", "may_pass"),
    [(errno.ENOSPC, True), (errno.EDQUOT, True), (errno.EIO, True), (errno.EACCES, False)],
)
def test_what_may_pass(
    path: Path, monkeypatch: pytest.MonkeyPatch, code: int, *, may_pass: bool
) -> None:
    """A disk without room for a new file may have some later (rule 5.7)."""

    def refuse(*_: object, **_options: object) -> None:
        raise OSError(code, "refused")

    # No quota and no full disk can be had at will: so the system's answer is replaced.
    monkeypatch.setattr(Path, "touch", refuse)
    with pytest.raises(StoreUnavailable) as raised:
        FlowStore.open(path)
    assert (raised.value.errno, raised.value.retryable) == (code, may_pass)
