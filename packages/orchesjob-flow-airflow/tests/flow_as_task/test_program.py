"""Calls of the program, what their answers say, and what repeated answers show of a run."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from orchesjob_flow_airflow.flow_as_task.program import (
    NOT_STARTED,
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
    """Variables override those of the process; one that is None is removed."""
    monkeypatch.setenv("KEPT", "1")
    monkeypatch.setenv("CHANGED", "2")
    monkeypatch.setenv("GONE", "3")
    program = sh('echo "$KEPT $CHANGED ${GONE-none}"', CHANGED="4", GONE=None)
    assert program.call().stdout == "1 4 none\n"


def test_answers_are_json(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call does not get the form that a person on this host prefers (rule 6.11)."""
    monkeypatch.setenv("ORCHESJOB_FLOW_FORMAT", "table")
    assert sh('echo "${ORCHESJOB_FLOW_FORMAT-none}"').call().stdout == "none\n"


def test_a_call_that_hangs() -> None:
    """A call that exceeds its limit is ended, and the answer says so."""
    answer = sh("exec sleep 600").call(limit_sec=0.1)
    assert answer.exit_code == TIMED_OUT
    assert answer.error == "/bin/sh has not answered within 0.1 s"


def test_no_program(tmp_path: Path) -> None:
    """A program that cannot be started is an answer as well."""
    answer = Program(str(tmp_path / "missing"), (), {}).call()
    assert answer.exit_code == NOT_STARTED
    assert "missing could not be run" in answer.error


@pytest.mark.parametrize(
    ("stderr", "error", "is_mistake"),
    [
        ('warning\n{"error":"wrong","problems":[]}\n', "wrong", True),
        ('{"error":"the database is locked"}\n', "the database is locked", False),
        ("Segmentation fault\n", "Segmentation fault", False),
        ("", "orchesjob-flow ended with exit code 2", False),
        ("[1]\n", "[1]", False),
    ],
)
def test_errors(stderr: str, error: str, is_mistake: bool) -> None:
    """Whatever a failed call has printed, there is an error, and it tells mistakes apart."""
    answer = Answer(2, "", stderr)
    assert (answer.error, answer.is_mistake) == (error, is_mistake)


@pytest.mark.parametrize(
    ("facts", "is_recorded", "log"),
    [
        ("", False, None),
        (',"recorded":true,"pid":null,"stderr_log":"/h/l"', True, None),
        (',"recorded":true,"pid":7,"stderr_log":"/h/l"', True, "/h/l"),
    ],
)
def test_runs_that_nothing_advances(facts: str, is_recorded: bool, log: str | None) -> None:
    """A call that has recorded a run is told apart from one that has not, and from a slow one."""
    answer = Answer(2, "", f'{{"error":"no answer"{facts}}}\n')
    assert (answer.is_recorded, answer.trying_runner_log) == (is_recorded, log)
    assert not answer.is_mistake


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


def test_each_transition_once() -> None:
    """However much happens between two polls, each transition is reported once, in order."""
    watch = RunWatch(since=0)
    assert lines(watch, run(step())) == []
    failed = attempt(1, 1, 2, status="FAILED", error="exit code 1")
    assert lines(watch, run(step(attempt(1, 1, None)))) == ["00:00:01Z a RUNNING attempt 1"]
    assert lines(watch, run(step(attempt(1, 1, None)))) == []
    ended = step(failed, attempt(2, 61, 62), status="SUCCEEDED", finished_at=62)
    answer = run(ended, status="SUCCEEDED", finished_at=62.5, runner=None)
    assert lines(watch, answer) == [
        "00:00:02Z a attempt 1 FAILED exit code 1",
        "00:01:01Z a RUNNING attempt 2",
        "00:01:02Z a SUCCEEDED",
        "00:01:02Z k SUCCEEDED",
    ]
    assert watch.over
    assert watch.problem is None


def test_a_question() -> None:
    """An attempt that was asked by `only_if` is called so (rule 10.8)."""
    asked, ran = attempt(1, 1, 2, only_if=True), attempt(2, 3, None, only_if=False)
    assert lines(RunWatch(since=0), run(step(asked, ran))) == [
        "00:00:01Z a RUNNING attempt 1 (only_if)",
        "00:00:02Z a attempt 1 (only_if) SUCCEEDED",
        "00:00:03Z a RUNNING attempt 2",
    ]


def test_why() -> None:
    """The reason is part of the line of a skipped step, a failed step and a failed run."""
    skipped = step(status="SKIPPED", finished_at=1, reason="its condition was false: b FAILED")
    attempts = attempt(1, 0.5, 2, status="FAILED", error="exit code 3")
    failed = step(attempts, id="b", status="FAILED", finished_at=2, error="exit code 3")
    answer = run(skipped, failed, status="FAILED", finished_at=3, error="1 step failed: b")
    assert lines(RunWatch(since=1), answer) == [
        "00:00:01Z a SKIPPED its condition was false: b FAILED",
        "00:00:02Z b FAILED exit code 3",
        "00:00:03Z k FAILED 1 step failed: b",
    ]


def test_since() -> None:
    """What earlier tries have reported is not reported again."""
    answer = run(step(attempt(1, 1, 2, status="FAILED"), attempt(2, 10, None)))
    assert lines(RunWatch(since=9), answer) == ["00:00:10Z a RUNNING attempt 2"]


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
