"""`doctor`: is everything here that runs need, and did happen what was recorded (rule 9.11)?"""

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import FakeOrchesjob, Flow, Gate

STEPS = [{"id": "a", "command": ["true"]}, {"id": "b", "command": ["false"]}]


def examine(flow: "Flow", *words: str, code: int = 0) -> dict[str, list[tuple[str, str]]]:
    """Return verdicts and messages by check."""
    answer = flow.ask("doctor", *words, code=code)
    assert answer["sound"] is (code == 0)
    found: dict[str, list[tuple[str, str]]] = {}
    for check in answer["checks"]:
        found.setdefault(check["check"], []).append((check["verdict"], check["message"]))
    return found


def problems(found: dict[str, list[tuple[str, str]]]) -> list[str]:
    return [message for each in found.values() for verdict, message in each if verdict == "problem"]


def change(flow: "Flow", statement: str) -> None:
    with closing(sqlite3.connect(flow.database, autocommit=True)) as database:
        database.execute(statement)


def test_all_is_well(each_flow: "Flow") -> None:
    """Versions, disk, home, database, runners, and both ledgers agree; the exit code is 0."""
    each_flow.start("k", each_flow.write(*STEPS), code=1)
    found = examine(each_flow)
    assert list(found) == [
        *("program", "disk", "home", "orchesjob", "database", "runners", "ledgers"),
    ]
    assert found["ledgers"] == [("ok", "2 of 2 attempts are as orchesjob says")]
    assert each_flow.orchesjob.path in found["orchesjob"][0][1]


def test_before_the_first_run(flow: "Flow") -> None:
    """Where nothing is recorded that is no problem, and nothing is made."""
    found = examine(flow)
    assert found["database"][0][0] == "note"
    assert not flow.home.exists()


def test_it_only_reads(flow: "Flow") -> None:
    """Nothing of ours is written, whatever is found."""
    flow.start("k", flow.write(*STEPS), code=1)
    before = flow.database.read_bytes()
    examine(flow)
    assert flow.database.read_bytes() == before


@pytest.mark.parametrize("run_key", [[], ["--run-key=k"]])
@pytest.mark.parametrize(
    ("recorded", "expected"),
    [
        ("status = 'SUCCEEDED'", "k:b:1 is SUCCEEDED here, and FAILED with exit code 1"),
        ("job_id = 'other'", "k:b:1 is FAILED here; orchesjob has another job of that key"),
    ],
)
def test_a_ledger_that_lies(flow: "Flow", recorded: str, expected: str, run_key: list[str]) -> None:
    """An outcome that orchesjob does not confirm is a problem; the exit code is 1."""
    flow.start("k", flow.write(*STEPS), code=1)
    change(flow, f"UPDATE attempts SET {recorded} WHERE position = 1")  # noqa: S608 - ours
    found = examine(flow, *run_key, code=1)
    assert problems(found)[0].startswith(expected)
    assert found["ledgers"][-1] == ("problem", "1 of 2 attempts are as orchesjob says")


def test_a_success_that_was_missed(flow: "Flow") -> None:
    """A failure here that was a success there is one too."""
    flow.start("k", flow.write(*STEPS), code=1)
    change(flow, "UPDATE attempts SET status = 'FAILED' WHERE position = 0")
    assert problems(examine(flow, code=1))[0].startswith("k:a:1 is FAILED here, and SUCCEEDED")


def test_after_other_exit_codes(flow: "Flow") -> None:
    """What an exit code meant before a retry is not judged by what it means since (rule 9.7)."""
    step = {"id": "a", "command": ["sh", "-c", "exit 3"], "retries": 1}
    flow.start("k", flow.write(step), code=1)
    mended = flow.write({**step, "success_exit_codes": [0, 3]}, name="mended.json")
    flow.ask("retry", "--run-key=k", "--file", mended)
    assert examine(flow)["ledgers"] == [("ok", "3 of 3 attempts are as orchesjob says")]
    change(flow, "UPDATE attempts SET status = 'FAILED' WHERE number = 3")
    assert problems(examine(flow, code=1))[0].startswith(
        "k:a:3 is FAILED here, and FAILED with exit code 3"
    )


def test_an_earlier_attempt_that_was_another(flow: "Flow") -> None:
    """An attempt that was retried must have ended with the exit code that was recorded of it."""
    flow.start("k", flow.write({"id": "a", "command": ["false"], "retries": 1}), code=1)
    flow.orchesjob.plant("k:a:1", status="SUCCEEDED", exit_code=0)
    assert problems(examine(flow, code=1))[0].startswith("k:a:1 is FAILED here, and SUCCEEDED")


def test_cleaned_jobs(flow: "Flow", fake_orchesjob: "FakeOrchesjob") -> None:
    """What orchesjob has been told to forget proves nothing: that is noted, not held against it."""
    flow.start("k", flow.write(*STEPS), code=1)
    fake_orchesjob.script([{"call": "status", "key": "k:*", "fault": "forget"}])
    found = examine(flow)
    assert [verdict for verdict, _ in found["ledgers"]] == ["note", "note", "ok"]
    said = "0 of 2 attempts are as orchesjob says; 2 it no longer knows"
    assert found["ledgers"][-1] == ("ok", said)


def test_one_run_only(flow: "Flow", fake_orchesjob: "FakeOrchesjob") -> None:
    """With a run key, only that run's attempts are asked for."""
    file = flow.write(*STEPS)
    flow.start("k", file, code=1)
    flow.start("other", file, code=1)
    before = len(fake_orchesjob.calls())
    examine(flow, "--run-key=other")
    asked = {call["key"] for call in fake_orchesjob.calls()[before:]}
    assert asked - {"", None} == {"other:a:1", "other:b:1"}
    assert "no run 'x'" in flow.refusal("doctor", "--run-key=x")["error"]


def test_a_run_that_nobody_advances(flow: "Flow", gate: "Gate") -> None:
    """A run without a runner is a problem, with what to do about it."""
    runner = flow.spawn("start", "--run-key=k", flow.write({"id": "a", "command": gate.command()}))
    gate.await_arrival()
    flow.await_job("k")
    assert problems(examine(flow)) == []
    runner.kill()
    runner.wait()
    (problem,) = problems(examine(flow, code=1))
    assert "resume" in problem
    gate.let_through()


def test_no_orchesjob(flow: "Flow") -> None:
    """A missing orchesjob is a problem, and keeps nothing else from being looked at."""
    flow.start("k", flow.write(*STEPS), code=1)
    flow.environ["ORCHESJOB_BIN"] = "/nonexistent/orchesjob"
    found = examine(flow, code=1)
    assert "/nonexistent/orchesjob" in found["orchesjob"][0][1]
    assert found["database"][0][0] == "ok"
    assert "ledgers" not in found


def test_a_damaged_database(flow: "Flow") -> None:
    """A database that is none is a problem with its name."""
    flow.start("k", flow.write(*STEPS), code=1)
    flow.database.write_bytes(b"x" * 8192)
    (problem,) = problems(examine(flow, code=1))
    assert str(flow.database) in problem


def test_a_home_that_others_can_write(flow: "Flow") -> None:
    """A home that others can write is a problem, with how to mend it."""
    flow.start("k", flow.write(*STEPS), code=1)
    flow.home.joinpath("logs").chmod(0o777)
    (problem,) = problems(examine(flow, code=1))
    assert "chmod 700" in problem
    flow.home.joinpath("logs").chmod(0o700)


def test_for_eyes(flow: "Flow") -> None:
    """A line for each check, led by its mark."""
    flow.start("k", flow.write(*STEPS), code=1)
    lines = flow.run("doctor", "--format=table").stdout.splitlines()
    assert all(line.startswith("OK  ") for line in lines)
    assert lines[-1] == "OK  ledgers: 2 of 2 attempts are as orchesjob says"
