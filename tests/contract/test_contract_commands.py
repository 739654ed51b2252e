"""Command lines, exit codes and answers, on the fake orchesjob and on the real one."""

import re
import stat
from pathlib import Path
from types import NoneType
from typing import Any

import pytest

from orchesjob_client import CallFailed
from support.orchesjob import Orchesjob

UNKNOWN = "00000000-0000-4000-8000-000000000000"

JOB: dict[str, type | tuple[type, ...]] = {
    "job_id": str,
    "run_key": str,
    "command": list,
    "pid": (int, NoneType),
    "pid_kind": (str, NoneType),
    "worker_pid": (int, NoneType),
    "target_pid": (int, NoneType),
    "status": str,
    "exit_code": (int, NoneType),
    "stdout_file": str,
    "stderr_file": str,
    "attempt_no": int,
    "strict": bool,
    "rerun_of_job_id": (str, NoneType),
    "rerun_reason": (str, NoneType),
    "abort_reason": (str, NoneType),
    **{f"{name}_at": (int, NoneType) for name in ("started", "finished", "updated", "aborted")},
    **{f"{name}_at_iso": (str, NoneType) for name in ("started", "finished", "updated", "aborted")},
}
MORE: dict[str, dict[str, type | tuple[type, ...]]] = {
    "start": {"accepted": bool, "existing": bool, "mode": str, "strict_override_used": bool},
    "status": {"strict_override": (dict, NoneType)},
    "abort": dict.fromkeys(
        ("aborted", "sent_term_target", "sent_term_worker", "sent_kill_target", "sent_kill_worker"),
        bool,
    ),
}


def check_types(answer: dict[str, Any], call: str) -> None:
    expected = JOB | MORE[call]
    assert {name for name, kind in expected.items() if not isinstance(answer[name], kind)} == set()


def test_keys_and_types(orchesjob: Orchesjob) -> None:
    """Each answer has the keys of a job and those of its call, with these types."""
    started = orchesjob.start("k", "sleep", "60")
    asked = orchesjob.status("k")
    aborted = orchesjob.ask("abort", "--run-key=k", "--grace-seconds=1", "--reason=why")
    for call, answer in (("start", started), ("status", asked), ("abort", aborted)):
        check_types(answer, call)
        assert set(answer).isdisjoint(set().union(*MORE.values()) - set(MORE[call]))
    for answer in (started, asked):
        assert (answer["pid"], answer["pid_kind"]) == (started["target_pid"], "target")
        assert (answer["status"], answer["exit_code"]) == ("RUNNING", None)
        assert answer["finished_at"] is None
    assert (aborted["status"], aborted["abort_reason"]) == ("ABORTED", "why")
    assert aborted["aborted_at"] == aborted["finished_at"]


def test_answer_is_ascii(orchesjob: Orchesjob) -> None:
    """The JSON is ASCII, whatever the key and the command are; bytes survive."""
    word = "é\udcff"
    orchesjob.environ |= {"LC_ALL": "C.UTF-8", "PYTHONUTF8": "1"}  # as our client calls it
    raw = orchesjob.run("start", "--run-key=ключ/ a:b", "--", "true", word)
    assert raw.stdout.isascii()
    report = orchesjob.client().status("ключ/ a:b")
    assert report is not None
    assert report.command == ("true", word)


def test_words(orchesjob: Orchesjob) -> None:
    """One leading `--` is removed; a key that begins with `-` is in one word with its option."""
    answer = orchesjob.ask("start", "--run-key=--strict", "--", "--", "x", "--", "f")
    assert (answer["command"], answer["run_key"]) == (["--", "x", "--", "f"], "--strict")
    assert orchesjob.run("start", "--run-key", "--strict", "--", "true").returncode == 2


@pytest.mark.parametrize(
    "words",
    [
        ["start", "--", "true"],
        ["start", "--run-key=k"],
        ["start", "--run-key=k", "--frobnicate", "--", "true"],
        ["clean", "--job-id=a", "--frobnicate"],
    ],
)
def test_usage_errors(orchesjob: Orchesjob, words: list[str]) -> None:
    """A wrong command line is exit 2, with a message on stderr and nothing on stdout."""
    finished = orchesjob.run(*words)
    assert (finished.returncode, finished.stdout) == (2, "")
    last = finished.stderr.splitlines()[-1]
    assert re.match(r"orchesjob( \w+)?: ", last)
    assert finished.stderr.startswith(("usage: orchesjob", "orchesjob: "))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["status", "--run-key=k"], "run_key not found"),
        (["abort", f"--job-id={UNKNOWN}"], f"Job not found: {UNKNOWN}"),
    ],
)
def test_unknown(orchesjob: Orchesjob, words: list[str], message: str) -> None:
    """An unknown key or id is exit 3."""
    finished = orchesjob.run(*words)
    assert (finished.returncode, finished.stdout) == (3, "")
    assert finished.stderr == f"orchesjob: {message}\n"


def test_home_that_is_a_file(orchesjob: Orchesjob) -> None:
    """An unusable home is exit 1 with a traceback, whose last line says why."""
    orchesjob.home.touch()
    finished = orchesjob.run("status", "--run-key=k")
    assert (finished.returncode, finished.stdout) == (1, "")
    assert finished.stderr.startswith("Traceback")
    assert re.match(r"\w*Error: ", finished.stderr.splitlines()[-1])


def test_files(orchesjob: Orchesjob) -> None:
    """Home and logs are private, and the output is where the answer says."""
    answer = orchesjob.start("k", "sh", "-c", "echo out; echo err >&2")
    orchesjob.await_end("k")
    logs = orchesjob.home / "logs"
    assert Path(answer["stdout_file"]) == logs / f"{answer['job_id']}.stdout"
    assert Path(answer["stderr_file"]) == logs / f"{answer['job_id']}.stderr"
    assert Path(answer["stdout_file"]).read_text(encoding="utf-8") == "out\n"
    assert Path(answer["stderr_file"]).read_text(encoding="utf-8") == "err\n"
    for folder in (orchesjob.home, logs):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for database in orchesjob.home.glob("*.db"):
        assert stat.S_IMODE(database.stat().st_mode) == 0o600


def test_clean_one_job(orchesjob: Orchesjob) -> None:
    """A job that has ended is removed by its id, with its output; another job of its key stays."""
    orchesjob.start("k", "echo", "1")
    first = orchesjob.await_end("k")
    orchesjob.start("k", "echo", "2")
    second = orchesjob.await_end("k")
    client = orchesjob.client()
    assert client.clean(first["job_id"])
    for job, is_there in ((first, False), (second, True)):
        assert Path(job["stdout_file"]).exists() is is_there
        assert Path(job["stderr_file"]).exists() is is_there
    assert orchesjob.status("k")["job_id"] == second["job_id"]
    assert not client.clean(first["job_id"])
    answer = orchesjob.ask("clean", f"--job-id={second['job_id']}")
    assert (answer["deleted"], answer["errors"]) == (1, 0)
    assert [item["job_id"] for item in answer["items"]] == [second["job_id"]]
    assert orchesjob.run("status", "--run-key=k").returncode == 3


def test_clean_what_cannot_be_removed(orchesjob: Orchesjob) -> None:
    """Output that cannot be removed is an error with its cause, though the job is gone."""
    orchesjob.start("k", "true")
    job = orchesjob.await_end("k")
    path = Path(job["stdout_file"])
    path.unlink()
    path.mkdir()
    with pytest.raises(CallFailed, match="directory"):
        orchesjob.client().clean(job["job_id"])
    assert orchesjob.run("status", "--run-key=k").returncode == 3
