"""A forked call is like a plain one, and calls are plain where none can be forked (rule 5.13)."""

import contextlib
import fcntl
import json
import os
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest

from orchesjob_client import (
    PLAIN,
    CallFailed,
    CallRefused,
    CallTimedOut,
    ForkServer,
    Hold,
    Launcher,
    call,
)
from orchesjob_client.processes.proc import has_ended

type Script = Callable[..., str]
type Begin = Callable[..., ForkServer]

LIMIT_SEC = 30.0
WHOSE_CHILD = "print(os.getppid())"
LOOK = r"""
status = open("/proc/self/status").read().splitlines()
kept = ("Umask", "Uid", "Gid", "Groups", "SigBlk", "SigIgn", "Cap")
print(json.dumps({
    "argv": sys.argv,
    "environ": {os.fsencode(k).hex(): os.fsencode(v).hex() for k, v in os.environ.items()},
    "of a child": subprocess.run(["/usr/bin/env"], capture_output=True).stdout.hex(),
    "directory": os.getcwd(),
    "descriptors": sorted(os.path.realpath(f"/proc/self/fd/{n}") for n in "012"),
    "files": sorted(os.path.realpath(f"/proc/self/fd/{n}") for n in os.listdir("/proc/self/fd")
                    if os.path.realpath(f"/proc/self/fd/{n}").startswith("/") and int(n) > 2
                    and not os.path.realpath(f"/proc/self/fd/{n}").startswith("/proc")),
    "status": [line for line in status if line.startswith(kept)],
    "leads": os.getpid() == os.getsid(0) == os.getpgid(0),
    "shown": open("/proc/self/cmdline", "rb").read().rstrip(b"\0").hex(),
    "cgroup": open("/proc/self/cgroup").read(),
    "input": sys.stdin.read(),
    "encoding": [sys.stdout.encoding, sys.getfilesystemencoding()],
    "main": __name__,
}).replace(f"/proc/{os.getpid()}/", "/proc/PID/"))
"""


def run(launcher: Launcher, path: str, *words: str, **options: Any) -> call.Finished:
    """Run a program."""
    given: dict[str, Any] = {"limit_sec": LIMIT_SEC, "env": os.environ, "launcher": launcher}
    return call.run_call("program", [path, *words], **given | options)


def document(finished: call.Finished) -> Any:
    """Return what a program has printed; its pipes have other numbers each time."""
    return json.loads(re.sub(r"pipe:\[\d+\]", "pipe", finished.stdout))


def is_forked(finished: call.Finished) -> bool:
    """Tell whether a program that prints its parent was started by a fork server."""
    return int(finished.stdout) != os.getpid()


@contextmanager
def opened(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@pytest.mark.parametrize(
    "environ",
    [
        dict(os.environ),
        {**os.environ, "LC_ALL": "C.UTF-8"},
        {**os.environ, "LC_ALL": "C.UTF-8", "A_NAME": "\udcff", "ANOTHER": "", "MANY": "x\ny"},
        {"LC_ALL": "C.UTF-8"},
    ],
    ids=["as it is", "UTF-8", "bytes", "none"],
)
def test_same_as_plain(
    console_script: Script, fork_server: Begin, tmp_path: Path, environ: Mapping[str, str]
) -> None:
    """Whatever a call looks at, it sees the same, also with flags as pipx writes them."""
    path = console_script(LOOK, flags=" -E")
    with (tmp_path / "lock").open("w") as lock:
        options = {"env": environ, "cwd": str(tmp_path), "hold": Hold([lock.fileno()])}
        words = ("start", "--run-key=k", "", "a b", "\udcff", "für")
        seen = [run(one, path, *words, **options) for one in (PLAIN, fork_server(path))]
    plain, forked = map(document, seen)
    assert {key: forked[key] for key in plain if forked[key] != plain[key]} == {}
    assert forked["files"] == [str(tmp_path / "lock")]
    assert (seen[1].exit_code, seen[1].stderr_line) == (0, "")


ENDINGS = (
    "return",
    "return 3",
    "return 'why'",
    "sys.exit(256 + 7)",
    "raise ValueError('why')",
    "os._exit(9)",
    "os.kill(os.getpid(), signal.SIGKILL)",
    "os.kill(os.getpid(), signal.SIGTERM); signal.pause()",
    "print('x' * 1_000_000); return 5",
    "print('not flushed', end=''); print('why', end='', file=sys.stderr); return 6",
    "import atexit; atexit.register(print, 'at exit'); return 9",
    "import threading; threading.Timer(0.1, print, ['late']).start(); return 10",
    "with open('/dev/full', 'w') as sys.stdout: print(1)",
)


def test_ends_as_plain(console_script: Script, fork_server: Begin) -> None:
    """Its exit code, its output and the last word of its stderr are the same."""
    path = console_script(
        "space = dict(globals())\nexec('def f():\\n ' + sys.argv[1], space)\nreturn space['f']()"
    )
    forked = fork_server(path)
    for code in ENDINGS:
        assert (code, run(forked, path, code)) == (code, run(PLAIN, path, code))


def test_cgroup(console_script: Script, fork_server: Begin, tmp_path: Path) -> None:
    """A process enters its cgroup before it runs anything, and runs if that is refused too."""
    path = console_script("print(open(sys.argv[1]).read())")
    procs = tmp_path / "cgroup.procs"
    forked = fork_server(path)
    procs.write_text("")
    with opened(tmp_path) as folder:
        assert run(forked, path, str(procs), cgroup=folder).stdout == "0\n"
        procs.unlink()
        assert run(forked, path, os.devnull, cgroup=folder).exit_code == 0


def test_in_a_cgroup(console_script: Script, fork_server: Begin, a_cgroup: Path) -> None:
    path = console_script("print(open('/proc/self/cgroup').read())")
    with opened(a_cgroup) as folder:
        seen = run(fork_server(path), path, cgroup=folder).stdout.split()[-1]
    assert seen.endswith(a_cgroup.name)


def test_first_call_is_plain(console_script: Script) -> None:
    """The server is started by the first call, and used by each one after it is ready."""
    path = console_script(WHOSE_CHILD)
    forked = ForkServer(path, os.environ)
    assert forked.pid is None
    with contextlib.closing(forked):
        assert not is_forked(run(forked, path))
        deadline = time.monotonic() + LIMIT_SEC
        while not is_forked(finished := run(forked, path)):
            assert time.monotonic() < deadline
        assert {run(forked, path).stdout for _ in range(5)} == {finished.stdout}
        assert int(finished.stdout) == forked.pid


@pytest.mark.parametrize(
    "request_of",
    [
        lambda path: (path, *["x" * 10_000] * 15),
        lambda _: ("/bin/sh", "-c", "echo $PPID"),
    ],
    ids=["many words", "another program"],
)
def test_other_calls_are_plain(
    console_script: Script, fork_server: Begin, request_of: Callable[[str], tuple[str, ...]]
) -> None:
    path = console_script(WHOSE_CHILD)
    forked = fork_server(path)
    assert not is_forked(run(forked, *request_of(path)))
    assert is_forked(run(forked, path))


def test_impossible_calls(console_script: Script, fork_server: Begin, tmp_path: Path) -> None:
    """The plain way says what is wrong, and the server stays."""
    path = console_script(WHOSE_CHILD)
    forked = fork_server(path)
    for words, options in (
        (("a\0b",), {}),
        ((), {"cwd": str(tmp_path / "gone")}),
    ):
        with pytest.raises(CallRefused):
            run(forked, path, *words, **options)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest_free = os.dup(0)
    os.close(lowest_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
    try:
        with pytest.raises(CallFailed, match="open files"):
            run(forked, path)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert is_forked(run(forked, path))


def test_changed_program(console_script: Script, fork_server: Begin) -> None:
    """Once an installer has written the script again, no old code runs."""
    path = console_script(WHOSE_CHILD)
    forked = fork_server(path)
    script = Path(path)
    script.write_text(script.read_text("utf-8") + "# new\n", encoding="utf-8")
    assert not is_forked(run(forked, path))


@pytest.mark.parametrize(
    ("text", "is_python"),
    [
        ("#!/bin/sh\necho $PPID", False),
        ("#!{python}\nimport os\nprint(os.getppid())", True),
    ],
    ids=["a wrapper", "no console script"],
)
def test_other_programs(tmp_path: Path, text: str, is_python: bool) -> None:
    """Only a console script is forked, which does nothing but import before it begins."""
    path = tmp_path / "program"
    path.write_text(text.format(python=sys.executable), encoding="utf-8")
    path.chmod(0o755)
    with contextlib.closing(ForkServer(str(path), os.environ)) as forked:
        run(forked, str(path))
        assert (forked.pid is not None) == is_python
        if forked.pid is not None:
            await_end(forked.pid)
        assert not is_forked(run(forked, str(path)))


def test_turned_off(console_script: Script) -> None:
    path = console_script(WHOSE_CHILD)
    environ = {**os.environ, "ORCHESJOB_FLOW_FORK_SERVER": "0"}
    with contextlib.closing(ForkServer(path, environ)) as forked:
        run(forked, path)
        assert forked.pid is None


def await_end(pid: int) -> None:
    """Wait until a process has ended."""
    with contextlib.suppress(ProcessLookupError):
        pidfd = os.pidfd_open(pid)
        try:
            assert has_ended(pidfd, LIMIT_SEC)
        finally:
            os.close(pidfd)


AT_GATE = """
with open(sys.argv[1], "a") as log:
    print("begun", os.getpid(), os.getppid(), file=log, flush=True)
    with open(sys.argv[2]) as gate:
        gate.read()
    print("ended", file=log, flush=True)
"""
"""Waits at a gate, a named pipe, until somebody has opened it and gone."""


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


def test_dead_server(console_script: Script, fork_server: Begin) -> None:
    """Once the server has died, calls are plain."""
    path = console_script(WHOSE_CHILD)
    forked = fork_server(path)
    assert forked.pid is not None
    os.kill(forked.pid, signal.SIGKILL)
    await_end(forked.pid)
    assert [is_forked(run(forked, path)) for _ in range(3)] == [False] * 3


def test_lost_exit_code(gated: Gated, fork_server: Begin, pool: ThreadPoolExecutor) -> None:
    """A call whose server has died fails, but not before its own end."""
    answer = pool.submit(run, fork_server(gated.path), gated.path, *gated.words)
    pid, parent = gated.await_begin()
    os.kill(parent, signal.SIGKILL)
    await_end(parent)
    with pytest.raises(TimeoutError):
        answer.result(timeout=0.5)
    gated.let_through()
    with pytest.raises(CallFailed, match="exit code is lost") as caught:
        answer.result()
    assert caught.value.retryable
    assert gated.lines() == ["begun", "ended"]
    await_end(pid)


def test_time_limit(console_script: Script, fork_server: Begin, tmp_path: Path) -> None:
    """A call that hangs is killed with its group, and the server stays."""
    path = console_script(
        "if sys.argv[1:]:\n"
        "    child = subprocess.Popen(['sleep', '60'])\n"
        "    with open(sys.argv[1], 'w') as log: log.write(f'{os.getpid()} {child.pid}')\n"
        "    signal.pause()\n"
        "print(os.getppid())"
    )
    forked = fork_server(path)
    with pytest.raises(CallTimedOut):
        run(forked, path, str(tmp_path / "log"), limit_sec=1.0)
    for pid in map(int, (tmp_path / "log").read_text("utf-8").split()):
        await_end(pid)
    assert is_forked(run(forked, path))


def test_descendant_keeps_the_output(console_script: Script, fork_server: Begin) -> None:
    """The end of the process counts, not that of its pipes, which a descendant may hold."""
    path = console_script("print(subprocess.Popen(['sleep', '60']).pid)")
    finished = run(fork_server(path), path)
    os.kill(int(finished.stdout), signal.SIGKILL)


CLIENT = """
import fcntl, os, select, sys
from orchesjob_client import ForkServer, Hold, call
path, log, gate, lock = sys.argv[1:]
forked = ForkServer(path, os.environ)
def run(*words, **options):
    call.run_call("c", words, limit_sec=60, env=os.environ, launcher=forked, **options)
run("/bin/true")
select.select([forked._requests], [], [])
print(forked.pid, flush=True)
sys.stdin.readline()
with open(lock) as held:
    fcntl.flock(held, fcntl.LOCK_SH)
    run(path, log, gate, hold=Hold([held.fileno()]))
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
    """A call that has begun goes on, and holds what it holds to its end; none begins later.

    The server ends once it has no call, even if it was stopped.
    """
    lock = tmp_path / "lock"
    lock.touch()
    words = [gated.path, *gated.words, str(lock)]
    with subprocess.Popen(
        [sys.executable, "-c", CLIENT, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as client:
        assert client.stdout is not None
        assert client.stdin is not None
        fork_server = int(client.stdout.readline())
        if stopped and not calling:
            stop(fork_server)
        if calling or stopped:
            client.stdin.write(b"\n")
            client.stdin.flush()
        pid = gated.await_begin()[0] if calling else None
        if calling and stopped:
            stop(fork_server)
        client.kill()
    if pid is not None:
        assert is_locked(lock)
        gated.let_through()
        await_end(pid)
    await_end(fork_server)
    assert gated.lines() == (["begun", "ended"] if calling else [])
    assert not is_locked(lock)


def test_no_leaks(console_script: Script, held: Callable[[], set[str]]) -> None:
    """No descriptor or zombie stays behind, here or in the fork server, however a call ends."""
    path = console_script("if sys.argv[1:]: signal.pause()\nprint(os.getppid())")
    before = held()
    with contextlib.closing(ForkServer(path, os.environ)) as forked:
        deadline = time.monotonic() + LIMIT_SEC
        while not is_forked(finished := run(forked, path)):
            assert time.monotonic() < deadline
        for _ in range(5):
            run(forked, path)
            with contextlib.suppress(CallTimedOut):
                run(forked, path, "hang", limit_sec=0.1)
        descriptors = Path(f"/proc/{int(finished.stdout)}/fd")
        while len(list(descriptors.iterdir())) != len("012") + 1:  # it answers before it closes
            assert time.monotonic() < deadline
    assert held() <= before


def test_beside_others(
    console_script: Script, fork_server: Begin, tmp_path: Path, pool: ThreadPoolExecutor
) -> None:
    """A call inherits nothing of those that are in progress."""
    at_gate = AT_GATE.replace("\n", "\n    ")
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


MOMENTS = int(os.environ.get("FORK_SERVER_KILLS") or 8)
# A call that lasts as long as it is told: a moment is to come while some are in progress.
LOGGED = """
with open(sys.argv[1], "ab", buffering=0) as log:
    log.write(b"begun " + sys.argv[2].encode() + b"\\n")
    time.sleep(float(sys.argv[3]))
    log.write(b"ended " + sys.argv[2].encode() + b"\\n")
print(sys.argv[2])
"""


@pytest.mark.heavy
def test_killed_at_any_moment(
    console_script: Script, tmp_path: Path, pool: ThreadPoolExecutor, fork_server: Begin
) -> None:
    """No call runs twice, each has ended when it is answered, and one that failed may be lost."""
    path, log = console_script(LOGGED), tmp_path / "log"
    log.touch()

    def ask(forked: ForkServer, name: str, pause_sec: float) -> None:
        finished = None
        with contextlib.suppress(CallFailed):
            finished = run(forked, path, str(log), name, str(pause_sec))
        lines = log.read_text("utf-8").splitlines()
        told = [line for line in lines if line.endswith(f" {name}")]
        assert told == [f"begun {name}", f"ended {name}"] or (finished is None and not told)
        assert finished is None or (finished.exit_code, finished.stdout) == (0, f"{name}\n")

    for moment in range(MOMENTS):
        chance = Random(moment)  # noqa: S311 - no secret
        forked = fork_server(path)
        pid = forked.pid
        assert pid is not None
        timer = threading.Timer(chance.uniform(0, 0.02), os.kill, [pid, signal.SIGKILL])
        timer.start()
        calls = [(forked, f"{moment}-{n}", chance.uniform(0, 0.01)) for n in range(12)]
        list(pool.map(ask, *zip(*calls, strict=True)))
        timer.join()
        forked.close()
        assert not Path(f"/proc/{pid}").exists()


@pytest.mark.integration
def test_orchesjob_itself(fork_server: Begin, tmp_path: Path) -> None:
    """The console script of orchesjob can be forked."""
    path = str(Path(sys.executable).with_name("orchesjob"))
    environ = {**os.environ, "ORCHESJOB_HOME": str(tmp_path)}
    forked = fork_server(path, environ)
    words = ("start", "--run-key=k", "--strict", "--", "/bin/true")
    report = json.loads(run(forked, path, *words, env=environ).stdout)
    assert (report["run_key"], report["command"]) == ("k", ["/bin/true"])
