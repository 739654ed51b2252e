"""What a report means for an attempt: the whole table (rules 5.3 and 5.9)."""

import pytest

from flow_spec import StepSpec
from orchesjob_client import JobReport
from orchesjob_flow.engine.attempts import Verdict, describe_abort, failure_of, judge

COMMAND = ("echo", "hello")


def report(status: str, **facts: object) -> JobReport:
    """Make a report of a job that has a worker and a command."""
    job = {"job_id": "j", "run_key": "k:a:1", "command": list(COMMAND), "status": status}
    return JobReport.from_payload({**job, "worker_pid": 7, "target_pid": 8, **facts})


@pytest.mark.parametrize(
    ("status", "facts", "verdict"),
    [
        ("STARTING", {}, Verdict.ACTIVE),
        ("STARTING", {"target_pid": None}, Verdict.ACTIVE),
        ("STARTING", {"worker_pid": None, "target_pid": None}, Verdict.NO_WORKER),
        ("RUNNING", {}, Verdict.ACTIVE),
        ("RUNNING", {"worker_pid": None}, Verdict.ACTIVE),
        ("SUCCEEDED", {}, Verdict.SUCCEEDED),
        ("SUCCEEDED", {"exit_code": 3}, Verdict.SUCCEEDED),
        ("FAILED", {}, Verdict.FAILED),
        ("FAILED", {"exit_code": 0}, Verdict.FAILED),
        ("LOST", {}, Verdict.LOST),
        ("LOST", {"worker_pid": None, "target_pid": None}, Verdict.LOST),
        ("CANCELLED", {}, Verdict.ABORTED),
        ("ABORTED", {}, Verdict.ABORTED),
        ("ABORTED", {"worker_pid": None}, Verdict.NEVER_RAN),
        ("PAUSED", {}, Verdict.ACTIVE),
        ("succeeded", {}, Verdict.ACTIVE),
        ("SUCCEEDED", {"command": ["echo"]}, Verdict.FOREIGN),
        ("RUNNING", {"command": ["echo", "hello", ""]}, Verdict.FOREIGN),
        ("ABORTED", {"command": ["x"], "worker_pid": None}, Verdict.FOREIGN),
        ("SUCCEEDED", {"command": []}, Verdict.SUCCEEDED),
    ],
)
def test_verdicts(status: str, facts: dict[str, object], verdict: Verdict) -> None:
    """Each report has one verdict; an unknown status counts as running (rule 5.3)."""
    assert judge(report(status, **facts), StepSpec("a", COMMAND)) is verdict


@pytest.mark.parametrize(
    ("status", "code", "verdict"),
    [
        ("SUCCEEDED", 0, Verdict.FAILED),
        ("SUCCEEDED", None, Verdict.FAILED),
        ("FAILED", 3, Verdict.SUCCEEDED),
        ("FAILED", 255, Verdict.SUCCEEDED),
        ("FAILED", 4, Verdict.SKIPPED),
        ("FAILED", 1, Verdict.FAILED),
        ("FAILED", 0, Verdict.FAILED),
        ("FAILED", None, Verdict.FAILED),
        ("FAILED", -1, Verdict.FAILED),
        ("FAILED", -9, Verdict.SUCCEEDED),
        ("FAILED", -15, Verdict.SKIPPED),
        ("ABORTED", 3, Verdict.ABORTED),
        ("CANCELLED", 4, Verdict.ABORTED),
        ("LOST", 3, Verdict.LOST),
        ("RUNNING", 3, Verdict.ACTIVE),
        ("PAUSED", 3, Verdict.ACTIVE),
    ],
)
def test_exit_codes(status: str, code: int | None, verdict: Verdict) -> None:
    """A code counts only where orchesjob says that the command ended by itself (rule 9.12)."""
    spec = StepSpec("a", COMMAND, success_exit_codes=(3, 255, 137), skip_exit_codes=(4, 143))
    assert judge(report(status, exit_code=code), spec) is verdict
    killed = code is not None and code < 0
    ended = judge(report(status, exit_code=code), spec, ended=True)
    assert ended is (Verdict.FAILED if killed else verdict)


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ({}, "aborted from outside this run"),
        ({"abort_reason": None}, "aborted from outside this run"),
        ({"abort_reason": "by hand"}, "aborted from outside this run: by hand"),
        ({"abort_reason": "x" * 999}, "aborted from outside this run: " + "x" * 200),
        ({"abort_reason": 7}, "aborted from outside this run"),
    ],
)
def test_aborts(facts: dict[str, object], sentence: str) -> None:
    """A job that was aborted from outside is told with the reason that orchesjob keeps."""
    assert describe_abort(report("ABORTED", **facts)) == sentence


@pytest.mark.parametrize(
    ("word", "advice"),
    [
        *(
            (word, "only a shell knows that, and script: is run by one")
            for word in ("cd", "source", "export", "ls|wc", "$HOME/x", "~/x", "&&", "*.sh", "[[")
        ),
        (
            "echo hi",
            "write each word as an item of the list, or script: for text that a shell runs",
        ),
        ("no-such-tool", None),
        ("./run.sh", None),
    ],
)
def test_what_no_program_is(word: str, advice: str | None) -> None:
    """A command that could not be started names its program; a word of a shell, the remedy too."""
    command = {"command": [word], "exit_code": -1, "target_pid": None}
    said = failure_of(report("FAILED", **command))
    _, _, rest = said.partition("no process left: ")
    assert rest == (word if advice is None else f"{word}; {advice}")
    assert failure_of(report("FAILED", exit_code=3, command=[word])) == "exit code 3"
