"""How a job has ended, in a number and in words."""

import pytest

from orchesjob_client import JobReport, describe_failure, describe_loss, exit_code_of


def report(status: str, **facts: object) -> JobReport:
    """Make a report of a job that has a worker and a command."""
    job = {"job_id": "j", "run_key": "k", "command": ["echo"], "status": status}
    return JobReport.from_payload({**job, "worker_pid": 7, "target_pid": 8, **facts})


@pytest.mark.parametrize(
    ("status", "code", "counts"),
    [
        ("SUCCEEDED", 0, 0),
        ("SUCCEEDED", None, 0),
        ("FAILED", 3, 3),
        ("FAILED", 0, None),
        ("FAILED", -9, None),
        ("FAILED", None, None),
        ("ABORTED", 3, None),
        ("LOST", 3, None),
        ("RUNNING", 3, None),
        ("PAUSED", 3, None),
    ],
)
def test_exit_codes(status: str, code: int | None, counts: int | None) -> None:
    """A code counts where orchesjob says that the command ended by itself (rule 9.12)."""
    assert exit_code_of(report(status, exit_code=code)) == counts


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ({"exit_code": 1}, "exit code 1"),
        ({"exit_code": 255}, "exit code 255"),
        ({"exit_code": -9}, "killed by signal 9 (SIGKILL)"),
        ({"exit_code": -1}, "killed by signal 1 (SIGHUP)"),
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
        (
            {"exit_code": -1, "target_pid": None, "command": []},
            "the command could not be started: not found, not executable, or no process left",
        ),
    ],
)
def test_failures(facts: dict[str, object], sentence: str) -> None:
    """A failure is described by exit code or signal, a missing command by neither."""
    assert describe_failure(report("FAILED", **facts)) == sentence


def test_losses() -> None:
    """A job that was lost before its command was seen has a likely cause that is named."""
    assert "vanished" in describe_loss(report("LOST"))
    assert "working directory" in describe_loss(report("LOST", target_pid=None))
