"""What the tests share: a store in a folder of its own, a run in it, and records to evolve."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from flow_store import Attempt, AttemptStatus, FlowStore, Step, StepStatus


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the store's file is, or will be."""
    return tmp_path / "flow.sqlite3"


@pytest.fixture
def store(path: Path) -> Iterator[FlowStore]:
    """An open, empty store."""
    with FlowStore.open(path) as opened:
        yield opened


@pytest.fixture
def create() -> Callable[..., bool]:
    """Record the run `k` of three steps `a`, `b` and `c`, unless other facts are given."""

    def _create(store: FlowStore, run_key: str = "k", **other: object) -> bool:
        facts: dict[str, object] = {
            "flow_id": "daily import",
            "definition": '{"opaque": true}',
            "directory": "/srv/data",
            "flow_dir": "/srv/flows",
            "orchesjob_home": "/srv/jobs",
            "started_at": 100.5,
            "steps": [("a", 2), ("b", 0), ("c", 1)],
        }
        return store.create(run_key=run_key, **(facts | other))  # type: ignore[arg-type]

    return _create


@pytest.fixture
def run_store(store: FlowStore, create: Callable[..., bool]) -> FlowStore:
    """An open store with the run `k`, at revision 0."""
    create(store)
    return store


@pytest.fixture
def filled(path: Path, create: Callable[..., bool]) -> Path:
    """A closed file with the run `k`, all of it moved out of the write-ahead log."""
    with FlowStore.open(path) as store:
        create(store)
        store.checkpoint()
    return path


@pytest.fixture
def step() -> Step:
    """Step `a` of the run `k`, at its first attempt."""
    return Step(0, "a", StepStatus.RUNNING, 1, 0, 2, started_at=101.0)


@pytest.fixture
def attempt() -> Attempt:
    """The first attempt at step `a`, about to start."""
    return Attempt(0, 1, AttemptStatus.STARTING, 101.0, None, "boot-1")


@pytest.fixture
def raw(path: Path) -> Iterator[sqlite3.Connection]:
    """Another program's connection to the same file."""
    with closing(sqlite3.connect(path, autocommit=True)) as connection:
        yield connection


@pytest.fixture
def python() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start another Python process that runs some code; what is left of it ends with the test."""
    started: list[subprocess.Popen[str]] = []

    def start(code: str, *arguments: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", code, *map(str, arguments)]
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
