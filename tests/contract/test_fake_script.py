"""Which calls a script of faults affects, and what the fake orchesjob records."""

from pathlib import Path
from typing import Any

import pytest

from orchesjob_client import JobReport, OrchesjobClient
from support.orchesjob import FakeOrchesjob, Rule
from support.processes import await_exit


def start(fake: FakeOrchesjob, *command: str, key: str = "k", **options: Any) -> JobReport:
    return fake.client().start(key, command or ["sleep", "60"], **options)


@pytest.mark.parametrize(
    ("turn", "hit"),
    [
        ({}, "xxxxxx"),
        ({"every": 3}, "..x..x"),
        ({"from": 2, "until": 3}, ".xx..."),
    ],
)
def test_turns(fake_orchesjob: FakeOrchesjob, turn: Rule, hit: str) -> None:
    """A rule takes one, each N-th, or a range of the calls that match it."""
    fake_orchesjob.script([{"call": "status", "fault": "exit", "code": 9, **turn}])
    codes = [fake_orchesjob.run("status", "--run-key=k").returncode for _ in hit]
    assert "".join("x" if code == 9 else "." for code in codes) == hit


def test_keys(fake_orchesjob: FakeOrchesjob) -> None:
    """A rule may be for some keys only, also where the job is named by its id."""
    rule = {"fault": "exit", "code": 9, "key": "*:B:?"}
    fake_orchesjob.script([{"call": call, **rule} for call in ("status", "abort")])
    job_ids = {key: start(fake_orchesjob, key=key).job_id for key in ("r:A:1", "r:B:1")}
    for key, code in (("r:A:1", 0), ("r:B:1", 9), ("r:B:12", 3)):
        assert fake_orchesjob.run("status", f"--run-key={key}").returncode == code
    for key, code in (("r:A:1", 0), ("r:B:1", 9)):
        assert fake_orchesjob.run("abort", f"--job-id={job_ids[key]}").returncode == code
    assert fake_orchesjob.run("status", "--running").returncode == 0


def test_executable_in_the_checkout(fake_orchesjob: FakeOrchesjob) -> None:
    """The fake can be run straight from the checkout, without these fixtures."""
    path = Path(__file__).parents[1] / "support" / "fake_orchesjob" / "orchesjob"
    client = OrchesjobClient(str(path), environ=fake_orchesjob.environ)
    report = client.start("k", ["true"])
    await_exit(report.worker_pid)
    assert fake_orchesjob.status("k")["status"] == "SUCCEEDED"
