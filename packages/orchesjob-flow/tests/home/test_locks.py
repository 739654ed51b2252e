"""Locks that die with their holders (rule 4.5)."""

import fcntl
import os
import resource
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from orchesjob_flow.errors import ResourceExhausted, UnsafePlace
from orchesjob_flow.home.locks import Holder, Lock, find_foreign, holder, open_owned

type Hold = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "k.lock"


def test_one_holder(path: Path, hold: Hold) -> None:
    """While a process holds the lock no other gets it; its id is there to be read.

    Asking who holds a lock that was never taken answers nobody and creates nothing.
    """
    assert holder(path) is None
    assert not path.exists()
    child = hold(path)
    assert Lock.take(path, wait_sec=0.0) is None
    assert holder(path) == Holder(child.pid)


def test_waiting(path: Path, hold: Hold) -> None:
    """A second taker is told that it waits, and gets the lock as soon as the first is killed."""
    child = hold(path)

    def kill() -> None:
        child.kill()
        child.wait()
        assert holder(path) is None

    lock = Lock.wait(path, before_waiting=kill)
    lock.sign()
    assert holder(path) == Holder(os.getpid())
    lock.close()


def test_a_file_that_is_replaced_meanwhile(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock on a file that is no longer at its path guards nothing, and is not taken."""
    flock = fcntl.flock

    def flock_after_prune(descriptor: int, operation: int) -> None:
        monkeypatch.undo()
        path.unlink()
        flock(descriptor, operation)

    # Nothing outside can come between opening and locking: so `flock` itself does it first.
    monkeypatch.setattr(fcntl, "flock", flock_after_prune)
    before = set(Path("/proc/self/fd").iterdir())
    lock = Lock.take(path, wait_sec=10.0)
    assert lock is not None
    assert os.path.samestat(os.fstat(lock.fileno()), path.stat())
    lock.close()
    assert set(Path("/proc/self/fd").iterdir()) <= before


def test_handed_to_a_child(path: Path, hold: Hold) -> None:
    """A child that inherits the descriptor holds the lock without a gap (rule 6.3)."""
    lock = Lock.take(path)
    assert lock is not None
    child = hold(path, lock.fileno())
    lock.close()
    assert holder(path) == Holder(child.pid)
    assert Lock.take(path, wait_sec=0.0) is None


def test_signatures(path: Path) -> None:
    """The highest PID of any system is read as it was written; no rest of a longer one is left."""
    path.write_text("4194304\n")
    lock = Lock.take(path)
    assert lock is not None
    assert holder(path) == Holder(4_194_304)
    path.write_text("99999999999\n")
    lock.sign()
    assert path.read_text() == f"{os.getpid()}\n"
    lock.close()


@pytest.mark.parametrize("umask", [0, 0o277, 0o777])
def test_for_its_owner_only(path: Path, umask: int) -> None:
    """A lock's file is 0600, whatever the umask, and is not inherited by accident (rule 6.1)."""
    before = os.umask(umask)
    try:
        lock = Lock.take(path)
    finally:
        os.umask(before)
    assert lock is not None
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not os.get_inheritable(lock.fileno())
    lock.close()


def test_a_file_of_somebody_else(path: Path) -> None:
    """A file that another user owns is not trusted to guard anything."""
    found = Path("/etc/passwd")
    if os.geteuid() == 0:
        found = path
        path.touch()
        os.chown(path, 65534, -1)
        with pytest.raises(UnsafePlace, match="belongs to another user"):
            Lock.take(path)
    assert find_foreign(found.stat()) == "belongs to another user"


def test_a_full_disk(path: Path, hold: Hold) -> None:
    """A holder that cannot write its id holds the lock all the same (rules 4.5 and 5.7)."""
    path.write_text("4711\n")
    full = "import resource as r; r.setrlimit(r.RLIMIT_FSIZE, (0, r.RLIM_INFINITY))"
    hold(path, before=full)
    assert holder(path) == Holder(None)
    assert Lock.take(path, wait_sec=0.0) is None


def test_a_folder_in_the_way(path: Path) -> None:
    """What cannot be opened is an error that names it."""
    path.mkdir()
    with pytest.raises(UnsafePlace, match=r"k\.lock cannot be opened: Is a directory"):
        open_owned(path, os.O_RDWR | os.O_CREAT)


def test_no_descriptors(tmp_path: Path) -> None:
    """Where nothing can be opened, that is said: it is not that nobody holds the lock."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        with pytest.raises(ResourceExhausted, match="Too many open files; raise the limit"):
            holder(tmp_path / "x.lock")
        with pytest.raises(ResourceExhausted, match=r"cannot open .*x\.lock: Too many open files"):
            Lock.take(tmp_path / "x.lock")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
