"""Which files are opened, created, upgraded or refused, and what that leaves behind (rule 6.1)."""

import os
import socket
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from flow_store import (
    Attempt,
    AttemptStatus,
    Changes,
    FlowStatus,
    FlowStore,
    RunHeader,
    Step,
    StepStatus,
    StoreBroken,
    StoreError,
    StoreForeign,
    StoreMissing,
    StoreNewer,
    StoreUnavailable,
)
from flow_store.database import Database
from flow_store.schema import APPLICATION_ID, MIGRATIONS, upgrade
from hypothesis import given, settings
from hypothesis import strategies as st

OPENERS = [FlowStore.open, FlowStore.open_readonly]
Opener = Callable[[Path], FlowStore]


@pytest.fixture
def filled(path: Path, create: Callable[..., bool]) -> Path:
    """A closed file with the run `k`, all of it moved out of the write-ahead log."""
    with FlowStore.open(path) as store:
        create(store)
        store.checkpoint()
    return path


@pytest.fixture(scope="module")
def damageable(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """A path to write to, and the bytes of an intact file with a run."""
    path = tmp_path_factory.mktemp("damaged") / "flow.sqlite3"
    with FlowStore.open(path) as store:
        store.create(
            run_key="k",
            flow_id="f",
            definition="d" * 5000,
            directory="/",
            started_at=1.0,
            steps=[(step_id, 1) for step_id in "abc"],
        )
        attempt = Attempt(0, 1, AttemptStatus.RUNNING, 1.0, None, "boot", job="j" * 5000)
        store.apply("k", Changes(attempts={(0, 1): attempt}), revision=0)
        store.checkpoint()
    return path, path.read_bytes()


@pytest.fixture
def folder_state(tmp_path: Path) -> Callable[[], dict[str, tuple[bytes, int]]]:
    """Read the names, contents and times of all files in the folder.

    The `-shm` file is an index that every reader uses; its content says nothing.
    """

    def read() -> dict[str, tuple[bytes, int]]:
        return {
            file.name: (
                b"" if file.name.endswith("-shm") else file.read_bytes(),
                0 if file.name.endswith("-shm") else file.stat().st_mtime_ns,
            )
            for file in sorted(tmp_path.iterdir())
        }

    return read


@pytest.fixture
def umask() -> Iterator[None]:
    """The most generous of all umasks."""
    before = os.umask(0)
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


@pytest.mark.parametrize("name", ["a b?c#d%41.db", "caf\udce9.db", "日本.db", "-x", ":memory:"])
def test_any_file_name(tmp_path: Path, create: Callable[..., bool], name: str) -> None:
    """A file name is taken as it is, whatever it means in a URI or to SQLite."""
    with FlowStore.open(tmp_path / name) as store:
        create(store)
        assert store.is_same_file()
    with FlowStore.open_readonly(tmp_path / name) as store:
        assert store.load("k") is not None


def test_relative_path(tmp_path: Path, create: Callable[..., bool]) -> None:
    """A relative path keeps naming its file when the process changes its directory."""
    before = Path.cwd()
    os.chdir(tmp_path)
    try:
        with FlowStore.open("flow.db") as store:
            os.chdir("/")
            create(store)
            assert store.is_same_file()
    finally:
        os.chdir(before)
    assert (tmp_path / "flow.db").exists()


def test_empty_file_is_new(path: Path, create: Callable[..., bool]) -> None:
    """A file of 0 bytes is filled like a missing one."""
    path.touch()
    with FlowStore.open(path) as store:
        assert create(store)


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
def test_dangling_link(tmp_path: Path, opener: Opener) -> None:
    """A link that leads nowhere is a missing file."""
    (tmp_path / "flow.db").symlink_to(tmp_path / "gone.db")
    with pytest.raises(StoreMissing):
        opener(tmp_path / "flow.db")
    assert not (tmp_path / "gone.db").exists()


def test_link_is_followed(tmp_path: Path, filled: Path) -> None:
    """A link to a flow database is as good as its file."""
    link = tmp_path / "link.db"
    link.symlink_to(filled)
    with FlowStore.open(link) as store:
        assert store.load("k") is not None
        assert store.is_same_file()


def test_readonly_needs_a_file(path: Path) -> None:
    """Looking at a database that is not there does not create it."""
    with pytest.raises(StoreMissing, match="nothing has been recorded"):
        FlowStore.open_readonly(path)
    assert not path.exists()


def test_readonly_finds_nothing_in_an_empty_file(path: Path) -> None:
    """In a file that is just being created nothing is recorded yet; it stays as it is."""
    path.touch()
    with pytest.raises(StoreMissing):
        FlowStore.open_readonly(path)
    assert path.stat().st_size == 0


def _text(path: Path) -> None:
    path.write_text("This is no database, but a text of some length.\n" * 400)


def _short(path: Path) -> None:
    path.write_bytes(b"SQLite")


def _truncated(path: Path) -> None:
    os.truncate(path, 4096)


def _zeroed(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(bytes(200))


def _foreign(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as raw:
        raw.executescript("CREATE TABLE mine (x); PRAGMA user_version = 999")


def _foreign_mark(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as raw:
        raw.executescript("PRAGMA application_id = 7")


def _newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("PRAGMA user_version = 999")


def _no_version(path: Path) -> None:
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("PRAGMA user_version = -1")


def _directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("opener", OPENERS)
@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (_text, StoreBroken),
        (_short, StoreBroken),
        (_truncated, StoreBroken),
        (_zeroed, StoreBroken),
        (_no_version, StoreBroken),
        (_foreign, StoreForeign),
        (_foreign_mark, StoreForeign),
        (_directory, StoreForeign),
        (_fifo, StoreForeign),
        (_newer, StoreNewer),
    ],
)
def test_refused_files(
    filled: Path,
    spoil: Callable[[Path], None],
    error: type[StoreError],
    opener: Opener,
    tmp_path: Path,
) -> None:
    """What is no intact flow database of a known version is refused, named and left as it is."""
    for beside in tmp_path.glob("*-*"):
        beside.unlink()
    spoil(filled)
    before = filled.read_bytes() if filled.is_file() and not filled.is_fifo() else None
    with pytest.raises(error, match=str(filled)) as caught:
        opener(filled)
    assert type(caught.value) is error
    assert not caught.value.retryable
    if before is not None:
        assert filled.read_bytes() == before


def test_newer_names_both_versions(filled: Path) -> None:
    """The refusal of a newer file says which version it has and which ones are known."""
    _newer(filled)
    with pytest.raises(StoreNewer) as caught:
        FlowStore.open(filled)
    assert (caught.value.found, caught.value.known) == (999, len(MIGRATIONS))


@pytest.mark.parametrize("opener", OPENERS)
def test_refusing_does_not_checkpoint(path: Path, opener: Opener) -> None:
    """A newer program's commits in the write-ahead log stay there when its file is refused."""
    FlowStore.open(path).close()
    database = Database(path, "rw")
    database.query("PRAGMA user_version = 999")
    database.close()
    before = (path.read_bytes(), Path(f"{path}-wal").read_bytes())
    with pytest.raises(StoreNewer):
        opener(path)
    assert (path.read_bytes(), Path(f"{path}-wal").read_bytes()) == before


def test_damage_is_found_when_it_is_read(filled: Path, raw: sqlite3.Connection) -> None:
    """A table that is gone, or text that is none, breaks the run, and the error names the file."""
    raw.execute("UPDATE runs SET flow_id = CAST(x'ff' AS TEXT)")
    with (
        FlowStore.open(filled) as store,
        pytest.raises(StoreBroken, match=str(filled)),
    ):
        store.load("k")
    raw.execute("DROP TABLE attempts")
    with FlowStore.open(filled) as store, pytest.raises(StoreBroken, match="no such table"):
        store.attempts("k")


@pytest.mark.parametrize("read", [FlowStore.load, FlowStore.attempts])
def test_unknown_status_is_damage(
    filled: Path,
    raw: sqlite3.Connection,
    read: Callable[[FlowStore, str], object],
) -> None:
    """A status that no version knows is damage to the file, not a crash; other runs go on."""
    raw.executescript(
        """
        PRAGMA ignore_check_constraints = ON;
        INSERT INTO attempts (run_id, position, number, status, started_at, boot_id)
            VALUES (1, 0, 1, 'SOMEHOW', 1.0, 'boot');
        """
    )
    with FlowStore.open(filled) as store:
        with pytest.raises(StoreBroken, match="SOMEHOW"):
            read(store, "k")
        assert store.create(
            run_key="k2", flow_id="f", definition="", directory="/", started_at=1.0, steps=[]
        )
        assert store.load("k2") is not None


def test_wrong_type_is_damage(filled: Path, raw: sqlite3.Connection) -> None:
    """A value of a type that no version writes is damage to the file, not a crash."""
    raw.executescript(
        """
        PRAGMA writable_schema = ON;
        UPDATE sqlite_schema SET sql = replace(sql, 'STRICT', '');
        PRAGMA writable_schema = RESET;
        UPDATE runs SET directory = 7;
        """
    )
    with FlowStore.open(filled) as store, pytest.raises(StoreBroken, match="int"):
        store.load("k")


def test_garbled_schema_is_damage(filled: Path, raw: sqlite3.Connection) -> None:
    """A schema that SQLite cannot even quote in its complaint is damage to the file."""
    raw.executescript(
        """
        PRAGMA writable_schema = ON;
        UPDATE sqlite_schema SET sql = CAST(x'435245415445205441424c4520dd20dd' AS TEXT);
        """
    )
    with pytest.raises(StoreBroken, match="its schema is damaged"):
        FlowStore.open(filled)


@given(
    spots=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1)), min_size=1),
    keep=st.floats(0.01, 1),
)
@settings(max_examples=150, deadline=None)
def test_no_damage_escapes(
    damageable: tuple[Path, bytes], spots: list[tuple[float, bytes]], keep: float
) -> None:
    """Whatever happened to the bytes of a file, every call either works or raises a StoreError."""
    path, intact = damageable
    content = bytearray(intact)
    for where, what in spots:
        start = int(where * len(content))
        content[start : start + len(what)] = what
    path.write_bytes(content[: int(keep * len(content))])
    changes = Changes(steps={2: Step(2, "c", StepStatus.RUNNING, 1, 0, 1)})
    calls: list[Callable[[FlowStore], object]] = [
        lambda store: store.load("k"),
        lambda store: store.attempts("k"),
        lambda store: store.apply("k", changes, revision=0),
        lambda store: store.request_cancel("k", requested_at=1.0, grace_sec=None),
        FlowStore.checkpoint,
    ]
    for opener in OPENERS:
        for beside in path.parent.glob("*-*"):
            beside.unlink()
        with suppress(StoreError), opener(path) as store:
            for call in calls:
                with suppress(StoreError):
                    call(store)


def test_readonly_leaves_no_trace(
    filled: Path, folder_state: Callable[[], dict[str, tuple[bytes, int]]]
) -> None:
    """Looking at a run changes no file and adds none."""
    before = folder_state()
    with FlowStore.open_readonly(filled) as store:
        assert store.load("k") is not None
        assert store.attempts("k") == ()
    assert folder_state() == before


def test_readonly_does_not_write(filled: Path) -> None:
    """A store opened for reading refuses to record anything."""
    with FlowStore.open_readonly(filled) as store:
        with pytest.raises(StoreUnavailable, match="readonly") as caught:
            store.apply("k", Changes(RunHeader(FlowStatus.RUNNING)), revision=0)
        assert not caught.value.retryable
        store.checkpoint()


def _block_index(path: Path) -> None:
    """Do what a read-only folder does, to root too: SQLite cannot create its index."""
    index = Path(f"{path}-shm")
    index.unlink()
    index.symlink_to(path.parent / "nowhere" / "shm")


def test_readonly_where_nothing_can_be_created(filled: Path) -> None:
    """Where SQLite cannot create its index beside the file, the file is read as it stands."""
    Path(f"{filled}-wal").unlink()
    _block_index(filled)
    with FlowStore.open_readonly(filled) as store:
        assert store.load("k") is not None


def test_readonly_refuses_to_miss_commits(path: Path, create: Callable[..., bool]) -> None:
    """A file whose latest commits are in a log that cannot be read is not shown without them."""
    with FlowStore.open(path) as store:
        create(store)
    _block_index(path)
    with pytest.raises(StoreUnavailable):
        FlowStore.open_readonly(path)


def test_readonly_with_an_unreadable_log(path: Path, create: Callable[..., bool]) -> None:
    """A log of which not even the size can be told counts as one that holds commits."""
    with FlowStore.open(path) as store:
        create(store)
    _block_index(path)
    Path(f"{path}-wal").unlink()
    Path(f"{path}-wal").symlink_to(f"{path}-wal")
    with pytest.raises(StoreUnavailable):
        FlowStore.open_readonly(path)


def test_folder_that_is_a_file(tmp_path: Path) -> None:
    """A path through a file is unavailable, with the system's reason."""
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailable, match="Not a directory") as caught:
        FlowStore.open(tmp_path / "file" / "flow.db")
    assert not caught.value.retryable


def test_link_loop(path: Path) -> None:
    """A link to itself is unavailable, with the system's reason."""
    path.symlink_to(path)
    with pytest.raises(StoreUnavailable, match="symbolic links"):
        FlowStore.open_readonly(path)


def test_socket_is_foreign(tmp_path: Path) -> None:
    """A socket is no file to open."""
    before = Path.cwd()
    os.chdir(tmp_path)  # a socket's path must be short
    try:
        with closing(socket.socket(socket.AF_UNIX)) as listener:
            listener.bind("s")
            with pytest.raises(StoreForeign, match="no regular file"):
                FlowStore.open_readonly("s")
    finally:
        os.chdir(before)


def test_every_migration_is_committed_with_its_version(path: Path) -> None:
    """An upgrade that fails half-way leaves the version before it, complete."""
    path.touch()
    steps = (
        f"PRAGMA application_id = {APPLICATION_ID}; CREATE TABLE a (x)",
        "ALTER TABLE a ADD COLUMN y; CREATE TABLE b (x)",
        "CREATE TABLE c (x); CREATE TABLE a (x)",
    )
    with closing(Database(path, "rw")) as database:
        with pytest.raises(StoreBroken, match="already exists"):
            upgrade(database, steps)
        assert database.query("PRAGMA user_version") == [(2,)]
        assert database.query("SELECT name FROM sqlite_schema") == [("a",), ("b",)]
        upgrade(database, (*steps[:2], "CREATE TABLE c (x)"))
        assert database.query("PRAGMA user_version") == [(3,)]


def test_upgrade_keeps_what_is_there(filled: Path) -> None:
    """A file of version 1 is brought to a later version with its runs."""
    with closing(Database(filled, "rw")) as database:
        upgrade(database, (*MIGRATIONS, "ALTER TABLE runs ADD COLUMN extra TEXT"))
        assert database.query("SELECT run_key, extra FROM runs") == [("k", None)]


@pytest.mark.parametrize(
    ("pragma", "value"),
    [
        ("synchronous", 2),
        ("foreign_keys", 1),
        ("trusted_schema", 0),
        ("cell_size_check", 1),
        ("fullfsync", 1),
        ("wal_autocheckpoint", 0),
        ("busy_timeout", 2000),
    ],
)
def test_settings(filled: Path, pragma: str, value: int) -> None:
    """Every commit is synced, references and pages are checked, and no lock is awaited for long."""
    with closing(Database(filled, "rw")) as database:
        assert database.query(f"PRAGMA {pragma}") == [(value,)]
        database.checkpoint()
        assert database.query(f"PRAGMA {pragma}") == [(value,)]


def test_removing_a_run_removes_all_of_it(filled: Path) -> None:
    """Steps and attempts do not outlive their run."""
    with closing(Database(filled, "rw")) as database:
        database.query(
            "INSERT INTO attempts (run_id, position, number, status, started_at, boot_id)"
            " VALUES (1, 0, 1, 'STARTING', 1.0, 'boot')"
        )
        assert database.change("DELETE FROM runs") == 1
        assert database.query("SELECT * FROM steps") == []
        assert database.query("SELECT * FROM attempts") == []


def test_closing_twice(path: Path) -> None:
    """A closed store can be closed again, and says so when it is used."""
    store = FlowStore.open(path)
    store.close()
    store.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        store.load("k")


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
