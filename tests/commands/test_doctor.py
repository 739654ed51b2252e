"""`doctor`: whether everything that runs need is there, and whether the records are true (9.11)."""

import re
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from random import Random

import pytest

from support.answers import run_keys
from support.flow import Flow
from support.kept import Kept
from support.orchesjob import FakeOrchesjob

SLOW_SEC = 1.0
STEPS = [{"id": "a", "command": ["true"]}, {"id": "b", "command": ["false"]}]


@pytest.fixture(scope="module")
def kept(shared_flow: Flow) -> Kept:
    """The run of `ended`, which has really run."""
    shared_flow.start("k", shared_flow.write(*STEPS), code=1)
    return Kept(shared_flow)


@pytest.fixture
def ended(kept: Kept) -> Flow:
    """A run `k` of two steps, of which the second has failed."""
    return kept.put_back()


def examine(flow: Flow, *words: str, code: int = 0) -> dict[str, list[tuple[str, str]]]:
    answer = flow.ask("doctor", *words, code=code)
    assert answer["sound"] is (code == 0)
    found: dict[str, list[tuple[str, str]]] = {}
    for check in answer["checks"]:
        found.setdefault(check["check"], []).append((check["verdict"], check["message"]))
    return found


def problems(found: dict[str, list[tuple[str, str]]]) -> list[str]:
    return [message for each in found.values() for verdict, message in each if verdict == "problem"]


@pytest.mark.integration
def test_all_is_well(real_flow: Flow) -> None:
    """All checks pass, and both records agree; the exit code is 0."""
    real_flow.start("k", real_flow.write(*STEPS), code=1)
    found = examine(real_flow)
    assert list(found) == [
        *("program", "disk", "home", "processes", "orchesjob", "history", "database"),
        *("runners", "records"),
    ]
    assert found["records"] == [("ok", "2 of 2 attempts match orchesjob's records")]
    assert real_flow.orchesjob.path in found["orchesjob"][0][1]


def test_a_long_history(flow: Flow, fake_orchesjob: FakeOrchesjob) -> None:
    """Where orchesjob's jobs make each call slow, that is a note: what it costs, and what helps."""
    flow.home.mkdir(mode=0o700)
    assert fake_orchesjob.run("status", "--running").returncode == 0  # creates its database
    slow = {"call": "status", "key": "", "fault": "hang", "sec": SLOW_SEC}
    fake_orchesjob.script([slow])
    ((grade, message),) = examine(flow)["history"]
    assert grade == "note"
    (taken,) = map(int, re.findall(r"^a call takes (\d+) ms", message))
    assert taken >= SLOW_SEC * 1e3
    assert message.endswith("`start --jobs own` gives a run a home of its own")


@pytest.mark.parametrize(
    ("recorded", "position", "expected"),
    [
        ("status = 'SUCCEEDED'", 1, "k:b:1 is SUCCEEDED here, and FAILED with exit code 1"),
        ("job_id = 'other'", 1, "k:b:1 is FAILED here; orchesjob has another job under that key"),
        ("status = 'FAILED'", 0, "k:a:1 is FAILED here, and SUCCEEDED"),
    ],
)
def test_a_record_that_is_wrong(ended: Flow, recorded: str, position: int, expected: str) -> None:
    """An outcome that orchesjob does not confirm is a problem; the exit code is 1."""
    ended.change(f"UPDATE attempts SET {recorded} WHERE position = ?", position)  # noqa: S608 - ours
    for run_key in ([], ["--run-key=k"]):
        found = examine(ended, *run_key, code=1)
        assert problems(found)[0].startswith(expected)
        assert found["records"][-1] == ("problem", "1 of 2 attempts match orchesjob's records")


def test_after_other_exit_codes(flow: Flow) -> None:
    """An attempt is judged by what its exit code meant then, not since the retry (rule 9.7)."""
    step = {"id": "a", "command": ["sh", "-c", "exit 3"], "retries": 1}
    flow.start("k", flow.write(step), code=1)
    fixed = flow.write({**step, "success_exit_codes": [0, 3]}, name="fixed.json")
    flow.ask("retry", "--run-key=k", "--file", fixed)
    assert examine(flow)["records"] == [("ok", "3 of 3 attempts match orchesjob's records")]
    flow.change("UPDATE attempts SET status = 'FAILED' WHERE number = 3")
    assert problems(examine(flow, code=1))[0].startswith(
        "k:a:3 is FAILED here, and FAILED with exit code 3"
    )


def test_an_earlier_attempt_that_was_another(flow: Flow) -> None:
    """An attempt that was retried must have ended with the recorded exit code."""
    flow.start("k", flow.write({"id": "a", "command": ["false"], "retries": 1}), code=1)
    flow.orchesjob.plant("k:a:1", status="SUCCEEDED", exit_code=0)
    assert problems(examine(flow, code=1))[0].startswith("k:a:1 is FAILED here, and SUCCEEDED")


def test_cleaned_jobs(flow: Flow, fake_orchesjob: FakeOrchesjob) -> None:
    """A job that orchesjob no longer knows proves nothing: that is a note, not a problem."""
    flow.start("k", flow.write(*STEPS), code=1)
    fake_orchesjob.script([{"call": "status", "key": "k:*", "fault": "forget"}])
    found = examine(flow)
    assert [verdict for verdict, _ in found["records"]] == ["note", "note", "ok"]
    said = "0 of 2 attempts match orchesjob's records; 2 it no longer knows"
    assert found["records"][-1] == ("ok", said)


def test_one_run_only(flow: Flow, fake_orchesjob: FakeOrchesjob) -> None:
    """With a run key, only the attempts of that run are checked."""
    file = flow.write(*STEPS)
    flow.start("k", file, code=1)
    flow.start("other", file, code=1)
    before = len(fake_orchesjob.calls())
    examine(flow, "--run-key=other")
    asked = {call["key"] for call in fake_orchesjob.calls()[before:]}
    assert asked - {"", None} == {"other:a:1", "other:b:1"}
    assert "no run 'x'" in flow.refusal("doctor", "--run-key=x")["error"]


def test_no_orchesjob(ended: Flow) -> None:
    """A missing orchesjob is a problem, and does not stop the other checks."""
    ended.environ["ORCHESJOB_BIN"] = "/nonexistent/orchesjob"
    found = examine(ended, code=1)
    assert "/nonexistent/orchesjob" in found["orchesjob"][0][1]
    assert found["database"][0][0] == "ok"
    assert "records" not in found


def test_a_damaged_database(ended: Flow) -> None:
    """A file that is not a database is a problem, and is named."""
    ended.database.write_bytes(b"x" * 8192)
    (problem,) = problems(examine(ended, code=1))
    assert str(ended.database) in problem


def records_in(database: Path) -> list[str] | None:
    """Return all records of a database as SQL; None if SQLite cannot read them."""
    with closing(sqlite3.connect(database)) as opened, suppress(sqlite3.Error, UnicodeError):
        return list(opened.iterdump())
    return None


def test_random_bytes_in_the_database(ended: Flow) -> None:
    """Bytes that change a record are noticed: what is not noticed lay in unused space."""
    with closing(sqlite3.connect(ended.database)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    whole, records = ended.database.read_bytes(), records_in(ended.database)
    random = Random(41)  # noqa: S311 - it repeats
    for _ in range(5):
        at = random.randrange(4096, len(whole) - 3000)
        for beside in ended.home.glob("*.sqlite3-*"):
            beside.unlink()
        ended.database.write_bytes(whole[:at] + random.randbytes(3000) + whole[at + 3000 :])
        noticed = ended.run("doctor").returncode == 1
        assert noticed or records_in(ended.database) == records, at


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        ("attempts SET job = '{\"status' WHERE position = 0", "attempt 1 of step 'a' of run 'k'"),
        ("attempts SET job = CAST(x'ff' AS TEXT) WHERE position = 0", "run 'k': "),
        (
            "definitions SET definition = '{\"steps\": 1}'",
            "run 'k': the stored definition cannot be read",
        ),
    ],
    ids=["job", "bytes", "definition"],
)
def test_a_damaged_record(ended: Flow, damage: str, named: str) -> None:
    """A damaged record is a problem that names its run, and everything else is still checked."""
    ended.change(f"UPDATE {damage}")
    ended.start("other", ended.write(*STEPS), code=1)
    found = examine(ended, code=1)
    (problem,) = problems(found)
    assert named in problem
    assert found["records"][-1][0] == "ok"
    assert "internal error" not in ended.refusal("status", "--run-key=k")["error"]
    assert run_keys(ended.ask("list")) == ["other", "k"]
    assert run_keys(ended.ask("prune", "--older-than=0s"), "removed") == ["other", "k"]


def test_a_file_in_place_of_a_folder(flow: Flow) -> None:
    """A file where the home has a folder is a problem, and the answer says how to fix it."""
    flow.home.mkdir(mode=0o700)
    for name in ("logs", "locks", "runs"):
        (flow.home / name).touch()
        (problem,) = problems(examine(flow, code=1))
        assert f"{name} is not a folder (move it away)" in problem
        (flow.home / name).unlink()


def test_progress(ended: Flow) -> None:
    """On a terminal the attempts are counted while orchesjob is asked; then the line is empty."""
    command, terminal = ended.spawn_on_terminal("doctor", "--all", stream="stderr")
    shown = terminal.read_to_end()
    assert command.wait() == 0
    pictures = [picture for picture in shown.split("\r\x1b[K") if picture]
    assert pictures == [f"orchesjob has answered about {number} of 2 attempts" for number in (1, 2)]
    assert shown.endswith("\x1b[K")
    assert "one of a run, --all and" in ended.refusal("doctor", "--all", "--run-key=k")["error"]


def test_a_place_for_calls_that_is_not_ours(ended: Flow) -> None:
    """A lock that no runner would take is a problem, and named (rule 5.11)."""
    place = ended.home / "locks" / "aborts-1.slot"
    place.symlink_to(ended.folder / "elsewhere")
    (problem,) = problems(examine(ended, code=1))
    assert f"{place} is not a regular file" in problem


def test_it_only_reads(ended: Flow) -> None:
    """`doctor` writes nothing, whatever it finds."""
    before = ended.database.read_bytes()
    examine(ended)
    assert ended.database.read_bytes() == before
