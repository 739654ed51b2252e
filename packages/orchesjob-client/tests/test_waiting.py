"""Waiting for jobs, and what is left of them, through the client alone."""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from orchesjob_client import (
    MARK,
    BadAnswer,
    CallFailed,
    JobNotFound,
    JobReport,
    JobWatcher,
    OrchesjobClient,
    WaitStopped,
    WaitTimedOut,
)

type Answer = Callable[..., dict[str, Any]]
type Executable = Callable[[str], str]
type Spawn = Callable[..., subprocess.Popen[bytes]]

EVENT_SEC = 30.0


class Jobs:
    """An orchesjob whose answers a test writes, job by job."""

    def __init__(self, folder: Path, executable: Executable, answer: Answer) -> None:
        self._folder = folder
        self._answer = answer
        self.asked = folder / "asked"
        self.asked.touch()
        path = executable(
            f"cd {folder}; code=0\n"
            'if [ "$2" = --running ]; then\n'
            "  printf '['; comma=\n"
            "  for job in *.active; do\n"
            '    [ -e "$job" ] && { printf "%s" "$comma"; cat "$job"; comma=,; }\n'
            "  done; echo ']'\n"
            "else\n"
            "  code=3\n"
            '  for job in "${2#--run-key=}".*; do\n'
            '    [ -e "$job" ] && { cat "$job"; code=$?; break; }\n'
            "  done\n"
            "fi\n"
            f'echo "$2" >> {self.asked}; exit $code'  # a test may change its mind from now on
        )
        self.client = OrchesjobClient(path, home=folder / "home")

    def report(self, key: str, status: str, worker: int | None = None, job: str = "") -> None:
        """Say from now on that a job has this status."""
        is_active = status in {"STARTING", "RUNNING"}
        kind = "active" if is_active else "ended"
        document = self._answer(
            run_key=key, job_id=job or f"job-of-{key}", status=status, worker_pid=worker
        )
        new = self._folder / f"new-{key}"
        new.write_text(json.dumps(document), encoding="utf-8")
        new.rename(self._folder / f"{key}.{kind}")
        if not is_active:
            (self._folder / f"{key}.active").unlink(missing_ok=True)

    @property
    def questions(self) -> list[str]:
        return self.asked.read_text(encoding="utf-8").split()


@pytest.fixture
def jobs(tmp_path: Path, executable: Executable, answer: Answer) -> Jobs:
    folder = tmp_path / "jobs"
    folder.mkdir()
    return Jobs(folder, executable, answer)


def end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    process.wait()


def waiting(call: Callable[[], JobReport]) -> Callable[[], JobReport]:
    """Wait in another thread; return what returns the report there."""
    found: list[JobReport] = []
    thread = threading.Thread(target=lambda: found.append(call()))
    thread.start()

    def result() -> JobReport:
        thread.join(EVENT_SEC)
        return found[0]

    return result


@pytest.mark.parametrize("status", ["SUCCEEDED", "FAILED", "LOST", "ABORTED"])
def test_a_final_status(jobs: Jobs, status: str) -> None:
    """What has a final status is not waited for, and costs one question."""
    jobs.report("k", status)
    assert jobs.client.wait("k", timeout=EVENT_SEC).status == status
    assert jobs.questions == ["--run-key=k"]


def test_until_the_worker_exits(jobs: Jobs, spawn: Spawn) -> None:
    """The kernel tells when the worker exits; then orchesjob is asked once."""
    worker = spawn("job-of-k")
    jobs.report("k", "RUNNING", worker.pid)
    result = waiting(lambda: jobs.client.wait("k", timeout=EVENT_SEC))
    while not jobs.questions:
        time.sleep(0.01)
    jobs.report("k", "SUCCEEDED", worker.pid)
    end(worker)
    assert result().status == "SUCCEEDED"
    assert jobs.questions == ["--run-key=k"] * 2


def test_gone_between_answer_and_watch(jobs: Jobs, spawn: Spawn, monkeypatch: Any) -> None:
    """A worker that exits before it is watched is asked about at once."""
    worker = spawn("job-of-k")
    jobs.report("k", "RUNNING", worker.pid)
    watch = JobWatcher.watch

    def late(watcher: Any, token: Any, report: JobReport) -> Any:
        jobs.report("k", "FAILED", worker.pid)
        end(worker)
        return watch(watcher, token, report)

    monkeypatch.setattr(JobWatcher, "watch", late)
    assert jobs.client.wait("k").status == "FAILED"


def test_a_worker_that_is_unrelated(jobs: Jobs) -> None:
    """A job is not waited for for ever if its PID is another process's by now."""
    jobs.report("k", "RUNNING", os.getpid())
    with pytest.raises(BadAnswer, match=rf"'k' is RUNNING, .* process {os.getpid()}, has exited"):
        jobs.client.wait("k", timeout=1)


def test_without_a_worker(jobs: Jobs) -> None:
    """Where nothing can be watched, orchesjob is asked again and again."""
    jobs.report("k", "STARTING")
    result = waiting(lambda: jobs.client.wait("k"))
    while len(jobs.questions) < 3:
        time.sleep(0.01)
    jobs.report("k", "SUCCEEDED")
    assert result().status == "SUCCEEDED"


def test_the_last_pause(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends with the time, and so does the job: orchesjob is asked once more."""
    monkeypatch.setattr("orchesjob_client.client.FIRST_BACKOFF_SEC", 60.0)
    jobs.report("k", "STARTING")
    result = waiting(lambda: jobs.client.wait("k", timeout=2))
    while not jobs.questions:
        time.sleep(0.01)
    jobs.report("k", "SUCCEEDED")
    assert result().status == "SUCCEEDED"


def test_any_of_several(jobs: Jobs, spawn: Spawn) -> None:
    """The first that ends is returned; one question is about all that are active."""
    workers = {key: spawn(f"job-of-{key}") for key in ("a", "b", "c")}
    for key, worker in workers.items():
        jobs.report(key, "RUNNING", worker.pid)
    result = waiting(lambda: jobs.client.wait(workers, EVENT_SEC))
    while not jobs.questions:
        time.sleep(0.01)
    jobs.report("b", "FAILED", workers["b"].pid)
    end(workers["b"])
    assert result().job_key == "b"
    assert jobs.questions == ["--running", "--run-key=b"]
    assert jobs.client.wait(["a", "b", "c"]).job_key == "b"


@pytest.mark.parametrize("keys", [["k"], ["k", "l"]])
def test_time_is_over(jobs: Jobs, spawn: Spawn, keys: list[str]) -> None:
    """A wait that ends without a job's end is an error, and a built-in one too."""
    for key in keys:
        jobs.report(key, "RUNNING", spawn(f"job-of-{key}").pid)
    with pytest.raises(TimeoutError) as raised:
        jobs.client.wait(keys, timeout=0.1)
    named = ", ".join(map(repr, keys))
    assert isinstance(raised.value, WaitTimedOut)
    assert str(raised.value) == f"waiting timed out: no end of {named} within 0.1 s"


def test_a_wait_can_be_stopped(jobs: Jobs, spawn: Spawn) -> None:
    """From another thread, such as that of Ctrl-C while a pool of threads waits; and for good."""
    jobs.report("a", "RUNNING", spawn("job-of-a").pid)
    with ThreadPoolExecutor() as pool:
        waits = [pool.submit(jobs.client.wait, "a") for _ in range(3)]
        while len(jobs.asked.read_text().split()) < len(waits):
            time.sleep(0.01)
        jobs.client.stop_waiting()
        for one in waits:
            with pytest.raises(WaitStopped, match=r"waiting was stopped: stop_waiting"):
                one.result(EVENT_SEC)
    with pytest.raises(WaitStopped):
        jobs.client.wait("a", timeout=0)


@pytest.mark.parametrize("keys", [["a"], ["a", "b"]])
def test_time_is_over_though_orchesjob_hangs(
    executable: Executable, tmp_path: Path, keys: list[str]
) -> None:
    """The limit of a call is longer than the time to wait, and does not add to it."""
    client = OrchesjobClient(executable("exec sleep 60"), home=tmp_path / "home")
    started_at = time.monotonic()
    with pytest.raises(WaitTimedOut, match="no answer within 2 s"):
        client.wait(keys, timeout=0.5)
    assert time.monotonic() - started_at < 10


def test_unknown(jobs: Jobs) -> None:
    """A key that orchesjob does not know, or none at all, cannot be waited for."""
    with pytest.raises(JobNotFound, match="orchesjob status knows no such job: 'k'"):
        jobs.client.wait("k", timeout=1)
    with pytest.raises(ValueError, match="needs the key of a job"):
        jobs.client.wait([])


def test_a_question_that_fails(executable: Executable, answer: Answer, tmp_path: Path) -> None:
    """A call without a usable answer is repeated, but not beyond the time."""
    flag = tmp_path / "flag"
    ended = json.dumps(answer(status="SUCCEEDED"))
    path = executable(f"[ -e {flag} ] || {{ touch {flag}; exit 1; }}; echo '{ended}'")
    client = OrchesjobClient(path)
    assert client.wait("k").status == "SUCCEEDED"
    flag.unlink()
    with pytest.raises(CallFailed):
        client.wait("k", timeout=0)


STARTS = """\
[ "$1" = start ] || exit 3
cat "{folder}/answer"
setsid sleep 600 >&- 2>&- </dev/null &
"""
"""An orchesjob that starts a job which nobody sees again."""


@pytest.mark.parametrize("environ", [None, {"ORCHESJOB_HOME": "/another/home"}])
def test_what_is_left_of_a_job(
    answer: Answer, executable: Executable, tmp_path: Path, environ: dict[str, str] | None
) -> None:
    """Every job is marked for the client's home, whatever home its environment names."""
    (tmp_path / "answer").write_text(json.dumps(answer()), encoding="utf-8")
    path = executable(STARTS.format(folder=tmp_path))
    given = None if environ is None else {**os.environ, **environ}
    (tmp_path / "link").symlink_to(tmp_path / "home")
    client = OrchesjobClient(path, home=tmp_path / "link")
    other = OrchesjobClient(path, environ={"ORCHESJOB_HOME": str(tmp_path / "home")})
    client.start("k", ["sleep", "600"], env=given)
    try:
        found = client.survivors("k")
        (pid,) = (process.pid for process in found)
        assert [process.pid for process in other.survivors(["another", "k"])] == [pid]
        assert client.survivors("another") == []
        assert OrchesjobClient(path, home="/another/home").survivors("k") == []
    finally:
        assert client.end_survivors("k", 5) == []
    assert client.survivors("k", known=found) == []


def test_marks_are_added(answer: Answer, executable: Executable, tmp_path: Path) -> None:
    """A job inside another one has the marks of both; other calls carry no mark of their own.

    Whatever home the environment of its command names, the job is in the client's home.
    """
    (tmp_path / "answer").write_text(json.dumps(answer()), encoding="utf-8")
    path = executable(
        f'echo "$1 $ORCHESJOB_HOME ${MARK}" >> {tmp_path}/seen; cat {tmp_path}/answer'
    )
    home = tmp_path / "home"
    client = OrchesjobClient(path, home=home, environ={"PATH": os.defpath, MARK: "outer"})
    client.start("k", ["true"])
    client.start("k", ["true"], env={"PATH": os.defpath, "ORCHESJOB_HOME": "/another"})
    client.status("k")
    first, second, third = (tmp_path / "seen").read_text(encoding="utf-8").splitlines()
    own = second.removeprefix(f"start {home} ")
    assert len(own) == 32
    assert (first, third) == (f"start {home} outer:{own}", f"status {home} outer")


def test_an_error_of_a_callback(
    spawn: Spawn, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A callback that raises is told, and the other jobs are watched on."""
    told: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", told.append)
    called = threading.Semaphore(0)

    def fail(token: str) -> None:
        called.release()
        raise LookupError(token)

    watcher = JobWatcher(fail)
    workers = {key: spawn(key) for key in ("a", "b")}
    for key, worker in workers.items():
        watcher.watch(key, JobReport.from_payload(answer(job_id=key, worker_pid=worker.pid)))
    for worker in workers.values():
        worker.send_signal(signal.SIGKILL)
        assert called.acquire(timeout=EVENT_SEC)
    watcher.close()
    assert sorted(args.exc_value.args for args in told) == [("a",), ("b",)]


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("ls -l", "the command must be a list of words, .* not 'ls -l'"),
        (Path("/bin/ls"), "the command must be a list of words"),
        (["echo", 5], "word 1 of the command is 5, not a text or a path"),
    ],
)
def test_what_is_no_command(command: Any, message: str) -> None:
    """A command that is no list of words is refused by name, before anything runs."""
    with pytest.raises(TypeError, match=message):
        OrchesjobClient("/nonexistent").start("k", command)


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"job_key": 5}, "the job's key must be a text, not 5"),
        ({"env": {"N": 5}}, "N must be a text, not 5"),
        ({"env": {5: "N"}}, "a variable must be a text, not 5"),
    ],
)
def test_what_is_no_text(executable: Executable, told: Any, message: str) -> None:
    """A number among the variables or as a key is named, before anything is called."""
    client = OrchesjobClient(executable("exit 7"))
    with pytest.raises(TypeError, match=f"^{message}$"):
        client.start(**{"job_key": "a", "command": ["ls"]} | told)
