"""`settle`: a person decides how a step has ended, and its run goes on (rule 12.3)."""

import json
import os
import pwd
import re
import time
from typing import Any

import pytest

from support.answers import outcomes
from support.flow import Flow
from support.gate import Gate
from support.orchesjob import FakeOrchesjob

STEPS = (
    {"id": "get", "command": ["true"]},
    {"id": "load", "command": ["sh", "-c", "exit 3"], "when": "get"},
    {"id": "report", "command": ["true"], "when": "load"},
    {"id": "instead", "command": ["true"], "when": "load.skipped"},
    {"id": "alert", "command": ["true"], "when": "load.failed"},
    {"id": "other", "command": ["false"], "allow_failure": True},
)
TIDY = {"id": "tidy", "command": ["sh", "-c", 'echo "$ORCHESJOB_FLOW_OUTCOME"']}
ME = pwd.getpwuid(os.getuid()).pw_name
BY_HAND = ("--as", "succeeded", "--reason", "loaded by hand")


def write(flow: Flow) -> str:
    fields: dict[str, Any] = {"finally": [TIDY]}
    return flow.write(*STEPS, **fields)


def step_of(run: Any, step_id: str) -> Any:
    return next(step for step in run["steps"] if step["id"] == step_id)


def test_the_run_goes_on(flow: Flow) -> None:
    """What depends on the step is decided again, `finally` runs again, all else is kept (12.3)."""
    before = flow.start("k", write(flow), code=1)
    began = time.time()
    run = flow.ask("settle", "k", "load", *BY_HAND)
    assert (run["status"], run["error"]) == ("SUCCEEDED", None)
    assert outcomes(run) == {
        "get": "SUCCEEDED",
        "load": "SUCCEEDED",
        "report": "SUCCEEDED",
        "instead": "SKIPPED",
        "alert": "SKIPPED",
        "other": "FAILED",
        "tidy": "SUCCEEDED",
    }
    assert [step["run_key"] for step in run["steps"]] == [
        *("k:get:1", "k:load:1", "k:report:1", "k:instead:1", "k:alert:2", "k:other:1", "k:tidy:2")
    ]
    assert flow.run("logs", "k", "tidy").stdout == "SUCCEEDED\n"
    was, is_ = step_of(before, "load"), step_of(run, "load")
    assert {key for key in is_ if was[key] != is_[key]} == {
        *("status", "error", "reason", "settlements")
    }
    (settlement,) = is_["settlements"]
    assert began <= settlement["at"] <= time.time()
    assert settlement == {
        "at": settlement["at"],
        "status": "SUCCEEDED",
        "was": "FAILED",
        "error": "exit code 3",
        "by": {"user": ME, "uid": os.getuid(), "sudo_user": None},
        "reason": "loaded by hand",
        "holds": True,
    }
    assert flow.status("k") == run


def test_a_cancelled_step(flow: Flow, gate: Gate, fake_orchesjob: FakeOrchesjob) -> None:
    """A step that was cancelled is settled like one that failed; others stay CANCELLED (12.3)."""
    after = {"id": "b", "command": ["true"], "when": "a"}
    other = {"id": "c", "command": ["true"], "depends_on": ["b"]}
    flow.detach(flow.write({"id": "a", "command": gate.command()}, after, other), gate)
    flow.ask("cancel", "k")
    run = flow.ask("settle", "k", "b", *BY_HAND, code=1)
    assert (run["status"], outcomes(run)) == (
        "CANCELLED",
        {"a": "CANCELLED", "b": "SUCCEEDED", "c": "SUCCEEDED"},
    )
    run = flow.ask("settle", "k", "a", "--as=succeeded", "--reason=was done")
    assert (run["status"], run["cancel_requested_at"]) == ("SUCCEEDED", None)
    assert fake_orchesjob.begun() == ["k:a:1", "k:c:1", "k:b:1", "k:c:2"]
    assert [len(step["settlements"]) for step in run["steps"]] == [1, 1, 0]
    assert not step_of(run, "b")["settlements"][0]["holds"]


def test_copies(flow: Flow) -> None:
    """The name that means all copies means those that failed; each is settled (10.3, 12.3)."""
    step = {"id": "load", "command": ["sh", "-c", 'test "$X" = q']}
    after = {"id": "after", "command": ["true"], "when": "load"}
    file = flow.write({"foreach": {"X": ["p", "q", "r"]}, "steps": [step]}, after)
    flow.start("k", file, code=1)
    one = flow.ask("settle", "k", "load@p", *BY_HAND, code=1)
    assert (one["error"], outcomes(one)["after"]) == ("1 step failed: load@r", "SKIPPED")
    run = flow.ask("settle", "k", "load", "--as=succeeded", "--reason=the rest")
    assert (run["status"], outcomes(run)["after"]) == ("SUCCEEDED", "SUCCEEDED")
    reasons = [[one["reason"] for one in step["settlements"]] for step in run["steps"][:3]]
    assert reasons == [["loaded by hand"], [], ["the rest"]]


def test_retry_makes_it_history(flow: Flow, fake_orchesjob: FakeOrchesjob) -> None:
    """A `retry` keeps the outcome, unless it names the step; then that runs, and all is told."""
    flow.start("k", write(flow), code=1)
    flow.ask("settle", "k", "load", *BY_HAND)
    flow.ask("retry", "k", "--step=report")
    assert "k:load:2" not in fake_orchesjob.begun()
    run = flow.ask("retry", "k", "--step=load", code=1)
    load = step_of(run, "load")
    assert (load["status"], load["attempt_no"], load["reason"]) == ("FAILED", 2, "exit code 3")
    assert [one["holds"] for one in load["settlements"]] == [False]
    assert not [one for one in flow.ask("doctor", "k")["checks"] if one["check"] == "settled"]
    assert flow.ask("explain", "k", "load")["steps"][0]["settled"] is None
    assert "until it was decided again" in flow.run("report", "k").stdout
    run = flow.ask("settle", "k", "load", "--as=skipped", "--reason=never mind")
    assert [one["holds"] for one in step_of(run, "load")["settlements"]] == [False, True]


def test_two_people(flow: Flow, gate: Gate) -> None:
    """Of two people who settle a step at once, one is told who has, or that the run goes on."""
    after = {"id": "after", "command": gate.command(), "when": "load"}
    flow.start("k", flow.write({"id": "load", "command": ["false"]}, after), code=1)
    words = ["settle", "k", "load", "--as=succeeded"]
    calls = [flow.spawn(*words, f"--reason=by {name}") for name in ("ann", "bob")]
    gate.await_arrival()
    gate.let_through()
    finished = [call.completed() for call in calls]
    assert sorted(one.returncode for one in finished) == [0, 2], finished
    (winner,) = [place for place, one in enumerate(finished) if one.returncode == 0]
    (settlement,) = step_of(flow.status("k"), "load")["settlements"]
    assert settlement["reason"] == f"by {('ann', 'bob')[winner]}"
    error = flow.refusal(*words, "--reason=again")["error"]
    assert f"SUCCEEDED, settled by {ME} (by {('ann', 'bob')[winner]})" in error


def test_who_used_sudo(flow: Flow) -> None:
    """The person before `sudo` is told with the user who acts; no text is more than text (6.5)."""
    flow.start("k", write(flow), code=1)
    environ = {**flow.environ, "SUDO_USER": "ann\x1b[31m"}
    words = ("settle", "k", "load", "--as=succeeded", "--reason=<b>*so* \N{SNOWMAN}")
    assert flow.run(*words, env=environ).returncode == 0
    (settlement,) = step_of(flow.status("k"), "load")["settlements"]
    assert settlement["by"]["sudo_user"] == "ann\x1b[31m"
    told = rf"ann\x1b[31m (as {ME})"
    for command in ("status", "explain"):
        assert told in flow.run(command, "k", "--format=table").stdout
    assert "\x1b[31m" not in flow.run_on_terminal("explain", "k", "load", NO_COLOR="1")[1]
    page = flow.run("report", "k").stdout
    assert "&lt;b&gt;*so* \N{SNOWMAN}" in page
    assert "<b>*so*" not in page


@pytest.fixture(scope="module")
def settled(shared_flow: Flow) -> Flow:
    """A run `k`, of which `load` is settled as SUCCEEDED, and which no test changes."""
    shared_flow.start("k", write(shared_flow), code=1)
    shared_flow.ask("settle", "k", "load", *BY_HAND)
    return shared_flow


WORDS = re.compile(
    rf"settled as SUCCEEDED by {ME}, \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d: "
    r"loaded by hand \(it was FAILED: exit code 3\)"
)


def test_where_it_is_shown(settled: Flow) -> None:
    """`status`, `explain`, `doctor` and each format of `report` tell who, when and why (12.3)."""
    table = settled.run("status", "k", "--format=table").stdout
    assert re.search(r"load +OK SUCCEEDED .*settled by \S+: loaded by hand", table)
    reason = step_of(settled.status("k"), "load")["reason"]
    assert WORDS.fullmatch(reason)
    explained = settled.ask("explain", "k", "load")["steps"][0]
    assert explained["reason"] == reason
    assert explained["settled"] == step_of(settled.status("k"), "load")["settlements"][0]
    assert settled.run("explain", "k", "load", "--format=table").stdout.startswith(
        f"load SUCCEEDED: {reason}\n"
    )
    checks = settled.ask("doctor", "k")["checks"]
    assert [one for one in checks if one["check"] == "settled"] == [
        {"check": "settled", "verdict": "note", "message": f"step 'load' of run 'k': {reason}"}
    ]
    assert settled.ask("doctor")["sound"]
    page = settled.run("report", "k").stdout
    assert '<h2 id="settled">What people decided</h2>' in page
    assert WORDS.search(page)
    assert (
        "| load | ✅ SUCCEEDED (settled) |"
        in settled.run("report", "k", "--format=markdown").stdout
    )
    events = json.loads(settled.run("report", "k", "--format=trace").stdout)["traceEvents"]
    (event,) = [one for one in events if one["ph"] == "i"]
    assert event["name"] == "load (settled)"
    assert WORDS.fullmatch(event["args"]["why"])


REFUSALS = [
    ("done", "is SUCCEEDED, settled by"),
    ("a\nb", "has a line break or a control character"),
    ("\x1b[31m", "has a line break or a control"),
    ("x" * 501, "has 501 characters; 500 are enough"),
]


def test_mistakes(settled: Flow) -> None:
    """What is settled already, and a reason that is no line, are refused; nothing is changed."""
    run = settled.status("k")
    for reason, expected in REFUSALS:
        words = ("settle", "k", "load", "--as=succeeded", "--reason", reason)
        assert expected in settled.refusal(*words)["error"]
    assert settled.status("k") == run
