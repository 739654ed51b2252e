"""Each fault of the fake orchesjob does what its script says."""

import signal
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest

from orchesjob_client import (
    BadAnswer,
    CallFailed,
    JobNotRunning,
    JobReport,
)
from support.orchesjob import FakeOrchesjob
from support.processes import await_exit, is_gone

type Rule = dict[str, Any]


def start(fake: FakeOrchesjob, *command: str, key: str = "k", **options: Any) -> JobReport:
    return fake.client().start(key, command or ["sleep", "60"], **options)


CALLS: dict[str, Callable[[FakeOrchesjob], object]] = {
    "start": start,
    "status": lambda fake: fake.client().status("k"),
    "abort": lambda fake: fake.client().abort(job_key="k"),
}


@pytest.mark.parametrize("fault", ["locked", "die"])
@pytest.mark.parametrize("when", ["before", "recorded", "answer"])
def test_start_fails(fake_orchesjob: FakeOrchesjob, fault: str, when: str) -> None:
    """A failed `start` leaves nothing, a row that never moves, or a running job."""
    fake_orchesjob.script([{"call": "start", "fault": fault, "when": when}])
    with pytest.raises(CallFailed) as caught:
        start(fake_orchesjob)
    assert caught.value.exit_code == (1 if fault == "locked" else -signal.SIGKILL)
    if fault == "locked":
        assert caught.value.cause_text == "sqlite3.OperationalError: database is locked"
    report = fake_orchesjob.client().status("k")
    if when == "before":
        assert report is None
    else:
        assert report is not None
        assert report.status == ("STARTING" if when == "recorded" else "RUNNING")
        assert (report.worker_pid is None) is (when == "recorded")
    assert fake_orchesjob.begun() == (["k"] if when == "answer" else [])


def test_start_dies_after_the_spawn(fake_orchesjob: FakeOrchesjob) -> None:
    """A `start` that dies after its worker was forked leaves a job that runs."""
    fake_orchesjob.script([{"call": "start", "fault": "die", "when": "spawned"}])
    with pytest.raises(CallFailed):
        start(fake_orchesjob, "true")
    assert fake_orchesjob.await_end("k")["status"] == "SUCCEEDED"


def test_dead_start_can_be_fenced(fake_orchesjob: FakeOrchesjob) -> None:
    """An abort of a start that died before its worker proves that nothing ever runs."""
    fake_orchesjob.script([{"call": "start", "fault": "die", "when": "recorded", "nth": 1}])
    with pytest.raises(CallFailed):
        start(fake_orchesjob, "true")
    again = start(fake_orchesjob, "true", start_timeout_sec=0.05)
    assert (again.status, again.existing) == ("STARTING", True)
    answer = fake_orchesjob.ask("abort", "--run-key=k", "--grace-seconds=0")
    assert not any(answer[name] for name in answer if name.startswith("sent_"))
    assert JobReport.from_payload(answer).never_ran
    # Its worker, should it come late, finds nothing to do.
    fake_orchesjob.run("_worker", "--job-id", answer["job_id"])
    assert fake_orchesjob.begun() == []


@pytest.mark.parametrize("when", ["recorded"])
def test_hang(fake_orchesjob: FakeOrchesjob, when: str) -> None:
    """A call hangs where it is told to, for as long as it is told to."""
    fake_orchesjob.script([{"call": "start", "fault": "hang", "when": when, "nth": 1, "sec": 0.3}])
    began = time.monotonic()
    start(fake_orchesjob, "true")
    assert time.monotonic() - began >= 0.3
    assert fake_orchesjob.begun() == ["k"]


@pytest.mark.parametrize(
    ("rule", "cause"),
    [
        ({"text": "garbage"}, "expected JSON"),
        ({"repeat": 2}, "Extra data"),
        ({"cut": 0.5}, "expected JSON"),
        ({"set": {"run_key": "other"}}, "asked for key"),
    ],
)
@pytest.mark.parametrize("call", ["start", "abort"])
def test_bad_answers(fake_orchesjob: FakeOrchesjob, call: str, rule: Rule, cause: str) -> None:
    """An answer can be replaced, cut or changed, although the call has been carried out."""
    if call != "start":
        start(fake_orchesjob)
    fake_orchesjob.script([{"call": call, "fault": "answer", **rule}])
    with pytest.raises(BadAnswer, match=cause):
        CALLS[call](fake_orchesjob)
    fake_orchesjob.script([])
    assert fake_orchesjob.status("k")["status"] == ("ABORTED" if call == "abort" else "RUNNING")


@pytest.mark.parametrize(
    ("rule", "target_recorded", "target_lives", "ran"),
    [
        ({"when": "recorded"}, False, False, False),
        ({"when": "spawned"}, False, True, True),
        ({"when": "running"}, True, True, True),
        ({"when": "running", "kill_target": True}, True, False, True),
    ],
)
def test_worker_dies(
    fake_orchesjob: FakeOrchesjob,
    rule: Rule,
    target_recorded: bool,
    target_lives: bool,
    ran: bool,
) -> None:
    """A worker can die at any point: the job is LOST, its command may live, known or not."""
    fake_orchesjob.script([{"call": "worker", "fault": "die", **rule}])
    started = start(fake_orchesjob)
    await_exit(started.worker_pid)
    lost = fake_orchesjob.status("k")
    assert (lost["status"], lost["exit_code"]) == ("LOST", None)
    assert (lost["target_pid"] is not None) is target_recorded
    if lost["target_pid"] and not target_lives:
        await_exit(lost["target_pid"])
    marked = fake_orchesjob.processes()
    assert [process.command for process in marked] == (["sleep 60"] if target_lives else [])
    assert fake_orchesjob.begun() == (["k"] if ran else [])


def test_worker_dies_after_a_success(fake_orchesjob: FakeOrchesjob) -> None:
    """A worker can die before it records a success: a LOST job may have succeeded."""
    fake_orchesjob.script([{"call": "worker", "fault": "die", "when": "ended"}])
    start(fake_orchesjob, "true")
    assert fake_orchesjob.await_end("k")["status"] == "LOST"
    assert [entry.get("exit_code") for entry in fake_orchesjob.executions()] == [None, 0]


def test_abort_dies_before_its_signals(fake_orchesjob: FakeOrchesjob) -> None:
    """An abort that dies after changing the row leaves the status ABORTED and a running command."""
    report = start(fake_orchesjob)
    fake_orchesjob.script([{"call": "abort", "fault": "die", "when": "recorded"}])
    with pytest.raises(CallFailed):
        fake_orchesjob.client().abort(job_key="k")
    assert fake_orchesjob.status("k")["status"] == "ABORTED"
    assert not is_gone(report.target_pid)
    with pytest.raises(JobNotRunning):
        fake_orchesjob.client().abort(job_key="k")


def test_abort_without_signals(fake_orchesjob: FakeOrchesjob) -> None:
    """A command can survive an abort that reports success."""
    report = start(fake_orchesjob)
    fake_orchesjob.script([{"call": "abort", "fault": "no_signals"}])
    fake_orchesjob.client().abort(job_key="k")
    assert not is_gone(report.target_pid)
    assert not is_gone(report.worker_pid)


def test_abort_of_the_leader_only(fake_orchesjob: FakeOrchesjob) -> None:
    """A member of the group can survive its leader."""
    report = start(fake_orchesjob, "sh", "-c", "sleep 61 & wait")
    fake_orchesjob.script([{"call": "abort", "fault": "leader_only"}])
    fake_orchesjob.client().abort(job_key="k")
    await_exit(report.target_pid)
    marked = fake_orchesjob.processes()
    assert [process.command for process in marked] == ["sleep 61"]


def test_abort_of_an_unrecorded_command(fake_orchesjob: FakeOrchesjob) -> None:
    """An abort while the command is spawned but not recorded leaves it running, unknown."""
    fake_orchesjob.script([{"call": "worker", "fault": "hang", "when": "spawned"}])
    report = start(fake_orchesjob, start_timeout_sec=0.3)
    assert report.status == "STARTING"
    answer = fake_orchesjob.ask("abort", "--run-key=k")
    assert (answer["target_pid"], answer["sent_term_worker"]) == (None, True)
    marked = fake_orchesjob.processes()
    assert [process.command for process in marked] == ["sleep 60"]


def test_finished_just_now(fake_orchesjob: FakeOrchesjob) -> None:
    """A job can end by itself just before its abort, which is refused then (rule 5.5)."""
    report = start(fake_orchesjob)
    fake_orchesjob.script([{"call": "abort", "fault": "finish", "exit_code": 3}])
    with pytest.raises(JobNotRunning, match="status=FAILED"):
        fake_orchesjob.client().abort(job_key="k")
    end = fake_orchesjob.await_end("k")
    assert (end["status"], end["exit_code"]) == ("FAILED", 3)
    await_exit(report.target_pid)


def test_strange_pids(fake_orchesjob: FakeOrchesjob) -> None:
    """With PIDs of other processes a job stays RUNNING; with unused PIDs it is LOST."""
    report = start(fake_orchesjob)
    unrelated = subprocess.Popen(["sleep", "60"])  # noqa: S607
    fake_orchesjob.script(
        [
            {"call": "status", "nth": 1, "fault": "row", "set": {"worker_pid": unrelated.pid}},
            {"call": "status", "nth": 2, "fault": "row", "set": {"worker_pid": 2**22 + 1}},
        ]
    )
    status = fake_orchesjob.status("k")
    assert (status["status"], status["worker_pid"]) == ("RUNNING", unrelated.pid)
    assert fake_orchesjob.status("k")["status"] == "LOST"
    assert not is_gone(report.worker_pid)
    unrelated.kill()
    unrelated.wait()
