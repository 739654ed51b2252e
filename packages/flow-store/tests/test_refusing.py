"""Which files are refused, and that nothing which happened to one crashes a caller (rule 6.1)."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flow_store import (
    Attempt,
    AttemptStatus,
    Changes,
    FlowStore,
    Step,
    StepStatus,
    StoreBroken,
    StoreError,
    StoreForeign,
    StoreNewer,
)
from flow_store.database import Database

OPENERS = [FlowStore.open, FlowStore.open_readonly]
Opener = Callable[[Path], FlowStore]


def execute(path: Path, script: str) -> None:
    with closing(sqlite3.connect(path)) as raw:
        raw.executescript(script)


def in_its_place(make: Callable[[Path], object]) -> Callable[[Path], None]:
    """Return what puts something else in the place of a file."""

    def replace(path: Path) -> None:
        path.unlink()
        make(path)

    return replace


FOREIGN = "CREATE TABLE mine (x); PRAGMA user_version = 999"
SPOILED: list[tuple[Callable[[Path], object], type[StoreError]]] = [
    (lambda path: path.write_text("This is no database, but a text.\n" * 400), StoreForeign),
    (lambda path: os.truncate(path, 4096), StoreBroken),
    (lambda path: path.write_bytes(bytes(200) + path.read_bytes()[200:]), StoreForeign),
    (lambda path: execute(path, "PRAGMA user_version = -1"), StoreBroken),
    (in_its_place(lambda path: execute(path, FOREIGN)), StoreForeign),
    (in_its_place(Path.mkdir), StoreForeign),
    (in_its_place(os.mkfifo), StoreForeign),
    (lambda path: execute(path, "PRAGMA user_version = 999"), StoreNewer),
]


@pytest.mark.parametrize("opener", OPENERS)
@pytest.mark.parametrize(("spoil", "error"), SPOILED, ids=range(len(SPOILED)))
def test_refused_files(
    filled: Path,
    spoil: Callable[[Path], object],
    error: type[StoreError],
    opener: Opener,
    tmp_path: Path,
) -> None:
    """What is no intact flow database of a known version is refused, named and left as it is.

    It is closed at once, although the error still holds the frames of what opened it.
    """
    for beside in tmp_path.glob("*-*"):
        beside.unlink()
    spoil(filled)
    before = filled.read_bytes() if filled.is_file() and not filled.is_fifo() else None
    with pytest.raises(error, match=str(filled)) as caught:
        opener(filled)
    assert type(caught.value) is error
    assert not caught.value.retryable
    descriptors = map(os.path.realpath, Path("/proc/self/fd").glob("*"))
    assert not [path for path in descriptors if path.startswith(str(filled))]
    if before is not None:
        assert filled.read_bytes() == before


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


UNKNOWN_STATUS = """
    PRAGMA ignore_check_constraints = ON;
    INSERT INTO attempts (run_id, position, number, status, started_at, boot_id, is_gate)
        VALUES (1, 0, 1, 'SOMEHOW', 1.0, 'boot', 0);
"""
WRONG_TYPE = """
    PRAGMA writable_schema = ON;
    UPDATE sqlite_schema SET sql = replace(sql, 'STRICT', '');
    PRAGMA writable_schema = RESET;
    UPDATE runs SET directory = 7;
"""


@pytest.mark.parametrize(
    ("damage", "cause"),
    [
        ("UPDATE runs SET flow_id = CAST(x'ff' AS TEXT)", ""),
        ("DROP TABLE attempts", "no such table"),
        (UNKNOWN_STATUS, "SOMEHOW"),
        (WRONG_TYPE, "int"),
    ],
)
def test_damage_is_found_when_it_is_read(
    filled: Path, raw: sqlite3.Connection, create: Callable[..., bool], damage: str, cause: str
) -> None:
    """No text, no table, an unknown status or a wrong type: the error names the file."""
    raw.executescript(damage)
    with FlowStore.open(filled) as store:
        with pytest.raises(StoreBroken, match=f"{filled}.*{cause}"):
            store.load("k")
        assert create(store, "k2"), "other runs go on"


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
            flow_dir="/",
            orchesjob_home="/srv/jobs",
            started_at=1.0,
            steps=[(step_id, 1) for step_id in "abc"],
        )
        attempt = Attempt(0, 1, AttemptStatus.RUNNING, 1.0, None, "boot", job="j" * 5000)
        store.apply("k", Changes(attempts={(0, 1): attempt}), revision=0)
        store.checkpoint()
    return path, path.read_bytes()


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
