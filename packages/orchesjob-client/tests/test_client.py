"""Command lines, environments, limits and the classification of answers."""

import json
import os
import resource
import select
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from orchesjob_client import (
    BadAnswer,
    CallFailed,
    CallLimits,
    CallRefused,
    CallTimedOut,
    JobNotFound,
    JobNotRunning,
    OrchesjobClient,
    OrchesjobError,
    OrchesjobMissing,
)

type Answer = Callable[..., dict[str, Any]]
type Answering = Callable[..., str]
type Executable = Callable[[str], str]

HURRIED = CallLimits(start_sec=0.3, status_sec=0.3, abort_sec=0.3)


def arguments(folder: Path) -> list[str]:
    return (folder / "argv").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, ["start", "--run-key=k", "--strict", "--", "sleep", "2"]),
        ({"strict": False}, ["start", "--run-key=k", "--", "sleep", "2"]),
        (
            {"start_timeout_sec": 0},
            ["start", "--run-key=k", "--strict", "--start-timeout=0", "--", "sleep", "2"],
        ),
        (
            {"start_timeout_sec": 2.5},
            ["start", "--run-key=k", "--strict", "--start-timeout=2.5", "--", "sleep", "2"],
        ),
    ],
)
def test_start_command_line(
    answer: Answer, answering: Answering, tmp_path: Path, options: Any, words: list[str]
) -> None:
    """The key stands in one word with its option, the command behind `--`."""
    OrchesjobClient(answering(answer())).start("k", ["sleep", "2"], **options)
    assert arguments(tmp_path) == words


@pytest.mark.parametrize("key", ["-x", "--strict", "a b/c:d+é", "=", "k" * 5000])
def test_any_key(answer: Answer, answering: Answering, tmp_path: Path, key: str) -> None:
    """A key that looks like an option is still a key."""
    client = OrchesjobClient(answering(answer(run_key=key)))
    assert client.start(key, ["true"]).run_key == key
    assert arguments(tmp_path)[1] == f"--run-key={key}"
    report = client.status(key)
    assert report is not None
    assert report.run_key == key


@pytest.mark.parametrize(
    "command", [["--", "x"], ["git", "--", "-f"], ["--strict"], ["é\udcff", ""]]
)
def test_command_as_it_stands(
    answer: Answer, answering: Answering, tmp_path: Path, command: list[str]
) -> None:
    """The command's words reach orchesjob untouched, bytes that are no UTF-8 included."""
    OrchesjobClient(answering(answer())).start("k", command)
    raw = (tmp_path / "argv").read_bytes().split(b"\n")[:-1]
    assert raw[raw.index(b"--") + 1 :] == [os.fsencode(word) for word in command]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"run_key": "k"}, ["abort", "--run-key=k"]),
        ({"job_id": "j"}, ["abort", "--job-id=j"]),
        ({"run_key": "k", "job_id": "j"}, ["abort", "--job-id=j"]),
        (
            {"run_key": "k", "grace_sec": 0, "reason": "-why"},
            ["abort", "--run-key=k", "--grace-seconds=0", "--reason=-why"],
        ),
    ],
)
def test_abort_command_line(
    answer: Answer, answering: Answering, tmp_path: Path, options: Any, words: list[str]
) -> None:
    """An abort by id can hit no other execution of the key, so the id wins."""
    client = OrchesjobClient(answering(answer(job_id="j", status="ABORTED")))
    assert client.abort(**options).status == "ABORTED"
    assert arguments(tmp_path) == words


def test_abort_of_nothing() -> None:
    """An abort without key and id is a mistake of the program."""
    with pytest.raises(TypeError):
        OrchesjobClient("/bin/true").abort()


def test_running(answer: Answer, answering: Answering, tmp_path: Path) -> None:
    """One call lists all active jobs of the home."""
    client = OrchesjobClient(answering([answer(), answer(run_key="other")]))
    assert [report.run_key for report in client.running()] == ["k", "other"]
    assert arguments(tmp_path) == ["status", "--running"]
    assert OrchesjobClient(answering([])).running() == ()


@pytest.mark.parametrize("document", [{}, [[]], [{"run_key": "k"}], "", "[", "null"])
def test_running_garbage(answering: Answering, document: object) -> None:
    """One unusable entry makes the whole list unusable: a missing key would look ended."""
    with pytest.raises(BadAnswer):
        OrchesjobClient(answering(document)).running()


def test_version(answering: Answering) -> None:
    """The version is what stands behind the name."""
    assert OrchesjobClient(answering("orchesjob 1.1.0\n")).version() == "1.1.0"


@pytest.mark.parametrize("text", ["", "1.1.0", "orchesjob-flow 1.0", "orchesjob 1 2"])
def test_version_of_something_else(answering: Answering, text: str) -> None:
    """A program that does not call itself orchesjob is not taken for it."""
    with pytest.raises(BadAnswer, match="really orchesjob"):
        OrchesjobClient(answering(text)).version()


CALLS: dict[str, Callable[[OrchesjobClient], object]] = {
    "orchesjob start": lambda client: client.start("k", ["true"]),
    "orchesjob status": lambda client: client.status("k"),
    "orchesjob status --running": lambda client: client.running(),
    "orchesjob abort": lambda client: client.abort(run_key="k"),
    "orchesjob --version": lambda client: client.version(),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("code", "kind"),
    [(1, CallFailed), (2, CallRefused), (5, CallFailed), (126, CallFailed), (127, CallFailed)],
)
def test_exit_codes(answering: Answering, call: str, code: int, kind: type[OrchesjobError]) -> None:
    """Exit 2 is refused for good, every other failure says nothing about the job (rule 5.7)."""
    path = answering("", code=code, stderr="Traceback\nsqlite3.OperationalError: locked\n")
    with pytest.raises(kind) as caught:
        CALLS[call](OrchesjobClient(path))
    assert caught.value.call == call
    assert caught.value.cause_text == "sqlite3.OperationalError: locked"
    if isinstance(caught.value, CallFailed):
        assert caught.value.exit_code == code


def test_exit_codes_of_unknown_jobs(answering: Answering) -> None:
    """Exit 3 is an answer of `status` and `abort`, and a failure of every other call."""
    client = OrchesjobClient(answering("", code=3, stderr="orchesjob: run_key not found"))
    assert client.status("k") is None
    with pytest.raises(JobNotFound, match="run_key not found"):
        client.abort(run_key="k")
    for call in (client.running, client.version, lambda: client.start("k", ["true"])):
        with pytest.raises(CallFailed):
            call()


def test_exit_code_of_ended_jobs(answering: Answering) -> None:
    """Exit 4 of `abort` says that the job ended by itself (rule 5.5); elsewhere it is a failure."""
    client = OrchesjobClient(answering("", code=4, stderr="orchesjob: Job is not running: j"))
    with pytest.raises(JobNotRunning, match="not running"):
        client.abort(job_id="j")
    with pytest.raises(CallFailed):
        client.status("k")


@pytest.mark.parametrize(
    ("code", "said"), [("exit 1", "exit 1 without a message"), ("kill -9 $$", "killed by signal 9")]
)
def test_silent_failure(executable: Executable, code: str, said: str) -> None:
    """A failure without a word is told by its exit code or signal."""
    with pytest.raises(CallFailed) as caught:
        OrchesjobClient(executable(code)).status("k")
    assert caught.value.cause_text == said


@pytest.mark.parametrize(
    "document",
    [
        "",
        "garbage",
        '{"job_id": "91f',
        "[]",
        {"status": "RUNNING"},
        {"run_key": "k", "job_id": "j"},
    ],
)
@pytest.mark.parametrize("call", ["orchesjob start", "orchesjob status", "orchesjob abort"])
def test_garbage(answering: Answering, call: str, document: object) -> None:
    """Exit 0 without a job object is a bad answer, and asking again can help (rule 5.7)."""
    with pytest.raises(BadAnswer) as caught:
        CALLS[call](OrchesjobClient(answering(document)))
    assert caught.value.retryable
    assert caught.value.call == call


@pytest.mark.parametrize("call", ["orchesjob start", "orchesjob status", "orchesjob abort"])
def test_answer_about_another_key(answer: Answer, answering: Answering, call: str) -> None:
    """An answer about another key is not believed."""
    with pytest.raises(BadAnswer, match="asked for key 'k', got 'other'"):
        CALLS[call](OrchesjobClient(answering(answer(run_key="other"))))


def test_answer_about_another_job(answer: Answer, answering: Answering) -> None:
    """An abort by id that answers about another job is not believed."""
    with pytest.raises(BadAnswer, match="asked for job 'j'"):
        OrchesjobClient(answering(answer())).abort(job_id="j")


def test_endless_answer(executable: Executable) -> None:
    """Ten megabytes are a bad answer and are not kept in memory; the process may finish."""
    path = executable("head -c 10000000 /dev/zero | tr '\\0' x")
    with pytest.raises(BadAnswer, match="printed more than"):
        OrchesjobClient(path).status("k")


def test_answer_in_no_encoding(executable: Executable) -> None:
    """An answer that is not UTF-8 is a bad one."""
    with pytest.raises(BadAnswer, match="not UTF-8"):
        OrchesjobClient(executable("printf '\\377'")).status("k")


def test_endless_complaint(executable: Executable) -> None:
    """Of a long stderr the end is kept."""
    path = executable("head -c 1000000 /dev/zero | tr '\\0' x >&2; echo >&2; echo why >&2; exit 1")
    with pytest.raises(CallFailed) as caught:
        OrchesjobClient(path).status("k")
    assert caught.value.cause_text == "why"


@pytest.mark.parametrize("call", CALLS)
def test_time_limit(executable: Executable, tmp_path: Path, call: str) -> None:
    """A call that hangs is killed with its whole group and reaped."""
    path = executable(f"sleep 60 & echo $! $$ > {tmp_path}/pids; wait")
    limits = CallLimits(start_sec=-9.5, status_sec=0.5, abort_sec=-4.5)  # plus 10 and 5
    with pytest.raises(CallTimedOut, match=r"no answer within 0\.5 s"):
        CALLS[call](OrchesjobClient(path, limits=limits))
    child, parent = (tmp_path / "pids").read_text(encoding="utf-8").split()
    assert not Path(f"/proc/{parent}").exists()
    await_death(int(child))


def await_death(pid: int) -> None:
    """Wait until a process that was sent a KILL is no more, or no more than a zombie."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    assert select.select([pidfd], [], [], 10)[0]
    os.close(pidfd)


def test_limit_grows_with_what_was_asked(executable: Executable) -> None:
    """The time that orchesjob is told to wait is added to the limit."""
    client = OrchesjobClient(executable("exec sleep 60"), limits=HURRIED)
    with pytest.raises(CallTimedOut, match=r"within 0\.5 s"):
        client.start("k", ["true"], start_timeout_sec=0.2)
    with pytest.raises(CallTimedOut, match=r"within 0\.4 s"):
        client.abort(run_key="k", grace_sec=0.1)


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


def test_directory(answer: Answer, executable: Executable, tmp_path: Path) -> None:
    """The command's directory is that of the call."""
    (tmp_path / "answer").write_text(json.dumps(answer()), encoding="utf-8")
    (tmp_path / "there").mkdir()
    path = executable(f"pwd > {tmp_path}/cwd; cat {tmp_path}/answer")
    OrchesjobClient(path).start("k", ["true"], cwd=str(tmp_path / "there"))
    assert (tmp_path / "cwd").read_text(encoding="utf-8").strip() == str(tmp_path / "there")


@pytest.mark.parametrize(
    ("key", "command"),
    [
        ("", ["true"]),
        ("k\udcff", ["true"]),
        ("k\0", ["true"]),
        ("k", ["a\0b"]),
        ("k", ["\ud800"]),
        ("k", ["x" * 200_000]),
    ],
)
def test_impossible_calls(
    answer: Answer, answering: Answering, key: str, command: Sequence[str]
) -> None:
    """What can never be passed to a process is refused for good (rule 5.7)."""
    with pytest.raises(CallRefused) as caught:
        OrchesjobClient(answering(answer())).start(key, command)
    assert not caught.value.retryable


@pytest.mark.parametrize("seconds", [float("nan"), float("inf")])
def test_impossible_times(answer: Answer, answering: Answering, seconds: float) -> None:
    """A time without end would make orchesjob wait for ever."""
    client = OrchesjobClient(answering(answer()))
    with pytest.raises(CallRefused):
        client.start("k", ["true"], start_timeout_sec=seconds)
    with pytest.raises(CallRefused):
        client.abort(run_key="k", grace_sec=seconds)


@contextmanager
def no_more_descriptors() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest_free = os.dup(0)
    os.close(lowest_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_no_descriptors(answering: Answering, answer: Answer) -> None:
    """A system short of descriptors is a failure that passes."""
    client = OrchesjobClient(answering(answer()))
    with no_more_descriptors(), pytest.raises(CallFailed, match="open files") as caught:
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


def seen_home(folder: Path) -> str:
    return (folder / "seen").read_text(encoding="utf-8").removesuffix("\n")


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
        (None, {"ORCHESJOB_HOME": ""}, str(tmp_path)),
        (None, {}, "none"),
        (None, None, f"{tmp_path}/inherited"),
    ]:
        environment = None if env is None else {"PATH": os.defpath, **env}
        OrchesjobClient(path, home=home).status("k", env=environment)
        assert seen_home(tmp_path) == seen


def test_process_surroundings(answer: Answer, executable: Executable, tmp_path: Path) -> None:
    """A call has no stdin and a session of its own, so that a Ctrl-C does not reach it."""
    (tmp_path / "answer").write_text(json.dumps(answer()), encoding="utf-8")
    path = executable(
        f"readlink /proc/$$/fd/0 > {tmp_path}/stdin; ls /proc/$$/fd > {tmp_path}/fds\n"
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
            client.start("k", ["true"], inherit_fd=lock.fileno())
        else:
            client.abort(run_key="k", inherit_fd=lock.fileno())
    files = (tmp_path / "files").read_text(encoding="utf-8").splitlines()
    assert str(tmp_path / "lock") in files
    assert str(tmp_path / "private") not in files


def open_descriptors() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()}


def test_no_leaks(answer: Answer, answering: Answering, executable: Executable) -> None:
    """No descriptor and no zombie stays behind, however a call ends."""
    good, bad = OrchesjobClient(answering(answer())), OrchesjobClient("/nonexistent")
    slow = OrchesjobClient(executable("exec sleep 60"), limits=CallLimits(status_sec=0.05))
    before = open_descriptors()
    for _ in range(5):
        good.status("k")
        for client in (bad, slow):
            with pytest.raises(OrchesjobError):
                client.status("k")
    assert open_descriptors() == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_many_threads(executable: Executable, answer: Answer, tmp_path: Path) -> None:
    """Calls from many threads do not mix up their answers."""
    for number in range(8):
        text = json.dumps(answer(run_key=f"k{number}"))
        (tmp_path / f"k{number}").write_text(text, encoding="utf-8")
    client = OrchesjobClient(executable(f'cat "{tmp_path}/${{2#--run-key=}}"'))
    barrier = threading.Barrier(8)

    def ask(number: int) -> list[str]:
        barrier.wait()
        reports = [client.status(f"k{number}") for _ in range(5)]
        return [report.run_key for report in reports if report is not None]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(8))) == [[f"k{number}"] * 5 for number in range(8)]
