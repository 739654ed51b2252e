"""Calls whose caller has died are recognised by their words, and ended with their group (5.7)."""

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orchesjob_client import (
    CallFailed,
    CallLimits,
    OrchesjobClient,
    Process,
    RunningCall,
    is_alive,
    read_call,
)
from orchesjob_client.processes import proc

type Spawn = Callable[..., subprocess.Popen[bytes]]

LIMITS = CallLimits(start_sec=100.0, abort_sec=200.0)
EVENT_SEC = 60.0
KEY, JOB = "k:a:1", "91f4bcfc"
HANG = """\
setsid sh -c 'echo $$ >{0}/job; read x' <{0}/fifo &
sleep 600 &
echo $! >{0}/child; echo $$ >{0}/call.new; mv {0}/call.new {0}/call; wait
"""
"""A call that has begun a job, and hangs in a child of its own."""


def read(pid: int) -> RunningCall | None:
    return read_call(pid, job_keys={KEY, "k:b:1"}, job_ids={JOB}, limits=LIMITS)


@pytest.mark.parametrize(
    ("words", "name", "limit_sec"),
    [
        (("start", f"--run-key={KEY}", "--", "true"), "orchesjob start", 110),
        (("start", "--run-key=k:b:1", "--strict", "--start-timeout=3.5", "--", "true"), ..., 103.5),
        (("start", f"--run-key={KEY}", "--start-timeout=-1.0", "--", "true"), ..., 100),
        (("abort", f"--job-id={JOB}"), "orchesjob abort", 205),
        (("abort", f"--job-id={JOB}", "--grace-seconds=7.0", "--reason=start"), ..., 207),
    ],
)
def test_recognised(spawn: Spawn, words: Sequence[str], name: object, limit_sec: float) -> None:
    """The words of a start or an abort of a known job, and how long it may take (rule 5.7)."""
    process = spawn(*words)
    call = read(process.pid)
    assert call is not None
    assert call.limit_sec == limit_sec
    assert name in {..., call.name}
    assert (call.process.pid, call.group) == (process.pid, os.getpgid(process.pid))


@pytest.mark.parametrize(
    "words",
    [
        ("start", "--run-key=k:a:2", "--", "true"),
        ("start", "--run-key=k:a:2", "--", "orchesjob", "status", f"--run-key={KEY}"),
        ("_worker", "--job-id", JOB),
        ("abort", "--job-id=another"),
        (f"--run-key={KEY}", "start"),
    ],
)
def test_not_recognised(spawn: Spawn, words: Sequence[str]) -> None:
    """Whatever is no start and no abort of a known job is not taken for a call (rule 10)."""
    assert read(spawn(*words).pid) is None


def test_of_another_user(spawn: Spawn) -> None:
    """The process of another user is never a call of ours, whatever its words are (rule 10)."""
    assert proc.read_own(spawn().pid) is not None
    if os.geteuid() != 0:
        assert proc.read_own(1) is None
        return
    assert proc.read_own(spawn(user=65534, cwd="/").pid) is None


def test_when_its_time_is_over() -> None:
    """Its time counts from its beginning, and never from later than when it was seen (5.7)."""
    ticks_per_sec = os.sysconf("SC_CLK_TCK")
    call = RunningCall("orchesjob start", Process(1, 100 * ticks_per_sec, "", ""), 1, 15.0)
    assert call.must_end_by(seen_at=300.0) == 115.0
    assert call.must_end_by(seen_at=50.0) == 65.0  # the machine has slept


@pytest.fixture
def hanging(executable: Callable[[str], str], tmp_path: Path) -> Iterator[str]:
    """An executable whose calls hang, and begin a job that stays."""
    os.mkfifo(tmp_path / "fifo")
    fifo = os.open(tmp_path / "fifo", os.O_RDWR)
    yield executable(HANG.format(tmp_path))
    os.close(fifo)


def pid_in(path: Path) -> int:
    """Wait until a process has written its number into a file."""
    deadline = time.monotonic() + EVENT_SEC
    while not (path.exists() and (text := path.read_text(encoding="ascii"))):
        assert time.monotonic() < deadline
        os.sched_yield()
    return int(text)


@contextlib.contextmanager
def held(pid: int) -> Iterator[Callable[[], bool]]:
    """Hold a process; yield whether it is alive. It is killed in the end."""
    pidfd = os.pidfd_open(pid)
    try:
        yield lambda: not select.select([pidfd], [], [], 0)[0]
    finally:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        os.close(pidfd)


@pytest.mark.parametrize("kind", ["start", "abort"])
def test_what_a_client_calls(hanging: str, tmp_path: Path, kind: str) -> None:
    """A call of a client is recognised, and ended with its group but without its job (5.7)."""
    client = OrchesjobClient(hanging, limits=LIMITS)
    with ThreadPoolExecutor() as pool, contextlib.ExitStack() as stack:
        if kind == "start":
            answer = pool.submit(client.start, KEY, ["true"], start_timeout_sec=2.5)
        else:
            answer = pool.submit(client.abort, job_id=JOB, grace_sec=2.5, reason="a test")
        call_pid, *pids = (pid_in(tmp_path / name) for name in ("call", "child", "job"))
        child_lives, job_lives = (stack.enter_context(held(pid)) for pid in pids)
        call = read(call_pid)
        assert call is not None
        assert (call.name, call.limit_sec % 100) == (f"orchesjob {kind}", 2.5)
        assert str(call) == f"`orchesjob {kind}` (process {call_pid})"
        assert call.end()
        with pytest.raises(CallFailed, match="killed by signal"):
            answer.result()
        assert not is_alive(call.process)
        assert not child_lives()
        assert job_lives()


def test_another_process_with_its_number(spawn: Spawn) -> None:
    """Once a call has ended, nothing is ended in its place, not even a group of its number (10)."""
    call = read(spawn("start", f"--run-key={KEY}", start_new_session=True).pid)
    assert call is not None
    earlier = call.process._replace(started_ticks=call.process.started_ticks - 1)
    assert call._replace(process=earlier).end()
    assert is_alive(call.process)
