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


NOWHERE: dict[str, object] = {"worker_pid": None, "target_pid": None}
READ: list[Any] = [
    # Only a plain `true` says that a start found the job.
    *(({"existing": said}, {"existing": said is True}) for said in (True, False, None, "true", 1)),
    # A job with an unknown status counts as running (rule 5.3).
    ({"status": "PAUSED"}, {"is_active": True, "is_terminal": False, "known_status": None}),
    *(
        ({"status": str(one)}, {"is_active": is_active, "is_terminal": not is_active})
        for one in JobStatus
        for is_active in [one in {JobStatus.STARTING, JobStatus.RUNNING}]
    ),
    ({"status": "LOST"}, {"known_status": JobStatus.LOST}),
    # Only an abort before there was a worker proves that the command never runs.
    ({"status": "ABORTED", **NOWHERE}, {"never_ran": True}),
    ({"status": "ABORTED", "target_pid": None}, {"never_ran": False}),
    ({"status": "STARTING", **NOWHERE}, {"never_ran": False}),
    ({"status": "LOST", **NOWHERE}, {"never_ran": False}),
    # Exit code -1 without a process means that the command could not be started.
    ({"status": "FAILED", "exit_code": -1, "target_pid": None}, {"not_spawned": True}),
    ({"status": "FAILED", "exit_code": -1}, {"not_spawned": False}),  # ended by SIGHUP
    ({"status": "FAILED", "exit_code": 1, "target_pid": None}, {"not_spawned": False}),
    ({"status": "LOST", "exit_code": -1, "target_pid": None}, {"not_spawned": False}),
    # A time is a number of seconds, or is unknown: orchesjob may have lost that of the end.
    *(
        ({name: found}, {name: read})
        for name in ("started_at", "finished_at")
        for found, read in ((1795602108, 1795602108.0), (None, None), (True, None), (10**400, None))
    ),
    ({"abort_reason": 1795602108}, {"abort_reason": None}),
]


@pytest.mark.parametrize(("changes", "expected"), READ)
def test_what_is_read(
    answer: Answer, changes: dict[str, object], expected: dict[str, object]
) -> None:
    report = JobReport.from_payload(answer(**changes))
    assert {name: getattr(report, name) for name in expected} == expected


def test_missing_keys(answer: Answer) -> None:
    """Only what identifies the job and its state is required."""
    for name in ANSWER_KEYS:
        document = answer()
        del document[name]
        if name in {"job_id", "run_key", "status"}:
            with pytest.raises(BadAnswer, match=f"{name}: expected a text, got nothing"):
                JobReport.from_payload(document)
        else:
            assert getattr(JobReport.from_payload(document), name) in {None, (), False}


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
