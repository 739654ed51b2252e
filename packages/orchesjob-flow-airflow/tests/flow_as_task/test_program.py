"""A call of the program, and what its answer says."""

import os
from pathlib import Path

import pytest

from orchesjob_flow_airflow.flow_as_task.program import (
    NOT_STARTED,
    TIMED_OUT,
    Answer,
    Program,
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
