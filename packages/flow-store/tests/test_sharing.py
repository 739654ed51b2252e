"""Several processes at one file, locks, full disks, the write-ahead log (rules 4.5, 5.7, 6.4)."""

import errno
import sqlite3
import string
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from flow_store import (
    Attempt,
    AttemptStatus,
    Changes,
    FlowStore,
    Step,
    StoreUnavailable,
    WrongThread,
)
from flow_store.database import BUSY_TIMEOUT_SEC

Python = Callable[..., subprocess.Popen[str]]

CREATE = """
import sys
from flow_store import FlowStore
print("ready", flush=True)
sys.stdin.readline()
with FlowStore.open(sys.argv[1]) as store:
    for n in range(5):
        print(store.create(run_key=f"k{n}", flow_id="f", definition="", directory="/",
                           flow_dir="/", orchesjob_home="/", started_at=1.0,
                           steps=[("a", 0)] * 50))
"""

WRITE = """
import sys
from flow_store import Changes, RunStatus, FlowStore, RunHeader, Step, StepStatus
with FlowStore.open(sys.argv[1]) as store:
    for n in range(1, 301):
        step = Step(2, "c", StepStatus.RUNNING, 1, 0, 1, error=str(n))
        header = RunHeader(RunStatus.RUNNING, str(n))
        assert store.apply("k", Changes(header, {2: step}), revision=n - 1) == n
"""

HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], autocommit=True)
connection.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.readline()
"""

FILL = """
import os, resource, sys
from flow_store import (
    Attempt, AttemptStatus, Changes, RunStatus, FlowStore, RunHeader, StoreUnavailable
)
path = sys.argv[1]
with FlowStore.open(path) as store:
    limit = os.stat(path + "-wal").st_size + 10_000
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    attempt = Attempt(0, 1, AttemptStatus.STARTING, 1.0, None, "boot", job="x" * 100_000)
    changes = Changes(RunHeader(RunStatus.RUNNING), attempts={(0, 1): attempt})
    for _ in range(3):
        try:
            store.apply("k", changes, revision=0)
        except StoreUnavailable as error:
            print(error.errno, error.retryable)
    with FlowStore.open_readonly(path) as reader:
        print(store.load("k") == reader.load("k"), reader.load("k").revision)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    print(store.apply("k", changes, revision=0))
"""


def _output(process: subprocess.Popen[str], say: str = "") -> list[str]:
    out, err = process.communicate(say, timeout=60)
    assert process.returncode == 0, err
    return out.splitlines()


def test_many_create_at_once(path: Path, python: Python) -> None:
    """Processes that create the same file and runs at one moment all succeed, each run once."""
    processes = [python(CREATE, path) for _ in range(6)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [_output(process) for process in processes]
    for run in zip(*answers, strict=True):
        assert sorted(run) == ["False"] * 5 + ["True"]


@pytest.mark.usefixtures("run_store")
def test_a_reader_sees_one_moment(path: Path, python: Python) -> None:
    """A reader is never kept waiting by the writer and never sees half of its changes."""
    writer = python(WRITE, path)
    revision = 0
    with FlowStore.open_readonly(path) as reader:
        while revision < 300 and writer.poll() in (None, 0):
            run = reader.load("k")
            assert run is not None
            assert run.error == run.steps[2].error
            assert run.revision == int(run.error or 0) >= revision
            revision = run.revision
    assert _output(writer) == []
    assert revision == 300, "the reader saw the writer's last change"


def test_locked_file(run_store: FlowStore, path: Path, python: Python, step: Step) -> None:
    """A file that another process keeps locked can be read, and written once it lets go."""
    holder = python(HOLD, path)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(StoreUnavailable, match="locked") as caught:
        run_store.apply("k", Changes(steps={0: step}), revision=0)
    assert caught.value.retryable
    assert caught.value.errno == errno.EAGAIN
    with FlowStore.open_readonly(path) as reader:
        assert reader.load("k") == run_store.load("k")
    _output(holder, "let go\n")
    assert run_store.apply("k", Changes(steps={0: step}), revision=0) == 1


def test_switching_to_wal_waits_for_a_writer(path: Path, raw: sqlite3.Connection) -> None:
    """A new file to which another process is about to write is unavailable, for now."""
    raw.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="locked") as caught:
        FlowStore.open(path)
    assert caught.value.retryable


def test_full_disk(run_store: FlowStore, path: Path, python: Python) -> None:
    """On a full disk nothing is written, reading works, and the same changes succeed later."""
    *refused, read, revision = _output(python(FILL, path))
    assert len(refused) == 3
    for answer in refused:
        code, retryable = answer.split()
        assert int(code) in {errno.ENOSPC, errno.EIO}
        assert retryable == "True"
    assert read == "True 0"
    assert revision == "1"
    assert [len(attempt.job or "") for attempt in run_store.attempts("k")] == [100_000]


def test_another_thread_is_refused(run_store: FlowStore) -> None:
    """A store belongs to the thread that opened it, and says so to another one."""
    errors: list[Exception] = []

    def use() -> None:
        try:
            run_store.load("k")
        except WrongThread as error:
            errors.append(error)

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert "thread" in str(errors[0])
    assert run_store.load("k") is not None


def test_data_version_tells_of_others(run_store: FlowStore, path: Path, step: Step) -> None:
    """The data version changes with the commits of others, and not with one's own."""
    before = run_store.data_version()
    run_store.apply("k", Changes(steps={0: step}), revision=0)
    assert run_store.data_version() == before
    with FlowStore.open(path) as other:
        other.request_cancel("k", requested_at=1.0, grace_sec=None)
    assert run_store.data_version() != before


def test_nobody_checkpoints_unasked(run_store: FlowStore, path: Path, attempt: Attempt) -> None:
    """Neither a commit nor closing moves anything into the file, until that is asked for."""
    before = path.read_bytes()
    for revision, letter in enumerate(string.ascii_letters):
        now = attempt._replace(status=AttemptStatus.RUNNING, job=letter * 100_000)
        run_store.apply("k", Changes(attempts={(0, 1): now}), revision=revision)
    run_store.close()
    assert path.read_bytes() == before
    with FlowStore.open(path) as store:
        store.checkpoint()
        assert path.read_bytes() != before
        assert Path(f"{path}-wal").stat().st_size == 0


def test_checkpoint_is_quiet_while_others_read(
    run_store: FlowStore, path: Path, raw: sqlite3.Connection, step: Step
) -> None:
    """A log that is being read is left for the next checkpoint, and nothing is lost."""
    raw.execute("BEGIN")
    raw.execute("SELECT * FROM runs").fetchall()
    run_store.apply("k", Changes(steps={0: step}), revision=0)
    begun = time.monotonic()
    run_store.checkpoint()
    assert time.monotonic() - begun < BUSY_TIMEOUT_SEC, "nobody is kept waiting for it"
    assert Path(f"{path}-wal").stat().st_size > 0
    raw.execute("COMMIT")
    run_store.checkpoint()
    assert Path(f"{path}-wal").stat().st_size == 0
    run = run_store.load("k")
    assert run is not None
    assert run.steps[0] == step
