"""Executables that stand in for orchesjob, processes that stand in for its worker."""

import fcntl
import json
import os
import resource
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from orchesjob_client import usable_cgroup_folder

ANSWER: Mapping[str, Any] = {
    "job_id": "91f4bcfc-bdf2-4d52-b806-0687b9b7c0e4",
    "run_key": "k",
    "command": ["sleep", "2"],
    "pid": 8197,
    "worker_pid": 8193,
    "target_pid": 8197,
    "status": "RUNNING",
    "exit_code": None,
    "stdout_file": "/h/logs/91f4.stdout",
    "stderr_file": "/h/logs/91f4.stderr",
    "started_at": 1795602108,
    "finished_at": None,
    "abort_reason": None,
    "strict": False,
    "existing": False,
}


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marks; an sdist has no settings that do."""
    for mark in ("heavy", "integration"):
        config.addinivalue_line("markers", mark)


@pytest.fixture
def cgroup_place() -> Path:
    """The folder below which cgroups can be made here."""
    try:
        return usable_cgroup_folder()
    except OSError as error:
        # Whether there can be any is up to the machine; a job without one is tested everywhere.
        pytest.skip(f"no cgroups can be made here: {error}")


@pytest.fixture
def answer() -> Callable[..., dict[str, Any]]:
    """A job object as orchesjob prints it, with some keys changed."""
    return lambda **changes: {**ANSWER, **changes}


@pytest.fixture
def executable(tmp_path: Path) -> Callable[[str], str]:
    """Make a shell script and return its path."""

    def write(text: str) -> str:
        path = tmp_path / f"orchesjob-{uuid.uuid4().hex[:8]}"
        path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        path.chmod(0o755)
        return str(path)

    return write


@pytest.fixture
def answering(executable: Callable[[str], str], tmp_path: Path) -> Callable[..., str]:
    """Make an executable that prints a document, keeps its arguments in `argv`, and exits."""

    def write(document: object, *, code: int = 0, stderr: str = "") -> str:
        text = document if isinstance(document, str) else json.dumps(document)
        (tmp_path / "answer").write_text(text, encoding="utf-8")
        (tmp_path / "complaint").write_text(stderr, encoding="utf-8")
        return executable(
            f"printf '%s\\n' \"$@\" > {tmp_path}/argv\n"
            f"cat {tmp_path}/answer\ncat {tmp_path}/complaint >&2\nexit {code}"
        )

    return write


@pytest.fixture
def spawn() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start processes that live until their stdin is closed, and end them after the test."""
    started: list[subprocess.Popen[bytes]] = []

    def start(
        *words: str, before: str = ":", code: str = "read line", **options: Any
    ) -> subprocess.Popen[bytes]:
        # The line of output says that the shell has begun, so its command line is there.
        command = ["/bin/sh", "-c", f"{before}; echo; {code}", "worker", *words]
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, **options)
        assert process.stdout is not None
        process.stdout.readline()
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            pipe.close()


@pytest.fixture
def few_descriptors() -> Callable[[int], AbstractContextManager[None]]:
    """Let this process open only so many files more."""

    @contextmanager
    def limit(spare: int) -> Iterator[None]:
        lowest_free = os.dup(0)
        os.close(lowest_free)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free + spare, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    return limit


@pytest.fixture
def only_chain() -> Iterator[None]:
    """Let one test at a time fork without an end: beside two, no search for processes ends."""
    place = Path(tempfile.gettempdir()) / f"orchesjob-tests-of-{os.getuid()}.chain"
    with place.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
