"""What `start` does, by the state of its key, on the fake orchesjob and on the real one."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support.orchesjob import Orchesjob
from support.processes import await_exit


def test_a_running_key(orchesjob: Orchesjob) -> None:
    """A new key is accepted, and runs when the answer comes; another start returns that job.

    `strict` is this call's flag in the answer of `start`, the row's in that of `status`.
    """
    first = orchesjob.start("k", "sleep", "60", strict=True)
    assert (first["status"], first["existing"], first["strict"]) == ("RUNNING", False, True)
    assert first["target_pid"] is not None
    assert first["worker_pid"] is not None
    again = orchesjob.start("k", "sleep", "61")
    assert (again["job_id"], again["command"]) == (first["job_id"], ["sleep", "60"])
    assert (again["existing"], again["accepted"], again["strict"]) == (True, False, False)
    assert orchesjob.start("k", "sleep", "61", strict=True)["job_id"] == first["job_id"]
    asked = orchesjob.status("k")
    assert (asked["attempt_no"], asked["rerun_of_job_id"], asked["strict"]) == (1, None, True)


def test_terminal_key_plain(orchesjob: Orchesjob) -> None:
    """A plain start runs an ended key again, even one that was started strictly."""
    orchesjob.start("k", "true", strict=True)
    first = orchesjob.await_end("k")
    again = orchesjob.start("k", "true")
    assert (again["existing"], again["accepted"]) == (False, True)
    assert again["job_id"] != first["job_id"]
    assert (again["attempt_no"], again["rerun_of_job_id"]) == (2, first["job_id"])
    assert orchesjob.status("k")["job_id"] == again["job_id"]


@pytest.mark.parametrize(
    ("code", "status", "exit_code"),
    [
        ("exit 0", "SUCCEEDED", 0),
        ("exit 7", "FAILED", 7),
        ("kill -9 $$", "FAILED", -9),
        ("kill -HUP $$", "FAILED", -1),
    ],
)
def test_outcomes(orchesjob: Orchesjob, code: str, status: str, exit_code: int) -> None:
    """A job ends by its command's exit code or signal, and stays so for a strict start."""
    orchesjob.start("k", "sh", "-c", code)
    end = orchesjob.await_end("k")
    assert (end["status"], end["exit_code"]) == (status, exit_code)
    assert end["target_pid"] is not None
    again = orchesjob.start("k", "sh", "-c", code, strict=True)  # never runs a key twice
    assert (again["job_id"], again["existing"]) == (end["job_id"], True)
    assert (again["status"], again["exit_code"]) == (status, exit_code)


@pytest.mark.parametrize("kind", ["missing", "plain file", "no interpreter line", "empty word"])
def test_not_spawned(orchesjob: Orchesjob, tmp_path: Path, kind: str) -> None:
    """A command that cannot be executed is FAILED with exit code -1, without process or message."""
    path = tmp_path / "program"
    if kind != "missing":
        path.write_text("true\n", encoding="utf-8")
        path.chmod(0o644 if kind == "plain file" else 0o755)
    command = "" if kind == "empty word" else str(path)
    report = orchesjob.client().start("k", [command])
    assert report.not_spawned
    assert report.stdout_file is not None
    assert report.stderr_file is not None
    assert Path(report.stdout_file).read_bytes() == Path(report.stderr_file).read_bytes() == b""


def test_stale_running(orchesjob: Orchesjob) -> None:
    """`start` trusts a row that says RUNNING, even if its worker is dead; `status` checks it."""
    started = orchesjob.start("k", "sleep", "60")
    os.kill(started["worker_pid"], signal.SIGKILL)
    await_exit(started["worker_pid"])
    assert orchesjob.start("k", "sleep", "60", strict=True)["status"] == "RUNNING"
    assert orchesjob.status("k")["status"] == "LOST"
    assert orchesjob.start("k", "sleep", "60", strict=True)["status"] == "LOST"


def test_strict_starts_at_once(orchesjob: Orchesjob) -> None:
    """Of several concurrent strict starts one runs the command."""
    orchesjob.start("first", "true")  # the database exists
    with ThreadPoolExecutor(6) as pool:
        answers = list(
            pool.map(lambda _: orchesjob.start("k", "sleep", "60", strict=True), range(6))
        )
    assert len({answer["job_id"] for answer in answers}) == 1
    assert sorted(answer["existing"] for answer in answers) == [False, *[True] * 5]
