"""Calls of the program, what their answers say, and what repeated answers show of a run."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from orchesjob_flow_airflow.flow_as_task.program import (
    TIMED_OUT,
    Answer,
    Program,
    RunWatch,
    find_program,
)


def sh(text: str, **variables: str | None) -> Program:
    return Program("/bin/sh", ("-c", text), variables)


def test_standard_input_is_not_handed_on() -> None:
    """Airflow talks to a task through its standard input; a call does not get it."""
    before = os.dup(0)
    read, write = os.pipe()
    os.dup2(read, 0)
    try:
        answer = sh("readlink /proc/self/fd/0 || echo /dev/null").call()
    finally:
        os.dup2(before, 0)
        for descriptor in (before, read, write):
            os.close(descriptor)
    assert answer == Answer(0, "/dev/null\n", "")


def test_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """They override those of the process, without one that is None; an answer is JSON (6.11)."""
    for name in ("KEPT", "CHANGED", "GONE", "ORCHESJOB_FLOW_FORMAT"):
        monkeypatch.setenv(name, "table")
    words = 'echo "$KEPT $CHANGED ${GONE-none} ${ORCHESJOB_FLOW_FORMAT-none}"'
    assert sh(words, CHANGED="4", GONE=None).call().stdout == "table 4 none none\n"


def test_a_call_that_hangs() -> None:
    """A call that exceeds its limit is ended, and the answer says so."""
    answer = sh("exec sleep 600").call(limit_sec=0.1)
    assert answer.exit_code == TIMED_OUT
    assert answer.error == "/bin/sh has not answered within 0.1 s"


@pytest.mark.parametrize(
    ("stderr", "error", "is_mistake", "is_recorded", "log"),
    [
        ('warning\n{"error":"wrong","problems":[]}\n', "wrong", True, False, None),
        ('{"error":"the database is locked"}\n', "the database is locked", False, False, None),
        ("Segmentation fault\n", "Segmentation fault", False, False, None),
        ("", "orchesjob-flow ended with exit code 2", False, False, None),
        ("[1]\n", "[1]", False, False, None),
        ('{"error":"e","recorded":true,"pid":null,"stderr_log":"/h/l"}', "e", False, True, None),
        ('{"error":"e","recorded":true,"pid":7,"stderr_log":"/h/l"}', "e", False, True, "/h/l"),
    ],
)
def test_errors(
    stderr: str, error: str, is_mistake: bool, is_recorded: bool, log: str | None
) -> None:
    """Whatever a failed call has printed, there is an error, and it tells what can be done."""
    answer = Answer(2, "", stderr)
    assert (answer.error, answer.is_mistake) == (error, is_mistake)
    assert (answer.is_recorded, answer.trying_runner_log) == (is_recorded, log)


def test_answers_without_a_run() -> None:
    """Only the JSON of a run is one."""
    assert Answer(0, '{"status":"RUNNING"}\n', "").run == {"status": "RUNNING"}
    assert Answer(2, "", "").run is None
    assert Answer(0, "[]", "").run is None
    assert Answer(0, '{"resumed":[]}', "").run is None


def test_which_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that is named, else that on `PATH`; a relative name is made absolute."""
    for name in ("orchesjob-flow", "named"):
        (tmp_path / name).write_text("#!/bin/sh\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_program("./named") == str(tmp_path / "named")
    assert find_program(None) == str(tmp_path / "orchesjob-flow")


RUNNER = {"pid": 1, "alive": True}


def attempt(number: int, started: float, ended: float | None, **fields: Any) -> dict[str, Any]:
    status = "RUNNING" if ended is None else "SUCCEEDED"
    what = {"number": number, "started_at": started, "finished_at": ended, "status": status}
    return {**what, "error": None, **fields}


def step(*attempts: dict[str, Any], **fields: Any) -> dict[str, Any]:
    status = {"status": "PENDING", "finished_at": None, "error": None, "reason": "waits"}
    return {"id": "a", **status, "attempts": attempts, **fields}


def run(*steps: dict[str, Any], **fields: Any) -> Answer:
    status = {"status": "RUNNING", "finished_at": None, "error": None, "runner": RUNNER}
    text = json.dumps({"run_key": "k", **status, "steps": steps, **fields})
    return Answer(0, text, "")


FAILED = Answer(2, "", 'chatter\n{"error":"the database is locked"}\n')


def lines(watch: RunWatch, answer: Answer) -> list[str]:
    return [str(transition) for transition in watch.see(answer, 0)]


def is_over(watch: RunWatch, answer: Answer, now: float) -> bool:
    watch.see(answer, now)
    return watch.over


def test_transitions() -> None:
    """However much happens between two polls, each is reported once, in order, with its reason.

    An attempt that was asked by `only_if` is called so (rule 10.8). What earlier tries have
    reported is not reported again.
    """
    watch = RunWatch(since=1)
    early = step(id="e", status="SKIPPED", finished_at=0.5, reason="long ago")
    assert lines(watch, run(early, step())) == []
    asked = attempt(1, 1, None, only_if=True)
    assert lines(watch, run(early, step(asked))) == ["00:00:01Z a RUNNING attempt 1 (only_if)"]
    assert lines(watch, run(early, step(asked))) == []
    failed = attempt(1, 1, 2, status="FAILED", error="exit code 1", only_if=True)
    ended = step(failed, attempt(2, 61, 62), status="SUCCEEDED", finished_at=62)
    reason = "its condition was false: a SUCCEEDED"
    skipped = step(id="b", status="SKIPPED", finished_at=63, reason=reason)
    error = {"status": "FAILED", "error": "exit code 3"}
    other = step(attempt(1, 3, 64, **error), id="c", finished_at=64, **error)
    fields = {"status": "FAILED", "finished_at": 65, "error": "1 step failed: c", "runner": None}
    assert lines(watch, run(early, ended, skipped, other, **fields)) == [
        "00:00:02Z a attempt 1 (only_if) FAILED exit code 1",
        "00:00:03Z c RUNNING attempt 1",
        "00:01:01Z a RUNNING attempt 2",
        "00:01:02Z a SUCCEEDED",
        f"00:01:03Z b SKIPPED {reason}",
        "00:01:04Z c FAILED exit code 3",
        "00:01:05Z k FAILED 1 step failed: c",
    ]
    assert watch.over
    assert watch.problem is None


def test_a_run_without_runner() -> None:
    """A run without a runner ends the watch at the second poll: somebody may take it over."""
    watch = RunWatch(since=0)
    watch.see(run(step(), runner=None), 0)
    watch.see(run(step()), 5)
    assert not is_over(watch, run(step(), runner=None), 10)
    assert is_over(watch, run(step(), runner=None), 15)
    assert watch.problem is None


def test_polls_that_fail() -> None:
    """Polling may fail for a limited time, counted from the first failure in a row."""
    watch = RunWatch(since=0, patience_sec=60)
    watch.see(FAILED, 0)
    watch.see(FAILED, 59)
    watch.see(run(step()), 60)
    watch.see(FAILED, 61)
    assert not is_over(watch, FAILED, 120)
    assert is_over(watch, FAILED, 121)
    assert watch.problem == "the database is locked"
