"""Locks that die with their holders (rule 4.5)."""

import fcntl
import os
import resource
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchesjob_flow.errors import ResourceExhausted, UnsafePlace
from orchesjob_flow.home.locks import Holder, Lock, find_foreign, holder, open_owned

HOLD = """
import sys
from pathlib import Path
from orchesjob_flow.home.locks import Lock
lock = Lock.take(Path(sys.argv[1]))
lock.sign()
print("held", flush=True)
sys.stdin.read()
"""
INHERIT = """
import os, sys
from orchesjob_flow.home.locks import Lock
lock = Lock.inherit(int(sys.argv[2]))
lock.sign()
print("held", os.get_inheritable(lock.fileno()), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "k.lock"


@pytest.fixture
def process(path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a process that takes the lock and keeps it until its stdin is closed."""
    started: list[subprocess.Popen[str]] = []

    def start(code: str = HOLD, descriptor: int | None = None) -> subprocess.Popen[str]:
        inherited = () if descriptor is None else (descriptor,)
        command = [sys.executable, "-c", code, str(path), *map(str, inherited)]
        pipe = subprocess.PIPE
        child = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, pass_fds=inherited)
        started.append(child)
        assert child.stdout is not None
        assert child.stdout.readline().startswith("held")
        return child

    yield start
    for child in started:
        child.kill()
        child.communicate()


def test_one_holder(path: Path, process: Callable[..., subprocess.Popen[str]]) -> None:
    """While a process holds the lock no other gets it; its id is there to be read."""
    child = process()
    assert Lock.take(path, wait_sec=0.0) is None
    assert holder(path) == Holder(child.pid)


def test_a_killed_holder(path: Path, process: Callable[..., subprocess.Popen[str]]) -> None:
    """The lock of a killed process is free at once."""
    child = process()
    child.kill()
    child.wait()
    assert holder(path) is None
    lock = Lock.take(path, wait_sec=0.0)
    assert lock is not None
    lock.close()


def test_waiting(path: Path, process: Callable[..., subprocess.Popen[str]]) -> None:
    """A second taker is told that it waits, and gets the lock when the first dies."""
    child = process()
    lock = Lock.wait(path, before_waiting=child.kill)
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


def test_handed_to_a_child(path: Path, process: Callable[..., subprocess.Popen[str]]) -> None:
    """A child that inherits the descriptor holds the lock without a gap (rule 6.3)."""
    lock = Lock.take(path)
    assert lock is not None
    child = process(INHERIT, lock.fileno())
    lock.close()
    assert holder(path) == Holder(child.pid)
    assert Lock.take(path, wait_sec=0.0) is None


def test_asking_creates_nothing(path: Path) -> None:
    """Asking who holds a lock that was never taken answers nobody and creates nothing."""
    assert holder(path) is None
    assert not path.exists()


def test_the_longest_signature(path: Path) -> None:
    """The highest PID of any system is read as it was written."""
    path.write_text("4194304\n")
    lock = Lock.take(path)
    assert lock is not None
    assert holder(path) == Holder(4_194_304)
    lock.close()


def test_a_longer_signature_is_overwritten(path: Path) -> None:
    """Nothing of an earlier holder's id is left in the file."""
    path.write_text("99999999999\n")
    lock = Lock.take(path)
    assert lock is not None
    lock.sign()
    assert path.read_text() == f"{os.getpid()}\n"
    lock.close()


def test_for_its_owner_only(path: Path) -> None:
    """A lock's file is made 0600 and is not inherited by accident."""
    lock = Lock.take(path)
    assert lock is not None
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not os.get_inheritable(lock.fileno())
    lock.close()


@pytest.mark.parametrize("umask", [0, 0o277, 0o777])
def test_whatever_the_umask(path: Path, umask: int) -> None:
    """A file that was created can be opened again by its owner, and by nobody else (rule 6.1)."""
    before = os.umask(umask)
    try:
        os.close(open_owned(path, os.O_RDWR | os.O_CREAT))
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_symbolic_link(path: Path, tmp_path: Path) -> None:
    """A symbolic link in the lock's place is refused, and what it names is left alone."""
    path.symlink_to(tmp_path / "victim")
    with pytest.raises(UnsafePlace, match="is a symbolic link"):
        Lock.take(path)
    assert not (tmp_path / "victim").exists()
    assert holder(path) is None


def test_a_hard_link(path: Path, tmp_path: Path) -> None:
    """A second name of another file is refused: two keys would share a lock (rule 4.1)."""
    (tmp_path / "victim").touch()
    path.hardlink_to(tmp_path / "victim")
    with pytest.raises(UnsafePlace, match="is a hard link, and must be a file of its own"):
        Lock.take(path)


def test_a_pipe(path: Path) -> None:
    os.mkfifo(path)
    with pytest.raises(UnsafePlace, match="is not a regular file"):
        Lock.take(path)


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


def test_a_full_disk(path: Path, process: Callable[..., subprocess.Popen[str]]) -> None:
    """A holder that cannot write its id holds the lock all the same (rules 4.5 and 5.7)."""
    path.write_text("4711\n")
    full = "import resource as r; r.setrlimit(r.RLIMIT_FSIZE, (0, r.RLIM_INFINITY))"
    process(f"{full}\n{HOLD}")
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
