"""What a test runs: an orchesjob, fake or real, and the installed command that uses it."""

import contextlib
import json
import os
import select
import shlex
import signal
import sqlite3
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from orchesjob_client import OrchesjobClient, end_processes, marked_processes

_MARK = "ORCHESJOB_TEST_MARK"
_GRACE_SEC = 0.5
_TESTS = Path(__file__).parent


def pytest_configure() -> None:
    """Let what the tests start obey signals: a shell has its background jobs ignore SIGINT."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


class Orchesjob:
    """An orchesjob executable with a home of its own that no other test sees.

    Attributes:
        path: The executable.
        home: `ORCHESJOB_HOME`; orchesjob makes the folder when it is first called.
        environ: The environment for whatever a test starts, with `ORCHESJOB_HOME` and
            `ORCHESJOB_BIN`, and with a mark by which all that is left over is found and ended.
    """

    def __init__(self, path: str, folder: Path) -> None:
        self.path = path
        self.home = folder / "orchesjob-home"
        self.mark = uuid.uuid4().hex
        self._script = folder / "orchesjob-script.json"
        inherited = {key: text for key, text in os.environ.items() if "ORCHESJOB" not in key}
        self.environ = {
            **inherited,
            "ORCHESJOB_HOME": str(self.home),
            "ORCHESJOB_BIN": path,
            "FAKE_ORCHESJOB_SCRIPT": str(self._script),
            _MARK: self.mark,
        }

    def run(self, *words: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Call the executable and wait for it; the answer is as it comes."""
        return subprocess.run(
            [self.path, *words],
            env=self.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            **options,
        )

    def ask(self, *words: str, **options: Any) -> Any:
        """Call the executable, which must succeed, and return the parsed answer."""
        finished = self.run(*words, **options)
        assert (finished.returncode, finished.stderr) == (0, "")
        return json.loads(finished.stdout)

    def start(self, key: str, *command: str, strict: bool = False) -> Any:
        """Start a command and return the parsed answer."""
        return self.ask("start", f"--run-key={key}", *["--strict"] * strict, "--", *command)

    def status(self, key: str) -> Any:
        """Ask for a key that is known and return the parsed answer."""
        return self.ask("status", f"--run-key={key}")

    def await_end(self, key: str) -> Any:
        """Wait for the worker's exit and return what `status` says then."""
        self.await_exit(self.status(key)["worker_pid"])
        return self.status(key)

    @staticmethod
    def await_exit(pid: int | None) -> None:
        """Wait until a process has exited."""
        assert pid is not None
        with contextlib.suppress(ProcessLookupError):
            pidfd = os.pidfd_open(pid)
            try:
                assert select.select([pidfd], [], [], 30)[0]
            finally:
                os.close(pidfd)

    def plant(self, key: str, **columns: object) -> None:
        """Write into the row of a key's job what orchesjob itself would never write."""
        (path,) = self.home.glob("*orchesjob.db")
        names = ", ".join(f"{name} = ?" for name in columns)
        with contextlib.closing(sqlite3.connect(path, timeout=30, autocommit=True)) as database:
            statement = f"UPDATE jobs SET {names} WHERE run_key = ?"  # noqa: S608 - own names
            assert database.execute(statement, (*columns.values(), key)).rowcount == 1

    def client(self) -> OrchesjobClient:
        """Return a client, whose calls need `env=orchesjob.environ` for the script and the mark."""
        return OrchesjobClient(self.path, home=str(self.home))

    def end_all(self) -> None:
        """End whatever the test has left running."""
        while found := marked_processes(_MARK, {self.mark}):
            assert not end_processes(found, _GRACE_SEC)


class FakeOrchesjob(Orchesjob):
    """The fake one, which does as it is told and keeps a journal; see `tests/fake_orchesjob`."""

    def script(self, rules: Sequence[Mapping[str, Any]]) -> None:
        """Say from now on which calls go wrong; counting begins anew."""
        temporary = self._script.with_suffix(".new")
        temporary.write_text(json.dumps(list(rules)), encoding="utf-8")
        (self.home / "fault-counts").unlink(missing_ok=True)
        temporary.replace(self._script)

    def calls(self) -> list[dict[str, Any]]:
        """Return the calls so far: `call`, `key`, `argv`, `cwd`, `pid`, `time`."""
        return self._lines("calls.jsonl")

    def executions(self) -> list[dict[str, Any]]:
        """Return the beginnings and ends of commands that were really executed.

        Each has `event` (`begin` or `end`), `key`, `argv`, `cwd`, `pid` and `monotonic`, an end
        has `exit_code` too.
        """
        return self._lines("executions.jsonl")

    def begun(self) -> list[str]:
        """Return the keys of the commands that have really begun, in that order."""
        return [event["key"] for event in self.executions() if event["event"] == "begin"]

    def _lines(self, name: str) -> list[dict[str, Any]]:
        path = self.home / name
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(scope="session")
def fake_executable(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An executable that starts the fake with as little of Python as possible."""
    path = tmp_path_factory.mktemp("bin") / "orchesjob"
    path.write_text(
        f"#!{sys.executable} -SEI\n"
        f"import sys\nsys.path.insert(0, {str(_TESTS)!r})\n"
        "from fake_orchesjob.cli import main\nmain()\n",
        encoding="utf-8",
    )
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def fake_orchesjob(fake_executable: str, tmp_path: Path) -> Iterator[FakeOrchesjob]:
    """The fake orchesjob with a fresh home."""
    fake = FakeOrchesjob(fake_executable, tmp_path)
    yield fake
    fake.end_all()


@pytest.fixture
def real_orchesjob(tmp_path: Path) -> Iterator[Orchesjob]:
    """The real orchesjob, the one beside this Python, with a fresh home."""
    real = Orchesjob(str(Path(sys.executable).parent / "orchesjob"), tmp_path)
    yield real
    real.end_all()


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.integration)])
def orchesjob(request: pytest.FixtureRequest) -> Orchesjob:
    """Both, one after the other."""
    found: Orchesjob = request.getfixturevalue(f"{request.param}_orchesjob")
    return found


class Flow:
    """The installed command `orchesjob-flow`, on some orchesjob and with a flow home of its own.

    Attributes:
        orchesjob: Where the steps run.
        folder: The directory in which the command is called.
        home: `ORCHESJOB_FLOW_HOME`; the command makes it when it first needs it.
        environ: The environment of the command.
    """

    program = str(Path(sys.executable).parent / "orchesjob-flow")

    def __init__(self, orchesjob: Orchesjob, folder: Path) -> None:
        self.orchesjob = orchesjob
        self.folder = folder
        self.home = folder / "flow-home"
        self.database = self.home / "orchesjob-flow.sqlite3"
        self.environ = {
            **orchesjob.environ,
            "ORCHESJOB_FLOW_HOME": str(self.home),
            "TERM": "xterm-256color",  # wherever a test gives it a terminal
        }
        self._children: list[subprocess.Popen[str]] = []

    def write(self, *steps: Mapping[str, Any], name: str = "flow.json", **fields: Any) -> str:
        """Write a flow file of these steps and return its path."""
        path = self.folder / name
        text = json.dumps({"flow_id": "f", **fields, "steps": steps}, ensure_ascii=False)
        path.write_text(text, encoding="utf-8")
        return str(path)

    def spawn(self, *words: str, **options: Any) -> subprocess.Popen[str]:
        """Call the command and do not wait for it."""
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        where = {"cwd": self.folder, "env": self.environ, "text": True}
        child = subprocess.Popen([self.program, *words], **{**pipes, **where, **options})
        self._children.append(child)
        return child

    def run(self, *words: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Call the command and wait for it; the answer is as it comes."""
        return completed(self.spawn(*words, **options))

    def run_on_terminal(self, *words: str) -> tuple[int, str]:
        """Call the command with a terminal as its stdout; return exit code and what was shown."""
        screen, terminal = os.openpty()
        child = self.spawn(*words, stdout=terminal, stderr=subprocess.STDOUT)
        os.close(terminal)
        shown = b""
        with contextlib.suppress(OSError):  # Linux says EIO when the last writer has gone
            while part := os.read(screen, 65536):
                shown += part
        os.close(screen)
        return child.wait(60), shown.decode().replace("\r\n", "\n")

    def ask(self, *words: str, code: int = 0) -> Any:
        """Call the command, which must end with this exit code, and return the parsed answer."""
        finished = self.run(*words)
        assert finished.returncode == code, finished
        return json.loads(finished.stdout)

    def start(self, key: str, flow_file: str, *, code: int = 0) -> Any:
        """Start a run in the foreground and return the parsed answer."""
        return self.ask("start", f"--run-key={key}", flow_file, code=code)

    def status(self, key: str) -> Any:
        """Ask how a run stands."""
        return self.ask("status", f"--run-key={key}")

    def await_status(self, key: str, reached: Callable[[Any], bool]) -> Any:
        """Ask for a run again and again until it is as wanted."""
        deadline = time.monotonic() + 30
        while not reached(status := self.status(key)):
            assert time.monotonic() < deadline, status
        return status

    def await_true(self, condition: Callable[[], object]) -> None:
        """Look again and again until something is true that nobody announces."""
        deadline = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < deadline
            os.sched_yield()

    def await_job(self, key: str) -> Any:
        """Wait until orchesjob's answer about a run's first step is recorded; return its job."""
        run = self.await_status(key, lambda run: run["steps"][0]["orchesjob_status"])
        return run["steps"][0]["orchesjob_status"]

    def refusal(self, *words: str, **options: Any) -> Any:
        """Call the command, which must refuse, and return its one error object."""
        finished = self.run(*words, **options)
        assert (finished.returncode, finished.stdout) == (2, ""), finished
        assert finished.stderr.count("\n") == 1
        assert finished.stderr.endswith("}\n"), finished.stderr
        assert "Traceback" not in finished.stderr
        error = json.loads(finished.stderr)
        assert error["error"]
        return error

    def close(self) -> None:
        """End the calls that were not waited for."""
        for child in self._children:
            child.kill()
            child.communicate()


def completed(child: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    """Wait for a call and return its answer."""
    stdout, stderr = child.communicate(timeout=60)
    return subprocess.CompletedProcess(child.args, child.returncode, stdout, stderr)


@pytest.fixture
def flow(fake_orchesjob: FakeOrchesjob, tmp_path: Path) -> Iterator[Flow]:
    """The command on the fake orchesjob."""
    flow = Flow(fake_orchesjob, tmp_path)
    yield flow
    flow.close()


@pytest.fixture
def real_flow(real_orchesjob: Orchesjob, tmp_path: Path) -> Iterator[Flow]:
    """The command on the real orchesjob."""
    flow = Flow(real_orchesjob, tmp_path)
    yield flow
    flow.close()


@pytest.fixture
def each_flow(orchesjob: Orchesjob, tmp_path: Path) -> Iterator[Flow]:
    """The command on the fake orchesjob, then on the real one."""
    flow = Flow(orchesjob, tmp_path)
    yield flow
    flow.close()


class Gate:
    """A place where steps wait until the test lets them through."""

    def __init__(self, folder: Path) -> None:
        self._paths = [folder / "arrivals", folder / "gate"]
        for path in self._paths:
            os.mkfifo(path)
        # Open for both, so that neither side ever waits for the other to open.
        self._arrivals, self._gate = (os.open(path, os.O_RDWR) for path in self._paths)

    def command(self, then: str = "true", *, before: str = ":") -> list[str]:
        """Return the command of a step that announces itself, waits, and then does something."""
        arrivals, gate = map(shlex.quote, map(str, self._paths))
        return ["sh", "-c", f"{before}; echo >{arrivals}; read -r _ <{gate}; {then}"]

    def await_arrival(self) -> None:
        """Wait until a step has come to the gate."""
        assert select.select([self._arrivals], [], [], 30)[0]
        os.read(self._arrivals, 1)

    def has_arrival(self) -> bool:
        """Tell whether a step has come to the gate that was not awaited."""
        return bool(select.select([self._arrivals], [], [], 0)[0])

    def let_through(self, steps: int = 1) -> None:
        """Let steps go on, those that have come and those to come."""
        os.write(self._gate, b"\n" * steps)

    def close(self) -> None:
        """Close the pipes."""
        os.close(self._arrivals)
        os.close(self._gate)


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    """A gate for steps."""
    gate = Gate(tmp_path)
    yield gate
    gate.close()
