"""The fork server fails: nothing runs twice, nothing is lost, nothing hangs (rule 5.13)."""

import contextlib
import fcntl
import os
import random
import resource
import select
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from orchesjob_client import CallFailed, CallTimedOut, ForkServer, OrchesjobError, call
from orchesjob_client.processes.proc import has_ended

type Script = Callable[..., str]
type Begin = Callable[..., ForkServer]

LIMIT_SEC = 30.0
HURRIED = 0.3
AT_GATE = """
with open(sys.argv[1], "a") as log:
    print("begun", os.getpid(), os.getppid(), file=log, flush=True)
    with open(sys.argv[2]) as gate:
        gate.read()
    print("ended", file=log, flush=True)
print(os.getppid())
"""
"""Waits at a gate, a named pipe, until somebody has opened it and gone."""


def run(launcher: ForkServer, path: str, *words: str, **options: Any) -> call.Finished:
    """Run a program."""
    given: dict[str, Any] = {"limit_sec": LIMIT_SEC, "env": os.environ, "launcher": launcher}
    return call.run("program", [path, *words], **given | options)


class Gated:
    """Calls of a program that waits at a gate."""

    def __init__(self, path: str, folder: Path) -> None:
        self.path = path
        self.log, self.gate = folder / "log", folder / "gate"
        self.log.touch()
        os.mkfifo(self.gate)

    @property
    def words(self) -> list[str]:
        return [str(self.log), str(self.gate)]

    def await_begin(self) -> tuple[int, int]:
        """Wait until the program has come to the gate; return its PID and its parent's."""
        deadline = time.monotonic() + LIMIT_SEC
        while not (lines := self.log.read_text("utf-8").splitlines()):
            assert time.monotonic() < deadline
            time.sleep(0.01)  # nothing tells of a line in a file
        _, pid, parent = lines[-1].split()
        return int(pid), int(parent)

    def let_through(self) -> None:
        with self.gate.open("w"):
            pass

    def lines(self) -> list[str]:
        return [line.split()[0] for line in self.log.read_text("utf-8").splitlines()]


@pytest.fixture
def gated(console_script: Script, tmp_path: Path) -> Gated:
    return Gated(console_script(AT_GATE), tmp_path)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def await_end(pid: int) -> None:
    """Wait until a process has ended."""
    with contextlib.suppress(ProcessLookupError):
        pidfd = os.pidfd_open(pid)
        try:
            assert has_ended(pidfd, LIMIT_SEC)
        finally:
            os.close(pidfd)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
def test_fork_server_that_is_out_of_order(
    console_script: Script, fork_server: Begin, number: signal.Signals
) -> None:
    """A fork server that is dead or stopped is ended and reaped; calls are plain from then on."""
    path = console_script("print(os.getppid())")
    forked = fork_server(path, patience_sec=HURRIED)
    pid = int(run(forked, path).stdout)
    os.kill(pid, number)
    assert [int(run(forked, path).stdout) for _ in range(3)] == [os.getpid()] * 3
    assert forked.obstacle() is not None
    assert not Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
def test_lost_exit_code(
    gated: Gated, fork_server: Begin, pool: ThreadPoolExecutor, number: signal.Signals
) -> None:
    """A call whose exit code nobody can tell any more has failed, but not before its end."""
    forked = fork_server(gated.path, patience_sec=HURRIED)
    answer = pool.submit(run, forked, gated.path, *gated.words)
    pid, parent = gated.await_begin()
    os.kill(parent, number)
    assert not select.select([], [], [], 2 * HURRIED)[0]
    assert not answer.done()
    gated.let_through()
    with pytest.raises(CallFailed, match="exit code is lost") as caught:
        answer.result()
    assert caught.value.retryable
    assert gated.lines() == ["begun", "ended"]
    assert not Path(f"/proc/{parent}").exists()
    await_end(pid)


@pytest.mark.parametrize("number", [None, signal.SIGKILL, signal.SIGSTOP])
def test_time_limit(
    console_script: Script, fork_server: Begin, tmp_path: Path, number: signal.Signals | None
) -> None:
    """A call that hangs is killed, with its group, whatever the state of the fork server."""
    path = console_script(
        "subprocess.Popen(['sleep', '60'])\n"
        "with open(sys.argv[1], 'w') as log: log.write(f'{os.getpid()} {os.getppid()}')\n"
        "if sys.argv[2] != 'None': os.kill(os.getppid(), int(sys.argv[2]))\n"
        "signal.pause()"
    )
    forked = fork_server(path, patience_sec=HURRIED)
    words = (str(tmp_path / "log"), str(number and int(number)))
    with pytest.raises(CallTimedOut):
        run(forked, path, *words, limit_sec=1.0)
    pid, _ = map(int, (tmp_path / "log").read_text("utf-8").split())
    await_end(pid)
    if number is None:
        assert forked.obstacle() is None
        assert not any(Path("/proc").glob(f"{pid}/stat"))
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text("utf-8").rpartition(")")[2].split()
            if int(fields[2]) == pid and fields[0] != "Z":
                assert number is not None, "somebody of its group has survived"
                os.kill(int(stat.parent.name), signal.SIGKILL)


def test_descendant_keeps_the_output(console_script: Script, fork_server: Begin) -> None:
    """The end of the process counts, not that of its pipes, which a descendant may hold."""
    path = console_script("print(subprocess.Popen(['sleep', '60']).pid)")
    finished = run(fork_server(path), path)
    os.kill(int(finished.stdout), signal.SIGKILL)


CLIENT = """
import os, sys, threading
from orchesjob_client import ForkServer, Hold, call
path, log, gate, lock = sys.argv[1:]
forked = ForkServer(path, os.environ)
assert forked.obstacle() is None
def run():
    with open(lock) as held:
        call.run("c", [path, log, gate], limit_sec=60, env=os.environ, launcher=forked,
                 hold=Hold([held.fileno()]))
print(forked.pid, flush=True)
sys.stdin.readline()
threading.Thread(target=run, daemon=True).start()
sys.stdin.readline()
"""


def is_locked(path: Path) -> bool:
    """Tell whether somebody holds a lock."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def stop(pid: int) -> None:
    """Stop a process, and wait until it has stopped."""
    os.kill(pid, signal.SIGSTOP)
    while Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0] != "T":
        time.sleep(0.001)  # only its parent is told, and that is somebody else


@pytest.mark.parametrize("stopped", [False, True], ids=["as it is", "stopped"])
@pytest.mark.parametrize("calling", [False, True], ids=["idle", "in a call"])
def test_client_dies(gated: Gated, tmp_path: Path, stopped: bool, calling: bool) -> None:
    """The fork server ends with its client, even if it is stopped; a call that has begun goes on.

    What is held is held to the end of such a call, and not by one that has never begun.
    """
    lock = tmp_path / "lock"
    lock.touch()
    words = [gated.path, *gated.words, str(lock)]
    with (
        lock.open() as held,
        subprocess.Popen(
            [sys.executable, "-c", CLIENT, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as client,
    ):
        assert client.stdout is not None
        assert client.stdin is not None
        fork_server = int(client.stdout.readline())
        fcntl.flock(held, fcntl.LOCK_SH)
        if stopped and not calling:
            stop(fork_server)
        client.stdin.write(b"\n")
        client.stdin.flush()
        pid = gated.await_begin()[0] if calling else None
        if stopped:
            stop(fork_server)
        client.kill()
    try:
        await_end(fork_server)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(fork_server, signal.SIGKILL)
    if pid is None:
        assert gated.lines() in ([], ["begun"])
    else:
        gated.let_through()
        await_end(pid)
        assert gated.lines() == ["begun", "ended"]


def test_no_descriptors(console_script: Script, fork_server: Begin) -> None:
    """A system short of descriptors is a failure that passes, and the fork server stays."""
    path = console_script("print(os.getppid())")
    forked = fork_server(path)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest_free = os.dup(0)
    os.close(lowest_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
    try:
        with pytest.raises(CallFailed, match="open files"):
            run(forked, path)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert int(run(forked, path).stdout) != os.getpid()


def test_no_leaks(console_script: Script, held: Callable[[], set[str]]) -> None:
    """No descriptor or zombie stays behind, here or in the fork server, however a call ends."""
    good, bad = console_script("print(os.getppid())"), "/nonexistent"
    slow = console_script("print(1); signal.pause()", "slow")
    before = held()
    for path in (good, slow):
        forked = ForkServer(path, os.environ)
        assert forked.obstacle() is None
        for _ in range(5):
            with contextlib.suppress(OrchesjobError):
                run(forked, path, limit_sec=LIMIT_SEC if path == good else 0.1)
            with contextlib.suppress(OrchesjobError):
                run(forked, bad)
        if path == good:
            pid = int(run(forked, path).stdout)
            deadline = time.monotonic() + LIMIT_SEC  # it answers before it has closed the last
            while len(list(Path(f"/proc/{pid}/fd").iterdir())) != len("012") + 1:
                assert time.monotonic() < deadline
        forked.close()
    assert held() <= before


def test_beside_others(
    console_script: Script, fork_server: Begin, tmp_path: Path, pool: ThreadPoolExecutor
) -> None:
    """A call inherits nothing of those that are in progress (rule 5.13)."""
    at_gate = textwrap.indent(AT_GATE, "    ")
    count = "print(len(os.listdir('/proc/self/fd')))"
    path = console_script(f"if sys.argv[1:]:{at_gate}\nelse:\n    {count}")
    gated = Gated(path, tmp_path)
    forked = fork_server(path)
    alone = run(forked, path).stdout
    waiting = pool.submit(run, forked, path, *gated.words)
    gated.await_begin()
    beside = run(forked, path).stdout
    gated.let_through()
    assert waiting.result().exit_code == 0
    assert beside == alone


def test_many_threads(console_script: Script, fork_server: Begin, pool: ThreadPoolExecutor) -> None:
    """Calls from many threads do not mix up their answers."""
    path = console_script("print(sys.argv[1], end=''); return int(sys.argv[1])")
    forked = fork_server(path)

    def ask(number: int) -> bool:
        word = str(number)
        return all(run(forked, path, word) == call.Finished(number, word, "") for _ in range(10))

    assert all(pool.map(ask, range(8)))
    assert forked.obstacle() is None


BEGINNER = """
import os, socket, sys
from orchesjob_client.forkserver import server
words = os.memfd_create("words")
os.write(words, server.pack([b"x"], {}))
os.lseek(words, 0, 0)
ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
if sys.argv[1] == "deaf":
    ours.shutdown(socket.SHUT_RD)
directory = os.open("/", os.O_PATH)
if os.fork() == 0:
    server.become(server.Request(theirs, [words, directory, os.dup(1), os.dup(2)], False), [], {})
    os._exit(0)
sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
"""


@pytest.mark.parametrize(("how", "exit_code"), [("listening", 0), ("deaf", 127)])
def test_nobody_listens(how: str, exit_code: int) -> None:
    """A process that cannot say that it begins does not begin: its call is made plainly."""
    assert (
        subprocess.run([sys.executable, "-c", BEGINNER, how], check=False).returncode == exit_code
    )


MOMENTS = int(os.environ.get("FORK_SERVER_KILLS") or 8)
# A call that lasts as long as it is told: a moment is to come while some are under way.
LOGGED = """
with open(sys.argv[1], "ab", buffering=0) as log:
    log.write(b"begun " + sys.argv[2].encode() + b"\\n")
    time.sleep(float(sys.argv[3]))
    log.write(b"ended " + sys.argv[2].encode() + b"\\n")
print(sys.argv[2])
"""


@pytest.mark.heavy
def test_any_moment(
    console_script: Script, tmp_path: Path, pool: ThreadPoolExecutor, fork_server: Begin
) -> None:
    """Killed or stopped at any moment: each call runs once, and has ended when it is answered."""
    path, log = console_script(LOGGED), tmp_path / "log"
    log.touch()

    def ask(forked: ForkServer, name: str, pause_sec: float) -> None:
        finished = None
        with contextlib.suppress(CallFailed):
            finished = run(forked, path, str(log), name, str(pause_sec))
        lines = log.read_text("utf-8").splitlines()
        assert [line for line in lines if line.endswith(f" {name}")] == [
            f"begun {name}",
            f"ended {name}",
        ]
        assert finished is None or (finished.exit_code, finished.stdout) == (0, f"{name}\n")

    for moment in range(MOMENTS):
        chance = random.Random(moment)  # noqa: S311 - no secret
        forked = fork_server(path)
        forked.patience_sec = HURRIED
        pid = forked.pid
        assert pid is not None
        number = chance.choice([signal.SIGKILL, signal.SIGSTOP])
        timer = threading.Timer(chance.uniform(0, 0.02), os.kill, [pid, number])
        timer.start()
        calls = [(forked, f"{moment}-{n}", chance.uniform(0, 0.01)) for n in range(12)]
        list(pool.map(ask, *zip(*calls, strict=True)))
        timer.join()
        forked.close()
        assert not Path(f"/proc/{pid}").exists()
