"""`cancel`: nothing starts any more, running steps are ended, and only then is it reported."""

import fcntl
import json
import os
import random
import signal
import sqlite3
import sys
import time
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from flow_store import FlowStore
from support.answers import errors, outcomes
from support.files import write_program
from support.flow import Flow
from support.gate import Gate
from support.marks import LONG_IF_REAL
from support.orchesjob import FakeOrchesjob
from support.processes import is_gone

FOLLOW_UP = {"id": "b", "command": ["true"], "when": "!a"}
MOMENTS = int(os.environ.get("CANCEL_MOMENTS", "2"))
IMPATIENT = f"""\
#!{sys.executable}
import sys
from orchesjob_flow.commands import cancel
from orchesjob_flow.__main__ import main
cancel.ALLOWANCE_SEC = 0.2  # instead of half a minute
sys.exit(main())
"""
WITNESS = """
    CREATE TABLE witness (what TEXT, run_id INTEGER);
    CREATE TRIGGER cancel AFTER UPDATE OF cancel_requested_at ON runs
        BEGIN INSERT INTO witness VALUES ('cancel', NEW.id); END;
    CREATE TRIGGER attempt AFTER INSERT ON attempts
        BEGIN INSERT INTO witness VALUES ('attempt', NEW.run_id); END;
"""
DONE = {"id": "z", "command": ["true"]}


def test_live_runner(each_flow: Flow, gate: Gate) -> None:
    """`cancel` ends running and waiting steps, leaves ended ones alone, and exits 0 (rule 5.6)."""
    file = each_flow.write({"id": "a", "command": gate.command(), "when": "z"}, FOLLOW_UP, DONE)
    runner = each_flow.begin(file, gate)
    run = each_flow.ask("cancel", "--run-key=k")
    assert (run["status"], run["error"]) == ("CANCELLED", None)
    assert errors(run) == [
        ("a", "CANCELLED", "flow cancelled"),
        ("b", "CANCELLED", "flow cancelled"),
        ("z", "SUCCEEDED", None),
    ]
    assert run["steps"][0]["orchesjob_status"]["status"] == "ABORTED"
    job = each_flow.orchesjob.status("k:a:1")
    assert is_gone(job["target_pid"])
    assert job["status"] == "ABORTED"
    assert runner.wait() == 1
    assert each_flow.orchesjob.run("status", "--run-key=k:b:1").returncode == 3
    assert each_flow.status("k") == run


@pytest.mark.parametrize("runner_lives", [True, False])
def test_three_at_once(
    flow: Flow, gate: Gate, fake_orchesjob: FakeOrchesjob, *, runner_lives: bool
) -> None:
    """Several cancels at once all exit 0 and print the same run, which is aborted once (6.7)."""
    file = flow.write({"id": "a", "command": gate.command()}, FOLLOW_UP)
    runner = flow.begin(file, gate)
    if not runner_lives:
        runner.kill()
    cancels = [flow.spawn("cancel", "--run-key=k") for _ in range(3)]
    answers = [cancel.communicate() for cancel in cancels]
    assert [cancel.returncode for cancel in cancels] == [0, 0, 0]
    assert answers[0] == answers[1] == answers[2]
    assert json.loads(answers[0][0])["status"] == "CANCELLED"
    assert len([call for call in fake_orchesjob.calls() if call["call"] == "abort"]) == 1


def test_terminal_run(flow: Flow, fake_orchesjob: FakeOrchesjob) -> None:
    """A run that has ended is not changed at all; `cancel` prints it and exits 0 (rule 6.7)."""
    finished = flow.run("start", "--run-key=k", flow.write({"id": "a", "command": ["false"]}))
    calls, rows = fake_orchesjob.calls(), content(flow)
    again = flow.run("cancel", "--run-key=k", "--grace-seconds=1")
    assert (again.returncode, again.stdout) == (0, finished.stdout)
    assert again.stderr.startswith("orchesjob-flow: run 'k' ended ")
    assert again.stderr.endswith(", so there is nothing to cancel\n")
    assert (fake_orchesjob.calls(), content(flow)) == (calls, rows)


@pytest.mark.parametrize(("code", "runner_lives"), [(3, True), (3, False), (0, False)])
def test_too_late(flow: Flow, gate: Gate, code: int, *, runner_lives: bool) -> None:
    """Where all steps had ended by themselves, the run keeps their outcome, and that is said (5.6).

    No alert misses a failure because the cancel came before a runner had seen it.
    """
    waits = {"id": "a", "command": gate.command(f"exit {code}")}
    alert = {"id": "alert", "command": ["true"], "when": "any(failed) || any(cancelled)"}
    skipped = {"id": "b", "command": ["true"], "when": "a.failed && a.skipped"}
    fields: dict[str, Any] = {"finally": [alert]}
    file = flow.write(waits, skipped, **fields)
    runner = flow.begin(file, gate)
    runner.send_signal(signal.SIGSTOP if runner_lives else signal.SIGKILL)
    gate.let_through()
    ended = ("SUCCEEDED", "FAILED")
    flow.await_true(lambda: flow.orchesjob.status("k:a:1")["status"] in ended)
    cancel = flow.spawn("cancel", "--run-key=k")
    if runner_lives:
        flow.await_status("k", lambda run: run["cancel_requested_at"])
        runner.send_signal(signal.SIGCONT)
    printed, said = cancel.communicate()
    status = "FAILED" if code else "SUCCEEDED"
    assert f"orchesjob-flow: run 'k': no step was left to stop; it {status}\n" in said
    run = json.loads(printed)
    assert (cancel.returncode, run["status"], run["finally_after"]) == (0, status, status)
    alerted = "SUCCEEDED" if code else "SKIPPED"
    assert outcomes(run) == {"a": status, "b": "SKIPPED", "alert": alerted}


def content(flow: Flow) -> list[str]:
    with flow.open_database() as database:
        return list(database.iterdump())


def test_grace(flow: Flow, gate: Gate, tmp_path: Path) -> None:
    """A step may clean up during its grace time; one that ignores the signal is killed after it."""
    tidy = gate.command("exit 0", before=f"trap 'echo tidied >{tmp_path}/tidied; exit 3' TERM")
    deaf = gate.command("exit 0", before="trap '' TERM")
    for key, command, grace in (("tidy", tidy, "30"), ("deaf", deaf, "0.2")):
        file = flow.write({"id": "a", "command": command})
        runner = flow.spawn("start", f"--run-key={key}", file)
        gate.await_arrival()
        run = flow.ask("cancel", f"--run-key={key}", f"--grace-seconds={grace}")
        assert run["status"] == "CANCELLED"
        assert is_gone(flow.orchesjob.status(f"{key}:a:1")["target_pid"])
        assert runner.wait() == 1
    assert (tmp_path / "tidied").read_text(encoding="utf-8") == "tidied\n"


def test_not_reported_too_early(flow: Flow, gate: Gate) -> None:
    """A run is not reported as CANCELLED while any process of it is alive (rules 5.6, 6.7)."""
    deaf = gate.command(before="trap '' TERM")
    runner = flow.begin(flow.write({"id": "a", "command": deaf}), gate)
    cancel = flow.spawn("cancel", "--run-key=k", "--grace-seconds=600")
    flow.await_true(lambda: flow.orchesjob.status("k:a:1")["status"] == "ABORTED")
    run = flow.status("k")
    assert (run["status"], run["steps"][0]["status"]) == ("RUNNING", "RUNNING")
    assert run["cancel_requested_at"] is not None
    assert cancel.poll() is None
    gate.let_through()
    assert (cancel.wait(), runner.wait()) == (0, 1)
    assert flow.status("k")["status"] == "CANCELLED"


@pytest.mark.parametrize(("runner_lives", "go_on"), [(True, "start"), (False, "cancel")])
def test_abort_that_fails(
    flow: Flow, gate: Gate, fake_orchesjob: FakeOrchesjob, *, runner_lives: bool, go_on: str
) -> None:
    """If the abort keeps failing, `cancel` fails, and the request remains (5.7, 6.7)."""
    fake_orchesjob.script([{"call": "abort", "fault": "locked"}])
    file = flow.write({"id": "a", "command": gate.command()}, FOLLOW_UP)
    runner = flow.spawn("--patience=0.3", "start", "--run-key=k", file)
    gate.await_arrival()
    flow.await_job("k")
    if not runner_lives:
        runner.kill()
    failed = flow.run("--patience=0.3", "cancel", "--run-key=k")
    assert (failed.returncode, failed.stdout) == (2, "")
    error = json.loads(failed.stderr.splitlines()[-1])["error"]
    assert "is not cancelled yet: k:a:1: orchesjob abort failed" in error
    assert "database is locked" in error
    assert runner.wait() == (2 if runner_lives else -signal.SIGKILL)
    left = flow.status("k")
    assert (left["status"], left["runner"]) == ("RUNNING", None)
    assert left["cancel_requested_at"] is not None
    target = fake_orchesjob.status("k:a:1")["target_pid"]
    assert not is_gone(target)
    fake_orchesjob.script([])
    words, code = {"start": (("start", file), 1), "cancel": (("cancel",), 0)}[go_on]
    run = flow.ask(*words, "--run-key=k", code=code)
    assert run["status"] == "CANCELLED"
    assert is_gone(target)
    assert fake_orchesjob.begun() == ["k:a:1"]


BAD_ABORTS: dict[str, dict[str, Any]] = {
    "locked-once": {"fault": "locked"},
    "killed-before-its-signals": {"when": "recorded", "fault": "die"},
    "killed-before-its-answer": {"when": "answer", "fault": "die"},
    "without-effect": {"fault": "no_signals"},
    "to-one-process-only": {"fault": "leader_only"},
}


def write_bad_aborts(flow: Flow, fake: FakeOrchesjob, **fields: Any) -> str:
    """Write a flow with a step for each way in which an abort goes wrong.

    All processes of a step's attempt share a lock, so that the kernel itself tells of others.
    """
    fake.script(
        [
            {"call": "abort", "key": f"k:{name}:1", "nth": 1, **rule}
            for name, rule in BAD_ABORTS.items()
        ]
    )
    lines = "exec 9>{0}.lock; flock -n 9 || touch {0}.beside; touch {0}; sleep 600 & sleep 600"
    return flow.write(
        *(
            {"id": name, "command": ["sh", "-c", lines.format(flow.folder / name)], **fields}
            for name in BAD_ABORTS
        )
    )


def test_bad_aborts(flow: Flow, fake_orchesjob: FakeOrchesjob) -> None:
    """What an abort leaves alive is ended before the run is reported as CANCELLED (rule 6.7)."""
    runner = flow.spawn("start", "--run-key=k", write_bad_aborts(flow, fake_orchesjob))
    flow.await_true(lambda: all((flow.folder / name).exists() for name in BAD_ABORTS))
    assert flow.ask("cancel", "--run-key=k")["status"] == "CANCELLED"
    assert_nothing_left(flow)
    assert runner.wait() == 1


def test_bad_aborts_of_timeouts(flow: Flow, fake_orchesjob: FakeOrchesjob) -> None:
    """What an abort leaves alive is ended before anything else starts or is reported (5.5, 5.8)."""
    file = write_bad_aborts(flow, fake_orchesjob, timeout_sec=0.3, retries=1)
    steps = flow.start("k", file, code=1)["steps"]
    expected = {("FAILED", 2, "timed out after 0.3 s")}
    assert {(step["status"], step["attempt_no"], step["error"]) for step in steps} == expected
    assert list(flow.folder.glob("*.beside")) == []
    assert_nothing_left(flow)


def assert_nothing_left(flow: Flow) -> None:
    for name in BAD_ABORTS:
        with (flow.folder / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param('wait; exec "$ORCHESJOB" "$@"', id="not acted yet"),
        pytest.param('answer=$("$ORCHESJOB" "$@"); wait; echo "$answer"', id="acted"),
    ],
)
def test_start_under_way(flow: Flow, tmp_path: Path, lines: str) -> None:
    """`cancel` waits for a start that is under way, and ends what it has started (rule 5.6)."""
    going, go = tmp_path / "going", tmp_path / "go"
    wait = f"wait() {{ touch {going}; until [ -e {go} ]; do sleep 0.02; done; }}"
    pass_on = f'[ "$1" = start ] || exec "$ORCHESJOB" "$@"; {lines}'
    wrapper = write_program(tmp_path / "slow-orchesjob", f"#!/bin/sh\n{wait}\n{pass_on}\n")
    flow.environ |= {"ORCHESJOB": flow.orchesjob.path, "ORCHESJOB_BIN": wrapper}
    file = flow.write({"id": "a", "command": ["sleep", "600"]}, FOLLOW_UP)
    runner = flow.spawn("start", "--run-key=k", file)
    flow.await_true(going.exists)
    cancel = flow.spawn("cancel", "--run-key=k")
    run = flow.await_status("k", lambda run: run["cancel_requested_at"])
    assert (run["status"], cancel.poll()) == ("RUNNING", None)
    go.touch()
    assert (cancel.wait(), runner.wait()) == (0, 1)
    run = flow.status("k")
    both = [("a", "CANCELLED", "flow cancelled"), ("b", "CANCELLED", "flow cancelled")]
    assert (run["status"], errors(run)) == ("CANCELLED", both)
    assert is_gone(flow.orchesjob.status("k:a:1")["target_pid"])


@LONG_IF_REAL
def test_at_any_moment(each_flow: Flow) -> None:
    """Whenever a cancel arrives, no attempt begins after it, and its answer is true (5.6, 6.7)."""
    each_flow.start("first", each_flow.write(DONE))
    chain = [
        {"id": after, "command": ["sleep", "0.02"], "when": f"{before}.finished"}
        for before, after in pairwise("abcdef")
    ]
    file = each_flow.write({"id": "a", "command": ["false"]}, *chain)
    seed = random.randrange(2**32)  # noqa: S311 - no secret
    print(f"seed {seed}")  # noqa: T201 - shown if the test fails
    moments = random.Random(seed)  # noqa: S311 - no secret
    with each_flow.open_database() as database:
        database.executescript(WITNESS)
        for number in range(MOMENTS):
            key = f"k{number}"
            runner = each_flow.spawn("start", f"--run-key={key}", file)
            each_flow.await_true(partial(ids_of, database, key))
            time.sleep(moments.uniform(0, 1))  # nothing announces a moment that nothing chooses
            run = each_flow.ask("cancel", f"--run-key={key}")
            assert_true(each_flow, run)
            assert_nothing_begun_after(database, key)
            assert runner.wait() == 1
            assert each_flow.status(key) == run


def ids_of(database: sqlite3.Connection, key: str) -> list[tuple[int]]:
    return database.execute("SELECT id FROM runs WHERE run_key = ?", (key,)).fetchall()


def assert_nothing_begun_after(database: sqlite3.Connection, key: str) -> None:
    ((run_id,),) = ids_of(database, key)
    query = "SELECT what FROM witness WHERE run_id = ? ORDER BY rowid"
    history = "".join(what for (what,) in database.execute(query, (run_id,)))
    assert "attempt" not in history.partition("cancel")[2], history


def assert_true(flow: Flow, run: Any) -> None:
    """Check that the run is in the state that `cancel` has printed."""
    outcomes = {step["status"] for step in run["steps"][1:]}
    if run["status"] == "CANCELLED":
        assert outcomes <= {"SUCCEEDED", "CANCELLED"}
    else:  # it ended by itself in the moment of the request, or before
        assert (run["status"], outcomes) == ("FAILED", {"SUCCEEDED"})
    for step in run["steps"]:
        if step["attempt_no"] == 0:
            assert flow.orchesjob.run("status", f"--run-key={step['run_key']}").returncode == 3
        elif step["status"] == "CANCELLED":
            target = flow.orchesjob.status(step["run_key"])["target_pid"]
            assert target is None or is_gone(target)


def test_cancel_from_a_step(flow: Flow) -> None:
    """A step may cancel its own run, and is ended like any other step."""
    command = ["sh", "-c", f"{flow.program} cancel --run-key=k & exec sleep 600"]
    finished = flow.run("start", "--run-key=k", flow.write({"id": "a", "command": command}))
    assert finished.returncode == 1
    assert flow.status("k")["status"] == "CANCELLED"


def test_runner_that_does_not_react(flow: Flow, gate: Gate, tmp_path: Path) -> None:
    """`cancel` names the process that does not react; that process carries it out later (6.7)."""
    file = flow.write({"id": "a", "command": gate.command()}, FOLLOW_UP)
    runner = flow.begin(file, gate)
    flow.await_job("k")  # stopped in the middle of a commit, it would keep everybody waiting
    runner.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, runner.pid, os.WSTOPPED | os.WNOWAIT)
    flow.program = write_program(tmp_path / "impatient-orchesjob-flow", IMPATIENT)
    error = flow.refusal("cancel", "--run-key=k", "--grace-seconds=0")["error"]
    assert f"process {runner.pid} advances it and has not reacted" in error
    # The first request holds, and so its grace: a second one waits no longer than that allows.
    later = flow.refusal("cancel", "--run-key=k", "--grace-seconds=600")["error"]
    assert later == error
    run = flow.status("k")
    assert (run["status"], run["runner"]["pid"]) == ("RUNNING", runner.pid)
    runner.send_signal(signal.SIGCONT)
    assert runner.wait() == 1
    both = [("a", "CANCELLED", "flow cancelled"), ("b", "CANCELLED", "flow cancelled")]
    assert errors(flow.status("k")) == both
    assert flow.status("k")["steps"][1]["attempt_no"] == 0


def test_a_request_is_seen(flow: Flow, gate: Gate) -> None:
    """A pending request is shown, with what to do about it (rule 6.7)."""
    flow.abandon(flow.write({"id": "a", "command": gate.command()}), gate)
    with FlowStore.open(flow.database) as store:
        store.request_cancel("k", requested_at=1.0, grace_sec=None)
    assert flow.status("k")["cancel_requested_at"] == 1.0
    table = flow.run("status", "--run-key=k", "--format=table").stdout
    assert "\nCancel: requested " in table
    assert "`orchesjob-flow cancel k` carries it out" in table
    assert flow.ask("cancel", "--run-key=k")["status"] == "CANCELLED"


def test_abort_without_effect(
    flow: Flow, gate: Gate, fake_orchesjob: FakeOrchesjob, tmp_path: Path
) -> None:
    """Where an abort has no effect, no process is blamed that is not there (rule 6.7)."""
    refused = {"fault": "exit", "code": 4, "stderr": "orchesjob: Job is not running"}
    fake_orchesjob.script([{"call": "abort", **refused}])
    flow.abandon(flow.write({"id": "a", "command": gate.command()}), gate)
    flow.program = write_program(tmp_path / "impatient-orchesjob-flow", IMPATIENT)
    words, said = ("cancel", "--run-key=k", "--grace-seconds=0"), "orchesjob still reports k:a:1 as"
    flow.await_true(lambda: said in flow.refusal(*words)["error"])
    fake_orchesjob.script([])
    flow.program = Flow.program
    assert flow.ask("cancel", "--run-key=k")["status"] == "CANCELLED"
