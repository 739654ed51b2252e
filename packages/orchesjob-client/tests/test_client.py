"""Command lines, limits, the classification of answers, and which orchesjob is used (rule 6.2)."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
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
    OrchesjobClient,
    OrchesjobMissing,
    exposure_of_home,
    locate,
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
            {"start_timeout_sec": 2.5},
            ["start", "--run-key=k", "--strict", "--start-timeout=2.5", "--", "sleep", "2"],
        ),
    ],
)
def test_start_command_line(
    answer: Answer, answering: Answering, tmp_path: Path, options: Any, words: list[str]
) -> None:
    """The key is in one word with its option, and the command follows `--`."""
    OrchesjobClient(answering(answer())).start("k", ["sleep", "2"], **options)
    assert arguments(tmp_path) == words


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"job_key": "k"}, ["abort", "--run-key=k"]),
        ({"job_id": "j"}, ["abort", "--job-id=j"]),
        ({"job_key": "k", "job_id": "j"}, ["abort", "--job-id=j"]),
        (
            {"job_key": "k", "grace_sec": 0, "reason": "-why"},
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


@pytest.mark.parametrize("document", [{}, [[]], [{"run_key": "k"}], "", "[", "null"])
def test_running_garbage(answering: Answering, document: object) -> None:
    """One unusable entry makes the whole list unusable: a missing key would look ended."""
    with pytest.raises(BadAnswer):
        OrchesjobClient(answering(document)).running()


def test_calls_into_a_new_home(executable: Executable, tmp_path: Path) -> None:
    """They come one at a time until the database is there."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    orchesjob = executable(
        f"cd {home}\n"
        "if [ ! -s orchesjob.db ]; then\n"
        "  mkdir busy || exit 1  # another call is here\n"
        "  sleep 0.1; echo made >orchesjob.db\n"
        "fi\n"
        "echo orchesjob 1.1.0"
    )
    client = OrchesjobClient(orchesjob, home=home)
    with ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(client.version) for _ in range(4)]
        assert {call.result() for call in calls} == {"1.1.0"}


@pytest.mark.parametrize("text", ["", "1.1.0", "orchesjob-flow 1.0", "orchesjob 1 2"])
def test_version_of_something_else(answering: Answering, text: str) -> None:
    """A program that does not call itself orchesjob is not taken for it."""
    with pytest.raises(BadAnswer, match="really orchesjob"):
        OrchesjobClient(answering(text)).version()


CALLS: dict[str, Callable[[OrchesjobClient], object]] = {
    "orchesjob start": lambda client: client.start("k", ["true"]),
    "orchesjob status": lambda client: client.status("k"),
    "orchesjob status --running": lambda client: client.running(),
    "orchesjob abort": lambda client: client.abort(job_key="k"),
    "orchesjob --version": lambda client: client.version(),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("code", [1, 2, 127])
def test_exit_codes(answering: Answering, call: str, code: int) -> None:
    """A failed call says nothing about the job, be its code 2 or another (rule 5.7)."""
    path = answering("", code=code, stderr="Traceback\nsqlite3.OperationalError: locked\n")
    with pytest.raises(CallFailed) as caught:
        CALLS[call](OrchesjobClient(path))
    found = (caught.value.call, caught.value.cause_text, caught.value.exit_code)
    assert found == (call, "sqlite3.OperationalError: locked", code)


def test_silent_failure(executable: Executable) -> None:
    """A failure without a message is described by its exit code or signal."""
    for code, said in ("exit 1", "exit 1 without a message"), ("kill -9 $$", "killed by signal 9"):
        with pytest.raises(CallFailed) as caught:
            OrchesjobClient(executable(code)).status("k")
        assert caught.value.cause_text == said


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("complaint", ["orchesjob start: error: not today", "orchesjob: not today"])
def test_exit_code_of_refused_calls(answering: Answering, call: str, complaint: str) -> None:
    """Exit 2 of orchesjob itself, which begins with its name, refuses for good (rule 5.7)."""
    with pytest.raises(CallRefused, match="not today") as caught:
        CALLS[call](OrchesjobClient(answering("", code=2, stderr=f"usage: orchesjob\n{complaint}")))
    assert not caught.value.retryable


def test_exit_codes_of_unknown_jobs(answering: Answering) -> None:
    """Exit 3 is an answer of `status` and `abort`, and a failure of every other call."""
    client = OrchesjobClient(answering("", code=3, stderr="orchesjob: run_key not found"))
    assert client.status("k") is None
    with pytest.raises(JobNotFound, match="run_key not found"):
        client.abort(job_key="k")
    for call in (client.running, client.version, lambda: client.start("k", ["true"])):
        with pytest.raises(CallFailed):
            call()


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


@pytest.mark.parametrize("call", CALLS)
def test_time_limit(executable: Executable, call: str) -> None:
    """Every call has a limit, to which the time is added that orchesjob itself may wait."""
    limits = CallLimits(start_sec=-9.8, status_sec=0.2, abort_sec=-4.8)  # plus 10 and 5
    with pytest.raises(CallTimedOut, match=r"no answer within 0\.2 s"):
        CALLS[call](OrchesjobClient(executable("exec sleep 60"), limits=limits))


def test_limit_grows_with_what_was_asked(executable: Executable) -> None:
    """A time that is given is added instead of orchesjob's own default."""
    client = OrchesjobClient(executable("exec sleep 60"), limits=HURRIED)
    with pytest.raises(CallTimedOut, match=r"within 0\.5 s"):
        client.start("k", ["true"], start_timeout_sec=0.2)
    with pytest.raises(CallTimedOut, match=r"within 0\.4 s"):
        client.abort(job_key="k", grace_sec=0.1)


@pytest.mark.parametrize(
    ("key", "command"),
    [
        ("", ["true"]),
        ("k\0", ["true"]),
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
        client.abort(job_key="k", grace_sec=seconds)


@pytest.mark.parametrize(
    ("answered", "error"),
    [
        ([], BadAnswer),
        ({"deleted": None, "errors": 0}, BadAnswer),
        ({"deleted": 1, "errors": 1}, CallFailed),
    ],
)
def test_doubtful_removals(answering: Answering, answered: Any, error: type) -> None:
    """Whoever cannot tell whether a job was removed has to be told so."""
    with pytest.raises(error):
        OrchesjobClient(answering(answered)).clean("i")


def make(folder: Path, name: str = "orchesjob", mode: int = 0o755) -> str:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.touch()
    path.chmod(mode)
    return str(path)


def test_order_of_executables(tmp_path: Path) -> None:
    """The one asked for, else ORCHESJOB_BIN, else PATH, else the one beside this Python."""
    asked, named = make(tmp_path / "asked"), make(tmp_path / "named")
    on_path, beside = make(tmp_path / "path"), make(tmp_path / "beside")
    environ = {"ORCHESJOB_BIN": named, "PATH": str(Path(on_path).parent)}
    folder = Path(beside).parent
    assert locate(asked, environ, beside=folder) == asked
    assert locate(None, environ, beside=folder) == named
    assert locate("", environ | {"ORCHESJOB_BIN": ""}, beside=folder) == on_path
    assert locate(None, {"PATH": "/nonexistent"}, beside=folder) == beside
    assert locate(None, {}, beside=folder) == beside


@pytest.mark.parametrize("mode", [None, 0o644, "folder"])
def test_a_named_one_must_exist(tmp_path: Path, mode: int | str | None) -> None:
    """There is no falling back from one that was named."""
    path = tmp_path / "named"
    if mode == "folder":
        path.mkdir()
    elif isinstance(mode, int):
        make(tmp_path, "named", mode)
    fallback = make(tmp_path / "beside")
    environ = {"ORCHESJOB_BIN": str(path), "PATH": "/nonexistent"}
    for explicit in (None, str(path)):
        with pytest.raises(OrchesjobMissing) as caught:
            locate(explicit, environ, beside=Path(fallback).parent)
        assert caught.value.filename == str(path)
        assert str(path) in str(caught.value)


def test_no_executable(tmp_path: Path) -> None:
    """If there is none at all, the error says where it was looked for."""
    with pytest.raises(OrchesjobMissing, match="neither on PATH nor in") as caught:
        locate(None, {"PATH": str(tmp_path)}, beside=tmp_path)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make what others own")
def test_who_could_change_a_home(tmp_path: Path) -> None:
    """The first place from the root on is named; root may also act as the owner (rule 6.1)."""
    (shared := tmp_path / "shared").mkdir()
    (home := shared / "home").mkdir()
    os.chown(home, 54321, 54321)
    shared.chmod(0o777)
    advice = f"`chmod o-w {shared}` repairs it"
    assert exposure_of_home(str(home)) == (str(shared), "can be written by others", advice)
    shared.chmod(0o755)
    found = exposure_of_home(str(home))
    assert found is not None
    assert (found.path, found.problem) == (str(home), "belongs to another user, #54321")
    assert found.remedy("H").endswith(
        "of your own with H, or run this as its owner: `sudo -u #54321`"
    )
