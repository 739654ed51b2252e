"""An orchesjob that does not answer as it should: refusals, rubbish, silence, replacement."""

import contextlib
import json
import re
import resource
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from orchesjob_client import end_processes, marked_processes

if TYPE_CHECKING:
    from conftest import FakeOrchesjob, Flow, Gate

Rule = dict[str, Any]

EVERY_THIRD = """\
exec 9>>"$0.count"
flock 9
echo >&9
turn=$(($(wc -l <"$0.count") % 3))
exec 9>&-
[ $turn != 0 ] || refuse "$@"
"""
REFUSALS = {
    "before it has acted": "refuse() { echo 'database is locked' >&2; exit 1; }",
    "after it has acted": 'refuse() { "$ORCHESJOB" "$@" >"$0.out"; echo "disk full" >&2; exit 1; }',
}
WITHOUT_PIDFDS = f"""\
#!{sys.executable}
import os, signal, sys
del os.pidfd_open, signal.pidfd_send_signal  # as on a system that has none
from orchesjob_flow.__main__ import main
sys.exit(main())
"""

LONG_IF_REAL = pytest.mark.parametrize(
    "orchesjob",
    ["fake", pytest.param("real", marks=[pytest.mark.integration, pytest.mark.long])],
    indirect=True,
)

RUBBISH: dict[str, Rule] = {
    "garbage": {"text": "{not json"},
    "empty": {"text": ""},
    "no-object": {"text": "[]"},
    "null": {"text": "null"},
    "half": {"cut": 0.5},
    "two-documents": {"repeat": 2},
    "ten-megabytes": {"text": "x" * 1024, "repeat": 10 * 1024},
    "no-utf8": {"text": '{"status": "\udcff"}'},
    "no-status": {"set": {"status": None}},
    "another-job": {"set": {"run_key": "k:another:1", "job_id": "another"}},
}
CALLS = ("start", "status", "abort")


def rubbish_for(*calls: str) -> list[Rule]:
    """Have the first answers about each step be rubbish of the kind by which the step is named."""
    return [
        {"call": call, "key": f"k:{name}:1", "nth": 1, "fault": "answer", **answer}
        for name, answer in RUBBISH.items()
        for call in calls
    ]


def calls_of(fake: "FakeOrchesjob", name: str) -> dict[str, int]:
    """Count the calls about a step by their kinds."""
    job_id = fake.status(f"k:{name}:1")["job_id"]
    own = [
        call
        for call in fake.calls()[:-1]
        if f"k:{name}:1" == call["key"] or f"--job-id={job_id}" in call["argv"]
    ]
    return dict(Counter(call["call"] for call in own))


def wrap(flow: "Flow", *lines: str) -> Path:
    """Have these lines of shell run before each call of orchesjob; replace those of before."""
    path = flow.folder / "orchesjob-of-today"
    new = path.with_suffix(".new")
    text = "\n".join(["#!/bin/sh", *lines, 'exec "$ORCHESJOB" "$@"', ""])
    new.write_text(text, encoding="utf-8")
    new.chmod(0o755)
    new.replace(path)
    flow.environ |= {"ORCHESJOB": flow.orchesjob.path, "ORCHESJOB_BIN": str(path)}
    return path


@pytest.mark.parametrize("refusal", REFUSALS)
@LONG_IF_REAL
def test_every_third_call_is_refused(each_flow: "Flow", tmp_path: Path, refusal: str) -> None:
    """A run of an orchesjob that often fails ends as ever, each attempt having run once (5.7)."""
    wrap(each_flow, REFUSALS[refusal], EVERY_THIRD)
    log = tmp_path / "log"

    def step(name: str, then: str = "", **fields: Any) -> dict[str, Any]:
        return {"id": name, "command": ["sh", "-c", f"echo {name} >>{log}; {then}"], **fields}

    file = each_flow.write(
        step("a"),
        step("b", "exit 1", when="a", retries=2),
        step("c", f"test $(grep -c c {log}) = 2", when="a", retries=1, strict=False),
        step("d", when="!b && c"),
        step("e", when="b || d"),
    )
    finished = each_flow.run("start", "--run-key=k", file)
    outcomes = {one["id"]: one["status"] for one in json.loads(finished.stdout)["steps"]}
    assert outcomes == {**dict.fromkeys("acde", "SUCCEEDED"), "b": "FAILED"}
    assert Counter(log.read_text(encoding="utf-8").split()) == Counter("abbbccde")
    assert "trying again" in finished.stderr


def test_rubbish(flow: "Flow", gate: "Gate", fake_orchesjob: "FakeOrchesjob") -> None:
    """Rubbish for an answer decides nothing: the job is asked for again (rule 5.7)."""
    fake_orchesjob.script(rubbish_for("start", "status"))
    command = gate.command()
    file = flow.write(*({"id": name, "command": command} for name in RUBBISH))
    runner = flow.spawn("start", "--run-key=k", file)
    for _ in RUBBISH:
        gate.await_arrival()
    flow.await_status("k", lambda run: all(step["orchesjob_status"] for step in run["steps"]))
    gate.let_through(len(RUBBISH))
    stdout, stderr = runner.communicate(timeout=60)
    steps = json.loads(stdout)["steps"]
    assert {(step["status"], step["attempt_no"], step["error"]) for step in steps} == {
        ("SUCCEEDED", 1, None)
    }
    assert sorted(fake_orchesjob.begun()) == sorted(f"k:{name}:1" for name in RUBBISH)
    # A start, a status that is rubbish, one that is not, and one for the end.
    expected = {name: {"start": 1, "status": 3} for name in RUBBISH}
    assert {name: calls_of(fake_orchesjob, name) for name in RUBBISH} == expected
    for name in RUBBISH:
        assert f"k:{name}:1: orchesjob start gave an answer that cannot be used" in stderr


def test_rubbish_for_an_abort(flow: "Flow", gate: "Gate", fake_orchesjob: "FakeOrchesjob") -> None:
    """An abort whose answer is rubbish is found out about, and CANCELLED is true (5.6, 5.7)."""
    fake_orchesjob.script(rubbish_for("abort"))
    command = gate.command()
    file = flow.write(*({"id": name, "command": command} for name in RUBBISH))
    runner = flow.spawn("start", "--run-key=k", file)
    for _ in RUBBISH:
        gate.await_arrival()
    run = flow.ask("cancel", "--run-key=k")
    assert run["status"] == "CANCELLED"
    assert {step["orchesjob_status"]["status"] for step in run["steps"]} == {"ABORTED"}
    assert runner.wait(60) == 1
    for name in RUBBISH:
        assert calls_of(fake_orchesjob, name)["abort"] == 1
        assert is_gone(fake_orchesjob.status(f"k:{name}:1")["target_pid"])


def is_gone(pid: int) -> bool:
    """Tell whether a process has ended."""
    return not Path(f"/proc/{pid}/exe").exists()


@LONG_IF_REAL
def test_replaced_while_a_step_runs(each_flow: "Flow", gate: "Gate") -> None:
    """An orchesjob that is missing for a moment, and then another one, is no failure (5.7)."""
    path = wrap(each_flow)
    after = {"id": "b", "command": ["true"], "when": "a"}
    file = each_flow.write({"id": "a", "command": gate.command()}, after)
    runner = each_flow.spawn("start", "--run-key=k", file)
    gate.await_arrival()
    each_flow.await_job("k")
    path.unlink()
    gate.let_through()
    assert runner.stderr is not None
    assert f"{path}: No such file or directory" in runner.stderr.readline()
    wrap(each_flow, "# another version")
    stdout, _ = runner.communicate(timeout=60)
    assert runner.returncode == 0
    assert [step["attempt_no"] for step in json.loads(stdout)["steps"]] == [1, 1]


def test_replaced_while_it_is_opened(flow: "Flow") -> None:
    """An interpreter that cannot open orchesjob has not been refused by it (rule 5.7)."""
    lacking = "{ echo \"python3: can't open file 'orchesjob'\" >&2; touch $0.back; exit 2; }"
    wrap(flow, f"[ -e $0.back ] || {lacking}")
    step = flow.start("k", flow.write({"id": "a", "command": ["true"]}))["steps"][0]
    assert (step["status"], step["attempt_no"]) == ("SUCCEEDED", 1)


@LONG_IF_REAL
def test_full_disk(each_flow: "Flow", gate: "Gate", tmp_path: Path) -> None:
    """An outcome is read as soon as orchesjob has room to be asked for it (rule 5.7)."""
    full = tmp_path / "full"
    wrap(each_flow, f"[ ! -e {full} ] || ulimit -f 0")
    file = each_flow.write({"id": "a", "command": gate.command("exit 7")})
    runner = each_flow.spawn("start", "--run-key=k", file)
    gate.await_arrival()
    each_flow.await_job("k")
    full.touch()
    gate.let_through()
    assert runner.stderr is not None
    assert "orchesjob status failed" in runner.stderr.readline()
    full.unlink()
    stdout, _ = runner.communicate(timeout=60)
    step = json.loads(stdout)["steps"][0]
    assert (step["attempt_no"], step["error"]) == (1, "exit code 7")


def test_no_descriptors_left(flow: "Flow", gate: "Gate", fake_orchesjob: "FakeOrchesjob") -> None:
    """A runner that cannot open anything waits until it can, and decides nothing (rule 5.7)."""
    runner = flow.spawn("start", "--run-key=k", flow.write({"id": "a", "command": gate.command()}))
    gate.await_arrival()
    flow.await_job("k")
    flow.await_true(lambda: "anon_inode:[pidfd]" in opened(runner.pid))
    soft, hard = resource.prlimit(runner.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(runner.pid, resource.RLIMIT_NOFILE, (3, hard))
    gate.let_through()
    assert runner.stderr is not None
    assert "Too many open files" in runner.stderr.readline()
    resource.prlimit(runner.pid, resource.RLIMIT_NOFILE, (soft, hard))
    stdout, _ = runner.communicate(timeout=60)
    step = json.loads(stdout)["steps"][0]
    assert (step["status"], step["attempt_no"]) == ("SUCCEEDED", 1)
    assert fake_orchesjob.begun() == ["k:a:1"]


def opened(pid: int) -> list[str]:
    """List what a process has open."""
    found = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.append(str(link.readlink()))
    return found


def test_ended_before_it_could_be_watched(flow: "Flow", fake_orchesjob: "FakeOrchesjob") -> None:
    """A job that has ended by the time it is to be watched is asked about at once (rule 6.2)."""
    rule = {"call": "start", "fault": "answer", "set": {"status": "RUNNING"}}
    fake_orchesjob.script([{**rule, "when": "answer"}])
    slow = flow.write({"id": "a", "command": ["true"]})
    step = flow.start("k", slow)["steps"][0]
    assert (step["status"], step["orchesjob_status"]["status"]) == ("SUCCEEDED", "SUCCEEDED")


@pytest.mark.parametrize("outcome", ["SUCCEEDED", "CANCELLED"])
@LONG_IF_REAL
def test_without_pidfds(each_flow: "Flow", gate: "Gate", tmp_path: Path, outcome: str) -> None:
    """Where no job's end is announced, jobs are polled for, with the same outcomes (rule 6.2)."""
    program = tmp_path / "orchesjob-flow"
    program.write_text(WITHOUT_PIDFDS, encoding="utf-8")
    program.chmod(0o755)
    each_flow.program = str(program)
    file = each_flow.write({"id": "a", "command": gate.command()}, {"id": "b", "command": ["true"]})
    start = each_flow.spawn("--poll-interval=0.1", "start", "--run-key=k", file)
    gate.await_arrival()
    job = each_flow.await_job("k")
    if outcome == "SUCCEEDED":
        gate.let_through()
    else:
        assert each_flow.ask("cancel", "--run-key=k")["status"] == outcome
    assert json.loads(start.communicate(timeout=60)[0])["status"] == outcome
    assert is_gone(job["target_pid"])


@pytest.mark.long
def test_silence(flow: "Flow", fake_orchesjob: "FakeOrchesjob") -> None:
    """A call that hangs holds up no other step; the runner gives up in time and names it (5.7).

    The three calls hang at once, because each takes as long as a call may take.
    """
    fake_orchesjob.script([{"call": c, "key": f"{c}:a:1", "fault": "hang"} for c in CALLS])
    others = [{"id": "b", "command": ["true"]}, {"id": "c", "command": ["true"], "when": "b"}]
    file = flow.write({"id": "a", "command": ["sleep", "0.3"], "start_timeout_sec": 0}, *others)
    endless = flow.write({"id": "a", "command": ["sleep", "600"]}, *others, name="endless.json")
    files = {"start": file, "status": file, "abort": endless}
    impatient = ("--patience=0.2",)
    began = time.monotonic()
    runners = {c: flow.spawn(*impatient, "start", f"--run-key={c}", files[c]) for c in CALLS}
    flow.await_true(lambda: {f"{c}:c:1" for c in CALLS} <= set(fake_orchesjob.begun()))
    for call in CALLS:
        flow.await_status(call, lambda run: run["steps"][2]["status"] == "SUCCEEDED")
    cancel = flow.run(*impatient, "cancel", "--run-key=abort", "--grace-seconds=0")
    assert cancel.returncode == 2
    assert "is still under way" in json.loads(cancel.stderr)["error"]
    for call, runner in runners.items():
        assert (runner.wait(60), flow.status(call)["runner"]) == (2, None)
        assert runner.stderr is not None
        error = json.loads(runner.stderr.read().splitlines()[-1])["error"]
        assert f"{call}:a:1: orchesjob {call} has not answered" in error
        assert flow.status(call)["steps"][0]["status"] == "RUNNING"
    assert 5 < time.monotonic() - began < 60
    overhaul(flow, fake_orchesjob, impatient)
    assert flow.start("start", file)["status"] == "SUCCEEDED"
    assert flow.start("status", file)["status"] == "SUCCEEDED"
    assert flow.ask("cancel", "--run-key=abort")["status"] == "CANCELLED"
    assert Counter(fake_orchesjob.begun()) == Counter(f"{c}:{s}:1" for c in CALLS for s in "abc")


def overhaul(flow: "Flow", fake: "FakeOrchesjob", impatient: tuple[str, ...]) -> None:
    """End the calls that hang, as a person would after being told; nobody else may go on before."""
    words = ("start", "--run-key=start", "flow.json")
    assert "is still under way" in flow.refusal(*impatient, *words)["error"]
    fake.script([])
    marked = marked_processes("ORCHESJOB_TEST_MARK", {fake.mark})
    hanging = [
        process
        for process in marked
        if re.search("orchesjob (start|status|abort)", process.command)
    ]
    assert len(hanging) == len(CALLS)
    assert end_processes(hanging, 0) == []
