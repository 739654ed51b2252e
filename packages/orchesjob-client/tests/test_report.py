"""A job object is read strictly where it matters; how a job ended is described in words."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orchesjob_client import (
    BadAnswer,
    JobReport,
    JobStatus,
    describe_failure,
    exit_code_of,
)

type Answer = Callable[..., dict[str, Any]]

ACTIVE = {"STARTING", "RUNNING", "PAUSED"}
ANSWER_KEYS = (
    *("job_id", "run_key", "status", "command", "exit_code", "worker_pid", "target_pid"),
    *("existing", "stdout_file", "stderr_file", "started_at", "finished_at", "abort_reason"),
)


def test_fields(answer: Answer) -> None:
    document = answer(exit_code=3, abort_reason="why")
    report = JobReport.from_payload(document)
    named = "job_id status worker_pid target_pid exit_code abort_reason stdout_file stderr_file"
    for name in named.split():
        assert getattr(report, name) == document[name]
    assert (report.job_key, report.command) == (document["run_key"], ("sleep", "2"))


@pytest.mark.parametrize("said", [True, False, None, "true", 1])
def test_existing_must_be_said(answer: Answer, said: object) -> None:
    """Only a plain `true` says that a start found the job."""
    assert JobReport.from_payload(answer(existing=said)).existing is (said is True)


@pytest.mark.parametrize("status", [*JobStatus, "PAUSED"])
def test_active_or_terminal(answer: Answer, status: str) -> None:
    """A job with an unknown status counts as running (rule 5.3)."""
    report = JobReport.from_payload(answer(status=str(status)))
    assert report.is_active is (status in ACTIVE)
    assert report.is_terminal is (status not in ACTIVE)
    assert report.known_status == (None if status == "PAUSED" else JobStatus(status))
    assert report.status == status


@pytest.mark.parametrize(
    ("changes", "never_ran"),
    [
        ({"status": "ABORTED", "worker_pid": None, "target_pid": None}, True),
        ({"status": "ABORTED", "target_pid": None}, False),
        ({"status": "STARTING", "worker_pid": None, "target_pid": None}, False),
        ({"status": "LOST", "worker_pid": None, "target_pid": None}, False),
    ],
)
def test_never_ran(answer: Answer, changes: dict[str, Any], never_ran: bool) -> None:
    """Only an abort before there was a worker proves that the command never runs."""
    assert JobReport.from_payload(answer(**changes)).never_ran is never_ran


@pytest.mark.parametrize(
    ("changes", "not_spawned"),
    [
        ({"status": "FAILED", "exit_code": -1, "target_pid": None}, True),
        ({"status": "FAILED", "exit_code": -1}, False),  # ended by SIGHUP
        ({"status": "FAILED", "exit_code": 1, "target_pid": None}, False),
        ({"status": "LOST", "exit_code": -1, "target_pid": None}, False),
    ],
)
def test_not_spawned(answer: Answer, changes: dict[str, Any], not_spawned: bool) -> None:
    """Exit code -1 without a process means that the command could not be started."""
    assert JobReport.from_payload(answer(**changes)).not_spawned is not_spawned


@pytest.mark.parametrize(
    "name",
    [
        *("command", "worker_pid", "target_pid", "exit_code", "stdout_file", "existing"),
        *("started_at", "finished_at", "abort_reason"),
    ],
)
def test_optional_keys(answer: Answer, name: str) -> None:
    """Only what identifies the job and its state is required."""
    document = answer()
    del document[name]
    assert getattr(JobReport.from_payload(document), name) in {None, (), False}


@pytest.mark.parametrize("name", ["job_id", "run_key", "status"])
def test_required_keys(answer: Answer, name: str) -> None:
    document = answer()
    del document[name]
    with pytest.raises(BadAnswer, match=f"{name}: expected a text, got nothing"):
        JobReport.from_payload(document, call="orchesjob start")


@pytest.mark.parametrize(
    ("found", "read"),
    [
        (1795602108, 1795602108.0),
        (None, None),
        (True, None),
        (10**400, None),
    ],
)
def test_times(answer: Answer, found: object, read: float | None) -> None:
    """A time is a number of seconds, or is unknown: orchesjob may have lost that of the end."""
    times = {"started_at": found, "finished_at": found}
    report = JobReport.from_payload(answer(**times, abort_reason=found))
    assert (report.started_at, report.finished_at) == (read, read)
    assert report.abort_reason is None  # which is a text, or unknown


@pytest.mark.parametrize(
    "changes",
    [
        {"job_id": ""},
        {"status": ""},
        {"worker_pid": "8193"},
        {"worker_pid": True},
        {"worker_pid": 0},
        {"target_pid": 2**31},
        {"exit_code": 10**30},
        {"command": "sleep 2"},
        {"command": ["sleep", 2]},
        {"later": float("nan")},
        {"later": "x" * 6_000_001},
    ],
)
def test_wrong_types(answer: Answer, changes: dict[str, Any]) -> None:
    """A value of another type, or a PID that is none, makes the answer unusable (rule 5.7)."""
    with pytest.raises(BadAnswer) as caught:
        JobReport.from_payload(answer(**changes))
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    "text",
    ["", " \n", "{", "[]", "7", '{"later": NaN}', "[" * 100_000, "1" * 9999],
)
def test_no_job_object(text: str) -> None:
    """Text that is no single JSON object is a bad answer, however deep or long it is."""
    with pytest.raises(BadAnswer):
        JobReport.from_payload(text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
job_keys = st.sampled_from([*ANSWER_KEYS, "later"])


@settings(deadline=None)  # the machine may be busy
@given(changes=st.dictionaries(job_keys, json_values, max_size=4), as_text=st.booleans())
@example(changes={"later": float("inf")}, as_text=True)
def test_any_object(changes: dict[str, Any], as_text: bool) -> None:
    """Any job object is a report that can be stored, or a bad answer."""
    document = {"job_id": "j", "run_key": "k", "status": "RUNNING", **changes}
    try:
        report = JobReport.from_payload(json.dumps(document) if as_text else document)
    except BadAnswer:
        return
    assert JobReport.from_payload(report.payload) == report
    assert report.is_active is not report.is_terminal


def ended(status: str, **facts: object) -> JobReport:
    job = {"job_id": "j", "run_key": "k", "command": ["echo"], "status": status}
    return JobReport.from_payload({**job, "worker_pid": 7, "target_pid": 8, **facts})


@pytest.mark.parametrize(
    ("status", "code", "counts"),
    [
        ("SUCCEEDED", None, 0),
        ("FAILED", 3, 3),
        ("FAILED", 0, None),
        ("FAILED", -9, 137),
        ("FAILED", -1, 129),
        ("FAILED", None, None),
        ("ABORTED", 3, None),
        ("RUNNING", 3, None),
    ],
)
def test_exit_code_of_an_end(status: str, code: int | None, counts: int | None) -> None:
    """A code counts where orchesjob saw the command end; signal N is 128 + N (rule 9.12)."""
    report = ended(status, exit_code=code)
    assert exit_code_of(report) == counts
    assert exit_code_of(report, was_ended=True) == (None if code in {-9, -1} else counts)


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ({"exit_code": 1}, "exit code 1"),
        ({"exit_code": -9}, "killed by signal 9 (SIGKILL)"),
        ({"exit_code": -99}, "killed by signal 99 (unnamed)"),
        ({"exit_code": None}, "failed without an exit code"),
        (
            {"exit_code": -1, "target_pid": None},
            "the command could not be started: not found, not executable, or no process left: echo",
        ),
        (
            {"exit_code": -1, "target_pid": None, "command": ["\x1b[2J" + "x" * 100]},
            "the command could not be started: not found, not executable, or no process left: "
            + ascii("\x1b[2J" + "x" * 53 + "..."),
        ),
    ],
)
def test_failures_in_words(facts: dict[str, object], sentence: str) -> None:
    """A failure is described by exit code or signal, a missing command by neither."""
    report = ended("FAILED", **facts)
    assert describe_failure(report) == sentence
    assert not report.not_spawned or exit_code_of(report) is None
