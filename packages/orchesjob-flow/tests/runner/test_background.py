"""What is left of a background runner that did not start, and its command line (rule 6.3)."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orchesjob_flow.errors import NotDetached, NotReady
from orchesjob_flow.home.locks import Lock
from orchesjob_flow.home.paths import Home
from orchesjob_flow.home.runs import RunHandle
from orchesjob_flow.home.settings import Settings
from orchesjob_flow.runner import background
from orchesjob_flow.runner.background import (
    StartedRunner,
    child_command,
    describe_end,
    last_line,
    read_in_time,
    report_ready,
    start_child,
)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (b"", "it printed nothing"),
        (b"\n\n", "it printed nothing"),
        (b"one\ntwo\n", "two"),
        (b'warning\n{"error": "no orchesjob"}\n\n', "no orchesjob"),
        (b'{"trouble": "no error"}\n', '{"trouble": "no error"}'),
        (b"[1]\n", "[1]"),
        (b"\xff\xfe", "��"),
        (b"x" * 2000, "x" * 500),
    ],
)
def test_last_line(tmp_path: Path, said: bytes, words: str) -> None:
    """The last line that the child wrote, cut short, is its cause; earlier runs' are not."""
    log = tmp_path / "log"
    log.write_bytes(b"said long before\n" + said)
    assert last_line(log, len(b"said long before\n")) == words


def test_an_end_without_words() -> None:
    """Who was killed, or ended in silence, is described, and how the run continues (rule 6.9)."""
    assert describe_end(2, "the disk is full") == "the disk is full"
    assert describe_end(-9, "said") == "SIGKILL has ended it; `resume` continues the run"
    assert describe_end(1, "it printed nothing").endswith("; `resume` continues the run")


@pytest.fixture
def handle(tmp_path: Path) -> RunHandle:
    handle = RunHandle("k", Settings(Home(tmp_path / "flow.db"), sys.executable, 5.0, 60.0, {}))
    handle.log("stderr").parent.mkdir()
    return handle


@pytest.fixture
def lock(tmp_path: Path) -> Iterator[Lock]:
    lock = Lock.take(tmp_path / "lock")
    assert lock is not None
    yield lock
    lock.close()


def test_a_child_that_is_quick(
    handle: RunHandle, lock: Lock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it has written before its parent went on is its own; what was there before is not."""

    def begin_and_await(_handle: RunHandle, spawn: Callable[[], Any], **_: object) -> Any:
        process = spawn()
        process.wait()
        return process

    def command(*_: object) -> list[str]:
        return ["/bin/sh", "-c", "echo no such file >&2; exit 2"]

    monkeypatch.setattr(background, "child_command", command)
    # No child is as quick as it can be at will: so the parent is late instead.
    monkeypatch.setattr(background, "wait_out", begin_and_await)
    handle.log("stderr").write_bytes(b"said long before\n")
    handle.log("stderr").chmod(0o600)
    child = start_child(handle, lock)
    os.close(child.pipe)
    assert last_line(handle.log("stderr"), child.log_size) == "no such file"


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_child_that_cannot_be_started(handle: RunHandle, lock: Lock, stream: str) -> None:
    """Nothing stays open here, however often that happens: `resume --all` goes on with others."""
    handle.log(stream).mkdir()
    before = set(Path("/proc/self/fd").iterdir())
    for _ in range(3):
        with pytest.raises(NotDetached, match="Is a directory"):
            start_child(handle, lock)
    assert set(Path("/proc/self/fd").iterdir()) <= before


def test_news_of_the_child() -> None:
    """The child says that it goes on, and closes what it said it with (rule 6.3)."""
    reader, writer = os.pipe()
    report_ready(writer)
    assert read_in_time(reader, time.monotonic()) == b"ready\n"
    for descriptor in (reader, writer):
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.close(descriptor)


def test_no_news_of_the_child() -> None:
    """A child that has ended is noticed at once, one that is silent when its time is over (6.3)."""
    reader, writer = os.pipe()
    assert read_in_time(os.dup(reader), time.monotonic() + 0.01) is None
    os.close(writer)
    assert read_in_time(reader, time.monotonic() + 600) == b""


def test_a_child_that_is_stopped(tmp_path: Path) -> None:
    """A child that does nothing is not waited for without end, and is named (rule 6.3)."""
    home = Home(tmp_path / "flow.db")
    handle = RunHandle("k", Settings(home, None, 5.0, 60.0, {}))
    handle.log("stderr").parent.mkdir()
    handle.log("stderr").write_bytes(b"said long before\nstops\n")
    reader, writer = os.pipe()
    process = subprocess.Popen(["/bin/sh", "-c", "kill -STOP $$"])
    os.waitpid(process.pid, os.WUNTRACED)
    try:
        child = StartedRunner(
            handle, process, reader, len("said long before\n"), time.monotonic(), 0.01
        )
        with pytest.raises(NotReady) as raised:
            child.await_ready()
    finally:
        os.kill(process.pid, signal.SIGKILL)
        os.waitpid(process.pid, 0)
        os.close(writer)
    assert (raised.value.pid, raised.value.cause) == (process.pid, "stops")


def test_news_for_nobody() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    report_ready(writer)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(writer)


def test_the_command_line(tmp_path: Path) -> None:
    """Any run key reaches the child, which imports nothing from its working directory."""
    lock = Lock.take(tmp_path / "lock")
    assert lock is not None
    settings = Settings(Home(tmp_path / "flow.db"), None, 5.0, 60.0, {})
    command = child_command(RunHandle("--help", settings), lock, 9)
    lock_fd = f"--lock-fd={lock.fileno()}"
    lock.close()
    assert "-P" in command[: command.index("orchesjob_flow")]
    assert {"--run-key=--help", lock_fd, "--pipe-fd=9"} < set(command)
