"""Each fault of the fake orchesjob does what its script says."""

import signal
import time
from typing import Any

import pytest

from orchesjob_client import CallFailed, JobNotRunning, JobReport
from support.orchesjob import FakeOrchesjob, Rule
from support.processes import await_exit


def start(fake: FakeOrchesjob, *command: str, key: str = "k", **options: Any) -> JobReport:
    return fake.client().start(key, command or ["sleep", "60"], **options)


@pytest.mark.parametrize("fault", ["locked", "die"])
@pytest.mark.parametrize("when", ["before", "recorded", "spawned", "answer"])
def test_start_fails(fake_orchesjob: FakeOrchesjob, fault: str, when: str) -> None:
    """A failed `start` leaves nothing, a row that never moves, or a job that runs."""
    fake_orchesjob.script([{"call": "start", "fault": fault, "when": when}])
    with pytest.raises(CallFailed) as caught:
        start(fake_orchesjob, "true")
    assert caught.value.exit_code == (1 if fault == "locked" else -signal.SIGKILL)
    if fault == "locked":
        assert caught.value.cause_text == "sqlite3.OperationalError: database is locked"
    if when == "before":
        assert fake_orchesjob.client().status("k") is None
    elif when == "recorded":
        job = fake_orchesjob.status("k")
        assert (job["status"], job["worker_pid"], fake_orchesjob.begun()) == ("STARTING", None, [])
    else:
        assert fake_orchesjob.await_end("k")["status"] == "SUCCEEDED"
        assert fake_orchesjob.begun() == ["k"]


def test_aborts(fake_orchesjob: FakeOrchesjob) -> None:
    """An abort can die before its signals, send none, or only to the command's first process."""
    group = ("sh", "-c", "sleep 61 & wait")
    for fault, alive in (("die", 3), ("no_signals", 3), ("leader_only", 1)):
        report = start(fake_orchesjob, *group, key=fault)
        rule = {"call": "abort", "fault": fault, "when": "recorded"}
        fake_orchesjob.script([rule])
        words = ("abort", f"--run-key={fault}")
        assert (fake_orchesjob.run(*words).returncode == 0) is (fault != "die")
        assert fake_orchesjob.status(fault)["status"] == "ABORTED"
        if fault == "leader_only":
            await_exit(report.worker_pid)
            await_exit(report.target_pid)
        assert len(fake_orchesjob.processes()) == alive
        fake_orchesjob.end_all()


def test_what_happens_just_now(fake_orchesjob: FakeOrchesjob) -> None:
    """A call hangs as long as it is told to; a job ends by itself just before its abort (5.5)."""
    rules: list[Rule] = [
        {"call": "start", "fault": "hang", "when": "recorded", "nth": 1, "sec": 0.3},
        {"call": "abort", "fault": "finish"},
        {"call": "status", "key": "f", "fault": "forget"},
    ]
    fake_orchesjob.script(rules)
    began = time.monotonic()
    report = start(fake_orchesjob)
    assert time.monotonic() - began >= 0.3
    with pytest.raises(JobNotRunning, match="status=SUCCEEDED"):
        fake_orchesjob.client().abort(job_key="k")
    await_exit(report.target_pid)
    start(fake_orchesjob, key="f")
    assert fake_orchesjob.client().status("f") is None


def test_which_calls_are_hit(fake_orchesjob: FakeOrchesjob) -> None:
    """A rule takes all calls that match it or one; also where the job is named by its id."""
    rule = {"fault": "exit", "code": 9, "key": "*:B:?"}
    one = {**rule, "call": "clean", "nth": 2}
    fake_orchesjob.script([*({"call": call, **rule} for call in ("status", "abort")), one])
    ids = {key: start(fake_orchesjob, key=key).job_id for key in ("r:A:1", "r:B:1")}
    for key, code in (("r:A:1", 0), ("r:B:1", 9), ("r:B:12", 3)):
        assert fake_orchesjob.run("status", f"--run-key={key}").returncode == code
    for key, code in (("r:A:1", 0), ("r:B:1", 9)):
        assert fake_orchesjob.run("abort", f"--job-id={ids[key]}").returncode == code
    codes = [fake_orchesjob.run("clean", f"--job-id={ids['r:B:1']}").returncode for _ in range(3)]
    assert codes == [0, 9, 0]
    assert fake_orchesjob.run("status", "--running").returncode == 0
