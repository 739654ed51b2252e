"""What is left of a background runner that did not start, and its command line (rule 6.3)."""

import os
from pathlib import Path

import pytest

from orchesjob_flow.home.locks import Lock
from orchesjob_flow.home.paths import Home
from orchesjob_flow.home.runs import RunHandle
from orchesjob_flow.home.settings import Settings
from orchesjob_flow.runner.background import child_command, last_line, say_ready


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (b"", "it printed nothing"),
        (b"\n\n", "it printed nothing"),
        (b"one\ntwo\n", "two"),
        (b'warning\n{"error": "no orchesjob"}\n\n', '{"error": "no orchesjob"}'),
        (b"\xff\xfe", "��"),
        (b"x" * 2000, "x" * 500),
    ],
)
def test_last_line(tmp_path: Path, said: bytes, words: str) -> None:
    """The last line that the child wrote, cut short, is its cause; earlier runs' are not."""
    log = tmp_path / "log"
    log.write_bytes(b"said long before\n" + said)
    assert last_line(log, len(b"said long before\n")) == words


def test_ready() -> None:
    """The child says that it is ready, and closes what it said it with."""
    reader, writer = os.pipe()
    say_ready(writer)
    with os.fdopen(reader, "rb") as pipe:
        assert pipe.read() == b"ready\n"
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.close(writer)


def test_ready_for_nobody() -> None:
    """A parent that was killed before its child was ready does not end the child."""
    reader, writer = os.pipe()
    os.close(reader)
    say_ready(writer)
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
    assert {"--run-key=--help", lock_fd, "--ready-fd=9"} < set(command)
