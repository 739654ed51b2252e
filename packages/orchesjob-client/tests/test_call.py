"""One call: what can be passed, what it sees, how it ends, what stays behind."""

import json
import os
import select
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchesjob_client import (
    BadAnswer,
    CallFailed,
    CallLimits,
    CallRefused,
    CallTimedOut,
    Hold,
    HomeReplaced,
    OrchesjobClient,
    OrchesjobError,
    OrchesjobMissing,
    folder_of_home,
)

type Answer = Callable[..., dict[str, Any]]
type Answering = Callable[..., str]
type Executable = Callable[[str], str]

HURRIED = CallLimits(status_sec=0.5)


def test_endless_answer(executable: Executable) -> None:
    """Ten megabytes are a bad answer and are not kept in memory; the process may finish."""
    path = executable("head -c 10000000 /dev/zero | tr '\\0' x")
    with pytest.raises(BadAnswer, match="printed more than"):
        OrchesjobClient(path).status("k")


def await_death(pid: int) -> None:
    """Wait until a process that was sent a KILL is no more, or no more than a zombie."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    assert select.select([pidfd], [], [], 10)[0]
    os.close(pidfd)


def test_time_limit(executable: Executable, tmp_path: Path) -> None:
    """A call that hangs is killed with its whole group and reaped."""
    path = executable(f"sleep 60 & echo $! $$ > {tmp_path}/pids; wait")
    with pytest.raises(CallTimedOut):
        OrchesjobClient(path, limits=HURRIED).status("k")
    child, parent = (tmp_path / "pids").read_text(encoding="utf-8").split()
    assert not Path(f"/proc/{parent}").exists()
    await_death(int(child))


def test_closed_output(executable: Executable) -> None:
    """A process that closes its output and stays is timed out like any other."""
    path = executable("exec >&- 2>&-; exec sleep 60")
    with pytest.raises(CallTimedOut):
        OrchesjobClient(path, limits=HURRIED).status("k")


def test_descendant_keeps_the_output(
    answer: Answer, executable: Executable, tmp_path: Path
) -> None:
    """The end of the process counts, not that of its pipes, which a descendant may hold."""
    (tmp_path / "answer").write_text(json.dumps(answer()), encoding="utf-8")
    path = executable(f"sleep 60 & echo $! > {tmp_path}/pid; cat {tmp_path}/answer")
    assert OrchesjobClient(path).status("k") is not None
    os.kill(int((tmp_path / "pid").read_text(encoding="utf-8")), signal.SIGKILL)


def test_descendant_floods_the_output(executable: Executable, tmp_path: Path) -> None:
    """Nor does a descendant that writes for ever delay the call beyond its limit."""
    path = executable(f"yes & echo $! > {tmp_path}/pid")
    with pytest.raises(BadAnswer):
        OrchesjobClient(path, limits=CallLimits(status_sec=1.0)).status("k")
    await_death(int((tmp_path / "pid").read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    ("path", "mode"),
    [("missing", None), ("plain", 0o644), ("plain/below", 0o644)],
)
def test_missing_executable(tmp_path: Path, path: str, mode: int | None) -> None:
    """A missing orchesjob is named, and may come back (rule 5.7)."""
    if mode is not None:
        (tmp_path / "plain").touch(mode)
    with pytest.raises(OrchesjobMissing) as caught:
        OrchesjobClient(str(tmp_path / path)).status("k")
    assert caught.value.filename == str(tmp_path / path)
    assert str(tmp_path / path) in caught.value.cause_text


def test_missing_directory(answer: Answer, answering: Answering, tmp_path: Path) -> None:
    """A step's directory that is gone is named; asking again does not bring it back."""
    client = OrchesjobClient(answering(answer()))
    for gone in (tmp_path / "gone", Path(__file__)):
        with pytest.raises(CallRefused) as caught:
            client.start("k", ["true"], cwd=str(gone))
        assert str(gone) in str(caught.value)


def test_no_descriptors(answering: Answering, answer: Answer, few_descriptors: Any) -> None:
    """A system short of descriptors is a failure that passes."""
    client = OrchesjobClient(answering(answer()))
    with few_descriptors(0), pytest.raises(CallFailed, match="open files") as caught:
        client.status("k")
    assert caught.value.exit_code is None


def test_ignored_children(answering: Answering, answer: Answer) -> None:
    """Where SIGCHLD is ignored, orchesjob would take failures for successes: it is not called."""
    client = OrchesjobClient(answering(answer()))
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        with pytest.raises(CallRefused, match="SIGCHLD"):
            client.start("k", ["true"])
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_home(
    answer: Answer, executable: Executable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The home is always absolute: orchesjob's own reading would change with the directory."""
    (tmp_path / "answer").write_text(json.dumps(answer()), encoding="utf-8")
    path = executable(f'echo "${{ORCHESJOB_HOME-none}}" > {tmp_path}/seen; cat {tmp_path}/answer')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ORCHESJOB_HOME", "inherited")
    for home, env, seen in [
        ("given", None, f"{tmp_path}/given"),
        ("given", {"ORCHESJOB_HOME": "named"}, f"{tmp_path}/given"),
        (None, {"ORCHESJOB_HOME": "named"}, f"{tmp_path}/named"),
        (None, {"ORCHESJOB_HOME": "/absolute"}, "/absolute"),
        (None, {"ORCHESJOB_HOME": ""}, "none"),
        (None, {}, "none"),
        (None, None, f"{tmp_path}/inherited"),
    ]:
        environment = None if env is None else {"PATH": os.defpath, **env}
        OrchesjobClient(path, home=home, environ=environment).status("k")
        assert (tmp_path / "seen").read_text(encoding="utf-8") == f"{seen}\n"


@pytest.mark.parametrize("named", [True, False])
def test_a_home_that_is_replaced(
    executable: Executable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: bool
) -> None:
    """Where the home is not the folder that it was, no call is made and no answer believed."""
    home = tmp_path / "home"
    environ = {"PATH": os.defpath, "ORCHESJOB_HOME": str(home)}
    if not named:
        # Without root nobody can replace the folder at orchesjob's own default.
        monkeypatch.setattr("orchesjob_client.environment.DEFAULT_HOME", str(home))
        del environ["ORCHESJOB_HOME"]
    home.mkdir()
    folder = folder_of_home(environ)
    path = executable(f"echo >>{tmp_path}/called; {{ mv {home} {home}.away; }} 2>&-; exit 3")
    client = OrchesjobClient(path, environ=environ, folder=folder)
    calls: list[Callable[[], object]] = [
        lambda: client.status("k"),
        lambda: client.start("k", ["true"]),
        lambda: client.abort(job_key="k"),
        client.running,
    ]
    for count, call in enumerate(calls, 1):
        with pytest.raises(HomeReplaced, match=f"its home {home} is gone"):  # after the call
            call()
        with pytest.raises(HomeReplaced, match=f"its home {home} is gone") as raised:  # before it
            call()
        assert raised.value.retryable
        home.mkdir()
        with pytest.raises(HomeReplaced, match=f"its home {home} is another folder than before"):
            call()
        home.rmdir()
        Path(f"{home}.away").rename(home)
        assert (tmp_path / "called").read_text(encoding="utf-8") == "\n" * count


def test_process_surroundings(answer: Answer, executable: Executable, tmp_path: Path) -> None:
    """A call has no stdin and a session of its own, so that a Ctrl-C does not reach it."""
    (tmp_path / "answer").write_text(json.dumps(answer()), encoding="utf-8")
    path = executable(
        f"readlink /proc/$$/fd/0 > {tmp_path}/stdin\n"
        f"cut -d' ' -f1,5,6 /proc/$$/stat > {tmp_path}/ids; cat {tmp_path}/answer"
    )
    OrchesjobClient(path).status("k")
    assert (tmp_path / "stdin").read_text(encoding="utf-8") == "/dev/null\n"
    pid, group, session = (tmp_path / "ids").read_text(encoding="utf-8").split()
    assert pid == group == session


@pytest.mark.parametrize("call", ["start", "abort"])
def test_inherited_descriptor(
    answer: Answer, executable: Executable, tmp_path: Path, call: str
) -> None:
    """The one descriptor named, and no other, is shared with the call."""
    (tmp_path / "answer").write_text(json.dumps(answer()), encoding="utf-8")
    path = executable(f"readlink /proc/$$/fd/* > {tmp_path}/files; cat {tmp_path}/answer")
    client = OrchesjobClient(path)
    with (tmp_path / "lock").open("w") as lock, (tmp_path / "private").open("w") as private:
        os.set_inheritable(private.fileno(), True)
        if call == "start":
            client.start("k", ["true"], hold=Hold([lock.fileno()]))
        else:
            client.abort(job_key="k", hold=Hold([lock.fileno()]))
    files = (tmp_path / "files").read_text(encoding="utf-8").splitlines()
    assert str(tmp_path / "lock") in files
    assert str(tmp_path / "private") not in files


def held() -> set[str]:
    """Return what this process holds: descriptors, and children that it has not waited for."""
    children = (path.read_text("ascii") for path in Path("/proc/self/task").glob("*/children"))
    descriptors = (path.name for path in Path("/proc/self/fd").iterdir())
    return {*descriptors, *(f"child {pid}" for text in children for pid in text.split())}


def test_no_leaks(answer: Answer, answering: Answering, executable: Executable) -> None:
    """No descriptor and no zombie stays behind, however a call ends."""
    good, bad = OrchesjobClient(answering(answer())), OrchesjobClient("/nonexistent")
    slow = OrchesjobClient(executable("exec sleep 60"), limits=CallLimits(status_sec=0.05))
    before = held()
    for _ in range(5):
        good.status("k")
        for client in (bad, slow):
            with pytest.raises(OrchesjobError):
                client.status("k")
    assert held() <= before
