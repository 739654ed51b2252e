"""`concurrency`: at most one run of a group is under way at a time (rule 10.7)."""

import json
import os
import re
import signal
from pathlib import Path
from typing import Any

from support.answers import outcomes
from support.flow import Flow
from support.gate import Gate
from support.orchesjob import FakeOrchesjob
from support.processes import is_gone

FINALLY = [{"id": "z", "command": ["true"]}]


def write(flow: Flow, gate: Gate, on_conflict: str = "wait", **fields: Any) -> str:
    """Write a flow of the group `g` whose step stops at the gate; return its path."""
    concurrency = {"group": "g", "on_conflict": on_conflict}
    step = {"id": "a", "command": gate.command()}
    return flow.write(step, name=f"{on_conflict}.json", concurrency=concurrency, **fields)


def hold(flow: Flow, gate: Gate, *waiting: str, **fields: Any) -> str:
    """Let the run `first` hold the group and others wait for it; return their flow file."""
    file = write(flow, gate, **fields)
    flow.detach(file, gate, "first")
    for key in waiting:
        assert flow.ask("start", "-d", f"--run-key={key}", file)["status"] == "PENDING"
    return file


def let_one_end(flow: Flow, gate: Gate, key: str) -> None:
    gate.let_through()
    assert flow.ask("wait", f"--run-key={key}")["status"] == "SUCCEEDED"


def kill_runner(flow: Flow, key: str) -> None:
    """Kill the background runner of a run.

    A process that it is just starting has the run's lock for a moment more, until its program runs.
    """
    pid = flow.status(key)["runner"]["pid"]
    os.kill(pid, signal.SIGKILL)
    flow.await_true(lambda: is_gone(pid))
    flow.await_true(lambda: pid not in (flow.status(key)["runner"] or {}).values())


def test_first_come_first_served(flow: Flow, gate: Gate) -> None:
    """Runs begin one after the other in the order of their starts, which `start -d` reports."""
    hold(flow, gate, "second", "third", timeout_sec=3600)
    for key, others in [("first", {"second", "third"}), ("second", {"third"}), ("third", set())]:
        runs = {run["run_key"]: run for run in flow.ask("list")["runs"]}
        assert runs[key]["status"] == "RUNNING"
        assert {one for one, run in runs.items() if run["status"] == "PENDING"} == others
        let_one_end(flow, gate, key)
        if others:
            gate.await_arrival()
    with flow.open_database() as database:  # the flow's time begins with the run
        found = database.execute("SELECT deadline_at > started_at + 3600 FROM runs ORDER BY id")
        assert found.fetchall()[1:] == [(1,), (1,)]


def test_what_is_seen(flow: Flow, gate: Gate) -> None:
    """`status`, `list` and `explain` name who holds the group, and say how to free it."""
    hold(flow, gate, "second", "third")
    run = flow.status("third")
    assert (run["group"], run["waits_for_group"]) == (
        "g",
        {"held_by": "first", "behind": ["second"]},
    )
    assert run["steps"][0]["reason"] == "the run waits for group g, held by first"
    assert flow.status("first")["waits_for_group"] is None
    listed = flow.run("list", "--format=table").stdout
    assert ". PENDING (held by first)" in listed
    assert (
        "Waits: for group g, held by first"
        in flow.run("status", "--run-key=third", "--format=table").stdout
    )
    log = Path(flow.ask("start", "-d", "--run-key=third", "wait.json")["stderr_log"])
    flow.await_true(log.read_text)
    assert log.read_text() == (
        "orchesjob-flow: run 'third' waits for group 'g', held by run 'first'\n"
    )
    pid = flow.status("first")["runner"]["pid"]
    first, remedy = flow.ask("explain", "--run-key=third")["notes"]
    assert first == (
        "This run waits for group g, held by first: nothing of it runs before it is its turn."
    )
    cancel = "`orchesjob-flow cancel --run-key first` ends it"
    assert remedy == f"first is advanced by process {pid}; {cancel}."
    kill_runner(flow, "first")
    assert flow.run("explain", "--run-key=third", "--format=table").stdout.endswith(
        "\nNo process advances first, which keeps the group: "
        f"`orchesjob-flow resume --run-key first` continues it, {cancel}.\n"
    )
    gate.let_through()  # without its runner it keeps the group until it is resumed and ends
    skipped = flow.start("fourth", write(flow, gate, "skip"))
    assert skipped == {"skipped": True, "held_by": "first"}
    assert flow.status("second")["status"] == "PENDING"
    assert flow.ask("resume", "--run-key=first")["status"] == "SUCCEEDED"
    gate.await_arrival()
    let_one_end(flow, gate, "second")


def test_a_waiting_run_without_runner(
    flow: Flow, gate: Gate, fake_orchesjob: FakeOrchesjob
) -> None:
    """It keeps its place, blocks nobody meanwhile, and is first again once it is resumed."""
    hold(flow, gate, "second", "third", "fourth")
    kill_runner(flow, "second")
    let_one_end(flow, gate, "first")
    gate.await_arrival()
    assert [flow.status(key)["status"] for key in ("second", "third")] == ["PENDING", "RUNNING"]
    notes = flow.ask("explain", "--run-key=second")["notes"]
    assert re.fullmatch(
        "No process advances this run, nothing recorded since [-0-9: ]+: "
        "`orchesjob-flow resume second` continues it.",
        notes[-1],
    )
    (resumed,) = flow.ask("resume", "--all")["resumed"]
    assert (resumed["run_key"], resumed["error"]) == ("second", None)
    let_one_end(flow, gate, "third")
    gate.await_arrival()
    let_one_end(flow, gate, "second")
    gate.await_arrival()
    let_one_end(flow, gate, "fourth")
    assert fake_orchesjob.begun() == [
        f"{key}:a:1" for key in ("first", "third", "second", "fourth")
    ]


def test_cancelled_while_it_waits(flow: Flow, gate: Gate, fake_orchesjob: FakeOrchesjob) -> None:
    """With a runner or without, it ends at once; nothing of it runs, `finally` included."""
    hold(flow, gate, "second", "third", **{"finally": FINALLY})
    kill_runner(flow, "third")
    for key in ("second", "third"):
        run = flow.ask("cancel", f"--run-key={key}")
        assert (run["status"], outcomes(run)) == ("CANCELLED", {"a": "CANCELLED", "z": "CANCELLED"})
        assert run["waits_for_group"] is None
    assert fake_orchesjob.begun() == ["first:a:1"]
    let_one_end(flow, gate, "first")


def test_interrupted_while_it_waits(flow: Flow, gate: Gate) -> None:
    """Ctrl-C ends the runner of a run that waits, which says for whom, and leaves the run."""
    file = hold(flow, gate)
    runner = flow.spawn("start", "--run-key=second", file)
    assert runner.stderr.readline() == (
        "orchesjob-flow: run 'second' waits for group 'g', held by run 'first'\n"
    )
    runner.send_signal(signal.SIGINT)
    assert runner.completed().returncode == 130
    run = flow.status("second")
    assert (run["status"], run["runner"]) == ("PENDING", None)
    let_one_end(flow, gate, "first")
    gate.let_through()
    assert flow.start("second", file)["status"] == "SUCCEEDED"


def not_started(flow: Flow, *words: str) -> list[tuple[str, str, int]]:
    """Return key, holder and count of the starts that were turned away."""
    rows = flow.ask("list", *words)["not_started"]
    return [(row["run_key"], row["held_by"], row["count"]) for row in rows]


def test_a_start_that_was_turned_away(flow: Flow, gate: Gate, tmp_path: Path) -> None:
    """It leaves a trace but no run: one row for a key and a holder, which every view counts."""
    hold(flow, gate)
    skip = write(flow, gate, "skip", flow_id="s")
    assert flow.ask("validate", skip)["files"][0]["group"] == "g"
    for option in ("-f", "-d"):
        skipped = flow.run("start", option, "second", skip)
        assert skipped.stderr == "", "cron sends no mail"
        assert json.loads(skipped.stdout) == {"skipped": True, "held_by": "first"}
    assert flow.run("run", skip).stderr == "", "there is no run of the key to show"
    assert flow.refusal("start", "third", write(flow, gate, "fail", flow_id="f")) == {
        "error": "run 'third' cannot begin: run 'first' of its concurrency group 'g' is "
        "running; start it again when that one has ended, or `cancel` that one",
        "held_by": "first",
    }
    rows = not_started(flow)
    fresh = rows[1][0]
    assert rows == [("third", "first", 1), (fresh, "first", 1), ("second", "first", 2)]
    assert not_started(flow, "--status=RUNNING") == []
    assert not_started(flow, "--limit=1") == rows[:1]
    assert not_started(flow, "--flow-id=f") == rows[:1]
    for command in ("status", "wait", "logs"):
        assert "no run 'second'" in flow.refusal(command, "second")["error"]
    seen = (
        r"Not started: {} turned away 2 times, the last at [-0-9]{{10}} [:0-9]{{8}}, by first of "
        r"group g\.?\n"
    )
    assert re.fullmatch(
        seen.format("this run was"), flow.run("explain", "second", "--format=table").stdout
    )
    assert re.search(seen.format("second was"), flow.run("list", "--format=table").stdout)
    notes = flow.ask("explain", "second")["notes"]

    let_one_end(flow, gate, "first")
    gate.let_through()
    flow.start("second", skip)
    assert flow.ask("explain", "second")["notes"] == notes, "the key was free"
    flow.detach(write(flow, gate), gate, "fourth")
    assert flow.start("second", skip)["status"] == "SUCCEEDED", "it is recorded, and only reported"
    let_one_end(flow, gate, "fourth")
    figures = {one["flow_id"]: one["not_started"] for one in flow.ask("stats")["flows"]}
    assert figures["f"]["count"] == 1
    assert figures["s"]["count"] == 3
    assert "runs of s were turned away 3 times" in flow.run("stats", "--format=table").stdout
    metrics = flow.run("metrics").stdout
    assert 'orchesjob_flow_not_started{flow_id="s"} 3\n' in metrics
    last = f'last_not_started_timestamp_seconds{{flow_id="s"}} {figures["s"]["last_at"]}\n'
    assert last in metrics
    flow.run("overview", f"--output={tmp_path}/pages")
    assert "runs of s were turned away 3 times" in (tmp_path / "pages/index.html").read_text()

    old = ("prune", "--older-than=0s", "--flow-id=s")
    assert flow.ask("prune", "--older-than=1h")["not_started"] == 0
    assert flow.ask(*old, "--dry-run")["not_started"] == 2
    assert flow.ask(*old)["not_started"] == 2
    assert not_started(flow) == rows[:1]


def test_a_terminal_is_told_what_was_not_started(flow: Flow, gate: Gate) -> None:
    """`skip` is no failure, but somebody who waits for a run should know; `run` has no key yet."""
    hold(flow, gate)
    for words in (["start", "second"], ["run"]):
        _, screen = flow.run_on_terminal(*words, write(flow, gate, "skip"))
        assert "is not started while first runs; `list` counts this" in " ".join(screen.split())
        assert "the run key is" not in screen


def test_starts_that_are_turned_away_at_once(flow: Flow, gate: Gate) -> None:
    """Each of them is counted, in one row, however many there are."""
    hold(flow, gate)
    file = write(flow, gate, "skip")
    crowd = [flow.spawn("start", "second", file) for _ in range(12)]
    assert {start.wait() for start in crowd} == {0}
    assert not_started(flow) == [("second", "first", 12)]


def test_replace(flow: Flow, gate: Gate, fake_orchesjob: FakeOrchesjob) -> None:
    """The holder and those that wait are asked to end; the newest run begins after them."""
    hold(flow, gate, "second", **{"finally": FINALLY})
    file = write(flow, gate, "replace")
    assert flow.ask("start", "-d", "--run-key=third", file)["replaced_by"] is None
    gate.await_arrival()
    errors = {}
    for key in ("first", "second"):
        run = flow.ask("wait", f"--run-key={key}", code=1)
        assert (run["status"], run["replaced_by"]) == ("CANCELLED", "third")
        errors[key] = run["error"]
    assert errors == dict.fromkeys(errors, "replaced by run 'third'")
    shown = flow.run("status", "--run-key=first", "--format=table").stdout
    assert "\nError: replaced by run 'third'\n" in shown
    let_one_end(flow, gate, "third")
    assert fake_orchesjob.begun() == ["first:a:1", "first:z:1", "third:a:1"]


def test_finally_of_a_replaced_run(flow: Flow, gate: Gate) -> None:
    """It runs to its end, once, before the next run begins; a further run hurries nobody."""
    slow = {"finally": [{"id": "z", "command": gate.command()}]}
    hold(flow, gate, **slow)
    file = write(flow, gate, "replace")
    flow.ask("start", "-d", "--run-key=second", file)
    gate.await_arrival()  # of `finally`
    kill_runner(flow, "first")
    flow.ask("start", "-d", "--run-key=third", file)
    assert flow.ask("wait", "--run-key=second", code=1)["error"] == "replaced by run 'third'"
    run = flow.status("first")
    assert (run["status"], run["finally_after"], run["replaced_by"]) == (
        "RUNNING",
        "CANCELLED",
        "second",
    )
    notes = flow.ask("explain", "--run-key=third")["notes"]
    assert notes[1].startswith("first has a request to cancel it: second replaces it; ")
    gate.let_through()
    gate.await_arrival()
    run = flow.status("first")
    assert (run["status"], outcomes(run)) == ("CANCELLED", {"a": "CANCELLED", "z": "SUCCEEDED"})
    let_one_end(flow, gate, "third")


def test_the_runs_inside_a_replaced_run(
    flow: Flow, gate: Gate, fake_orchesjob: FakeOrchesjob
) -> None:
    """They lose their runners with the step that started them; they end before the next begins."""
    fields: dict[str, Any] = {"finally": FINALLY}
    inner = flow.write({"id": "a", "command": gate.command()}, **fields)
    outer = flow.write(
        {"id": "s", "command": [flow.program, "start", "--run-key=inner", inner]},
        name="outer.json",
        concurrency={"group": "g"},
    )
    flow.detach(outer, gate, "outer")
    runner = flow.spawn("start", "--run-key=next", write(flow, gate, "replace"))
    gate.await_arrival()
    run = flow.status("inner")
    assert (run["status"], run["error"], run["replaced_by"]) == ("CANCELLED", None, None)
    assert flow.status("outer")["error"] == "replaced by run 'next'"
    gate.let_through()
    assert runner.completed().returncode == 0
    assert fake_orchesjob.begun() == ["outer:s:1", "inner:a:1", "inner:z:1", "next:a:1"]


def test_a_retry_that_does_not_wait(flow: Flow, gate: Gate) -> None:
    """A `retry` of a flow that is skipped or refused leaves the run as it has ended."""
    file = write(flow, gate, "skip")
    flow.detach(file, gate, "second")
    ended = flow.ask("cancel", "--run-key=second")
    hold(flow, gate)
    assert flow.ask("retry", "--run-key=second") == {"skipped": True, "held_by": "first"}
    refused = write(flow, gate, "fail")
    error = flow.refusal("retry", "--run-key=second", f"--file={refused}")
    assert error["held_by"] == "first"
    assert flow.status("second") == ended


def test_a_flow_inside_another_of_its_group(flow: Flow, gate: Gate) -> None:
    """A run that would wait for the run of which it is a part is refused, and cancels nobody."""
    inner = write(flow, gate, "replace")
    outer = flow.write(
        {"id": "s", "command": [flow.program, "start", "--run-key=inner", inner]},
        name="outer.json",
        concurrency={"group": "g"},
    )
    finished = flow.run("start", "--run-key=outer", outer)
    assert finished.returncode == 1
    assert (
        "run 'inner' would wait for ever: 'inner' waits for 'outer' (group 'g'), 'outer' waits "
        "for 'inner' (a step of it starts that run); give the inner flow another group, or none"
    ) in finished.stderr
    assert "no run 'inner'" in flow.refusal("status", "--run-key=inner")["error"]
    run = flow.status("outer")
    assert (run["status"], run["cancel_requested_at"]) == ("FAILED", None)


def test_a_database_that_is_removed(flow: Flow, gate: Gate) -> None:
    """A run that waits does not wait for what nobody records any more."""
    file = hold(flow, gate)
    runner = flow.spawn("start", "--run-key=second", file, "--progress=none")
    runner.stderr.readline()
    flow.database.unlink()
    finished = runner.completed()
    assert finished.returncode == 2
    assert "the flow database was removed or replaced" in finished.stderr
