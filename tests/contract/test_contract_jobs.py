"""Workers, losses and aborts, on the fake orchesjob and on the real one."""

import fcntl
import os
import queue
import signal
from pathlib import Path
from typing import Any

import pytest

from orchesjob_client import (
    Hold,
    JobNotFound,
    JobNotRunning,
    JobReport,
    JobStatus,
    JobWatcher,
    Watch,
    end_processes,
    is_alive,
    marked_processes,
)
from support.deadlines import EVENT_SEC
from support.orchesjob import Orchesjob
from support.processes import await_exit, is_gone


def run_report(orchesjob: Orchesjob, *command: str, **options: Any) -> JobReport:
    return orchesjob.client().start("k", command, **options)


def ids(pid: int | None) -> tuple[int, int]:
    fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    return int(fields[2]), int(fields[3])


def test_processes(orchesjob: Orchesjob) -> None:
    """The worker names its job in its command line; both processes lead their own sessions."""
    report = run_report(orchesjob, "sleep", "60")
    words = Path(f"/proc/{report.worker_pid}/cmdline").read_bytes().split(b"\0")
    assert words[-4:] == [b"_worker", b"--job-id", report.job_id.encode(), b""]
    for pid in (report.worker_pid, report.target_pid):
        assert ids(pid) == (pid, pid)


def test_surroundings_of_the_command(orchesjob: Orchesjob, tmp_path: Path) -> None:
    """A command has the directory and environment of the call, no stdin, no other descriptor."""
    orchesjob.environ["STEP"] = "a b"
    (tmp_path / "there").mkdir()
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        report = run_report(
            orchesjob,
            *("sh", "-c", "pwd; echo $STEP; readlink /proc/$$/fd/0; ls /proc/$$/fd; sleep 60"),
            cwd=str(tmp_path / "there"),
            hold=Hold([lock.fileno()]),
        )
    # Neither worker nor command has kept the lock, though both live.
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert not is_gone(report.worker_pid)
    assert report.stdout_file is not None
    orchesjob.ask("abort", "--run-key=k", "--grace-seconds=0")
    lines = Path(report.stdout_file).read_text(encoding="utf-8").splitlines()
    assert lines[:3] == [str(tmp_path / "there"), "a b", "/dev/null"]
    assert set(lines[3:6]) == {"0", "1", "2"}
    descriptors = {name for name in lines[3:] if int(name) > 2}
    assert len(descriptors) <= 1  # some shells keep one of their own


def test_mark_is_inherited(orchesjob: Orchesjob) -> None:
    """Worker and command inherit the mark in the environment of the call."""
    orchesjob.environ["STEP_MARK"] = orchesjob.mark
    report = run_report(orchesjob, "sleep", "60")
    marked = marked_processes("STEP_MARK", {orchesjob.mark})
    assert {process.pid for process in marked} == {report.worker_pid, report.target_pid}


def test_terminal_before_the_worker_exits(orchesjob: Orchesjob) -> None:
    """When the worker has exited, the very next `status` is terminal: the wake-up is enough."""
    exits: queue.SimpleQueue[object] = queue.SimpleQueue()
    watcher = JobWatcher(exits.put)
    for number in range(3):
        key = f"k{number}"
        report = orchesjob.client().start(key, ["sleep", "0.1"])
        if watcher.watch(key, report) is Watch.WATCHING:
            assert exits.get(timeout=EVENT_SEC) == key
        end = orchesjob.status(key)
        assert (end["status"], end["exit_code"]) == ("SUCCEEDED", 0)
    watcher.close()


def test_lost(orchesjob: Orchesjob) -> None:
    """A worker that is killed makes its job LOST for good, while the command keeps running."""
    report = run_report(orchesjob, "sleep", "60")
    assert report.worker_pid is not None
    os.kill(report.worker_pid, signal.SIGKILL)
    await_exit(report.worker_pid)
    lost = orchesjob.status("k")
    assert (lost["status"], lost["exit_code"]) == ("LOST", None)
    assert not is_gone(report.target_pid)
    with pytest.raises(JobNotRunning):
        orchesjob.client().abort(job_key="k")
    marked = orchesjob.processes()
    assert [process.pid for process in marked] == [report.target_pid]
    assert end_processes(marked, 5) == []
    assert not is_alive(marked[0])
    assert orchesjob.status("k")["status"] == "LOST"


def test_running(orchesjob: Orchesjob) -> None:
    """`status --running` lists the active jobs of the home and finds the lost ones."""
    client = orchesjob.client()
    orchesjob.start("ended", "true")
    orchesjob.await_end("ended")
    assert orchesjob.ask("status", "--running") == []
    lost = client.start("lost", ["sleep", "60"])
    client.start("running", ["sleep", "60"])
    assert {report.job_key for report in client.running()} == {"lost", "running"}
    assert lost.worker_pid is not None
    os.kill(lost.worker_pid, signal.SIGKILL)
    await_exit(lost.worker_pid)
    assert [report.job_key for report in client.running()] == ["running"]
    assert orchesjob.status("lost")["status"] == "LOST"


def test_abort(orchesjob: Orchesjob) -> None:
    """An abort ends a command that obeys SIGTERM, with its whole process group, and its worker."""
    report = run_report(orchesjob, "sh", "-c", "sleep 61 & wait")
    marked = orchesjob.processes()
    aborted = orchesjob.client().abort(job_id=report.job_id, job_key="k", reason="why")
    assert aborted.known_status is JobStatus.ABORTED
    assert aborted.exit_code is None
    assert (aborted.worker_pid, aborted.target_pid) == (report.worker_pid, report.target_pid)
    for process in marked:
        await_exit(process.pid)
    again = orchesjob.run("abort", "--run-key=k")
    assert (again.returncode, again.stdout) == (4, "")
    text = f"orchesjob: Job is not running: {report.job_id} status=ABORTED\n"
    assert again.stderr == text


def test_abort_of_a_command_that_ignores_it(orchesjob: Orchesjob, tmp_path: Path) -> None:
    """A command that ignores SIGTERM is killed after the grace time; its worker has gone before."""
    os.mkfifo(tmp_path / "ready")
    code = f"trap '' TERM; echo > {tmp_path}/ready; while :; do sleep 0.05; done"
    report = run_report(orchesjob, "sh", "-c", code)
    (tmp_path / "ready").read_bytes()
    answer = orchesjob.ask("abort", "--run-key=k", "--grace-seconds=0.3")
    sent = {name: answer[name] for name in answer if name.startswith("sent_")}
    assert sent == {
        "sent_term_target": True,
        "sent_term_worker": True,
        "sent_kill_target": True,
        "sent_kill_worker": False,
    }
    await_exit(report.target_pid)


def test_abort_of_the_ended(orchesjob: Orchesjob) -> None:
    """A job that has ended by itself cannot be aborted, and its outcome stays (rule 5.5)."""
    with pytest.raises(JobNotFound):
        orchesjob.client().abort(job_key="k")
    orchesjob.start("k", "true")
    orchesjob.await_end("k")
    with pytest.raises(JobNotRunning, match="status=SUCCEEDED"):
        orchesjob.client().abort(job_key="k")
    assert orchesjob.status("k")["status"] == "SUCCEEDED"


def test_first_terminal_status_wins(orchesjob: Orchesjob, tmp_path: Path) -> None:
    """The status ABORTED stays, whatever the command does after the abort."""
    os.mkfifo(tmp_path / "ready")
    trap = f"trap 'touch {tmp_path}/heard; exit 0' TERM; echo > {tmp_path}/ready"
    report = run_report(orchesjob, "sh", "-c", f"{trap}; while :; do sleep 0.05; done")
    (tmp_path / "ready").read_bytes()
    orchesjob.ask("abort", "--run-key=k")
    await_exit(report.target_pid)
    assert (tmp_path / "heard").exists()
    answer = orchesjob.status("k")
    assert (answer["status"], answer["exit_code"]) == ("ABORTED", None)
