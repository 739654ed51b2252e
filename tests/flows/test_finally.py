"""The steps of `finally` run when all others have ended, in whatever way (rule 10.1)."""

import json
from pathlib import Path
from typing import Any

import pytest

from support.answers import outcomes
from support.flow import Flow
from support.gate import Gate

SAY = 'echo "$ORCHESJOB_FLOW_OUTCOME: $ORCHESJOB_FLOW_FAILED_STEPS"'
TIDY: dict[str, Any] = {"id": "tidy", "command": ["sh", "-c", SAY]}
ALERT = {"id": "alert", "command": ["true"], "when": "any(failed)"}
NOTE = {"id": "note", "command": ["true"], "when": "tidy && any(cancelled)"}
FINALLY: list[dict[str, Any]] = [TIDY, ALERT, NOTE]


def write(flow: Flow, *steps: dict[str, Any], finally_: list[dict[str, Any]], **fields: Any) -> str:
    return flow.write(*steps, **{**fields, "finally": finally_})


def said(run: Any, step_id: str = "tidy") -> str:
    step = next(step for step in run["steps"] if step["id"] == step_id)
    return Path(step["orchesjob_status"]["stdout_file"]).read_text(encoding="utf-8").strip()


@pytest.mark.parametrize(
    ("command", "status", "outcome", "expected"),
    [
        ("true", "SUCCEEDED", "SUCCEEDED:", {"alert": "SKIPPED", "note": "SKIPPED"}),
        ("false", "FAILED", "FAILED: a", {"alert": "SUCCEEDED", "note": "SKIPPED"}),
    ],
)
def test_an_end_of_its_own(
    flow: Flow, command: str, status: str, outcome: str, expected: dict[str, str]
) -> None:
    """They begin after all steps, know how these have ended, and leave that as it is."""
    steps = [{"id": "a", "command": [command]}, {"id": "b", "command": ["true"], "when": "a"}]
    flow_file = write(flow, *steps, finally_=FINALLY)
    started = flow.run("start", "--run-key=k", "--progress=plain", flow_file)
    assert started.returncode == int(status != "SUCCEEDED")
    words = [line.split(" ", 1)[1] for line in started.stderr.splitlines()]
    assert words.index(f"k {status.lower()}; now its finally") < words.index("tidy SUCCEEDED")
    run = json.loads(started.stdout)
    assert (run["status"], said(run)) == (status, outcome)
    assert {name: outcomes(run)[name] for name in expected} == expected
    by_id = {step["id"]: step for step in run["steps"]}
    assert by_id["tidy"]["started_at"] >= by_id["a"]["finished_at"]
    assert [step["in_finally"] for step in run["steps"]] == [False, False, True, True, True]
    assert run["finally_after"] == outcome.partition(":")[0]


def test_a_timeout(flow: Flow) -> None:
    """They run although the time of the run is over, and the run stays one that timed out."""
    steps = [{"id": "a", "command": ["sleep", "600"]}]
    flow_file = write(flow, *steps, timeout_sec=0.5, finally_=FINALLY)
    run = flow.start("k", flow_file, code=1)
    assert (run["status"], run["error"]) == ("FAILED", "timed out after 0.5 s")
    assert run["finished_at"] - run["started_at"] >= 0.5
    assert said(run) == "TIMED_OUT:"
    assert outcomes(run) == {
        "a": "CANCELLED",
        "tidy": "SUCCEEDED",
        "alert": "SKIPPED",
        "note": "SUCCEEDED",
    }


def waiting_tidy(gate: Gate) -> dict[str, Any]:
    return {"id": "tidy", "command": gate.command(SAY)}


def test_a_cancel_waits_and_says_so(flow: Flow, gate: Gate) -> None:
    """`cancel` returns when they have ended; meanwhile the run is RUNNING and says why."""
    steps = [{"id": "a", "command": gate.command()}]
    flow_file = write(flow, *steps, finally_=[waiting_tidy(gate), NOTE])
    flow.detach(flow_file, gate)
    cancel = flow.spawn("cancel", "--run-key=k")
    gate.await_arrival()
    news = "cancelled; finally: tidy is running"
    assert cancel.stderr.readline() == (
        f"orchesjob-flow: run 'k': {news}; `cancel --now` ends that too\n"
    )
    assert flow.status("k")["status"] == "RUNNING"
    table = flow.run("status", "--run-key=k", "--format=table").stdout
    assert f"Ending: {news} (a second `orchesjob-flow cancel` ends that too)\n" in table
    assert "\nfinally: tidy  > RUNNING" in table
    assert "> RUNNING (finally)" in flow.run("list", "--format=table").stdout
    gate.let_through()
    assert cancel.wait() == 0
    run = flow.status("k")
    assert (run["status"], said(run)) == ("CANCELLED", "CANCELLED:")
    assert outcomes(run) == {"a": "CANCELLED", "tidy": "SUCCEEDED", "note": "SUCCEEDED"}


def test_a_first_cancel_of_them(flow: Flow, gate: Gate) -> None:
    """It says that no other step was left to stop, names those of `finally`, and how to stop them.

    The run keeps the outcome of its steps (rule 5.6).
    """
    flow_file = write(flow, {"id": "a", "command": ["true"]}, finally_=[waiting_tidy(gate)])
    flow.detach(flow_file, gate)
    cancel = flow.spawn("cancel", "--run-key=k")
    assert cancel.stderr.readline() == (
        "orchesjob-flow: run 'k': no step was left to stop; succeeded; "
        "finally: tidy is running; `cancel --now` ends that too\n"
    )
    gate.let_through()
    _, said_at_last = cancel.communicate()
    assert said_at_last == "orchesjob-flow: run 'k': no step was left to stop; it SUCCEEDED\n"
    assert (cancel.returncode, flow.status("k")["status"]) == (0, "SUCCEEDED")


def test_a_second_cancel_ends_them_too(flow: Flow, gate: Gate) -> None:
    """Both calls return, and nothing is left."""
    steps = [{"id": "a", "command": gate.command()}]
    flow_file = write(flow, *steps, finally_=[waiting_tidy(gate), NOTE])
    flow.detach(flow_file, gate)
    first = flow.spawn("cancel", "--run-key=k")
    gate.await_arrival()
    run = flow.ask("cancel", "--run-key=k")
    assert first.completed().returncode == 0
    assert run["status"] == "CANCELLED"
    assert outcomes(run) == dict.fromkeys(["a", "tidy", "note"], "CANCELLED")
    # The background runner may be closing what it has open.
    flow.await_true(lambda: not flow.orchesjob.processes())


@pytest.mark.parametrize(("command", "status"), [("true", "CANCELLED"), ("false", "FAILED")])
def test_now_after_the_steps(flow: Flow, gate: Gate, command: str, status: str) -> None:
    """If only `finally` is stopped, a run that would have SUCCEEDED is CANCELLED (rule 10.1)."""
    steps = [{"id": "a", "command": [command]}]
    flow_file = write(flow, *steps, finally_=[waiting_tidy(gate), NOTE])
    flow.detach(flow_file, gate)
    cancel = flow.run("cancel", "--run-key=k", "--now")
    run = flow.status("k")
    assert run["status"] == status
    assert [step["status"] for step in run["steps"][1:]] == ["CANCELLED", "CANCELLED"]
    news = "orchesjob-flow: run 'k': only finally was left to stop; it FAILED\n"
    assert cancel.stderr == ("" if status == "CANCELLED" else news)


def test_now_lets_none_begin(flow: Flow, gate: Gate) -> None:
    """`cancel --now` while the steps run ends the run without its `finally`."""
    flow_file = write(flow, {"id": "a", "command": gate.command()}, finally_=FINALLY)
    flow.detach(flow_file, gate)
    run = flow.ask("cancel", "--run-key=k", "--now")
    ended = dict.fromkeys(["a", "tidy", "note"], "CANCELLED")
    assert outcomes(run) == {**ended, "alert": "SKIPPED"}  # nothing has failed
    assert flow.orchesjob.run("status", "--run-key=k:tidy:1").returncode == 3


def test_a_retry_runs_them_again(flow: Flow) -> None:
    """Each ending has its own; what has succeeded before is not run again (rule 9.7)."""
    steps = [{"id": "a", "command": ["true"]}, {"id": "b", "command": ["sh", "-c", "exit $CODE"]}]
    flow_file = write(flow, *steps, env={"CODE": "1"}, finally_=FINALLY)
    assert said(flow.start("k", flow_file, code=1)) == "FAILED: b"
    run = flow.ask("retry", "--run-key=k", "--env=CODE=0")
    assert (run["status"], said(run)) == ("SUCCEEDED", "SUCCEEDED:")
    assert [step["attempt_no"] for step in run["steps"]] == [1, 2, 2, 1, 0]
    assert outcomes(run)["alert"] == "SKIPPED"


def test_explained(flow: Flow, gate: Gate) -> None:
    """`explain` says what they wait for, and what their conditions say so far (rule 9.4)."""
    flow_file = write(flow, {"id": "a", "command": gate.command()}, finally_=FINALLY)
    flow.detach(flow_file, gate)
    flow.await_job("k")
    lines = flow.run("explain", "--run-key=k", "--format=table").stdout.splitlines()
    waits = "PENDING: waits for the end of all steps: a RUNNING"
    assert lines[1] == f"tidy {waits}"
    assert lines[2] == f"alert {waits}; `any(failed)` is undecided (a RUNNING)"
    gate.let_through()
    flow.ask("wait", "--run-key=k")
    answer = flow.run("explain", "--run-key=k", "--format=table", "alert").stdout
    assert answer.splitlines()[0] == "alert SKIPPED: a SUCCEEDED, so `any(failed)` is false"


@pytest.mark.parametrize("tidy", ["true", "false"])
def test_who_asks_how_the_run_ends(flow: Flow, tidy: str) -> None:
    """It is told, and all that explains a step says how the run ends (rules 3.9 and 9.4)."""
    steps = [{"id": "a", "command": ["false"], "allow_failure": True}]
    red = {"id": "red", "command": ["sh", "-c", SAY], "when": "run(failed)"}
    green = {"id": "green", "command": ["sh", "-c", SAY], "when": "run( succeeded ) && a.failed"}
    last = {"id": "tidy", "command": [tidy]}
    flow_file = write(flow, *steps, finally_=[red, green, last])
    run = flow.start("k", flow_file, code=int(tidy == "false"))
    ends, ran, skipped = (
        ("FAILED", "red", "green") if tidy == "false" else ("SUCCEEDED", "green", "red")
    )
    assert run["status"] == ends
    assert said(run, ran) == f"{ends}: {'a tidy' if tidy == 'false' else 'a'}"
    why = {step["id"]: step["reason"] for step in run["steps"]}
    assert why[skipped] == f"its condition was false: the run ends {ends}"
    when = "run( succeeded )" if skipped == "green" else "run(failed)"
    (line, *_) = flow.run("explain", "--run-key=k", "--format=table", skipped).stdout.splitlines()
    assert line.startswith(f"{skipped} SKIPPED: the run ends {ends}, so `{when}")
    again = flow.ask("retry", "--run-key=k", "--only", "--step=tidy", code=int(tidy == "false"))
    why = {step["id"]: step["reason"] for step in again["steps"]}
    assert why[skipped] == "its condition was false, before the retry of tidy"


def test_drawn(flow: Flow) -> None:
    """`graph` sets them apart, in every form, and `validate` counts them (rules 9.1, 9.3)."""
    flow_file = write(flow, {"id": "a", "command": ["true"]}, finally_=FINALLY)
    assert flow.run("graph", flow_file).stdout == (
        "Flow: f\n\n"
        "Rank       Step   Runs\n"
        "---------  -----  ---------------------------\n"
        "1          a      at once\n"
        "finally    tidy   at the end\n"
        "           alert  when any(failed)\n"
        "finally 2  note   when tidy && any(cancelled)\n"
    )
    mermaid = flow.run("graph", "--format=mermaid", flow_file).stdout
    assert '    subgraph finally\n        s1["tidy"]\n' in mermaid
    assert "\n    end\n    s0 --> s2\n" in mermaid
    dot = flow.run("graph", "--format=dot", flow_file).stdout
    assert "    subgraph cluster_finally {" in dot
    valid = flow.run("validate", "--format=table", flow_file).stdout
    assert valid.endswith(f"{flow_file}: valid: f, 1 step and 3 in finally, 1 warning\n")
    assert flow.ask("validate", flow_file)["files"][0]["finally"] == 3
