"""Looking at a database: what that needs, and that it leaves no trace (rule 6.1)."""

from collections.abc import Callable
from pathlib import Path
from subprocess import Popen

import pytest

from flow_store import (
    Changes,
    FlowStore,
    RunHeader,
    RunStatus,
    StoreMissing,
    StoreUnavailable,
)


def test_readonly_finds_nothing_in_an_empty_file(path: Path) -> None:
    """In a file that is just being created nothing is recorded yet; it stays as it is."""
    path.touch()
    with pytest.raises(StoreMissing):
        FlowStore.open_readonly(path)
    assert path.stat().st_size == 0


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
            store.apply("k", Changes(RunHeader(RunStatus.RUNNING)), revision=0)
        assert not caught.value.retryable
        store.checkpoint()


def _block(path: Path, suffix: str = "-shm") -> None:
    """Do what a read-only folder does, to root too: SQLite cannot create the file beside."""
    beside = Path(f"{path}{suffix}")
    beside.unlink()
    beside.symlink_to(path.parent / "nowhere" / "beside")


def test_readonly_where_nothing_can_be_created(filled: Path) -> None:
    """Where SQLite can create neither its index nor a log, the file is read alone."""
    for suffix in ("-wal", "-shm"):
        _block(filled, suffix)
    with FlowStore.open_readonly(filled) as store:
        assert store.load("k") is not None


FULL = """
import resource, sys
from flow_store import FlowStore
resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
with FlowStore.open_readonly(sys.argv[1]) as store:
    print(store.load("k").run_key)
"""


def test_readonly_on_a_full_disk(
    filled: Path, python: Callable[..., Popen[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is no room for SQLite's index, the file is read alone."""
    # Nor is there room for what coverage would write at the end.
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
    Path(f"{filled}-shm").unlink()
    reader = python(FULL, filled)
    assert reader.communicate() == ("k\n", "")


@pytest.mark.parametrize("is_readable", [True, False])
def test_readonly_refuses_to_miss_commits(
    path: Path, create: Callable[..., bool], *, is_readable: bool
) -> None:
    """A file with commits in a log that cannot be read, or whose size cannot, is not shown."""
    with FlowStore.open(path) as store:
        create(store)
    _block(path)
    if not is_readable:
        Path(f"{path}-wal").unlink()
        Path(f"{path}-wal").symlink_to(f"{path}-wal")
    with pytest.raises(StoreUnavailable):
        FlowStore.open_readonly(path)
