"""What `start` does, by the state of its key, on the fake orchesjob and on the real one."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orchesjob_client import JobStatus
from support.orchesjob import Orchesjob
from support.processes import await_exit

TERMINAL = {"SUCCEEDED", "FAILED", "LOST", "CANCELLED", "ABORTED"}


def test_new_key(orchesjob: Orchesjob) -> None:
    """A new key is accepted, and its command is running when the answer comes."""
    report = orchesjob.client().start("k", ["sleep", "60"])
    assert report.known_status is JobStatus.RUNNING
    assert not report.existing
    assert report.target_pid is not None
    assert report.worker_pid is not None
    answer = orchesjob.status("k")
    assert (answer["attempt_no"], answer["rerun_of_job_id"]) == (1, None)


@pytest.mark.parametrize("strict", [True, False])
def test_active_key(orchesjob: Orchesjob, strict: bool) -> None:
    """A start under the key of a running job returns that job, even for another command."""
    first = orchesjob.start("k", "sleep", "60")
    again = orchesjob.start("k", "sleep", "61", strict=strict)
    assert again["job_id"] == first["job_id"]
    assert again["command"] == ["sleep", "60"]
    assert (again["existing"], again["accepted"]) == (True, False)
    assert again["status"] == "RUNNING"


@pytest.mark.parametrize("command", [["true"], ["false"], ["/nonexistent"]])
def test_terminal_key_strict(orchesjob: Orchesjob, command: list[str]) -> None:
    """A strict start never runs a key twice, whatever its outcome and however it was started."""
    orchesjob.start("k", *command)
    end = orchesjob.await_end("k")
    again = orchesjob.start("k", *command, strict=True)
    assert (again["job_id"], again["existing"]) == (end["job_id"], True)
    assert (again["status"], again["exit_code"]) == (end["status"], end["exit_code"])


@pytest.mark.parametrize("command", [["true"], ["false"]])
def test_terminal_key_plain(orchesjob: Orchesjob, command: list[str]) -> None:
    """A plain start runs an ended key again, even one that was started strictly."""
    orchesjob.start("k", *command, strict=True)
    first = orchesjob.await_end("k")
    again = orchesjob.start("k", *command)
    assert (again["existing"], again["accepted"]) == (False, True)
    assert again["job_id"] != first["job_id"]
    assert (again["attempt_no"], again["rerun_of_job_id"]) == (2, first["job_id"])
    assert orchesjob.status("k")["job_id"] == again["job_id"]


def test_strict_flag(orchesjob: Orchesjob) -> None:
    """`strict` is this call's flag in the answer of `start`, the row's in that of `status`."""
    assert orchesjob.start("k", "sleep", "60", strict=True)["strict"] is True
    assert orchesjob.start("k", "sleep", "60")["strict"] is False
    assert orchesjob.status("k")["strict"] is True


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
    """A job ends by its command's exit code or signal."""
    orchesjob.start("k", "sh", "-c", code)
    end = orchesjob.await_end("k")
    assert (end["status"], end["exit_code"]) == (status, exit_code)
    assert end["target_pid"] is not None


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


def test_start_timeout(orchesjob: Orchesjob) -> None:
    """With a start timeout of 0 the answer comes before the command has ended."""
    client = orchesjob.client()
    report = client.start("k", ["sleep", "1"], start_timeout_sec=0)
    assert report.known_status in {JobStatus.STARTING, JobStatus.RUNNING}
    assert orchesjob.await_end("k")["status"] == "SUCCEEDED"


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


def test_any_terminal_status_is_known(orchesjob: Orchesjob) -> None:
    """The client's terminal statuses are orchesjob's."""
    orchesjob.start("k", "true")
    assert orchesjob.await_end("k")["status"] in TERMINAL
    assert {status for status in JobStatus if status not in {"STARTING", "RUNNING"}} == TERMINAL


@pytest.mark.integration
def test_ignored_children(real_orchesjob: Orchesjob) -> None:
    """If SIGCHLD is ignored, a failure becomes a success: so the client never calls it that way."""
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        real_orchesjob.run("start", "--run-key=k", "--", "false")
    finally:
        signal.signal(signal.SIGCHLD, before)
    assert real_orchesjob.await_end("k")["status"] == "SUCCEEDED"
